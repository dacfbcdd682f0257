//! Conversations with proxies that keep to the book, and with such that do not.

mod config;

use std::io;
use std::task::Poll;

use futures::AsyncReadExt;

use super::{Proxy, ProxyError, Route};
use crate::client::DialTarget;
use crate::socket::Socket;
use crate::testing::{pipe, poll_once};

/// What is asked, and what is answered to it.
type Step<'a> = (&'a [u8], &'a [u8]);

const BEHIND: &[u8] = b"what comes behind";

fn target(host: &str) -> DialTarget {
    DialTarget { host: host.to_owned(), port: 0x1f90 }
}

fn http() -> Proxy {
    Proxy::http("proxy.example:3128").unwrap()
}

fn socks5() -> Proxy {
    Proxy::socks5("proxy.example:1080").unwrap()
}

/// Answers in pieces of `piece` bytes, hangs up after the last, and gives what was then left to read.
fn ask(proxy: Proxy, host: &str, steps: &[Step<'_>], piece: usize) -> Result<Vec<u8>, ProxyError> {
    let target = target(host);
    let route = Route::new(proxy, &target, 1).unwrap();
    let (near, mut far) = pipe(1 << 20);
    let mut opening = Box::pin(route.open(Socket::new(near), &target));
    let mut opened = None;
    for (expected, answer) in steps {
        opened = opened.or_else(|| ready(poll_once(&mut opening)));
        assert_eq!(String::from_utf8_lossy(&far.receive()), String::from_utf8_lossy(expected));
        for bytes in answer.chunks(piece) {
            far.send(bytes);
            opened = opened.or_else(|| ready(poll_once(&mut opening)));
        }
    }
    drop(far);
    let mut socket = opened.or_else(|| ready(poll_once(&mut opening))).expect("nothing more comes")?;
    let mut rest = Vec::new();
    smol::block_on(socket.read_to_end(&mut rest)).unwrap();
    Ok(rest)
}

fn ready<T>(poll: Poll<T>) -> Option<T> {
    match poll {
        Poll::Ready(value) => Some(value),
        Poll::Pending => None,
    }
}

fn is_cut(outcome: &Result<Vec<u8>, ProxyError>) -> bool {
    matches!(outcome, Err(ProxyError::Io(error)) if error.kind() == io::ErrorKind::UnexpectedEof)
}

const CONNECT: &[u8] = b"CONNECT pool.example:8080 HTTP/1.1\r\nHost: pool.example:8080\r\n\r\n";

fn connect(answer: &[u8], piece: usize) -> Result<Vec<u8>, ProxyError> {
    ask(http(), "pool.example", &[(CONNECT, answer)], piece)
}

#[test]
fn connect_opens_a_way_however_the_answer_is_cut_and_loses_nothing_behind_it() {
    for head in [
        "HTTP/1.1 200 Connection established\r\n\r\n",
        "HTTP/1.0 200\r\nProxy-agent: tiny/1.0\r\nContent-Length: 3\r\n\r\n",
        "HTTP/1.1 204 \r\nA: b\r\n\r\n",
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
    ] {
        let answer = [head.as_bytes(), BEHIND].concat();
        for piece in [1, 2, 7, answer.len()] {
            assert_eq!(connect(&answer, piece).unwrap(), BEHIND, "{head} in pieces of {piece}");
        }
    }
}

#[test]
fn connect_shows_credentials_and_writes_addresses_as_uris_do() {
    let with = b"CONNECT 192.0.2.7:8080 HTTP/1.1\r\nHost: 192.0.2.7:8080\r\nProxy-Authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==\r\n\r\n";
    let answer = b"HTTP/1.1 200 OK\r\n\r\n";
    // The example of RFC 7617 section 2.
    let proxy = http().credentials("Aladdin", "open sesame");
    assert!(ask(proxy, "192.0.2.7", &[(with, answer)], 1).unwrap().is_empty());
    let v6 = b"CONNECT [2001:db8::7]:8080 HTTP/1.1\r\nHost: [2001:db8::7]:8080\r\n\r\n";
    assert!(ask(http(), "2001:db8::7", &[(v6, answer)], 1).unwrap().is_empty());
}

#[test]
fn connect_tells_why_it_was_refused() {
    let status =
        |line: &str| connect(format!("HTTP/1.1 {line}\r\nContent-Length: 2\r\n\r\nno").as_bytes(), 1).unwrap_err();
    for line in ["407 Proxy Authentication Required", "401 Unauthorized"] {
        assert!(matches!(status(line), ProxyError::Unauthorized));
    }
    for code in [101, 302, 400, 403, 502, 504] {
        assert!(matches!(status(&format!("{code} Sorry")), ProxyError::Status(told) if told == code));
    }
}

#[test]
fn connect_takes_nothing_else_for_an_answer() {
    for garbage in [
        &b"SSH-2.0-OpenSSH_9.9\r\n\r\n"[..],
        b"\x05\x00\x05\x00",
        b"HTTP/2 200\r\n\r\n",
        b"HTTP/1.1 20 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        b"\x15\x03\x01\x00\x02\x02\x46 and so on, quite long",
    ] {
        for piece in [1, garbage.len()] {
            assert!(matches!(connect(garbage, piece), Err(ProxyError::Malformed)), "{garbage:?}");
        }
    }
    let answer = b"HTTP/1.1 200 OK\r\nVia: x\r\n\r\n";
    for end in 0..answer.len() {
        assert!(is_cut(&connect(&answer[..end], 1)), "after {end} bytes");
    }
}

#[test]
fn connect_reads_a_bounded_head_only() {
    let longest = 16 * 1024;
    let padded = |length: usize| {
        let head = "HTTP/1.1 200 OK\r\nX: ";
        format!("{head}{}\r\n\r\n", "x".repeat(length - head.len() - 4)).into_bytes()
    };
    assert!(connect(&padded(longest), 1000).is_ok());
    assert!(matches!(connect(&padded(longest + 1), 1000), Err(ProxyError::Malformed)));
    let endless = b"HTTP/1.1 100 Continue\r\n\r\n".repeat(longest);
    assert!(matches!(connect(&endless, endless.len()), Err(ProxyError::Malformed)));
    let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "A: 1\r\n".repeat(129));
    assert!(matches!(connect(many.as_bytes(), 100), Err(ProxyError::Malformed)));

    let (near, mut far) = pipe(1 << 20);
    far.send(&vec![b'x'; 1 << 20]);
    let target = target("pool.example");
    let route = Route::new(http(), &target, 1).unwrap();
    assert!(matches!(poll_once(route.open(Socket::new(near), &target)), Poll::Ready(Err(ProxyError::Malformed))));
    assert!(far.unread() >= (1 << 20) - longest, "it stops at the first that cannot be an answer");
}

