use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec;

use super::ForwardedError::*;
use super::ForwardedHeader::*;
use super::*;
use crate::IpRange;

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn trusted() -> AllowList {
    ["10.0.0.0/8", "2001:db8:f::/48"].map(|block| block.parse::<IpRange>().unwrap()).into()
}

/// Asks on behalf of the trusted proxy 10.0.0.1.
fn ask(header: ForwardedHeader, lines: &[&str]) -> Result<String, ForwardedError> {
    let fields = lines.iter().map(|line| (header.name(), *line));
    client_address(address("10.0.0.1"), &trusted(), header, fields).map(|client| client.to_string())
}

fn all(header: ForwardedHeader, cases: &[(&str, Result<&str, ForwardedError>)]) {
    for (line, client) in cases {
        assert_eq!(ask(header, &[line]), client.map(String::from), "{line:?}");
    }
}

#[test]
fn a_peer_that_is_not_trusted_is_the_client_whatever_it_says() {
    for peer in ["192.0.2.9", "2001:db8::9", "11.0.0.1"] {
        for line in ["198.51.100.1", "garbage", "", "for=198.51.100.1", "for=\""] {
            for header in [Forwarded, XForwardedFor] {
                let fields = [(header.name(), line)];
                let client = client_address(address(peer), &trusted(), header, fields);
                assert_eq!(client, Ok(address(peer)));
            }
        }
    }
    let nobody = AllowList::default();
    let client = client_address(address("10.0.0.1"), &nobody, XForwardedFor, [("X-Forwarded-For", "192.0.2.1")]);
    assert_eq!(client, Ok(address("10.0.0.1")));
}

#[test]
fn without_the_field_a_trusted_peer_is_the_client() {
    assert_eq!(ask(Forwarded, &[]), Ok("10.0.0.1".into()));
    assert_eq!(ask(XForwardedFor, &[]), Ok("10.0.0.1".into()));
}

#[test]
fn only_the_configured_field_is_looked_at() {
    let fields = [("Forwarded", "for=192.0.2.1"), ("X-Forwarded-For", "192.0.2.2"), ("X-Real-IP", "192.0.2.3")];
    for (header, client) in [(Forwarded, "192.0.2.1"), (XForwardedFor, "192.0.2.2")] {
        assert_eq!(client_address(address("10.0.0.1"), &trusted(), header, fields), Ok(address(client)));
    }
    let other = [("Forwarded", "for=\"")];
    assert_eq!(client_address(address("10.0.0.1"), &trusted(), XForwardedFor, other), Ok(address("10.0.0.1")));
}

#[test]
fn names_are_compared_without_case_and_values_may_be_bytes() {
    let fields = [("x-fORWARDED-fOR", b"192.0.2.1".as_slice())];
    assert_eq!(client_address(address("10.0.0.1"), &trusted(), XForwardedFor, fields), Ok(address("192.0.2.1")));
    let fields = [("forwarded", b"for=\"\xff\"".as_slice())];
    assert_eq!(client_address(address("10.0.0.1"), &trusted(), Forwarded, fields), Err(Malformed));
    // Another parameter may hold such bytes.
    let fields = [("forwarded", b"host=\"\xff\";for=192.0.2.1".as_slice())];
    assert_eq!(client_address(address("10.0.0.1"), &trusted(), Forwarded, fields), Ok(address("192.0.2.1")));
    let fields = [("X-Forwarded-For", b"\xff".as_slice())];
    assert_eq!(client_address(address("10.0.0.1"), &trusted(), XForwardedFor, fields), Err(Malformed));
}

#[test]
fn x_forwarded_for_is_walked_from_the_right() {
    all(
        XForwardedFor,
        &[
            ("192.0.2.1", Ok("192.0.2.1")),
            ("192.0.2.1,10.0.0.2", Ok("192.0.2.1")),
            (" 192.0.2.1 ,\t10.0.0.2 , 10.0.0.3\t", Ok("192.0.2.1")),
            ("198.51.100.1, 192.0.2.1", Ok("192.0.2.1")),
            ("10.0.0.9, 192.0.2.1, 10.0.0.2", Ok("192.0.2.1")),
            ("garbage, 192.0.2.1", Ok("192.0.2.1")),
            (", 192.0.2.1", Ok("192.0.2.1")),
            ("10.0.0.3, 10.0.0.2", Ok("10.0.0.3")),
            ("2001:db8::1, 2001:db8:f::2", Ok("2001:db8::1")),
        ],
    );
}

