//! A taken connection as a byte stream.

use std::io::IoSlice;

use futures::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, StreamExt};
use npws::{ClientPool, Connection, ServerPool};

use crate::pools::{bind, client, pair, pattern, receive, receive_all, server, take_pair, talk, tls, tls_pair};
use crate::testbed::{SOON, Testbed, spawn, thread};
use crate::v1_peer::V1Client;

const LARGE: usize = 16 << 20;

pub async fn sixteen_mebibytes_go_both_ways_at_once<R: Testbed>() {
    let (server, client) = pair::<R>(1).await;
    large::<R>(&server, &client).await;
}

pub async fn sixteen_mebibytes_go_both_ways_at_once_over_tls<R: Testbed>() {
    let (server, client) = tls_pair::<R>(1).await;
    large::<R>(&server, &client).await;
}

async fn large<R: Testbed>(server: &ServerPool<R>, client: &ClientPool<R>) {
    let (accepted, dialed) = take_pair(server, client).await;
    let exchange = |connection: Connection, own: u64, others: u64| {
        spawn::<R, _>(async move {
            let (mut reader, mut writer) = connection.split();
            let data = pattern(LARGE, own);
            let mut received = vec![0; LARGE];
            futures::try_join!(
                async {
                    writer.write_all(&data).await?;
                    writer.flush().await
                },
                reader.read_exact(&mut received)
            )
            .unwrap();
            assert!(received == pattern(LARGE, others), "it arrived changed");
            reader.reunite(writer).expect("halves of one connection")
        })
    };
    let (left, right) = (exchange(accepted, 1, 3), exchange(dialed, 3, 1));
    let (mut left, mut right) = (left.join().await, right.join().await);
    talk(&mut left, &mut right).await;
}

pub async fn halves_work_in_different_tasks_while_the_other_waits<R: Testbed>() {
    let (server, client) = pair::<R>(1).await;
    let (accepted, mut dialed) = take_pair(&server, &client).await;
    let (mut reader, mut writer) = accepted.split();
    // This one waits all the time and must neither keep the writer nor be forgotten.
    let reading = spawn::<R, _>(async move {
        let mut data = Vec::new();
        reader.read_to_end(&mut data).await.unwrap();
        data
    });
    for number in 0..50_u8 {
        writer.write_all(&[number; 1000]).await.unwrap();
        writer.flush().await.unwrap();
        assert_eq!(receive(&mut dialed, 1000).await, [number; 1000]);
    }
    dialed.write_all(b"at last").await.unwrap();
    dialed.close().await;
    assert_eq!(reading.join().await, b"at last");
}

pub async fn what_is_read_in_part_is_read_on<R: Testbed>() {
    let (server, client) = pair::<R>(1).await;
    let (mut accepted, mut dialed) = take_pair(&server, &client).await;
    let data = pattern(10_000, 9);
    dialed.write_all(&data).await.unwrap();
    let mut read = Vec::new();
    for size in (1..200).cycle() {
        let mut buf = vec![0; size.min(data.len() - read.len())];
        let n = accepted.read(&mut buf).await.unwrap();
        assert!(n > 0, "the stream is not over");
        read.extend_from_slice(&buf[..n]);
        if read.len() == data.len() {
            break;
        }
    }
    assert!(read == data);
    assert_eq!(accepted.read(&mut []).await.unwrap(), 0);
    dialed.write_all(b"one\ntwo\nthree").await.unwrap();
    dialed.close().await;
    let lines: Vec<_> = accepted.lines().map(|line| line.unwrap()).collect().await;
    assert_eq!(lines, ["one", "two", "three"]);
}

pub async fn vectored_writes_leave_as_one<R: Testbed>() {
    let (server, address) = bind(server::<R>()).await;
    let mut peer = thread(move || V1Client::connect(address)).join().await;
    let mut accepted = server.take(peer.id, SOON).await.unwrap();
    let parts = [IoSlice::new(b"\0\x05"), IoSlice::new(b""), IoSlice::new(b"hello")];
    assert_eq!(accepted.write_vectored(&parts).await.unwrap(), 7);
    accepted.write_all(b"").await.unwrap();
    accepted.flush().await.unwrap();
    let frame = thread(move || peer.raw.read_frame()).join().await;
    assert_eq!(frame.payload, b"\0\x05hello");
}