const NAME: &[u8] = b"\x05\x01\x00\x03\x0cpool.example\x1f\x90";
const BOUND: &[u8] = b"\x05\x00\x00\x01\xc0\x00\x02\x01\x04\x38";

#[test]
fn socks_asks_by_name_or_address_and_reads_exactly_the_answer() {
    let v4 = b"\x05\x01\x00\x01\xc0\x00\x02\x07\x1f\x90";
    let v6 = b"\x05\x01\x00\x04\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x07\x1f\x90";
    let by_name = b"\x05\x00\x00\x03\x03abc\x04\x38";
    let by_v6 = [b"\x05\x00\x00\x04", &[7; 18][..]].concat();
    for (host, request) in [("pool.example", NAME), ("192.0.2.7", v4), ("2001:db8::7", v6)] {
        for bound in [BOUND, by_name, &by_v6] {
            let answer = [bound, BEHIND].concat();
            for piece in [1, answer.len()] {
                let steps = [(&b"\x05\x01\x00"[..], &b"\x05\x00"[..]), (request, &answer)];
                assert_eq!(ask(socks5(), host, &steps, piece).unwrap(), BEHIND, "{host}, {bound:?}");
            }
        }
    }
}

#[test]
fn socks_shows_credentials_if_it_is_asked_to() {
    let proxy = || socks5().credentials("user", "pass");
    let subnegotiation = b"\x01\x04user\x04pass";
    let asked = [(&b"\x05\x02\x00\x02"[..], &b"\x05\x02"[..]), (subnegotiation, b"\x01\x00"), (NAME, BOUND)];
    assert!(ask(proxy(), "pool.example", &asked, 1).unwrap().is_empty());
    let not_asked = [(&b"\x05\x02\x00\x02"[..], &b"\x05\x00"[..]), (NAME, BOUND)];
    assert!(ask(proxy(), "pool.example", &not_asked, 1).unwrap().is_empty());
    let refused = [(&b"\x05\x02\x00\x02"[..], &b"\x05\x02"[..]), (subnegotiation, b"\x01\x01")];
    assert!(matches!(ask(proxy(), "pool.example", &refused, 1), Err(ProxyError::Unauthorized)));
}

#[test]
fn socks_tells_why_it_was_refused_and_takes_nothing_else_for_an_answer() {
    let greeted = |answer: &[u8]| ask(socks5(), "pool.example", &[(b"\x05\x01\x00", answer)], 1).unwrap_err();
    assert!(matches!(greeted(b"\x05\xff"), ProxyError::NoMethod));
    // Credentials that nobody has, a method that nobody offered, other versions, and HTTP.
    for garbage in [&b"\x05\x02"[..], b"\x05\x01", b"\x04\x00", b"\x00\x5a", b"HTTP/1.1 400 Bad Request\r\n\r\n"] {
        assert!(matches!(greeted(garbage), ProxyError::Malformed), "{garbage:?}");
    }
    let asked = |answer: &[u8]| {
        ask(socks5(), "pool.example", &[(&b"\x05\x01\x00"[..], &b"\x05\x00"[..]), (NAME, answer)], 1).unwrap_err()
    };
    for code in 1..=u8::MAX {
        // Some hang up without an address.
        assert!(matches!(asked(&[5, code, 0, 1]), ProxyError::Reply(told) if told == code));
    }
    for garbage in [&b"\x04\x00\x00\x01\x00\x00\x00\x00\x00\x00"[..], b"\x05\x00\x00\x02\x00\x00\x00\x00\x00\x00"] {
        assert!(matches!(asked(garbage), ProxyError::Malformed), "{garbage:?}");
    }
    for end in 0..BOUND.len() {
        let steps = [(&b"\x05\x01\x00"[..], &b"\x05\x00"[..]), (NAME, &BOUND[..end])];
        assert!(is_cut(&ask(socks5(), "pool.example", &steps, 1)), "after {end} bytes");
    }
}

#[test]
fn no_answer_of_any_bytes_panics() {
    let mut state = 1_u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as u8
    };
    let begins: [&[u8]; 6] =
        [b"", b"HTTP/1.1 200", b"HTTP/1.1 200 OK\r\n", b"\x05\x00\x05\x00\x00\x03", b"\x05\x02", BOUND];
    for round in 0..2000 {
        let mut answer = begins[round % begins.len()].to_vec();
        answer.extend((0..next()).map(|_| next()));
        for proxy in [http(), socks5(), socks5().credentials("user", "pass")] {
            let (near, mut far) = pipe(1 << 20);
            let target = target("pool.example");
            let route = Route::new(proxy, &target, 1).unwrap();
            far.send(&answer);
            far.end();
            assert!(poll_once(route.open(Socket::new(near), &target)).is_ready());
        }
    }
}
