//! Flush, drain, close and the end of a pool.

use std::time::{Duration, Instant};

use futures::FutureExt;
use npws::{CloseReason, TakeError};

use crate::pools::{NEVER, bind, client, closed_by, filled, pair, receive_all, send, server, take_pair, talk};
use crate::testbed::{SOON, Testbed, ms, spawn, thread, until};
use crate::v1_peer::V1Client;

pub async fn a_flush_closes_what_is_idle_and_the_pool_goes_on<R: Testbed>() {
    let (server, client) = pair::<R>(4).await;
    let (mut accepted, mut dialed) = take_pair(&server, &client).await;
    filled(&server, &client, 4).await;
    client.flush();
    assert_eq!(closed_by(&client.stats(), CloseReason::Flushed), 4);
    until::<R>("the server knows", || server.stats().closed_total == 4).await;
    filled(&server, &client, 4).await;
    let (mut a, mut b) = take_pair(&server, &client).await;
    talk(&mut a, &mut b).await;
    talk(&mut accepted, &mut dialed).await;
}

pub async fn a_waiter_survives_a_flush<R: Testbed>() {
    let (server, address) = bind(server::<R>()).await;
    let mut waiting = Box::pin(server.take_next(SOON));
    assert!((&mut waiting).now_or_never().is_none());
    server.flush();
    let client = client::<R>(address, 1).connect().unwrap();
    let (id, mut accepted) = waiting.await.unwrap();
    let mut dialed = client.take(id, SOON).await.unwrap();
    talk(&mut accepted, &mut dialed).await;
}

pub async fn a_drained_pool_gives_what_the_peer_may_have_taken_and_nothing_else<R: Testbed>() {
    let (server, client) = pair::<R>(3).await;
    let (claimed, mut dialed) = client.take_next(SOON).await.unwrap();
    send(&mut dialed, b"on its way").await;
    until::<R>("it is claimed", || server.stats().claimed == 1).await;
    let mut waiting = Box::pin(server.take(crate::pools::id(1), SOON));
    assert!((&mut waiting).now_or_never().is_none());
    let drain = spawn::<R, _>({
        let server = server.clone();
        async move { server.drain(NEVER).await }
    });
    assert_eq!(waiting.await.map(drop), Err(TakeError::Draining));
    assert_eq!(server.take_next(SOON).await.map(drop), Err(TakeError::Draining));
    assert_eq!(server.active(), 0, "what was idle is closed");
    assert!(!server.is_closed());
    let mut accepted = server.take(claimed, SOON).await.expect("the peer has taken it");
    assert_eq!(crate::pools::receive(&mut accepted, 10).await, b"on its way");
    drain.join().await;
    assert!(server.is_closed());
    talk(&mut accepted, &mut dialed).await;
}

pub async fn a_drain_ends_at_its_timeout_and_survives_its_future<R: Testbed>() {
    let (server, address) = bind(server::<R>()).await;
    let peer = thread(move || V1Client::connect(address)).join().await;
    until::<R>("it is idle", || server.active() == 1).await;
    // An original peer's idle connection is not closed under it before the end.
    let begin = Instant::now();
    assert!(server.drain(ms(100)).now_or_never().is_none());
    assert_eq!((server.active(), server.is_closed()), (1, false));
    until::<R>("the drain ends by itself", || server.is_closed()).await;
    assert!(begin.elapsed() >= ms(100));
    assert_eq!(closed_by(&server.stats(), CloseReason::Drained), 1);
    let mut raw = peer.raw;
    assert_eq!(thread(move || raw.read_close()).join().await, Some(1000));
    server.drain(NEVER).await;
}

pub async fn draining_an_empty_pool_ends_at_once<R: Testbed>() {
    let (server, _) = bind(server::<R>()).await;
    server.drain(NEVER).await;
    assert!(server.is_closed());
    assert_eq!(server.take_next(NEVER).await.map(drop), Err(TakeError::Closed));
}

pub async fn a_close_fails_everybody_who_waits<R: Testbed>() {
    let (server, _) = bind(server::<R>()).await;
    let waiters: Vec<_> = (0..5)
        .map(|number| {
            let server = server.clone();
            spawn::<R, _>(async move {
                match number {
                    0 => server.wait_ready(SOON).await,
                    1 | 2 => server.take_next(SOON).await.map(drop),
                    _ => server.take(crate::pools::id(number), SOON).await.map(drop),
                }
            })
        })
        .collect();
    until::<R>("they wait", || server.stats().waiters == 4).await;
    server.close();
    for waiter in waiters {
        assert_eq!(waiter.join().await, Err(TakeError::Closed));
    }
}

pub async fn the_last_handle_that_is_dropped_closes_the_pool<R: Testbed>() {
    let (server, client) = pair::<R>(2).await;
    let address = server.local_addr().unwrap();
    let (mut accepted, mut dialed) = take_pair(&server, &client).await;
    let other = server.clone();
    drop(server);
    assert!(!other.is_closed());
    filled(&other, &client, 2).await;
    drop(other);
    until::<R>("the client notices", || client.active() == 0).await;
    until::<R>("the port is closed", || std::net::TcpStream::connect(address).is_err()).await;
    talk(&mut accepted, &mut dialed).await;
}

pub async fn closing_a_connection_sends_all_of_it_first_and_takes_a_bounded_time<R: Testbed>() {
    let (server, client) = pair::<R>(1).await;
    let (mut accepted, mut dialed) = take_pair(&server, &client).await;
    let data = crate::pools::pattern(300_000, 5);
    let sent = data.clone();
    let sending = spawn::<R, _>(async move {
        use futures::AsyncWriteExt;
        accepted.write_all(&sent).await.unwrap();
        accepted.close().await;
    });
    assert!(receive_all(&mut dialed).await == data);
    sending.join().await;
    // A peer that never answers.
    let (server, address) = bind(self::server::<R>().close_timeout(ms(50))).await;
    let peer = thread(move || V1Client::connect(address)).join().await;
    let accepted = server.take(peer.id, SOON).await.unwrap();
    let begin = Instant::now();
    accepted.close().await;
    assert!(begin.elapsed() >= ms(50) && begin.elapsed() < Duration::from_secs(5), "{:?}", begin.elapsed());
    let mut raw = peer.raw;
    assert_eq!(thread(move || raw.read_close()).join().await, Some(1000));
}