#[test]
fn x_forwarded_for_takes_what_proxies_write() {
    all(
        XForwardedFor,
        &[
            ("192.0.2.1:443", Ok("192.0.2.1")),
            ("2001:db8::1", Ok("2001:db8::1")),
            ("[2001:db8::1]", Ok("2001:db8::1")),
            ("[2001:db8::1]:443", Ok("2001:db8::1")),
            ("::ffff:192.0.2.1", Ok("192.0.2.1")),
            ("[::ffff:192.0.2.1]:1", Ok("192.0.2.1")),
            ("unknown", Err(Unknown)),
            ("192.0.2.1, unknown, 10.0.0.2", Err(Unknown)),
        ],
    );
}

#[test]
fn x_forwarded_for_that_cannot_be_read_where_the_walk_comes_is_refused() {
    for line in [
        "",
        " ",
        "192.0.2.1,",
        "192.0.2.1,, 10.0.0.2",
        "192.0.2.1 10.0.0.2",
        "192.0.2.1;10.0.0.2",
        "192.0.2",
        "192.0.2.01",
        "192.0.2.1:",
        "192.0.2.1:123456",
        "192.0.2.1:http",
        "[192.0.2.1]",
        "[2001:db8::1",
        "[2001:db8::1]443",
        "2001:db8::1]",
        "fe80::1%eth0",
        "\"192.0.2.1\"",
        "for=192.0.2.1",
        "example.org",
        "192.0.2.1\u{a0}",
    ] {
        assert_eq!(ask(XForwardedFor, &[line]), Err(Malformed), "{line:?}");
    }
}

#[test]
fn the_examples_of_rfc_7239() {
    all(
        Forwarded,
        &[
            ("for=\"_gazonk\"", Err(Unknown)),
            ("For=\"[2001:db8:cafe::17]:4711\"", Ok("2001:db8:cafe::17")),
            ("for=192.0.2.60;proto=http;by=203.0.113.43", Ok("192.0.2.60")),
            ("for=192.0.2.43, for=198.51.100.17", Ok("198.51.100.17")),
            ("for=_hidden, for=_SEVKISEK", Err(Unknown)),
            ("for=192.0.2.43,for=\"[2001:db8:cafe::17]\",for=unknown", Err(Unknown)),
            ("for=192.0.2.43, for=\"[2001:db8:cafe::17]\"", Ok("2001:db8:cafe::17")),
            ("for=192.0.2.43, for=198.51.100.17;by=203.0.113.60;proto=http;host=example.com", Ok("198.51.100.17")),
        ],
    );
}

#[test]
fn forwarded_is_walked_from_the_right() {
    all(
        Forwarded,
        &[
            ("for=192.0.2.1, for=10.0.0.2", Ok("192.0.2.1")),
            ("for=198.51.100.1, for=192.0.2.1, for=\"10.0.0.2:80\"", Ok("192.0.2.1")),
            ("for=garbage, for=192.0.2.1", Ok("192.0.2.1")),
            ("for=10.0.0.3, for=10.0.0.2", Ok("10.0.0.3")),
            ("for=_hidden, for=10.0.0.2", Err(Unknown)),
            ("for=garbage, for=10.0.0.2", Err(Malformed)),
            // Nobody is passed over.
            ("for=192.0.2.1, proto=https", Err(Unknown)),
            ("for=192.0.2.1, ", Err(Unknown)),
            ("for=192.0.2.1,, for=10.0.0.2", Err(Unknown)),
            ("", Err(Unknown)),
        ],
    );
}

#[test]
fn forwarded_takes_every_spelling_of_a_node() {
    all(
        Forwarded,
        &[
            ("FOR=192.0.2.1", Ok("192.0.2.1")),
            ("for=\"192.0.2.1\"", Ok("192.0.2.1")),
            ("for=\"192.0.2.1:_port\"", Ok("192.0.2.1")),
            ("for=\"1\\92.0.2.1\"", Ok("192.0.2.1")),
            ("for=\"[::ffff:192.0.2.1]\"", Ok("192.0.2.1")),
            ("\t for=192.0.2.1 ; proto=https \t", Ok("192.0.2.1")),
            (";;for=192.0.2.1;", Ok("192.0.2.1")),
            ("host=\"a,b;for=198.51.100.1\\\"\";for=192.0.2.1", Ok("192.0.2.1")),
            ("host=\"a\tb\";for=192.0.2.1", Ok("192.0.2.1")),
            ("for=UNKNOWN", Err(Unknown)),
            ("for=\"unknown:80\"", Err(Unknown)),
            ("for=\"_a:_b\"", Err(Unknown)),
        ],
    );
}

