//! Peers that speak the original protocol, made by hand.

use std::time::Duration;

use futures::AsyncReadExt;
use npws::{CloseReason, ConnectionId, DialError, PeerGeneration, StreamError};

use crate::pools::{NEVER, bind, client, id, receive, send, server};
use crate::raw::{BINARY, CONTINUATION, PING, PONG, Raw, TEXT};
use crate::testbed::{SOON, Testbed, thread, until};
use crate::v1_peer::{V1Client, V1Server};

pub async fn an_id_may_come_in_any_pieces<R: Testbed>() {
    let whole: [u8; 4] = [0xca, 0xfe, 0x00, 0x01];
    let [a, b, c, d] = whole;
    // Frames as the server sends them, and what of them is data.
    type Pieces = Vec<(bool, u8, Vec<u8>)>;
    let cases: Vec<(&str, Pieces, &[u8])> = vec![
        ("one message", vec![(true, BINARY, whole.to_vec())], b""),
        ("four messages", whole.iter().map(|byte| (true, BINARY, vec![*byte])).collect(), b""),
        ("1 + 3", vec![(true, BINARY, vec![a]), (true, BINARY, vec![b, c, d])], b""),
        ("3 + 1", vec![(true, BINARY, vec![a, b, c]), (true, BINARY, vec![d])], b""),
        ("2 + 2 and data", vec![(true, BINARY, vec![a, b]), (true, BINARY, vec![c, d, b'x'])], b"x"),
        (
            "fragments",
            vec![(false, BINARY, vec![a]), (false, CONTINUATION, vec![b, c]), (true, CONTINUATION, vec![d])],
            b"",
        ),
        (
            "fragments with a ping and an empty one between",
            vec![
                (false, BINARY, vec![]),
                (true, PING, b"?".to_vec()),
                (false, CONTINUATION, vec![a, b, c]),
                (true, PONG, vec![]),
                (true, CONTINUATION, vec![d, b'y', b'z']),
            ],
            b"yz",
        ),
        (
            "empty messages around",
            vec![
                (true, BINARY, vec![]),
                (true, BINARY, vec![a, b]),
                (true, BINARY, vec![]),
                (true, BINARY, vec![c, d]),
                (true, BINARY, vec![]),
            ],
            b"",
        ),
        ("much data behind it", vec![(true, BINARY, [&whole[..], &[b'!'; 300]].concat())], &[b'!'; 300]),
    ];
    for (name, pieces, data) in cases {
        for bytewise in [false, true] {
            let original = V1Server::default();
            let pool = client::<R>(original.address(), 1).interval(NEVER..=NEVER).connect().unwrap();
            let pieces = pieces.clone();
            let peer = thread(move || {
                let mut raw = original.accept_unnamed();
                for (fin, opcode, payload) in pieces {
                    let frame = raw.frame(fin, opcode, &payload);
                    if bytewise {
                        frame.iter().for_each(|byte| raw.send(&[*byte]));
                    } else {
                        raw.send(&frame);
                    }
                }
                raw.send_binary(b"end");
                raw
            });
            let mut dialed = pool
                .take(ConnectionId::from_bytes(whole), SOON)
                .await
                .unwrap_or_else(|error| panic!("{name}: {error}"));
            let expected = [data, b"end"].concat();
            assert_eq!(receive(&mut dialed, expected.len()).await, expected, "{name}");
            send(&mut dialed, b"back").await;
            let mut raw = peer.join().await;
            assert_eq!(thread(move || raw.read_data(4)).join().await, b"back", "{name}");
        }
    }
}

pub async fn a_text_message_before_the_id_fails_the_dial<R: Testbed>() {
    let original = V1Server::default();
    let pool = client::<R>(original.address(), 1).backoff(NEVER..=NEVER).connect().unwrap();
    let peer = thread(move || {
        let mut raw = original.accept_unnamed();
        raw.send_frame(true, TEXT, b"hello");
        raw.read_close()
    });
    assert_eq!(peer.join().await, Some(1003));
    until::<R>("the dial has failed", || pool.stats().dial_failures.id == 1).await;
    let error = pool.last_dial_error().unwrap();
    assert!(matches!(&*error, DialError::Id(CloseReason::Violation(_))), "{error}");
}

