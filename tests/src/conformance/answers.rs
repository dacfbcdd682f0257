//! What a peer is told that is not let in, and what it costs: nothing.

use std::net::{IpAddr, SocketAddr};

use npws::{ConnectionId, DialError, UpgradeError};

use crate::pools::{NEVER, bind, client, server};
use crate::raw::{Raw, field, request};
use crate::testbed::{SOON, Testbed, thread, until};
use crate::v1_peer::V1Client;

/// Sends `bytes` and reads the whole answer: its status, if it is complete and final as HTTP wants it.
pub(super) async fn ask(address: SocketAddr, bytes: impl Into<Vec<u8>>) -> u16 {
    let bytes = bytes.into();
    thread(move || {
        let mut raw = Raw::connect(address);
        raw.send(&bytes);
        let head = raw.read_head();
        let body = raw.read_to_end();
        assert_eq!(field(&head, "Content-Length"), Some(&*body.len().to_string()), "{head}");
        assert_eq!(field(&head, "Connection"), Some("close"), "{head}");
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        if status == 426 {
            assert_eq!(field(&head, "Upgrade"), Some("websocket"), "{head}");
            assert_eq!(field(&head, "Sec-WebSocket-Version"), Some("13"), "{head}");
        }
        status
    })
    .join()
    .await
}

pub async fn each_refusal_has_its_status_and_costs_neither_id_nor_slot<R: Testbed>() {
    let (server, address) = bind(server::<R>().capacity(1).path("/pool")).await;
    let good = request("/pool", "");
    let cases = [
        (400, "\u{1}\u{2}\u{3}nonsense\r\n\r\n".to_owned()),
        (400, good.replace("Host: localhost\r\n", "")),
        (400, good.replace("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", "")),
        (404, request("/", "")),
        (404, request("/pool/", "")),
        (404, request("/favicon.ico", "")),
        (426, good.replace("Upgrade: websocket\r\n", "")),
        (426, good.replace("Connection: Upgrade\r\n", "")),
        (426, good.replace("Version: 13", "Version: 8")),
        (426, good.replace("GET ", "POST ")),
        (426, good.replace("HTTP/1.1", "HTTP/1.0")),
        (426, "GET /pool HTTP/1.1\r\nHost: localhost\r\n\r\n".to_owned()),
        (431, request("/pool", &"X-Long: yes\r\n".repeat(100))),
        (431, request("/pool", &format!("X-Long: {}\r\n", "y".repeat(20_000)))),
    ];
    let count = cases.len() as u64;
    for (status, bytes) in cases {
        let start: String = bytes.chars().take(60).collect();
        assert_eq!(ask(address, bytes).await, status, "{start:?}");
    }
    until::<R>("the last is over", || server.stats().handshakes == 0).await;
    let stats = server.stats();
    assert_eq!((stats.rejected_total, stats.registered_total, stats.accept_failures), (count, 0, 0), "{stats:?}");
    let peer = thread(move || {
        let mut raw = Raw::connect(address);
        raw.send(request("/pool", "").as_bytes());
        assert!(raw.read_head().starts_with("HTTP/1.1 101 "));
        (raw.read_frame().payload, raw)
    });
    let (id, _raw) = peer.join().await;
    assert_eq!(id, ConnectionId::CONTROL.to_bytes(), "no ID was spent on them");
}

pub async fn a_full_pool_says_so_and_a_free_slot_is_given_again<R: Testbed>() {
    let (server, address) = bind(server::<R>().capacity(2)).await;
    let peers = thread(move || [V1Client::connect(address), V1Client::connect(address)]).join().await;
    until::<R>("it is full", || server.active() == 2).await;
    assert_eq!(ask(address, request("/", "")).await, 503);
    let client = client::<R>(address, 1).backoff(NEVER..=NEVER).connect().unwrap();
    until::<R>("the client is refused", || client.stats().dial_failures.rejected == 1).await;
    assert!(matches!(*client.last_dial_error().unwrap(), DialError::Upgrade(UpgradeError::Rejected { status: 503 })));
    drop(peers);
    until::<R>("there is room again", || server.active() == 0).await;
    thread(move || V1Client::connect(address)).join().await;
}

pub async fn what_is_taken_does_not_fill_the_pool<R: Testbed>() {
    let (server, address) = bind(server::<R>().capacity(1)).await;
    let mut held = Vec::new();
    for _ in 0..10 {
        let peer = thread(move || V1Client::connect(address)).join().await;
        held.push((server.take(peer.id, SOON).await.unwrap(), peer));
    }
    assert_eq!((server.stats().taken, server.stats().rejected_total), (10, 0));
}

pub async fn an_address_that_is_not_allowed_gets_403_before_anything_else<R: Testbed>() {
    let other: IpAddr = "192.0.2.1".parse().unwrap();
    let (closed, address) = bind(server::<R>().capacity(1).path("/pool").allow(other)).await;
    for bytes in [request("/pool", ""), request("/", ""), "GET / HTTP/1.1\r\n\r\n".to_owned()] {
        assert_eq!(ask(address, bytes).await, 403);
    }
    assert_eq!(closed.stats().rejected_total, 3);
    let loopback: IpAddr = "127.0.0.1".parse().unwrap();
    let (_open, address) = bind(server::<R>().allow(other).allow(loopback)).await;
    thread(move || V1Client::connect(address)).join().await;
}

pub async fn a_head_may_come_byte_by_byte_with_a_frame_behind_it<R: Testbed>() {
    let (server, address) = bind(server::<R>()).await;
    let peer = thread(move || {
        let mut raw = Raw::connect(address);
        request("/", "").bytes().for_each(|byte| raw.send(&[byte]));
        raw.read_head();
        raw.read_frame();
        // And all at once, as a hasty client does it.
        let mut hasty = Raw::connect(address);
        let frame = hasty.frame(true, crate::raw::BINARY, b"early");
        hasty.send(&[request("/", "").as_bytes(), &frame].concat());
        hasty.read_head();
        let id: [u8; 4] = hasty.read_frame().payload.try_into().unwrap();
        (raw, hasty, ConnectionId::from_bytes(id))
    });
    let (_raw, _hasty, id) = peer.join().await;
    let mut accepted = server.take(id, SOON).await.unwrap();
    assert_eq!(crate::pools::receive(&mut accepted, 5).await, b"early");
}

pub async fn the_control_id_is_held_by_one_living_connection_at_most<R: Testbed>() {
    let (server, address) = bind(server::<R>().control_channel(true)).await;
    let connect = move || thread(move || V1Client::connect(address));
    let first = connect().join().await;
    let second = connect().join().await;
    assert_eq!(first.id, ConnectionId::CONTROL);
    assert_ne!(second.id, ConnectionId::CONTROL);
    until::<R>("both are idle", || server.active() == 2).await;
    // It is left alone by takes of the next.
    assert_eq!(server.take_next(SOON).await.unwrap().0, second.id);
    assert!(server.take_next(std::time::Duration::ZERO).await.is_err());
    let taken = server.take(ConnectionId::CONTROL, SOON).await.unwrap();
    assert_ne!(connect().join().await.id, ConnectionId::CONTROL, "it is taken, and alive");
    drop(taken);
    assert_eq!(connect().join().await.id, ConnectionId::CONTROL, "it is given again");
}
