//! Nothing is lost on the way from a byte stream to a WebSocket of the user's own.

use std::future::poll_fn;
use std::task::{Context, Poll, Waker};

use futures::StreamExt;
use npws_core::{Instant, LinkConfig, PeerGeneration, Role};
use tungstenite::Message;

use super::{client, connection, frames, read, write};
use crate::testing::{End, ID, establish, established, frame, masked, next_frame, pipe, poll_once, transport, wire};
use crate::wire::Wire;

/// What a peer sends early, frame by frame, and the messages that a user must get of it.
fn script(encode: fn(u8, &[u8]) -> Vec<u8>) -> (Vec<u8>, Vec<Message>) {
    let long: Vec<u8> = (0..3000_u32).map(|n| n as u8).collect();
    let frames = [
        encode(0x89, b"before"),
        encode(0x82, b"first"),
        encode(0x89, b"between"),
        encode(0x82, b""),
        encode(0x02, b"frag"),
        encode(0x89, b"inside"),
        encode(0x00, b""),
        encode(0x8a, b"unasked"),
        encode(0x80, b"ments"),
        encode(0x82, &long),
        encode(0x82, b"last"),
        encode(0x88, &[0x03, 0xe8, b'b', b'y', b'e']),
    ];
    let close = tungstenite::protocol::CloseFrame { code: 1000.into(), reason: "bye".into() };
    let messages = vec![
        Message::binary(&b"first"[..]),
        Message::binary(&b""[..]),
        Message::binary(&b"fragments"[..]),
        Message::binary(long),
        Message::binary(&b"last"[..]),
        Message::Close(Some(close)),
    ];
    (frames.concat(), messages)
}

/// An established wire of either role, before anything but the ID has come.
fn idle(role: Role, limit: usize) -> (Wire, End) {
    let config = LinkConfig { early_data_limit: limit, ..LinkConfig::default() };
    established(role, PeerGeneration::V1, config)
}

fn watch(wire: &mut Wire) {
    let mut cx = Context::from_waker(Waker::noop());
    while wire.poll_watch(&mut cx, Instant::ZERO).is_ready() {}
}

/// What a user gets when `stream` comes in three parts: while the connection is idle, when it is taken and written to,
/// and when it has become a WebSocket.
fn messages(role: Role, limit: usize, stream: &[u8], cut: usize) -> Vec<Message> {
    let (mut wire, mut far) = idle(role, limit);
    far.send(&stream[..cut]);
    watch(&mut wire);
    let mut connection = connection(wire);
    let second_cut = stream.len().min(cut + 9);
    far.send(&stream[cut..second_cut]);
    // A writer reads too. It fails if the close frame is there already.
    let _ = write(&mut connection, b"x");
    let mut socket = smol::block_on(connection.into_websocket()).unwrap();
    far.send(&stream[second_cut..]);
    let mut messages = Vec::new();
    while let Poll::Ready(Some(message)) = poll_once(socket.next()) {
        let message = message.unwrap();
        if !message.is_ping() && !message.is_pong() {
            messages.push(message);
        }
    }
    let answers = frames(&mut far).into_iter().filter(|(first, _)| *first == 0x88).count();
    assert_eq!(answers, 1, "one close frame, one answer, cut at {cut}");
    messages
}

#[test]
fn messages_come_out_unchanged_wherever_the_stream_is_cut() {
    for (role, encode) in [(Role::Client, frame as fn(u8, &[u8]) -> Vec<u8>), (Role::Server, masked)] {
        let (stream, expected) = script(encode);
        for cut in 0..=stream.len() {
            assert_eq!(messages(role, 64 * 1024, &stream, cut), expected, "{role:?}, cut at {cut}");
        }
    }
}

#[test]
fn messages_come_out_unchanged_when_reading_had_stopped_at_the_limit() {
    let (stream, expected) = script(frame);
    for limit in [0, 1, 5, 100, 500] {
        for cut in (0..=stream.len()).step_by(13).chain([stream.len()]) {
            assert_eq!(messages(Role::Client, limit, &stream, cut), expected, "limit {limit}, cut at {cut}");
        }
    }
}