pub async fn no_message_is_longer_than_64_kib<R: Testbed>() {
    let (server, address) = bind(server::<R>()).await;
    let mut peer = thread(move || V1Client::connect(address)).join().await;
    let mut accepted = server.take(peer.id, SOON).await.unwrap();
    let reading = thread(move || {
        let mut total = 0;
        while total < 1 << 20 {
            let frame = peer.raw.read_frame();
            assert!(frame.payload.len() <= 64 << 10, "{} bytes in one message", frame.payload.len());
            total += frame.payload.len();
        }
    });
    accepted.write_all(&vec![0; 1 << 20]).await.unwrap();
    reading.join().await;
}

pub async fn a_burst_of_writes_leaves_whole_without_a_flush<R: Testbed>() {
    let pairs = [pair::<R>(1).await, tls_pair::<R>(1).await];
    for (server, client) in &pairs {
        let (mut writer, mut reader) = take_pair(server, client).await;
        for count in 1..300 {
            let data = pattern(count * 10, 4);
            let written = data.clone();
            // Whatever a runtime lets a task do in one go, and whoever reads meanwhile: then the writer falls silent.
            let writing = spawn::<R, _>(async move {
                for piece in written.chunks(10) {
                    writer.write_all(piece).await.unwrap();
                }
                writer
            });
            assert!(receive(&mut reader, data.len()).await == data, "{count} writes");
            writer = writing.join().await;
        }
    }
}

pub async fn a_flush_means_that_all_has_left<R: Testbed>() {
    let (server_tls, client_tls) = tls();
    let (server, address) = bind(server::<R>().tls(server_tls)).await;
    let client = client::<R>(address, 1).tls(client_tls).connect().unwrap();
    let (mut accepted, mut dialed) = take_pair(&server, &client).await;
    for round in 0..20 {
        let data = pattern(round * 1_000 + 1, round as u64);
        accepted.write_all(&data).await.unwrap();
        accepted.flush().await.unwrap();
        // Nobody polls that end while the data is read at this one.
        assert!(receive(&mut dialed, data.len()).await == data);
    }
}

pub async fn the_end_of_the_stream_stays_the_end<R: Testbed>() {
    let (server, client) = pair::<R>(1).await;
    let (mut accepted, mut dialed) = take_pair(&server, &client).await;
    accepted.write_all(b"all").await.unwrap();
    accepted.close().await;
    assert_eq!(receive_all(&mut dialed).await, b"all");
    for _ in 0..3 {
        assert_eq!(dialed.read(&mut [0; 8]).await.unwrap(), 0);
    }
    let error = dialed.write_all(b"late").await.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::BrokenPipe);
}

pub async fn two_connections_are_joined_by_copying<R: Testbed>() {
    let (server, client) = pair::<R>(2).await;
    let (mut near, middle) = take_pair(&server, &client).await;
    let (mut far, other) = take_pair(&server, &client).await;
    let relay = spawn::<R, _>(async move {
        let (left_reader, mut left_writer) = middle.split();
        let (right_reader, mut right_writer) = other.split();
        let there = futures::io::copy(left_reader, &mut right_writer);
        let back = futures::io::copy(right_reader, &mut left_writer);
        let _ = futures::try_join!(there, back);
    });
    let data = pattern(500_000, 11);
    let sending = spawn::<R, _>({
        let data = data.clone();
        async move {
            near.write_all(&data).await.unwrap();
            near
        }
    });
    assert!(receive(&mut far, data.len()).await == data);
    let mut near = sending.join().await;
    far.write_all(b"thanks").await.unwrap();
    assert_eq!(receive(&mut near, 6).await, b"thanks");
    drop((near, far));
    relay.join().await;
}
