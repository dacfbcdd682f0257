//! Arbitrary bytes where a client pool expects the answer to its upgrade request, or that of the proxy in between.

use npws_driver::Proxy;
use tungstenite::handshake::derive_accept_key;

use super::ends::Dialing;

/// Stands for the key that the request asks for, which no fuzzer guesses.
const KEY: &[u8] = b"{key}";
/// Stands for a pause, in which the client answers a proxy.
const NEXT: &[u8] = b"{next}";
const FIELD: &[u8] = b"Sec-WebSocket-Key: ";

/// Answers with the bytes behind the first, which chooses the pieces they come in, and a proxy if it is even.
///
/// # Panics
/// When the client does: whatever it hears, its dial has one outcome, and it has said nothing but its request before.
pub fn upgrade_response(data: &[u8]) {
    let [kind, answer @ ..] = data else { return };
    let (dialing, remote) = Dialing::new(usize::from(*kind), |builder| match proxy(*kind) {
        Some(url) => builder.proxy(Proxy::from_url(url).expect("a proxy")),
        None => builder,
    });
    let mut heard = remote.received();
    if proxy(*kind).is_none() {
        assert!(!key_of(&heard).is_empty(), "the request comes first");
    }
    for part in parts(answer) {
        heard.extend(remote.received());
        let key = position(&heard, FIELD).and_then(|at| heard[at + FIELD.len()..].split(|byte| *byte == b'\r').next());
        remote.send(&replace(part, KEY, derive_accept_key(key.unwrap_or_default()).as_bytes()));
        dialing.runtime.run();
    }
    remote.end();
    dialing.runtime.run();
    let stats = dialing.pool.stats();
    // The first dial is over; those after it reach nothing and stay under way.
    assert_eq!(stats.registered_total + stats.dial_failures.total(), 1);
    assert_eq!(dialing.pool.last_dial_error().is_some(), stats.dial_failures.total() == 1);
    if let Some(error) = dialing.pool.last_dial_error() {
        assert!(!error.to_string().is_empty());
    }
    dialing.finish(&remote);
}

/// The `Sec-WebSocket-Key` of a request.
pub(super) fn key_of(request: &[u8]) -> Vec<u8> {
    let mut fields = [httparse::EMPTY_HEADER; 16];
    let mut parsed = httparse::Request::new(&mut fields);
    parsed.parse(request).expect("a well-formed request");
    let key = parsed.headers.iter().find(|field| field.name.eq_ignore_ascii_case("Sec-WebSocket-Key"));
    key.expect("a key").value.to_vec()
}

fn proxy(kind: u8) -> Option<&'static str> {
    match kind % 8 {
        0 => Some("http://proxy.example:3128"),
        2 => Some("socks5://proxy.example:1080"),
        4 => Some("http://user:secret@proxy.example:3128"),
        6 => Some("socks5://user:secret@proxy.example:1080"),
        _ => None,
    }
}

fn position(text: &[u8], what: &[u8]) -> Option<usize> {
    text.windows(what.len()).position(|window| window == what)
}

fn parts(mut rest: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut is_over = false;
    std::iter::from_fn(move || {
        if is_over {
            return None;
        }
        let at = position(rest, NEXT);
        is_over = at.is_none();
        let part = &rest[..at.unwrap_or(rest.len())];
        rest = at.map_or(&[], |at| &rest[at + NEXT.len()..]);
        Some(part)
    })
}

fn replace(text: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let mut replaced = Vec::new();
    let mut rest = text;
    while let Some(at) = position(rest, from) {
        replaced.extend_from_slice(&rest[..at]);
        replaced.extend_from_slice(to);
        rest = &rest[at + from.len()..];
    }
    replaced.extend_from_slice(rest);
    replaced
}