pub async fn a_text_message_on_an_idle_connection_ends_it<R: Testbed>() {
    let (server, address) = bind(server::<R>()).await;
    let peer = thread(move || {
        let mut peer = V1Client::connect(address);
        peer.raw.send_frame(true, TEXT, b"hello");
        peer.raw.read_close()
    });
    assert_eq!(peer.join().await, Some(1003));
    until::<R>("it is gone", || server.stats().closed_total == 1).await;
    assert!(matches!(server.stats().closed_by[..], [(CloseReason::Violation(_), 1)]), "{:?}", server.stats());
}

pub async fn a_text_message_on_a_taken_connection_is_an_error<R: Testbed>() {
    let (server, address) = bind(server::<R>()).await;
    let mut peer = thread(move || V1Client::connect(address)).join().await;
    let mut accepted = server.take(peer.id, SOON).await.unwrap();
    let peer = thread(move || {
        peer.raw.send_binary(b"data");
        peer.raw.send_frame(true, TEXT, b"hello");
        peer.raw.read_close()
    });
    let mut data = Vec::new();
    let error = accepted.read_to_end(&mut data).await.unwrap_err();
    assert_eq!((&data[..], error.kind()), (&b"data"[..], std::io::ErrorKind::InvalidData));
    assert!(error.get_ref().unwrap().is::<StreamError>());
    let closed = peer.join();
    accepted.close().await;
    assert_eq!(closed.await, Some(1003));
}

pub async fn an_original_client_gets_everything_that_it_knows<R: Testbed>() {
    let (server, address) = bind(server::<R>()).await;
    let mut peer = thread(move || V1Client::connect(address)).join().await;
    until::<R>("it is idle", || server.active() == 1).await;
    let (taken, mut accepted) = server.take_next(SOON).await.unwrap();
    assert_eq!((taken, accepted.peer_generation()), (peer.id, PeerGeneration::V1));
    assert_eq!(accepted.peer_addr(), Some(peer.raw.local_addr()));
    send(&mut accepted, &[7; 70_000]).await;
    let peer = thread(move || {
        assert_eq!(peer.raw.read_data(70_000), [7; 70_000]);
        peer.raw.send_binary(&[8; 200_000]);
        peer.raw.send_close(1000);
        // The answer of the other end, in good order.
        peer.raw.read_close()
    });
    assert_eq!(crate::pools::receive_all(&mut accepted).await, [8; 200_000]);
    accepted.close().await;
    assert_eq!(peer.join().await, Some(1000));
}

pub async fn an_original_server_that_repeats_an_id_replaces_the_idle_one_only<R: Testbed>() {
    let original = V1Server::default();
    let address = original.address();
    let pool = client::<R>(address, 1).connect().unwrap();
    let first = thread(move || (original.accept(id(5)), original));
    let (first, original) = first.join().await;
    let mut taken = pool.take(id(5), SOON).await.unwrap();
    let second = thread(move || (original.accept(id(5)), original));
    let (second, original) = second.join().await;
    until::<R>("it is idle", || pool.active() == 1).await;
    // The waiter makes the pool dial once more.
    let waiter = crate::testbed::spawn::<R, _>({
        let pool = pool.clone();
        async move { pool.take(id(6), SOON).await.map(drop) }
    });
    let mut again = pool.take(id(5), Duration::ZERO).await.expect("the newer one has that ID");
    let third = thread(move || original.accept(id(6)));
    let _third: Raw = third.join().await;
    waiter.join().await.unwrap();
    for (raw, connection) in [(first, &mut taken), (second, &mut again)] {
        send(connection, b"whose?").await;
        let mut raw = raw;
        assert_eq!(thread(move || raw.read_data(6)).join().await, b"whose?");
    }
}
