//! What a peer sends, and even closes, before this side takes the connection.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures::{AsyncReadExt, AsyncWriteExt};
use npws::{ClientPool, CloseReason, ConnectionId, ServerPool, Socket, TakeError};
use socket2::{Domain, Type};

use crate::certificates::Authority;
use crate::pools::{
    NEVER, bind, client, closed_by, pair, pattern, receive, receive_all, send, server, take_pair, talk,
};
use crate::raw::Raw;
use crate::testbed::{SOON, Testbed, current, ms, spawn, thread, until};
use crate::v1_peer::{V1Client, V1Server};

pub async fn early_data_is_kept_for_the_take_at_either_end<R: Testbed>() {
    let (server, client) = pair::<R>(2).await;
    let (id, mut accepted) = server.take_next(SOON).await.unwrap();
    send(&mut accepted, b"first come").await;
    until::<R>("the client knows of the claim", || client.stats().claimed == 1).await;
    assert_eq!(receive(&mut client.take(id, SOON).await.unwrap(), 10).await, b"first come");
    let (id, mut dialed) = client.take_next(SOON).await.unwrap();
    send(&mut dialed, b"first served").await;
    until::<R>("the server knows of the claim", || server.stats().claimed == 1).await;
    assert_eq!(receive(&mut server.take(id, SOON).await.unwrap(), 12).await, b"first served");
}

pub async fn the_beginning_of_a_large_message_is_a_claim<R: Testbed>() {
    let (server, address) = bind(server::<R>().early_data_limit(1000)).await;
    let data = pattern(60_000, 23);
    let sent = data.clone();
    let peer = thread(move || {
        let mut peer = V1Client::connect(address);
        peer.raw.send_binary(&sent);
        peer
    });
    let peer = peer.join().await;
    until::<R>("it is claimed", || server.stats().claimed == 1).await;
    assert_eq!(server.take_next(Duration::ZERO).await.unwrap_err(), TakeError::Timeout);
    let mut accepted = server.take(peer.id, SOON).await.unwrap();
    assert!(receive(&mut accepted, data.len()).await == data);
}

pub async fn what_all_send_too_early_together_is_bounded_and_nothing_is_lost<R: Testbed>() {
    const PEERS: usize = 8;
    let (server, address) = bind(server::<R>().early_data_total(16 * 1024)).await;
    let data = pattern(40_000, 29);
    let sent = data.clone();
    let peers = thread(move || {
        let mut peers: Vec<_> = (0..PEERS).map(|_| V1Client::connect(address)).collect();
        for peer in &mut peers {
            sent.chunks(1000).for_each(|message| peer.raw.send_binary(message));
            peer.raw.send_close(1000);
        }
        peers
    });
    let peers = peers.join().await;
    until::<R>("each is known to be claimed", || {
        let stats = server.stats();
        stats.claimed + stats.retained == PEERS
    })
    .await;
    assert!(server.stats().retained < PEERS, "not all can have been read to their end");
    for peer in peers.iter().rev() {
        let mut accepted = server.take(peer.id, SOON).await.unwrap();
        assert!(receive_all(&mut accepted).await == data);
    }
}

pub async fn a_claimed_connection_is_no_longer_idle_and_never_the_next<R: Testbed>() {
    let (server, client) = pair::<R>(1).await;
    let (id, mut dialed) = client.take_next(SOON).await.unwrap();
    send(&mut dialed, b"mine").await;
    until::<R>("it is claimed, and another one is there", || {
        let stats = server.stats();
        (stats.claimed, stats.idle) == (1, 1)
    })
    .await;
    let (next, _accepted) = server.take_next(SOON).await.unwrap();
    assert_ne!(next, id);
    let mut accepted = server.take(id, SOON).await.unwrap();
    assert_eq!(receive(&mut accepted, 4).await, b"mine");
    talk(&mut accepted, &mut dialed).await;
}

