//! Arbitrary bytes where a client pool expects the answer to its upgrade request.

use tungstenite::handshake::derive_accept_key;

use super::ends::Dialing;

/// Stands for the key that the request asks for, which no fuzzer guesses.
const KEY: &[u8] = b"{key}";

/// Answers with the bytes behind the first, which chooses the pieces they come in.
///
/// # Panics
/// When the client does: whatever it hears, its dial has one outcome, and it has said nothing but its request before.
pub fn upgrade_response(data: &[u8]) {
    let [piece, answer @ ..] = data else { return };
    let (dialing, remote) = Dialing::new(usize::from(*piece), |builder| builder);
    let request = remote.received();
    let key = derive_accept_key(&key_of(&request));
    remote.send(&replace(answer, KEY, key.as_bytes()));
    dialing.runtime.run();
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

fn replace(text: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let mut replaced = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.windows(from.len()).position(|window| window == from) {
        replaced.extend_from_slice(&rest[..at]);
        replaced.extend_from_slice(to);
        rest = &rest[at + from.len()..];
    }
    replaced.extend_from_slice(rest);
    replaced
}
