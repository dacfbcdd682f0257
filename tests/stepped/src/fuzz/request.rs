//! Arbitrary bytes where a server pool expects an upgrade request.

use npws_driver::{ForwardedHeader, IpRange, OriginPolicy, ProxyProtocol, Tokens};

use super::ends::Accepting;
use crate::frames::{BINARY, next_frame};

/// Sends the bytes behind the first two, which choose the pieces they come in and what the server asks of a request.
///
/// # Panics
/// When the server does: it must give one well-formed answer or none, and accept nobody whom it refused.
pub fn upgrade_request(data: &[u8]) {
    let [piece, wants, head @ ..] = data else { return };
    let trusted = "192.0.2.0/24".parse::<IpRange>().expect("a range");
    let accepting = Accepting::new(|mut builder| {
        if wants & 1 != 0 {
            builder = builder.tokens(Tokens::new(["secret"]).expect("a token"));
        }
        if wants & 2 != 0 {
            builder = builder.origins(OriginPolicy::Allow(["https://app.example".parse().expect("an origin")].into()));
        }
        if wants & 4 != 0 {
            builder = builder.behind_proxies([trusted], ForwardedHeader::Forwarded);
        }
        if wants & 16 != 0 {
            builder = builder.proxy_protocol(ProxyProtocol::optional([trusted]));
        } else if wants & 32 != 0 {
            builder = builder.proxy_protocol(ProxyProtocol::required([trusted]));
        }
        if wants & 64 != 0 {
            builder = builder.path("/pool");
        }
        if wants & 128 != 0 {
            builder = builder.allow("198.51.100.0/24".parse::<IpRange>().expect("a range"));
        }
        builder.v2(wants & 8 == 0)
    });
    let remote = accepting.connect(usize::from(*piece));
    remote.send(head);
    accepting.runtime.run();
    let mut answer = remote.received();
    let stats = accepting.pool.stats();
    if answer.is_empty() {
        assert_eq!((stats.registered_total, stats.rejected_total), (0, 0), "who waits was neither let in nor refused");
    } else if read_answer(&mut answer) == 101 {
        let id = next_frame(&mut answer);
        assert!(id.is_some_and(|(first, payload)| first == BINARY && payload.len() == 4), "the ID comes first");
        assert_eq!((stats.registered_total, stats.rejected_total), (1, 0));
    } else {
        assert!(answer.is_empty(), "a refusal is the last that is said");
        assert_eq!((stats.registered_total, stats.rejected_total, accepting.pool.active()), (0, 1, 0));
    }
    accepting.finish(&remote);
}

/// Takes the answer off, body included. Gives its status.
fn read_answer(answer: &mut Vec<u8>) -> u16 {
    let mut fields = [httparse::EMPTY_HEADER; 16];
    let mut response = httparse::Response::new(&mut fields);
    let length = match response.parse(answer).expect("a well-formed answer") {
        httparse::Status::Complete(length) => length,
        httparse::Status::Partial => panic!("half an answer"),
    };
    let status = response.code.expect("a status");
    let field = |name: &str| {
        let found = response.headers.iter().find(|field| field.name.eq_ignore_ascii_case(name));
        found.map(|field| std::str::from_utf8(field.value).expect("plain text").to_owned())
    };
    let mut body = 0;
    if status != 101 {
        assert!((400..600).contains(&status), "status {status}");
        assert_eq!(field("Connection").as_deref(), Some("close"));
        body = field("Content-Length").expect("a length").parse().expect("a number");
    }
    assert!(answer.len() >= length + body, "half a body");
    answer.drain(..length + body);
    status
}