#[test]
fn what_follows_the_id_in_its_message_is_a_message() {
    for id in [vec![frame(0x82, b"\xa1\xb2\xc3\xd4rest")], vec![frame(0x02, b"\xa1"), frame(0x80, b"\xb2\xc3\xd4rest")]]
    {
        let (near, mut far) = pipe(1 << 20);
        let mut wire = wire(transport(near), Role::Client, PeerGeneration::V1, LinkConfig::default());
        far.send(&[id.concat(), frame(0x82, b"next")].concat());
        smol::block_on(establish(&mut wire));
        let mut socket = smol::block_on(connection(wire).into_websocket()).unwrap();
        for expected in [&b"rest"[..], b"next"] {
            assert_eq!(smol::block_on(socket.next()).unwrap().unwrap(), Message::binary(expected));
        }
    }
}

#[test]
fn a_v2_peers_control_words_are_not_messages_of_the_user() {
    let (near, mut far) = pipe(1 << 20);
    let mut wire = wire(transport(near), Role::Server, PeerGeneration::V2, LinkConfig::default());
    smol::block_on(establish(&mut wire));
    far.send(&[masked(0x81, b"a word"), masked(0x82, b"data"), masked(0x81, b"another")].concat());
    watch(&mut wire);
    let mut socket = smol::block_on(connection(wire).into_websocket()).unwrap();
    assert_eq!(smol::block_on(socket.next()).unwrap().unwrap(), Message::binary(&b"data"[..]));
    assert!(poll_once(socket.next()).is_pending());
}

#[test]
fn what_was_written_before_is_sent_and_more_can_follow() {
    let (near, mut far) = pipe(100);
    far.send(&frame(0x82, &ID.to_bytes()));
    let mut wire = wire(transport(near), Role::Client, PeerGeneration::V1, LinkConfig::default());
    smol::block_on(establish(&mut wire));
    let mut connection = connection(wire);
    assert!(matches!(write(&mut connection, &[5; 500]), Poll::Ready(Ok(500))));
    let mut turning = Box::pin(connection.into_websocket());
    let mut received = Vec::new();
    let mut socket = loop {
        match poll_once(&mut turning) {
            Poll::Ready(socket) => break socket.unwrap(),
            Poll::Pending => received.extend(far.receive()),
        }
    };
    received.extend(far.receive());
    assert_eq!(next_frame(&mut received), Some((0x82, vec![5; 500])));

    // Longer than what a connection sends at a time.
    let long = vec![6; 200_000];
    let mut sending = Box::pin(socket.send(Message::binary(long.clone())));
    while poll_once(&mut sending).is_pending() {
        received.extend(far.receive());
    }
    received.extend(far.receive());
    assert_eq!(next_frame(&mut received), Some((0x82, long)));
}

#[test]
fn who_has_read_bytes_gets_the_connection_back() {
    let (mut connection, mut far) = client(&frame(0x82, b"one"));
    assert!(matches!(read(&mut connection), Poll::Ready(Ok(data)) if data == b"one"));
    let error = smol::block_on(connection.into_websocket()).unwrap_err();
    let mut connection = error.into_connection();
    far.send(&frame(0x82, b"two"));
    assert!(matches!(read(&mut connection), Poll::Ready(Ok(data)) if data == b"two"));
}

#[test]
fn empty_messages_do_not_pile_up() {
    let (mut wire, mut far) = idle(Role::Client, 64 * 1024);
    far.send(&frame(0x82, b"").repeat(10_000));
    for _ in 0..100 {
        watch(&mut wire);
    }
    assert_eq!(far.unread(), 0);
    let mut socket = smol::block_on(connection(wire).into_websocket()).unwrap();
    let mut count = 0;
    while let Poll::Ready(message) = poll_once(poll_fn(|cx| socket.poll_next_unpin(cx))) {
        assert_eq!(message.unwrap().unwrap(), Message::binary(&b""[..]));
        count += 1;
    }
    assert_eq!(count, 64);
}
