//! The wire against raw frames.

mod early_data_total;

use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use npws_core::{CloseReason, Instant, LinkConfig, PeerGeneration, Role, Violation};
use tungstenite::Message;

use super::{WatchEvent, Wire};
use crate::testing::{
    Count, End, ID, MAX_MESSAGE, TestTime, established, established_client, frame, masked, next_frame, pipe, poll_once,
    transport, wire,
};

const START: Instant = Instant::ZERO;

fn watch(wire: &mut Wire, now: Instant) -> Poll<WatchEvent> {
    wire.poll_watch(&mut Context::from_waker(Waker::noop()), now)
}

fn frames(end: &mut End) -> Vec<(u8, Vec<u8>)> {
    let mut received = end.receive();
    std::iter::from_fn(|| next_frame(&mut received)).collect()
}

fn client(peer: PeerGeneration) -> (Wire, End) {
    established_client(peer, LinkConfig::default())
}

/// `result` when the peer does `what`, and that it is told once.
fn verdict(peer: PeerGeneration, what: impl FnOnce(&mut End)) -> (WatchEvent, Vec<(u8, Vec<u8>)>) {
    let (mut wire, mut far) = client(peer);
    assert_eq!(watch(&mut wire, START), Poll::Pending);
    what(&mut far);
    let Poll::Ready(event) = watch(&mut wire, START) else { panic!("no event") };
    assert_eq!(watch(&mut wire, START), Poll::Pending);
    (event, frames(&mut far))
}

#[test]
fn the_id_arrives_however_it_is_cut() {
    let stream =
        [frame(0x89, b"x"), frame(0x02, &ID.to_bytes()[..1]), frame(0x80, &[]), frame(0x82, &ID.to_bytes()[1..])];
    let stream = stream.concat();
    for cut in 0..stream.len() {
        let (near, mut far) = pipe(1024);
        let mut wire = wire(transport(near), Role::Client, PeerGeneration::V1, LinkConfig::default());
        let mut establish = || poll_once(poll_fn(|cx| wire.poll_establish(cx, START)));
        far.send(&stream[..cut]);
        assert!(establish().is_pending());
        far.send(&stream[cut..]);
        assert_eq!(establish(), Poll::Ready(Ok(ID)));
        assert_eq!(frames(&mut far), [(0x8a, b"x".to_vec())]);
    }
}

#[test]
fn the_server_reports_an_id_that_has_left() {
    let (near, mut far) = pipe(3);
    let mut wire = wire(transport(near), Role::Server, PeerGeneration::V1, LinkConfig::default());
    let mut establish = || poll_once(poll_fn(|cx| wire.poll_establish(cx, START)));
    assert!(establish().is_pending());
    let mut received = far.receive();
    assert_eq!(establish(), Poll::Ready(Ok(ID)));
    received.extend(far.receive());
    assert_eq!(next_frame(&mut received), Some((0x82, ID.to_bytes().to_vec())));
}

#[test]
fn an_id_that_does_not_come_in_time_is_a_failed_handshake() {
    let (near, _far) = pipe(1024);
    let mut wire = wire(transport(near), Role::Client, PeerGeneration::V1, LinkConfig::default());
    assert!(poll_once(poll_fn(|cx| wire.poll_establish(cx, START))).is_pending());
    let deadline = wire.poll_timeout().unwrap();
    let ended = poll_once(poll_fn(|cx| wire.poll_establish(cx, deadline)));
    assert_eq!(ended, Poll::Ready(Err(CloseReason::HandshakeFailed)));
}

#[test]
fn an_idle_connection_answers_pings_and_owns_nothing() {
    let (mut wire, mut far) = client(PeerGeneration::V1);
    for n in 0..3 {
        far.send(&frame(0x89, &[n]));
        assert_eq!(watch(&mut wire, START), Poll::Pending);
        assert_eq!(frames(&mut far), [(0x8a, vec![n])]);
        assert!(wire.socket.get_ref().unsettled().is_empty());
    }
    assert_eq!(wire.last_alive(), Some(START));
}

#[test]
fn a_silent_v2_peer_is_pinged_and_then_given_up() {
    let (mut wire, mut far) = client(PeerGeneration::V2);
    let ping = wire.poll_timeout().unwrap();
    assert_eq!(watch(&mut wire, ping), Poll::Pending);
    assert_eq!(frames(&mut far), [(0x89, vec![])]);

    let give_up = wire.poll_timeout().unwrap();
    far.send(&frame(0x8a, &[]));
    let answered = Poll::Ready(WatchEvent::RoundTrip(give_up - ping));
    assert_eq!(watch(&mut wire, give_up), answered, "a pong that waits to be read is in time");
    assert_eq!(watch(&mut wire, give_up), Poll::Pending);

    let ping = wire.poll_timeout().unwrap();
    assert_eq!(watch(&mut wire, ping), Poll::Pending);
    let give_up = wire.poll_timeout().unwrap();
    assert_eq!(watch(&mut wire, give_up), Poll::Ready(WatchEvent::Closed(CloseReason::KeepaliveTimeout)));
    assert_eq!(watch(&mut wire, give_up), Poll::Pending);
}

