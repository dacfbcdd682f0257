//! What is accepted as a proxy, and that no credentials get out.

use super::{http, socks5, target};
use crate::error::BuildError;
use crate::proxy::{Protocol, Proxy, Route};

#[test]
fn a_url_says_all_that_there_is_to_know() {
    use Protocol::{Connect, Socks5};

    for (url, protocol, host, port, credentials) in [
        ("http://proxy.example", Connect, "proxy.example", 80, None),
        ("HTTP://proxy.example:3128/", Connect, "proxy.example", 3128, None),
        ("https://user:pass@192.0.2.1", Connect, "192.0.2.1", 443, Some(("user", "pass"))),
        ("socks5://[2001:db8::1]", Socks5, "2001:db8::1", 1080, None),
        ("socks5h://u@[2001:db8::1]:9050", Socks5, "2001:db8::1", 9050, Some(("u", ""))),
        ("socks5://a%3Ab:c%40d%25@proxy.example", Socks5, "proxy.example", 1080, Some(("a:b", "c@d%"))),
        ("socks5://u:p:q@x@proxy.example", Socks5, "proxy.example", 1080, Some(("u", "p:q@x"))),
    ] {
        let proxy = Proxy::from_url(url).unwrap();
        assert_eq!((proxy.protocol, &*proxy.address.host, proxy.address.port), (protocol, host, port), "{url}");
        let shown = proxy.credentials.as_ref().map(super::super::Credentials::to_subnegotiation);
        let expected = credentials.map(|(user, password)| {
            let lengths = [user, password].map(|text| u8::try_from(text.len()).unwrap());
            [&[1, lengths[0]], user.as_bytes(), &[lengths[1]], password.as_bytes()].concat()
        });
        assert_eq!(shown, expected, "{url}");
        let has_tls = !format!("{:?}", proxy.tls).contains("Plain");
        assert_eq!(has_tls, url.starts_with("https:"), "{url}");
    }
}

#[test]
fn what_is_no_proxy_is_refused_without_being_repeated() {
    for text in [
        "",
        "proxy.example:3128",
        "ftp://u:secret@proxy.example",
        "socks4://u:secret@proxy.example",
        "http://",
        "http://u:secret@",
        "http://u:secret@:3128",
        "http://u:secret@proxy.example:port",
        "http://u:secret@proxy.example:65536",
        "http://u:secret@2001:db8::1",
        "http://u:secret@proxy.example/path",
        "http://u:secret@proxy.example?x=secret",
        "socks5://u:secret%ff@proxy.example",
        "u:secret@proxy.example:1080",
    ] {
        let error = Proxy::from_url(text).unwrap_err();
        assert_eq!(error.field(), "proxy");
        assert!(!error.to_string().contains("secret") && !format!("{error:?}").contains("secret"), "{error}");
        if !text.starts_with("proxy") {
            assert!(!format!("{:?}", Proxy::http(text).unwrap_err()).contains("secret"));
        }
    }
}

#[test]
fn credentials_that_cannot_be_shown_are_refused_and_none_get_out() {
    let long = "secret".repeat(43);
    let refused = |proxy: Proxy| match Route::new(proxy, &target("pool.example"), 1) {
        Err(BuildError::Config(error)) => {
            assert!(!format!("{error} {error:?}").contains("secret"), "{error}");
            assert_eq!(error.field(), "credentials");
            true
        }
        Err(error) => panic!("{error}"),
        Ok(_) => false,
    };
    for (user, password, by_http, by_socks) in [
        ("user", "secret", true, true),
        ("user", "", true, true),
        ("", "secret", false, false),
        ("us:er", "secret", false, true),
        ("user", "secret\r\nX: y", false, true),
        (&long, "secret", false, false),
        ("user", &long, false, false),
    ] {
        for (proxy, accepted) in [(http(), by_http), (socks5(), by_socks)] {
            let proxy = proxy.credentials(user, password);
            assert!(!format!("{proxy:?}").contains("secret"));
            assert_eq!(refused(proxy), !accepted, "{user}, {password}");
        }
    }
}

#[test]
fn a_server_that_no_proxy_can_be_asked_for_is_refused() {
    for host in ["x".repeat(256), "pool.example\r\nX: y".into(), "pool example".into()] {
        assert!(matches!(Route::new(http(), &target(&host), 1), Err(BuildError::Config(_))), "{host}");
    }
    assert!(Route::new(socks5(), &target(&"x".repeat(255)), 1).is_ok());
}
