//! Data that reaches the user past tungstenite, mixed with what does not.

use std::task::Poll;

use futures::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt};
use npws_core::{CloseReason, LinkConfig, PeerGeneration, Role, Violation};

use super::{Connection, client, connection, frames, read, reason};
use crate::testing::{End, established, frame, masked, poll_once};

/// A connection in `role` from which one byte was read, and the raw end of its peer.
fn streaming(role: Role) -> (Connection, End) {
    let (wire, mut far) = established(role, PeerGeneration::V2, LinkConfig::default());
    far.send(&from_peer(role, 0x82, b"."));
    let mut connection = connection(wire);
    assert!(matches!(read(&mut connection), Poll::Ready(Ok(data)) if data == b"."));
    (connection, far)
}

fn from_peer(role: Role, first: u8, payload: &[u8]) -> Vec<u8> {
    if role == Role::Server { masked(first, payload) } else { frame(first, payload) }
}

/// Choices that are the same in every run.
struct Dice(u32);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (self.0 >> 8) as usize % sides
    }
}

/// What one deed of the peer's puts on the wire, and the data in it.
fn deed(role: Role, dice: &mut Dice, next: &mut u8) -> (Vec<u8>, Vec<u8>) {
    let longest = [3, 300, 5_000, 70_000][dice.roll(4)];
    let mut data: Vec<u8> = (0..dice.roll(longest)).map(|n| next.wrapping_add(n as u8)).collect();
    let sent = match dice.roll(8) {
        0 => {
            data.clear();
            from_peer(role, 0x89, b"are you there?")
        }
        1 => {
            data.clear();
            from_peer(role, 0x81, b"a word of a later version")
        }
        2 => {
            let (begin, end) = data.split_at(data.len() / 3);
            let ping = from_peer(role, 0x89, b"between");
            [from_peer(role, 0x02, begin), ping, from_peer(role, 0x80, end)].concat()
        }
        _ => from_peer(role, 0x82, &data),
    };
    *next = next.wrapping_add(data.len() as u8);
    (sent, data)
}

#[test]
fn the_stream_is_the_same_however_it_comes_and_is_read() {
    for (seed, role) in (0..60).zip([Role::Client, Role::Server].into_iter().cycle()) {
        let mut dice = Dice(seed);
        let (mut connection, mut far) = streaming(role);
        let (mut next, mut expected, mut got) = (0, Vec::new(), Vec::new());
        let mut on_its_way = Vec::new();
        for _ in 0..60 {
            let (sent, data) = deed(role, &mut dice, &mut next);
            on_its_way.extend(sent);
            expected.extend(data);
            // Frames come in pieces.
            let piece = dice.roll(on_its_way.len() + 1);
            far.send(&on_its_way[..piece]);
            on_its_way.drain(..piece);
            for _ in 0..dice.roll(6) {
                match dice.roll(5) {
                    0 => {
                        if let Poll::Ready(filled) = poll_once(connection.fill_buf()) {
                            let n = filled.unwrap().len();
                            let n = dice.roll(n) + 1;
                            got.extend_from_slice(&poll_ready(&mut connection)[..n]);
                            connection.consume_unpin(n);
                        }
                    }
                    1 => {
                        let _ = poll_once(connection.write(b"meanwhile")).map(Result::unwrap);
                        far.receive();
                    }
                    _ => {
                        let mut buf = vec![0; [1, 10, 2_000, 100_000][dice.roll(4)]];
                        if let Poll::Ready(n) = poll_once(connection.read(&mut buf)) {
                            got.extend_from_slice(&buf[..n.unwrap()]);
                        }
                    }
                }
                far.receive();
            }
            assert!(expected.starts_with(&got), "seed {seed}");
        }
        far.send(&on_its_way);
        far.send(&from_peer(role, 0x88, &[0x03, 0xe8]));
        smol::block_on(connection.read_to_end(&mut got)).unwrap();
        assert!(got == expected, "seed {seed}");
    }
}