pub async fn early_data_is_bounded_and_its_sender_waits<R: Testbed>() {
    const LIMIT: usize = 96 * 1024;
    const KERNEL: i32 = 16 * 1024;
    const TOTAL: usize = 4 << 20;
    // Small buffers in the kernel, which hold at most twice what they are told and some more.
    let listener = socket2::Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    listener.set_recv_buffer_size(KERNEL as usize).unwrap();
    listener.bind(&std::net::SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
    listener.listen(16).unwrap();
    let server: ServerPool<R> =
        server().early_data_limit(LIMIT).keepalive(ms(20)).pong_timeout(ms(1000)).listen(listener.into()).unwrap();
    let address = server.local_addr().unwrap();
    let client = client::<R>(address, 2)
        .dialer(move |_| async move {
            let stream = current::<R>().connect(address).await?;
            R::socket(&stream).set_send_buffer_size(KERNEL as usize)?;
            Ok(Socket::new(stream))
        })
        .connect()
        .unwrap();
    let (id, mut dialed) = client.take_next(SOON).await.unwrap();
    let written = Arc::new(AtomicUsize::new(0));
    let writer = spawn::<R, _>({
        let written = written.clone();
        async move {
            let data = pattern(TOTAL, 7);
            while written.load(Ordering::SeqCst) < TOTAL {
                let n = dialed.write(&data[written.load(Ordering::SeqCst)..]).await.unwrap();
                written.fetch_add(n, Ordering::SeqCst);
            }
            dialed.flush().await.unwrap();
            dialed
        }
    });
    until::<R>("it is claimed", || server.stats().claimed == 1).await;
    // While other connections of the same pools come, work and go, this one stands still.
    for _ in 0..30 {
        let (mut accepted, mut other) = take_pair(&server, &client).await;
        talk(&mut accepted, &mut other).await;
        let bound = LIMIT + 4 * KERNEL as usize + 3 * 64 * 1024;
        let written = written.load(Ordering::SeqCst);
        assert!(written <= bound, "{written} bytes left, with room for {bound}");
    }
    // Nor is it taken for dead, though no pong can get past the data: a peer that hangs is, meanwhile.
    let hanging = thread(move || Raw::upgrade(address, "Npws-Version: 2\r\n")).join().await;
    until::<R>("the other one is", || closed_by(&server.stats(), CloseReason::KeepaliveTimeout) == 1).await;
    assert_eq!(server.stats().claimed, 1);
    drop(hanging);
    let mut accepted = server.take(id, SOON).await.unwrap();
    assert!(receive(&mut accepted, TOTAL).await == pattern(TOTAL, 7), "something was lost");
    let mut dialed = writer.join().await;
    talk(&mut accepted, &mut dialed).await;
}

pub async fn data_then_close_before_the_take_can_still_be_taken<R: Testbed>() {
    let authority = Authority::default();
    let server_identity = authority.server("127.0.0.1");
    let client_identity = authority.client();
    let server_tls = server_identity.server_tls().client_ca_pem(authority.pem()).unwrap();
    let client_tls = authority
        .trusting_client()
        .client_certificate_pem(client_identity.certificate.as_bytes(), client_identity.key.as_bytes())
        .unwrap();
    let (server, address) = bind(server::<R>().tls(server_tls)).await;
    let client = client::<R>(address, 2).tls(client_tls).connect().unwrap();
    // Held, so that no later connection is given the control ID and replaces one that is retained.
    let _control = (
        server.take(ConnectionId::CONTROL, SOON).await.unwrap(),
        client.take(ConnectionId::CONTROL, SOON).await.unwrap(),
    );

    let (id, mut dialed) = client.take_next(SOON).await.unwrap();
    send(&mut dialed, b"a fingerprint, say").await;
    let closing = spawn::<R, _>(dialed.close());
    until::<R>("the server retains it", || server.stats().retained == 1).await;
    let mut accepted = server.take(id, SOON).await.unwrap();
    assert_eq!(accepted.tls().unwrap().peer_fingerprint(), Some(client_identity.fingerprint()));
    assert_eq!(receive_all(&mut accepted).await, b"a fingerprint, say");
    closing.join().await;

    let (id, mut accepted) = server.take_next(SOON).await.unwrap();
    send(&mut accepted, b"and back").await;
    let closing = spawn::<R, _>(accepted.close());
    until::<R>("the client retains it", || client.stats().retained == 1).await;
    let mut dialed = client.take(id, SOON).await.unwrap();
    assert_eq!(dialed.tls().unwrap().peer_fingerprint(), Some(server_identity.fingerprint()));
    assert_eq!(receive_all(&mut dialed).await, b"and back");
    closing.join().await;
}

pub async fn an_original_peers_data_then_close_can_still_be_taken<R: Testbed>() {
    let (server, address) = bind(server::<R>()).await;
    for (round, code) in [Some(1000_u16), Some(1001), None].into_iter().enumerate() {
        let peer = thread(move || {
            let mut peer = V1Client::connect(address);
            peer.raw.send_binary(b"last ");
            peer.raw.send_binary(b"words");
            match code {
                Some(code) => peer.raw.send_close(code),
                None => peer.raw.send_frame(true, crate::raw::CLOSE, b""),
            }
            peer.id
        });
        let id = peer.join().await;
        until::<R>("it is retained", || server.stats().retained == 1).await;
        assert_eq!(server.active(), 0, "round {round}");
        let mut accepted = server.take(id, SOON).await.unwrap();
        assert_eq!(receive_all(&mut accepted).await, b"last words");
    }
}

pub async fn retention_ends_at_its_limit<R: Testbed>() {
    let (server, address) = bind(server::<R>().retention(ms(50))).await;
    let peer = thread(move || {
        let _control = V1Client::connect(address);
        let mut peer = V1Client::connect(address);
        peer.raw.send_binary(b"unheard");
        peer.raw.send_close(1000);
        peer.id
    });
    let id = peer.join().await;
    until::<R>("it has expired", || closed_by(&server.stats(), CloseReason::RetentionExpired) == 1).await;
    assert_eq!(server.take(id, NEVER).await.map(drop), Err(TakeError::Gone(CloseReason::RetentionExpired)));
}

pub async fn a_close_without_data_or_in_bad_order_is_an_end<R: Testbed>() {
    let (server, address) = bind(server::<R>()).await;
    let peers = thread(move || {
        let mut silent = V1Client::connect(address);
        silent.raw.send_close(1000);
        let mut failing = V1Client::connect(address);
        failing.raw.send_binary(b"half of it");
        failing.raw.send_close(1011);
        let mut vanishing = V1Client::connect(address);
        vanishing.raw.send_binary(b"half of it");
        drop(vanishing);
        (silent, failing)
    });
    let _peers = peers.join().await;
    until::<R>("all are gone", || server.stats().closed_total == 3).await;
    let stats = server.stats();
    assert_eq!((stats.idle, stats.claimed, stats.retained), (0, 0, 0), "{stats:?}");
    assert_eq!(closed_by(&stats, CloseReason::TransportEnded), 1, "{stats:?}");
}

pub async fn data_behind_the_id_belongs_to_the_stream<R: Testbed>() {
    let original = V1Server::default();
    let client: ClientPool<R> = client(original.address(), 1).connect().unwrap();
    let peer = thread(move || {
        let mut raw = original.accept_unnamed();
        raw.send_binary(b"\0\0\0\x09and more");
        raw
    });
    let mut dialed = client.take(ConnectionId::from_bytes([0, 0, 0, 9]), SOON).await.unwrap();
    let mut raw = peer.join().await;
    assert_eq!(receive(&mut dialed, 8).await, b"and more");
    let peer = thread(move || {
        raw.send_binary(b"!");
        raw
    });
    let _raw = peer.join().await;
    let mut byte = [0];
    dialed.read_exact(&mut byte).await.unwrap();
    assert_eq!(&byte, b"!");
}
