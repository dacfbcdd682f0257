//! A stream that is cut short never looks complete.

use std::io;

use futures::{AsyncReadExt, AsyncWriteExt};
use npws::{CloseReason, Connection, StreamError};

use crate::pools::{bind, client, pattern, server, take_pair, tls};
use crate::relay::Relay;
use crate::testbed::{Testbed, spawn};

const TOTAL: usize = 200_000;

/// Where to cut: at borders of frames and messages, inside of headers and payloads.
const CUTS: [usize; 10] = [0, 1, 3, 9, 10, 11, 65_545, 65_546, 65_547, 150_000];

pub async fn a_stream_that_is_cut_anywhere_ends_with_an_error<R: Testbed>() {
    let (server, address) = bind(server::<R>()).await;
    for cut in CUTS {
        let relay = Relay::start::<R>(address);
        let client = client::<R>(relay.address(), 1).connect().unwrap();
        let (accepted, dialed) = take_pair(&server, &client).await;
        client.close();
        server.flush();
        relay.allow_to_client(cut);
        is_cut::<R>(accepted, dialed, cut).await;
    }
}

pub async fn a_stream_that_is_cut_under_tls_ends_with_an_error<R: Testbed>() {
    let (server_tls, client_tls) = tls();
    let (server, address) = bind(server::<R>().tls(server_tls)).await;
    for cut in CUTS {
        let relay = Relay::start::<R>(address);
        let builder = client::<R>(relay.address(), 1).tls(client_tls.clone());
        let client = builder.connect().unwrap();
        let (accepted, dialed) = take_pair(&server, &client).await;
        client.close();
        server.flush();
        relay.allow_to_client(cut);
        is_cut::<R>(accepted, dialed, cut).await;
    }
}

async fn is_cut<R: Testbed>(mut accepted: Connection, mut dialed: Connection, cut: usize) {
    let data = pattern(TOTAL, 13);
    let sent = data.clone();
    let sending = spawn::<R, _>(async move {
        // All of it, and the goodbye too, as far as this end can tell.
        let _ = accepted.write_all(&sent).await;
        accepted.close().await;
    });
    let mut received = Vec::new();
    let error = dialed.read_to_end(&mut received).await.expect_err("it looked complete");
    assert!(data.starts_with(&received), "what came was not what was sent");
    assert!(received.len() <= cut, "{} bytes of {cut}", received.len());
    let kinds = [io::ErrorKind::UnexpectedEof, io::ErrorKind::ConnectionReset];
    assert!(kinds.contains(&error.kind()), "{error:?} after {cut} bytes");
    let reason = error.get_ref().and_then(|inner| inner.downcast_ref::<StreamError>()).unwrap().reason();
    assert!(matches!(reason, CloseReason::TransportEnded | CloseReason::TransportFailed), "{reason}");
    // And it stays an error.
    dialed.read(&mut [0; 8]).await.unwrap_err();
    drop(dialed);
    sending.join().await;
}

pub async fn a_dropped_connection_is_no_end_of_stream<R: Testbed>() {
    let (server, client) = crate::pools::pair::<R>(1).await;
    let (mut accepted, mut dialed) = take_pair(&server, &client).await;
    accepted.write_all(b"half of").await.unwrap();
    accepted.flush().await.unwrap();
    drop(accepted);
    let mut received = Vec::new();
    dialed.read_to_end(&mut received).await.expect_err("it looked complete");
    assert_eq!(received, b"half of");
}

pub async fn a_lost_last_byte_is_noticed_even_behind_whole_messages<R: Testbed>() {
    let (server, address) = bind(server::<R>()).await;
    let relay = Relay::start::<R>(address);
    let client = client::<R>(relay.address(), 1).v2(false).connect().unwrap();
    let (mut accepted, mut dialed) = take_pair(&server, &client).await;
    client.close();
    server.flush();
    // A header of two bytes, four of data, and not the goodbye.
    relay.allow_to_client(6);
    accepted.write_all(b"data").await.unwrap();
    let closing = spawn::<R, _>(accepted.close());
    let mut received = Vec::new();
    dialed.read_to_end(&mut received).await.expect_err("it looked complete");
    assert_eq!(received, b"data");
    drop(dialed);
    closing.join().await;
}