fn poll_ready(connection: &mut Connection) -> Vec<u8> {
    match poll_once(connection.fill_buf()) {
        Poll::Ready(Ok(filled)) => filled.to_vec(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn data_is_read_before_its_message_is_whole() {
    let (mut connection, mut far) = streaming(Role::Client);
    let message = frame(0x82, &[7; 1000]);
    far.send(&message[..500]);
    let mut buf = [0; 2000];
    assert!(matches!(poll_once(connection.read(&mut buf)), Poll::Ready(Ok(496))));
    assert!(poll_once(connection.read(&mut buf)).is_pending());
    far.send(&message[500..]);
    assert!(matches!(poll_once(connection.read(&mut buf)), Poll::Ready(Ok(504))));
}

#[test]
fn a_ping_between_messages_is_answered() {
    let (mut connection, mut far) = streaming(Role::Client);
    far.send(&[frame(0x82, b"one"), frame(0x89, b"ping"), frame(0x82, b"two")].concat());
    let mut buf = [0; 6];
    smol::block_on(connection.read_exact(&mut buf)).unwrap();
    assert_eq!(&buf, b"onetwo");
    assert!(read(&mut connection).is_pending());
    assert_eq!(frames(&mut far), [(0x8a, b"ping".to_vec())]);
}

#[test]
fn what_may_not_go_past_tungstenite_is_refused_by_it() {
    let too_long = [&[0x82, 127][..], &(u64::MAX >> 1).to_be_bytes()].concat();
    let bad: [Vec<u8>; 5] = [
        masked(0x82, b"masked by a server"),
        frame(0xc2, b"a reserved bit"),
        frame(0x83, b"an opcode of nothing"),
        frame(0x80, b"the end of nothing"),
        too_long,
    ];
    for bytes in bad {
        let (mut connection, mut far) = streaming(Role::Client);
        far.send(&[frame(0x82, b"good"), bytes].concat());
        assert!(matches!(read(&mut connection), Poll::Ready(Ok(data)) if data == b"good"));
        let Poll::Ready(Err(error)) = read(&mut connection) else { panic!("no error") };
        assert_eq!(reason(&error), CloseReason::Violation(Violation::Frame));
    }
}

#[test]
fn a_message_within_another_is_refused() {
    let (mut connection, mut far) = streaming(Role::Client);
    far.send(&frame(0x02, b"the beginning"));
    assert!(read(&mut connection).is_pending());
    far.send(&frame(0x82, b"and no end"));
    let Poll::Ready(Err(error)) = read(&mut connection) else { panic!("no error") };
    assert_eq!(reason(&error), CloseReason::Violation(Violation::Frame));
}

#[test]
fn nothing_overtakes_what_tungstenite_has_read() {
    let (mut connection, mut far) = client(&[frame(0x82, b"ab"), frame(0x82, b"cd"), frame(0x82, b"ef")].concat());
    let mut buf = [0; 2];
    for expected in [b"ab", b"cd", b"ef", b"gh"] {
        smol::block_on(connection.read_exact(&mut buf)).unwrap();
        assert_eq!(&buf, expected);
        if expected == b"ab" {
            far.send(&frame(0x82, b"gh"));
        }
    }
}

#[test]
fn a_message_that_is_cut_is_no_end_of_the_stream() {
    for begun in [&frame(0x82, b"whole")[..4], &[0x82][..]] {
        let (mut connection, mut far) = streaming(Role::Client);
        far.send(begun);
        far.end();
        let mut got = Vec::new();
        let error = smol::block_on(connection.read_to_end(&mut got)).unwrap_err();
        assert_eq!(reason(&error), CloseReason::TransportEnded);
        assert_eq!(got, begun.get(2..).unwrap_or_default());
    }
}

#[test]
fn data_after_fin_is_refused() {
    let (mut connection, mut far) = streaming(Role::Client);
    far.send(&[frame(0x82, b"all"), frame(0x81, b"fin"), frame(0x82, b"and more")].concat());
    assert!(matches!(read(&mut connection), Poll::Ready(Ok(data)) if data == b"all"));
    let mut rest = Vec::new();
    let error = smol::block_on(connection.read_to_end(&mut rest)).err();
    assert!(rest.is_empty());
    assert_eq!(error.map(|error| reason(&error)), Some(CloseReason::Violation(Violation::DataAfterFin)));
}