#[test]
fn early_data_is_a_claim_and_with_a_close_it_is_retained() {
    let (mut wire, mut far) = client(PeerGeneration::V1);
    far.send(&frame(0x82, b"early"));
    assert_eq!(watch(&mut wire, START), Poll::Ready(WatchEvent::Claimed));
    assert_eq!(watch(&mut wire, START), Poll::Pending);
    far.send(&frame(0x88, &[0x03, 0xe8]));
    let reason = CloseReason::PeerClosed(Some(1000));
    assert_eq!(watch(&mut wire, START), Poll::Ready(WatchEvent::Retained(reason)));
    assert_eq!(watch(&mut wire, START), Poll::Pending);
    assert_eq!(frames(&mut far), [(0x88, vec![0x03, 0xe8])], "the close frame is answered");
    assert_eq!(wire.chunk(), Some(&b"early"[..]));
    assert_eq!(wire.end(), Some(reason));
}

#[test]
fn each_way_to_end_has_its_reason() {
    use PeerGeneration::V1;
    let closed = |code| WatchEvent::Closed(CloseReason::PeerClosed(code));
    assert_eq!(verdict(V1, |far| far.send(&frame(0x88, &[]))).0, closed(None));
    assert_eq!(verdict(V1, |far| far.send(&frame(0x88, &[0x03, 0xf3]))).0, closed(Some(1011)));
    let lost = verdict(V1, |far| far.fail(io::ErrorKind::ConnectionReset)).0;
    assert_eq!(lost, WatchEvent::Closed(CloseReason::TransportFailed));

    let (mut wire, far) = client(V1);
    assert_eq!(watch(&mut wire, START), Poll::Pending);
    drop(far);
    assert_eq!(watch(&mut wire, START), Poll::Ready(WatchEvent::Closed(CloseReason::TransportEnded)));
}

#[test]
fn a_violation_is_answered_with_the_code_that_says_which() {
    let frame_violation = WatchEvent::Closed(CloseReason::Violation(Violation::Frame));
    let text_violation = WatchEvent::Closed(CloseReason::Violation(Violation::Text));
    let close = |code: u16| vec![(0x88, code.to_be_bytes().to_vec())];

    let too_long = [&[0x82, 127][..], &(MAX_MESSAGE as u64 + 1).to_be_bytes()].concat();
    assert_eq!(verdict(PeerGeneration::V1, |far| far.send(&too_long)), (frame_violation, close(1009)));
    assert_eq!(verdict(PeerGeneration::V1, |far| far.send(&[0xf2, 0])), (frame_violation, close(1002)));
    let masked_by_server = masked(0x82, b"x");
    assert_eq!(verdict(PeerGeneration::V1, |far| far.send(&masked_by_server)), (frame_violation, close(1002)));
    let not_utf8 = frame(0x81, &[0xff]);
    assert_eq!(verdict(PeerGeneration::V2, |far| far.send(&not_utf8)), (frame_violation, close(1007)));
    let text = frame(0x81, b"text");
    assert_eq!(verdict(PeerGeneration::V1, |far| far.send(&text)), (text_violation, close(1003)));
}

#[test]
fn a_v2_peers_unknown_word_changes_nothing() {
    let (mut wire, mut far) = client(PeerGeneration::V2);
    far.send(&frame(0x81, b"a word from the future"));
    assert_eq!(watch(&mut wire, START), Poll::Pending);
    assert_eq!(wire.end(), None);
    assert!(wire.socket.get_ref().unsettled().is_empty());
}

#[test]
fn early_data_is_bounded_even_inside_one_message_and_nothing_of_it_is_lost() {
    const LIMIT: usize = 2000;
    let config = LinkConfig { early_data_limit: LIMIT, ..LinkConfig::default() };
    let message: Vec<u8> = (0..100_000_u32).map(|n| n as u8).collect();
    for role in [Role::Client, Role::Server] {
        let encode = if role == Role::Client { frame } else { masked };
        let (mut wire, mut far) = established(role, PeerGeneration::V2, config.clone());
        far.send(&encode(0x82, &message));
        let (woken, waker) = Count::new();
        let mut now = START;
        let watched = wire.poll_watch(&mut Context::from_waker(&waker), now);
        assert_eq!(watched, Poll::Ready(WatchEvent::Claimed), "the beginning of a message is data");
        for _ in 0..5 {
            let watched = wire.poll_watch(&mut Context::from_waker(&waker), now);
            assert_eq!(watched, Poll::Pending, "a pong would sit behind what is not read: no deadline");
            // What the transport has read ahead is bounded as well.
            assert!(far.unread() > 60_000, "{} unread", far.unread());
            assert!(wire.socket.get_ref().unsettled().len() <= LIMIT + 1024);
            now = wire.poll_timeout().unwrap();
        }
        let before = woken.count();
        wire.take(now);
        assert!(woken.count() > before, "whoever waits for the budget is woken when it is lifted");
        assert!(poll_once(poll_fn(|cx| wire.poll_fill(cx, now, message.len()))).is_ready());
        assert_eq!(wire.chunk(), Some(&message[..]));
    }
}

