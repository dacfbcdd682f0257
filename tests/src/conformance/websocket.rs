//! Whole messages instead of bytes.

use futures::{AsyncReadExt, StreamExt};
use npws::async_tungstenite::tungstenite::Message;

use crate::pools::{bind, client, pair, pattern, server, take_pair, tls_pair};
use crate::raw::{BINARY, CONTINUATION, PING, TEXT};
use crate::testbed::{SOON, Testbed, thread, until};
use crate::v1_peer::{V1Client, V1Server};

pub async fn messages_go_both_ways_as_they_are<R: Testbed>() {
    let (server, client) = tls_pair::<R>(1).await;
    let (accepted, dialed) = take_pair(&server, &client).await;
    let mut left = accepted.into_websocket().await.unwrap();
    let mut right = dialed.into_websocket().await.unwrap();
    let sent = [
        Message::binary(b"one".to_vec()),
        Message::binary(Vec::new()),
        Message::text("two"),
        Message::binary(pattern(1 << 20, 17)),
        Message::binary(b"end".to_vec()),
    ];
    for message in &sent {
        let (sending, received) = futures::join!(left.send(message.clone()), right.next());
        sending.unwrap();
        assert!(received.unwrap().unwrap() == *message);
    }
    right.send(Message::binary(b"back".to_vec())).await.unwrap();
    assert_eq!(left.next().await.unwrap().unwrap().into_data(), &b"back"[..]);
    let (closed, end) = futures::join!(left.close(None), right.next());
    closed.unwrap();
    assert!(end.unwrap().unwrap().is_close());
}

pub async fn what_came_before_the_take_comes_out_message_by_message<R: Testbed>() {
    let (server, address) = bind(server::<R>()).await;
    let peer = thread(move || {
        let mut peer = V1Client::connect(address);
        peer.raw.send_binary(b"first");
        peer.raw.send_binary(b"");
        peer.raw.send_frame(true, PING, b"?");
        peer.raw.send_frame(false, BINARY, b"sec");
        peer.raw.send_frame(false, CONTINUATION, b"on");
        peer.raw.send_frame(true, CONTINUATION, b"d");
        // And the beginning of one more.
        peer.raw.send_frame(false, BINARY, b"thi");
        peer
    });
    let mut peer = peer.join().await;
    until::<R>("it is claimed", || server.stats().claimed == 1).await;
    let accepted = server.take(peer.id, SOON).await.unwrap();
    let mut socket = accepted.into_websocket().await.unwrap();
    let rest = thread(move || {
        peer.raw.send_frame(true, CONTINUATION, b"rd");
        peer.raw.send_frame(true, TEXT, b"fourth");
        peer
    });
    let mut messages = Vec::new();
    while messages.len() < 5 {
        match socket.next().await.unwrap().unwrap() {
            Message::Ping(_) => {}
            message => messages.push(message.into_data().to_vec()),
        }
    }
    assert_eq!(messages, [&b"first"[..], b"", b"second", b"third", b"fourth"]);
    drop(rest.join().await);
}

pub async fn data_behind_the_id_is_the_first_message<R: Testbed>() {
    let original = V1Server::default();
    let client = client::<R>(original.address(), 1).connect().unwrap();
    let peer = thread(move || {
        let mut raw = original.accept_unnamed();
        raw.send_binary(b"\0\0\0\x09rest");
        raw.send_binary(b"more");
        raw.send_close(1000);
        raw
    });
    let dialed = client.take(crate::pools::id(9), SOON).await.unwrap();
    let mut socket = dialed.into_websocket().await.unwrap();
    assert_eq!(socket.next().await.unwrap().unwrap().into_data(), &b"rest"[..]);
    assert_eq!(socket.next().await.unwrap().unwrap().into_data(), &b"more"[..]);
    assert!(socket.next().await.unwrap().unwrap().is_close());
    drop(peer.join().await);
}

pub async fn a_connection_that_was_read_from_stays_a_byte_stream<R: Testbed>() {
    let (server, client) = pair::<R>(1).await;
    let (mut accepted, mut dialed) = take_pair(&server, &client).await;
    crate::pools::send(&mut dialed, b"abc").await;
    let mut byte = [0];
    accepted.read_exact(&mut byte).await.unwrap();
    let mut accepted = accepted.into_websocket().await.expect_err("a part of a message is gone").into_connection();
    assert_eq!(crate::pools::receive(&mut accepted, 2).await, b"bc");
    crate::pools::talk(&mut accepted, &mut dialed).await;
}

pub async fn a_websocket_frees_its_id_when_it_ends<R: Testbed>() {
    let (server, client) = pair::<R>(1).await;
    let (accepted, dialed) = take_pair(&server, &client).await;
    let socket = accepted.into_websocket().await.unwrap();
    assert_eq!(server.stats().taken, 1);
    drop(socket);
    assert_eq!(server.stats().taken, 0);
    drop(dialed);
    assert_eq!(client.stats().taken, 0);
}
