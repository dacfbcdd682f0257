//! How a client dials: how many at once, how often, and how it fails.

use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures::StreamExt;
use futures::channel::mpsc;
use npws::{CloseReason, DialError, DialFailure, Socket, UpgradeError};

use crate::pools::{NEVER, bind, client, filled, server, take_pair, talk};
use crate::testbed::{SOON, Testbed, current, ms, thread, until};
use crate::v1_peer::V1Server;

pub async fn no_more_dials_than_the_limit_are_under_way<R: Testbed>() {
    const LIMIT: usize = 3;
    const COUNT: usize = 12;
    let (server, address) = bind(server::<R>()).await;
    let under_way = Arc::new((AtomicUsize::new(0), AtomicUsize::new(0)));
    let (go, gate) = mpsc::unbounded::<()>();
    let gate = Arc::new(futures::lock::Mutex::new(gate));
    let counts = under_way.clone();
    let client = client::<R>(address, COUNT)
        .max_concurrent_dials(LIMIT)
        .dialer(move |_| {
            let (counts, gate) = (counts.clone(), gate.clone());
            async move {
                let now = counts.0.fetch_add(1, Ordering::SeqCst) + 1;
                counts.1.fetch_max(now, Ordering::SeqCst);
                gate.lock().await.next().await;
                counts.0.fetch_sub(1, Ordering::SeqCst);
                Ok(Socket::new(current::<R>().connect(address).await?))
            }
        })
        .connect()
        .unwrap();
    until::<R>("the limit is reached", || under_way.0.load(Ordering::SeqCst) == LIMIT).await;
    assert_eq!(client.stats().handshakes, LIMIT);
    for _ in 0..COUNT {
        go.unbounded_send(()).unwrap();
    }
    filled(&server, &client, COUNT).await;
    assert_eq!(under_way.1.load(Ordering::SeqCst), LIMIT);
}

pub async fn a_dial_has_one_total_deadline<R: Testbed>() {
    // The kernel takes the connection, and nobody ever answers.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let client = client::<R>(listener.local_addr().unwrap(), 2).dial_timeout(ms(60)).connect().unwrap();
    until::<R>("both dials have failed", || client.stats().dial_failures.timeout >= 2).await;
    until::<R>("it is told why", || matches!(client.last_dial_error().as_deref(), Some(DialError::Timeout))).await;
    assert!(matches!(client.stats().last_dial_failure, Some((_, DialFailure::Timeout))));
}

pub async fn the_deadline_covers_the_id_too<R: Testbed>() {
    let original = V1Server::default();
    let client = client::<R>(original.address(), 1).dial_timeout(ms(100)).backoff(NEVER..=NEVER).connect().unwrap();
    let peer = thread(move || {
        let mut raw = original.accept_unnamed();
        raw.send_binary(&[1, 2, 3]);
        raw.read_to_end()
    });
    peer.join().await;
    until::<R>("it has failed", || client.stats().dial_failures.total() == 1).await;
    let failures = client.stats().dial_failures;
    assert_eq!((failures.timeout + failures.id, client.active()), (1, 0), "{failures:?}");
}

pub async fn each_failure_is_told_and_counted_with_its_cause<R: Testbed>() {
    type Peer = fn(TcpListener);
    let told = |peer: Peer| async move {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = client::<R>(listener.local_addr().unwrap(), 1).backoff(NEVER..=NEVER).connect().unwrap();
        thread(move || peer(listener)).join().await;
        until::<R>("the dial has failed", || client.stats().dial_failures.total() == 1).await;
        (client.last_dial_error().unwrap(), client.stats())
    };
    let (error, stats) = told(|listener| {
        let mut raw = crate::raw::Raw::of(listener.accept().unwrap().0);
        raw.read_head();
        raw.send(b"HTTP/1.1 418 I'm a teapot\r\nContent-Length: 0\r\n\r\n");
    })
    .await;
    assert!(matches!(&*error, DialError::Upgrade(UpgradeError::Rejected { status: 418 })), "{error}");
    assert_eq!((stats.dial_failures.rejected, error.failure()), (1, DialFailure::Rejected(418)));

    let (error, stats) = told(|listener| {
        let mut raw = crate::raw::Raw::of(listener.accept().unwrap().0);
        raw.read_head();
        raw.send(b"SSH-2.0-OpenSSH_9.9\r\n\r\n");
    })
    .await;
    assert!(matches!(&*error, DialError::Upgrade(UpgradeError::Protocol(_))), "{error}");
    assert_eq!(stats.dial_failures.upgrade, 1);

    let (error, stats) = told(|listener| {
        crate::raw::Raw::of(listener.accept().unwrap().0).read_head();
    })
    .await;
    assert!(matches!(&*error, DialError::Upgrade(UpgradeError::Io(_))), "{error}");
    assert_eq!(stats.dial_failures.upgrade, 1);

    let (error, stats) = told(|listener| {
        let mut raw = crate::raw::Raw::accept(&listener, "");
        raw.send_binary(&[1, 2]);
        raw.send_close(1000);
        raw.read_close();
    })
    .await;
    assert!(matches!(&*error, DialError::Id(CloseReason::PeerClosed(_))), "{error}");
    assert_eq!(stats.dial_failures.id, 1);
}

pub async fn a_name_that_cannot_be_resolved_is_told<R: Testbed>() {
    let client = client::<R>("nowhere.invalid:80", 1).backoff(NEVER..=NEVER).connect().unwrap();
    until::<R>("the dial has failed", || client.stats().dial_failures.total() == 1).await;
    let error = client.last_dial_error().unwrap();
    assert!(matches!(&*error, DialError::Resolve(_)), "{error}");
}

pub async fn a_waiter_is_dialed_for_at_once<R: Testbed>() {
    let (server, address) = bind(server::<R>()).await;
    // No second round comes in time: only who waits can make it dial again.
    let client = client::<R>(address, 1).interval(NEVER..=NEVER).connect().unwrap();
    for _ in 0..10 {
        let (id, mut dialed) = client.take_next(SOON).await.expect("dialed for");
        let mut accepted = server.take(id, SOON).await.unwrap();
        talk(&mut dialed, &mut accepted).await;
    }
}

pub async fn a_failing_dialer_recovers_without_help<R: Testbed>() {
    let (server, address) = bind(server::<R>()).await;
    let dials = AtomicUsize::new(0);
    let client = client::<R>(address, 4)
        .dialer(move |_| {
            let fails = dials.fetch_add(1, Ordering::SeqCst) < 6;
            async move {
                if fails {
                    return Err(io::ErrorKind::NetworkUnreachable.into());
                }
                Ok(Socket::new(current::<R>().connect(address).await?))
            }
        })
        .connect()
        .unwrap();
    filled(&server, &client, 4).await;
    assert_eq!(client.stats().dial_failures.connect, 6);
    let (mut accepted, mut dialed) = take_pair(&server, &client).await;
    talk(&mut accepted, &mut dialed).await;
}