#[test]
fn forwarded_that_is_not_written_as_it_has_to_be_is_refused() {
    for line in [
        "192.0.2.1",
        "for",
        "for=",
        "for=;proto=http",
        "for =192.0.2.1",
        "for= 192.0.2.1",
        "=192.0.2.1",
        "for=192.0.2.1:80",
        "for=[2001:db8::1]",
        "for=\"2001:db8::1\"",
        "for=\"[192.0.2.1]\"",
        "for=\"192.0.2.1",
        "for=\"192.0.2.1\\",
        "for=\"192.0.2.1\"x",
        "for=\"192.0.2.1\u{1}\"",
        "for=\"\"",
        "for=\"_\"",
        "for=\"_a b\"",
        "for=\"192.0.2.1:\"",
        "for=\"192.0.2.1:_\"",
        "for=192.0.2.1;for=192.0.2.2",
        "for=192.0.2.1 for=192.0.2.2",
        "for=192.0.2.1;proto",
        "proto=\"\u{7f}\";for=192.0.2.1",
    ] {
        assert_eq!(ask(Forwarded, &[line]), Err(Malformed), "{line:?}");
    }
}

#[test]
fn a_quote_that_the_client_opens_hides_nothing() {
    // What the client sent, and what a proxy appends to it on the same line.
    for sent in ["for=198.51.100.1;by=\"", "\"", "for=\"", "for=198.51.100.1;x=\"\\"] {
        for appended in [", for=192.0.2.1", ", for=\"192.0.2.1:80\";by=\"_a\"", ", for=\"[2001:db8::1]\";host=\"x\""] {
            assert_eq!(ask(Forwarded, &[&format!("{sent}{appended}")]), Err(Malformed));
        }
        // On a line of its own it is not even reached.
        assert_eq!(ask(Forwarded, &[sent, "for=192.0.2.1"]), Ok("192.0.2.1".into()));
    }
}

#[test]
fn lines_are_walked_from_the_last() {
    assert_eq!(ask(XForwardedFor, &["198.51.100.1", "192.0.2.1", "10.0.0.2"]), Ok("192.0.2.1".into()));
    assert_eq!(ask(Forwarded, &["for=192.0.2.1, for=10.0.0.3", "for=10.0.0.2"]), Ok("192.0.2.1".into()));
    assert_eq!(ask(XForwardedFor, &["192.0.2.1", "x", "10.0.0.2"]), Err(Malformed));
}

#[test]
fn a_trusted_peer_may_be_shown_as_a_mapped_address() {
    let fields = [("X-Forwarded-For", "192.0.2.1")];
    let client = client_address(address("::ffff:10.0.0.1"), &trusted(), XForwardedFor, fields);
    assert_eq!(client, Ok(address("192.0.2.1")));
    let client = client_address(address("::ffff:11.0.0.1"), &trusted(), XForwardedFor, fields);
    assert_eq!(client, Ok(address("11.0.0.1")));
}

#[test]
fn the_work_is_bounded() {
    let entry = "10.0.0.2,";
    let long = entry.repeat(MAX_BYTES / entry.len()) + "10.0.0.2";
    assert_eq!(ask(XForwardedFor, &[&long]), Err(TooLong));
    assert_eq!(ask(Forwarded, &[&"x".repeat(MAX_BYTES)]), Err(TooLong));
    assert_eq!(ask(XForwardedFor, &vec![""; MAX_BYTES + 1]), Err(TooLong));
    assert_eq!(ask(XForwardedFor, &[&"10.0.0.2,".repeat(800), "10.0.0.3"]), Err(Malformed));
    let deep = "10.0.0.2,".repeat(800) + "10.0.0.3";
    assert_eq!(ask(XForwardedFor, &[&deep]), Ok("10.0.0.2".into()));
}