#[test]
fn what_is_buffered_counts_against_what_may_still_arrive() {
    let config = LinkConfig { early_data_limit: 2000, ..LinkConfig::default() };
    let (mut wire, mut far) = established_client(PeerGeneration::V1, config);
    far.send(&[frame(0x82, &[1; 1500]), frame(0x82, &[2; 5000])].concat());
    assert_eq!(watch(&mut wire, START), Poll::Ready(WatchEvent::Claimed));
    assert_eq!(watch(&mut wire, START), Poll::Pending);
    assert!(wire.socket.get_ref().unsettled().len() <= 500 + 1024);
}

#[test]
fn half_a_message_proves_that_the_peer_is_alive() {
    let (mut wire, mut far) = client(PeerGeneration::V2);
    let later = START + Duration::from_secs(20);
    far.send(&frame(0x82, b"half")[..3]);
    assert_eq!(watch(&mut wire, later), Poll::Pending);
    assert_eq!(wire.last_alive(), Some(later));
    assert!(wire.poll_timeout().unwrap() > later + Duration::from_secs(20));
}

#[test]
fn who_has_read_bytes_keeps_no_messages() {
    let (mut wire, mut far) = client(PeerGeneration::V1);
    wire.take(START);
    far.send(&[&frame(0x82, b"read")[..], &frame(0x82, b"half")[..3]].concat());
    let fill = |wire: &mut Wire| poll_once(poll_fn(|cx| wire.poll_fill(cx, START, 5)));
    assert!(fill(&mut wire).is_pending());
    assert_eq!(wire.socket.get_ref().unsettled().len(), 3);
    wire.consume(0);
    assert!(wire.has_whole_messages());
    wire.consume(1);
    assert!(!wire.has_whole_messages());
    assert!(wire.socket.get_ref().unsettled().is_empty());
    far.send(&frame(0x82, b"half")[3..5]);
    assert!(fill(&mut wire).is_pending());
    assert!(wire.socket.get_ref().unsettled().is_empty());
}

#[test]
fn a_flood_of_pings_leaves_room_for_others_and_a_bounded_buffer() {
    let (near, mut far) = pipe(64);
    far.send(&frame(0x82, &ID.to_bytes()));
    let mut wire = wire(transport(near), Role::Client, PeerGeneration::V1, LinkConfig::default());
    assert_eq!(poll_once(poll_fn(|cx| wire.poll_establish(cx, START))), Poll::Ready(Ok(ID)));
    far.send(&frame(0x89, &[0; 125]).repeat(2000));
    let all = far.unread();
    assert_eq!(watch(&mut wire, START), Poll::Pending);
    assert!(far.unread() > all / 2, "one poll read {} of {all} bytes", all - far.unread());
    while far.unread() > 0 {
        assert_eq!(watch(&mut wire, START), Poll::Pending);
    }
    assert_eq!(wire.end(), None);
}

#[test]
fn a_close_waits_for_the_peers_answer() {
    let (wire, mut far) = client(PeerGeneration::V2);
    let time = TestTime::new();
    let clock = time.clock();
    let mut close = Box::pin(wire.close(&clock, Duration::from_secs(1)));
    assert!(poll_once(&mut close).is_pending());
    let goodbye = [(0x81, b"drain".to_vec()), (0x88, vec![0x03, 0xe8])];
    assert_eq!(frames(&mut far), goodbye, "a user who takes it at this moment learns that it was never served");
    far.send(&[frame(0x82, b"on its way"), frame(0x88, &[0x03, 0xe8])].concat());
    assert!(poll_once(&mut close).is_ready());
}

#[test]
fn a_close_that_nobody_answers_ends_in_time() {
    let (wire, mut far) = client(PeerGeneration::V1);
    let time = TestTime::new();
    let clock = time.clock();
    let mut close = Box::pin(wire.close(&clock, Duration::from_secs(1)));
    assert!(poll_once(&mut close).is_pending());
    time.advance(Duration::from_millis(999));
    assert!(poll_once(&mut close).is_pending());
    time.advance(Duration::from_millis(1));
    assert!(poll_once(&mut close).is_ready());
    assert_eq!(frames(&mut far), [(0x88, vec![0x03, 0xe8])]);
}

#[test]
fn a_flush_that_has_failed_fails_again() {
    type Send = fn(&mut Wire, &mut Context<'_>);
    let sends: [Send; 2] = [
        |wire, _| assert!(wire.start_send(Message::Ping(Bytes::new())).is_err()),
        |wire, cx| assert!(wire.send_data(cx, &[IoSlice::new(b"data")]).is_err()),
    ];
    for send in sends {
        let (mut wire, far) = established_client(PeerGeneration::V2, LinkConfig::default());
        wire.take(START);
        drop(far);
        let mut cx = Context::from_waker(Waker::noop());
        send(&mut wire, &mut cx);
        for _ in 0..2 {
            assert!(matches!(wire.poll_flush(&mut cx), Poll::Ready(Err(_))));
        }
    }
}
