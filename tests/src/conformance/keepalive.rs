//! Pings, as they are seen on the wire.

use std::time::Instant;

use npws::{ClientPool, ConnectionId, ServerPool};

use crate::pools::{bind, client, server};
use crate::raw::{CLOSE, PING, PONG, Raw};
use crate::testbed::{SOON, Testbed, ms, thread, until};
use crate::v1_peer::{V1Client, V1Server};

pub async fn pings_come_at_the_rate_that_was_asked_for<R: Testbed>() {
    const PINGS: u32 = 8;
    let (server, address): (ServerPool<R>, _) = bind(server().keepalive(ms(50))).await;
    let elapsed = thread(move || {
        let begin = Instant::now();
        let mut peer = V1Client::connect(address);
        for _ in 0..PINGS {
            assert_eq!(peer.raw.read_frame().opcode, PING);
        }
        (begin.elapsed(), peer)
    });
    let (elapsed, _peer) = elapsed.join().await;
    // Each silence is drawn from 45 to 50 ms.
    assert!(elapsed >= ms(45) * PINGS, "{PINGS} pings in only {elapsed:?}");
    assert!(elapsed < ms(50) * PINGS + SOON / 4, "{PINGS} pings took {elapsed:?}");
    assert_eq!(server.active(), 1);
}

pub async fn a_client_pings_too<R: Testbed>() {
    let original = V1Server::default();
    let pool: ClientPool<R> = client(original.address(), 1).keepalive(ms(20)).connect().unwrap();
    let peer = thread(move || {
        let mut raw = original.accept(ConnectionId::CONTROL);
        for _ in 0..3 {
            assert_eq!(raw.read_frame().opcode, PING);
        }
        raw
    });
    let _raw = peer.join().await;
    assert_eq!(pool.active(), 1);
}

pub async fn an_original_peer_is_never_expected_to_answer<R: Testbed>() {
    let (server, address): (ServerPool<R>, _) = bind(server().keepalive(ms(5)).pong_timeout(ms(5))).await;
    let peer = thread(move || {
        let mut peer = V1Client::connect(address);
        // Not one of them is answered, and each of them would have been a deadline.
        for _ in 0..100 {
            assert_eq!(peer.raw.read_frame().opcode, PING);
        }
        peer
    });
    let mut peer = peer.join().await;
    assert_eq!((server.active(), server.stats().closed_total), (1, 0));
    let mut accepted = server.take(peer.id, SOON).await.unwrap();
    crate::pools::send(&mut accepted, b"still there?").await;
    let answer = thread(move || peer.raw.read_data(12));
    assert_eq!(answer.join().await, b"still there?");
}

pub async fn an_original_peer_gets_a_thousand_pings_and_no_more<R: Testbed>() {
    let (server, address): (ServerPool<R>, _) = bind(server().keepalive(ms(1)).pong_timeout(SOON)).await;
    let peers = thread(move || {
        let mut silent = V1Client::connect(address);
        for count in 0..1000 {
            assert_eq!(silent.raw.read_frame().opcode, PING, "after {count}");
        }
        // A peer that answers is pinged on: by that clock fifty more would have come.
        let mut answering = Raw::upgrade(address, "Npws-Version: 2\r\n");
        answering.read_frame();
        for _ in 0..50 {
            let ping = answering.read_frame();
            assert_eq!(ping.opcode, PING);
            answering.send_frame(true, PONG, &ping.payload);
        }
        (silent, answering)
    });
    let (mut silent, answering) = peers.join().await;
    assert_eq!(server.active(), 2);
    server.flush();
    let next = thread(move || silent.raw.read_frame().opcode);
    assert_eq!(next.join().await, CLOSE, "the thousandth ping was the last");
    drop(answering);
}

pub async fn without_keep_alive_there_are_no_pings<R: Testbed>() {
    let (server, address): (ServerPool<R>, _) = bind(server().no_keepalive()).await;
    let peer = thread(move || V1Client::connect(address)).join().await;
    until::<R>("it is idle", || server.active() == 1).await;
    let (pinged, other) = bind(self::server::<R>().keepalive(ms(1))).await;
    let clock = thread(move || {
        let mut peer = V1Client::connect(other);
        (0..100).for_each(|_| drop(peer.raw.read_frame()));
    });
    clock.join().await;
    server.flush();
    let mut peer = peer;
    assert_eq!(thread(move || peer.raw.read_frame().opcode).join().await, CLOSE);
    drop(pinged);
}

pub async fn the_peers_pings_are_answered_while_idle_and_after_the_take<R: Testbed>() {
    let (server, address): (ServerPool<R>, _) = bind(server().no_keepalive()).await;
    let peer = thread(move || {
        let mut peer = V1Client::connect(address);
        for text in [&b"one"[..], b"", b"three"] {
            peer.raw.send_frame(true, PING, text);
            let pong = peer.raw.read_frame();
            assert_eq!((pong.opcode, &pong.payload[..]), (PONG, text));
        }
        peer
    });
    let mut peer = peer.join().await;
    let mut accepted = server.take(peer.id, SOON).await.unwrap();
    let peer = thread(move || {
        peer.raw.send_frame(true, PING, b"four");
        peer.raw.send_binary(b"data");
        let pong = peer.raw.read_frame();
        assert_eq!((pong.opcode, &pong.payload[..]), (PONG, &b"four"[..]));
    });
    assert_eq!(crate::pools::receive(&mut accepted, 4).await, b"data");
    // The answer leaves with the reading.
    peer.join().await;
}
