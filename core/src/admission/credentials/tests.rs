use alloc::format;
use alloc::string::String;

use super::*;

fn token(fields: &[(&'static str, &'static str)]) -> Option<String> {
    let credentials = Credentials::of(fields.iter().copied());
    credentials.token().map(|token| String::from_utf8(token.to_vec()).unwrap())
}

fn authorization(value: &'static str) -> Option<String> {
    token(&[("Authorization", value)])
}

fn protocols(value: &'static str) -> (Option<String>, Option<&'static str>) {
    let field = ("Sec-WebSocket-Protocol", value);
    (token(&[field]), Credentials::of([field]).subprotocol())
}

#[test]
fn a_bearer_token_in_any_spelling_of_the_scheme() {
    for value in ["Bearer abc", "bearer abc", "BEARER abc", "Bearer   abc", " Bearer abc\t"] {
        assert_eq!(authorization(value).as_deref(), Some("abc"), "{value:?}");
    }
    assert_eq!(token(&[("AUTHORIZATION", "Bearer abc")]).as_deref(), Some("abc"));
    let all = "Bearer AZaz09-._~+/==";
    assert_eq!(authorization(all).as_deref(), Some("AZaz09-._~+/=="));
}

#[test]
fn what_is_not_a_bearer_token_is_none() {
    for value in [
        "",
        "Bearer",
        "Bearer ",
        "Bearer =",
        "Bearer a b",
        "Bearer a,b",
        "Bearer a=b",
        "Bearer \"abc\"",
        "Bearer\u{a0}abc",
        "Bearer:abc",
        "Bearerabc",
        "Basic YWJj",
        "abc",
        "Token abc",
        "Bearer tök",
    ] {
        assert_eq!(authorization(value), None, "{value:?}");
    }
}

#[test]
fn a_browser_presents_it_as_a_subprotocol() {
    let abc = Some(String::from("abc"));
    assert_eq!(protocols("npws, npws.bearer.abc"), (abc.clone(), Some("npws")));
    assert_eq!(protocols("npws.bearer.abc,npws"), (abc.clone(), Some("npws")));
    assert_eq!(protocols(" chat ,\tnpws.bearer.abc , npws\t"), (abc.clone(), Some("npws")));
    let lines = [("Sec-WebSocket-Protocol", "npws"), ("sec-websocket-protocol", "npws.bearer.abc")];
    assert_eq!((token(&lines), Credentials::of(lines).subprotocol()), (abc, Some("npws")));
    assert_eq!(protocols("npws, npws.bearer.eyJh.eyJz.S-_~").0.as_deref(), Some("eyJh.eyJz.S-_~"));
}

#[test]
fn the_subprotocol_with_the_token_is_never_answered() {
    assert_eq!(protocols("npws.bearer.abc"), (Some("abc".into()), None));
    assert_eq!(protocols("npws.bearer.npws").1, None);
}

#[test]
fn other_subprotocols_say_nothing() {
    for value in ["", ",", "chat", "NPWS", "npws2", "npws.bearer", "Npws.Bearer.abc", "xnpws.bearer.abc"] {
        assert_eq!(protocols(value), (None, None), "{value:?}");
    }
}

#[test]
fn a_subprotocol_with_a_bad_token_presents_none() {
    for value in ["npws, npws.bearer.", "npws, npws.bearer.a=", "npws, npws.bearer.a/b", "npws, npws.bearer.a b"] {
        assert_eq!(protocols(value), (None, Some("npws")), "{value:?}");
    }
}

#[test]
fn several_tokens_are_none_wherever_they_come_from() {
    let first = ("Authorization", "Bearer abc");
    for second in [
        ("Authorization", "Bearer abc"),
        ("Authorization", "Bearer other"),
        ("Authorization", "Bearer"),
        ("Sec-WebSocket-Protocol", "npws.bearer.abc"),
        ("Sec-WebSocket-Protocol", "npws.bearer."),
    ] {
        assert_eq!(token(&[first, second]), None, "{second:?}");
        assert_eq!(token(&[second, first]), None, "{second:?}");
        assert_eq!(token(&[first, second, first]), None, "{second:?}");
    }
    assert_eq!(protocols("npws.bearer.abc, npws.bearer.def").0, None);
}

#[test]
fn credentials_of_other_schemes_do_not_stand_in_the_way() {
    let basic = ("Authorization", "Basic YWJj");
    assert_eq!(token(&[basic, ("Sec-WebSocket-Protocol", "npws, npws.bearer.abc")]).as_deref(), Some("abc"));
    assert_eq!(token(&[("Proxy-Authorization", "Bearer abc")]), None);
}

#[test]
fn bytes_that_are_no_text_are_no_token() {
    let fields = [("Authorization", b"Bearer \xff\xfe".as_slice()), ("Sec-WebSocket-Protocol", b"\xff".as_slice())];
    let credentials = Credentials::of(fields);
    assert_eq!((credentials.token(), credentials.subprotocol()), (None, None));
}

#[test]
fn debug_tells_no_token() {
    let shown = |value| format!("{:?}", Credentials::of([("Authorization", value)]));
    assert_eq!(shown("Bearer secret"), "Credentials(a token, subprotocol None)");
    assert_eq!(shown("Bearer se cret"), "Credentials(nothing usable, subprotocol None)");
    assert_eq!(shown("Basic secret"), "Credentials(nothing, subprotocol None)");
}
