use super::*;

fn origin(text: &str) -> Origin {
    text.parse().unwrap()
}

fn policies() -> [OriginPolicy; 4] {
    let listed = || BTreeSet::from(["https://app.example", "http://localhost:3000"].map(origin));
    [OriginPolicy::Any, OriginPolicy::Allow(listed()), OriginPolicy::Require(listed()), OriginPolicy::NoBrowsers]
}

#[test]
fn what_each_policy_admits() {
    let admitted: [(&[&str], [bool; 4]); 9] = [
        (&[], [true, true, false, true]),
        (&["https://app.example"], [true, true, true, false]),
        (&[" HTTPS://APP.example:443\t"], [true, true, true, false]),
        (&["http://localhost:3000"], [true, true, true, false]),
        (&["https://evil.example"], [true, false, false, false]),
        (&["null"], [true, false, false, false]),
        (&[""], [true, false, false, false]),
        (&["https://app.example", "https://app.example"], [true, false, false, false]),
        (&["https://app.example http://localhost:3000"], [true, false, false, false]),
    ];
    for (origins, by_policy) in admitted {
        for (policy, admits) in policies().iter().zip(by_policy) {
            let fields = origins.iter().map(|origin| ("oriGIN", *origin)).chain([("Host", "https://app.example")]);
            assert_eq!(policy.admits(fields), admits, "{origins:?} by {policy:?}");
        }
    }
}

#[test]
fn an_origin_that_only_looks_like_a_listed_one_is_another() {
    for other in [
        "http://app.example",
        "https://app.example:8443",
        "https://app.example:80",
        "https://app.example.",
        "https://app.example.evil.example",
        "https://evil-app.example",
        "https://sub.app.example",
        "https://app.example/",
        "https://app.example/path",
        "https://app.example?x",
        "https://app.example#x",
        "https://user@app.example",
        "https://app.example:",
        "https://app.example:0443",
        "https://app.example\u{0}",
        "https:app.example",
        "https:/app.example",
        "//app.example",
        "app.example",
        "https://app.exаmple",
    ] {
        assert!(!policies()[1].admits([("Origin", other)]), "{other:?}");
    }
    assert!(!policies()[1].admits([("Origin", b"https://app.example\xff".as_slice())]));
}

#[test]
fn the_port_that_belongs_to_the_scheme_may_be_left_out() {
    for (with, without) in [
        ("http://a.example:80", "http://a.example"),
        ("https://a.example:443", "https://a.example"),
        ("ws://a.example:80", "ws://a.example"),
        ("wss://a.example:443", "wss://a.example"),
    ] {
        assert_eq!(origin(with), origin(without));
        assert_eq!(origin(with).to_string(), without);
    }
    assert_ne!(origin("http://a.example:443"), origin("http://a.example"));
    assert_ne!(origin("other://a.example:80"), origin("other://a.example"));
}

#[test]
fn all_kinds_of_hosts_and_schemes() {
    for (text, shown) in [
        ("http://192.0.2.1:8080", "http://192.0.2.1:8080"),
        ("http://[2001:DB8:0::1]:8080", "http://[2001:db8::1]:8080"),
        ("https://[2001:db8::1]", "https://[2001:db8::1]"),
        ("https://xn--bcher-kva.example", "https://xn--bcher-kva.example"),
        ("chrome-extension://abcdefgh", "chrome-extension://abcdefgh"),
        ("http://localhost:65535", "http://localhost:65535"),
        ("http://localhost:0", "http://localhost:0"),
    ] {
        assert_eq!(origin(text).to_string(), shown);
        assert_eq!(origin(shown), origin(text));
    }
}

#[test]
fn what_is_no_origin_is_refused_with_its_text() {
    for text in [
        "",
        "null",
        "*",
        "https://",
        "https://:443",
        "https://*.example/",
        "://a.example",
        "1http://a.example",
        "ht tp://a.example",
        "https://a.example:65536",
        "https://a.example:+1",
        "https://a.example:x",
        "https://a.example:1:2",
        "https://a b",
        "https://bücher.example",
        "https://[::1",
        "https://[::1]x",
        "https://[192.0.2.1]",
        "https://2001:db8::1",
    ] {
        let error = text.parse::<Origin>().unwrap_err();
        assert_eq!(error, ParseOriginError(text.into()));
    }
}
