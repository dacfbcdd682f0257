//! Peers that are slow, silent or gone while they connect.

use std::io;

use futures::{StreamExt, channel::mpsc};
use npws::{ConnectionId, ServerPool, Socket};

use crate::pools::{NEVER, bind, client, filled, server, take_pair, talk, tls};
use crate::raw::Raw;
use crate::testbed::{SOON, Testbed, current, ms, sleep, spawn, thread, until};

pub async fn silent_peers_hold_no_slot_and_delay_nobody<R: Testbed>() {
    const SILENT: usize = 20;
    let (server, address) = bind(server::<R>().capacity(1).handshake_timeout(NEVER)).await;
    let silent = thread(move || {
        let mut all: Vec<_> = (0..SILENT).map(|_| Raw::connect(address)).collect();
        // Some have begun to speak.
        all.iter_mut().step_by(2).for_each(|raw| raw.send(b"GET / HTTP/1.1\r\nHost:"));
        all
    });
    let silent = silent.join().await;
    until::<R>("all are there", || server.stats().handshakes == SILENT).await;
    let client = client::<R>(address, 1).connect().unwrap();
    for _ in 0..5 {
        let (mut accepted, mut dialed) = take_pair(&server, &client).await;
        talk(&mut accepted, &mut dialed).await;
    }
    filled(&server, &client, 1).await;
    assert_eq!(server.stats().handshakes, SILENT, "nobody has lost patience yet");
    drop(silent);
}

pub async fn a_silent_or_dribbling_peer_is_cut_at_its_phases_deadline<R: Testbed>() {
    let (server, address) = bind(server::<R>().handshake_timeout(ms(100))).await;
    let silent = thread(move || Raw::connect(address).read_to_end());
    let dribbling = spawn::<R, _>(async move {
        let mut raw = Raw::connect(address);
        loop {
            // It never stops, and never comes to the end of its head.
            if raw.try_send(b"G").is_err() {
                return;
            }
            sleep::<R>(ms(5)).await;
        }
    });
    assert_eq!(silent.join().await, b"");
    dribbling.join().await;
    until::<R>("both are counted", || server.stats().accept_failures + server.stats().rejected_total == 2).await;
    assert_eq!((server.stats().handshakes, server.stats().registered_total), (0, 0));
}

pub async fn each_phase_of_a_tls_handshake_has_its_deadline<R: Testbed>() {
    let (server_tls, client_tls) = tls();
    let (server, address) = bind(server::<R>().tls(server_tls).handshake_timeout(ms(300))).await;
    // Silent from the beginning, and silent in the middle of TLS.
    let silent = thread(move || Raw::connect(address).read_to_end());
    let halting = thread(move || {
        let mut raw = Raw::connect(address);
        raw.send(&[22, 3, 1, 2, 0, 1]);
        raw.read_to_end();
    });
    silent.join().await;
    halting.join().await;
    until::<R>("both are counted", || server.stats().accept_failures == 2).await;
    // Done with TLS and silent after that: the request never leaves this dialer.
    let muted = client::<R>(address, 1)
        .backoff(NEVER..=NEVER)
        .tls(client_tls.clone())
        .server_name("127.0.0.1")
        .dialer(move |_| async move {
            let stream = current::<R>().connect(address).await?;
            Ok(Socket::new(Hush { stream, writes: 0 }))
        })
        .connect()
        .unwrap();
    until::<R>("the third is counted", || server.stats().accept_failures == 3).await;
    assert_eq!(muted.active(), 0);
    let client = client::<R>(address, 1).tls(client_tls).connect().unwrap();
    client.wait_ready(SOON).await.unwrap();
}

/// Lets the first two writes through, which are TLS's own, and swallows what follows.
struct Hush<S> {
    stream: S,
    writes: usize,
}

impl<S: futures::AsyncRead + Unpin> futures::AsyncRead for Hush<S> {
    fn poll_read(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
        buf: &mut [u8],
    ) -> std::task::Poll<io::Result<usize>> {
        std::pin::Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl<S: futures::AsyncWrite + Unpin> futures::AsyncWrite for Hush<S> {
    fn poll_write(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
        buf: &[u8],
    ) -> std::task::Poll<io::Result<usize>> {
        self.writes += 1;
        if self.writes > 2 {
            return std::task::Poll::Ready(Ok(buf.len()));
        }
        std::pin::Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<io::Result<()>> {
        std::pin::Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_close(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<io::Result<()>> {
        std::pin::Pin::new(&mut self.stream).poll_close(cx)
    }
}

pub async fn a_failing_listener_is_asked_again<R: Testbed>() {
    const FAILURES: u64 = 3;
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let runtime = current::<R>();
    let listener = runtime.listen(listener).unwrap();
    let (sockets, incoming) = mpsc::unbounded();
    let _acceptor = spawn::<R, _>(async move {
        for _ in 0..FAILURES {
            let _ = sockets.unbounded_send(Err(io::Error::from_raw_os_error(24)));
        }
        while let Ok((stream, peer)) = runtime.accept(&listener).await {
            let _ = sockets.unbounded_send(Ok(Socket::new(stream).with_addrs(None, Some(peer))));
        }
    });
    let server: ServerPool<R> = server().serve(incoming.map(|socket| socket)).unwrap();
    let client = client::<R>(address, 3).connect().unwrap();
    filled(&server, &client, 3).await;
    assert_eq!((server.stats().listener_failures, server.error_count()), (FAILURES, FAILURES));
    server.reset_error();
    assert_eq!((server.stats().listener_failures, server.error_count()), (FAILURES, 0));
    let (mut accepted, mut dialed) = take_pair(&server, &client).await;
    talk(&mut accepted, &mut dialed).await;
    assert_eq!(server.local_addr(), None, "it has no listener of its own");
}

pub async fn a_peer_that_hangs_up_early_frees_its_slot_and_its_id<R: Testbed>() {
    let (server, address) = bind(server::<R>().capacity(1)).await;
    for round in 1..=5 {
        let peer = thread(move || {
            let mut raw = Raw::connect(address);
            raw.send(crate::raw::request("/", "").as_bytes());
        });
        peer.join().await;
        // It may have gone before its answer or right after it.
        until::<R>("it is gone", || server.stats().accept_failures + server.stats().closed_total == round).await;
    }
    let peer = thread(move || crate::v1_peer::V1Client::connect(address)).join().await;
    assert_eq!(peer.id, ConnectionId::CONTROL);
}
