//! Waiting for a connection: order, timeouts, cancellation, and what is gone.

use std::time::{Duration, Instant};

use futures::channel::mpsc;
use futures::{AsyncReadExt, FutureExt};
use futures::{SinkExt, StreamExt};
use npws::{ClientPool, CloseReason, Connection, ConnectionId, ServerPool, Socket, TakeError};

use crate::pools::{NEVER, bind, client, filled, id, pair, server, take_pair, talk};
use crate::testbed::{SOON, Testbed, current, ms, spawn, until};

/// A client whose dials go out one by one, as told.
async fn stepwise<R: Testbed>(count: usize) -> (ServerPool<R>, ClientPool<R>, mpsc::UnboundedSender<()>) {
    let (server, address) = bind(server::<R>()).await;
    let (steps, allowed) = mpsc::unbounded::<()>();
    let allowed = std::sync::Arc::new(futures::lock::Mutex::new(allowed));
    let client = client::<R>(address, count)
        .dial_timeout(NEVER)
        .dialer(move |_| {
            let allowed = allowed.clone();
            async move {
                allowed.lock().await.next().await;
                Ok(Socket::new(current::<R>().connect(address).await?))
            }
        })
        .connect()
        .unwrap();
    (server, client, steps)
}

pub async fn waiters_are_served_in_the_order_in_which_they_came<R: Testbed>() {
    const COUNT: usize = 12;
    let (server, client, mut steps) = stepwise::<R>(COUNT).await;
    let (served, mut order) = mpsc::unbounded();
    for number in 0..COUNT {
        let (pool, served) = (server.clone(), served.clone());
        let _ = spawn::<R, _>(async move {
            let taken = pool.take_next(SOON).await.expect("there is one for each");
            served.unbounded_send((number, taken)).expect("the case listens");
        });
        until::<R>("it waits", || server.stats().waiters == number + 1).await;
    }
    for number in 0..COUNT {
        steps.send(()).await.unwrap();
        let (first, (id, mut accepted)) = order.next().await.unwrap();
        assert_eq!(first, number, "somebody overtook");
        let mut dialed = client.take(id, SOON).await.unwrap();
        talk(&mut accepted, &mut dialed).await;
    }
}

pub async fn who_waits_for_an_id_is_served_before_who_waits_for_any<R: Testbed>() {
    let (server, client, mut steps) = stepwise::<R>(4).await;
    let mut any = Box::pin(server.take_next(SOON));
    assert!((&mut any).now_or_never().is_none());
    let mut control = Box::pin(server.take(ConnectionId::CONTROL, SOON));
    assert!((&mut control).now_or_never().is_none());
    steps.send(()).await.unwrap();
    assert_eq!(control.await.unwrap().id(), ConnectionId::CONTROL);
    assert!((&mut any).now_or_never().is_none(), "there was only one");
    steps.send(()).await.unwrap();
    let (id, _accepted) = any.await.unwrap();
    client.take(id, SOON).await.unwrap();
}

pub async fn a_cancelled_take_gives_its_connection_back_in_its_old_place<R: Testbed>() {
    let (server, client, mut steps) = stepwise::<R>(3).await;
    let mut waiting = Box::pin(server.take_next(SOON));
    assert!((&mut waiting).now_or_never().is_none());
    for number in 1..=3 {
        steps.send(()).await.unwrap();
        until::<R>("it is there", || server.stats().registered_total == number).await;
    }
    until::<R>("one is offered and two are idle", || {
        let stats = server.stats();
        (stats.offered, stats.idle) == (1, 2)
    })
    .await;
    // It has its connection and never looks.
    drop(waiting);
    let stats = server.stats();
    assert_eq!((stats.offered, stats.idle, stats.taken_total), (0, 3, 0));
    let (first, mut accepted) = server.take_next(Duration::ZERO).await.unwrap();
    assert_eq!(first, ConnectionId::CONTROL, "the oldest is the first again");
    let mut dialed = client.take(first, SOON).await.unwrap();
    talk(&mut accepted, &mut dialed).await;
}

pub async fn a_cancelled_take_passes_its_connection_on_to_who_waits_next<R: Testbed>() {
    let (server, client, mut steps) = stepwise::<R>(1).await;
    let mut first = Box::pin(server.take_next(SOON));
    let mut second = Box::pin(server.take_next(SOON));
    assert!((&mut first).now_or_never().is_none());
    assert!((&mut second).now_or_never().is_none());
    steps.send(()).await.unwrap();
    until::<R>("the first is offered it", || server.stats().offered == 1).await;
    assert!((&mut second).now_or_never().is_none());
    drop(first);
    let (id, mut accepted) = second.await.unwrap();
    let mut dialed = client.take(id, SOON).await.unwrap();
    talk(&mut accepted, &mut dialed).await;
}

pub async fn a_timeout_of_zero_only_tries<R: Testbed>() {
    let (server, client) = pair::<R>(1).await;
    let unknown = id(0xdead_beef);
    assert_eq!(server.take(unknown, Duration::ZERO).now_or_never().unwrap().map(drop), Err(TakeError::Timeout));
    let (id, _accepted) = server.take_next(Duration::ZERO).now_or_never().expect("at once").unwrap();
    let _dialed = client.take(id, Duration::ZERO).now_or_never().expect("at once").unwrap();
    client.close();
    until::<R>("none is left", || server.active() == 0).await;
    let tried = server.take_next(Duration::ZERO).now_or_never().expect("at once");
    assert_eq!(tried.map(drop), Err(TakeError::Timeout));
}

pub async fn a_take_ends_at_its_timeout<R: Testbed>() {
    let (server, _) = bind(server::<R>()).await;
    for timeout in [ms(1), ms(60)] {
        let begin = Instant::now();
        assert_eq!(server.take_next(timeout).await.map(drop), Err(TakeError::Timeout));
        assert_eq!(server.take(id(1), timeout).await.map(drop), Err(TakeError::Timeout));
        assert_eq!(server.wait_ready(timeout).await, Err(TakeError::Timeout));
        let elapsed = begin.elapsed();
        assert!(elapsed >= 3 * timeout, "{elapsed:?} is too early");
    }
    assert_eq!(server.stats().waiters, 0);
}

pub async fn a_taken_or_closed_id_fails_at_once_with_the_reason<R: Testbed>() {
    let (server, client) = pair::<R>(3).await;
    // The control ID comes again, so it is never gone: whoever has it keeps it.
    let _control = (
        server.take(ConnectionId::CONTROL, SOON).await.unwrap(),
        client.take(ConnectionId::CONTROL, SOON).await.unwrap(),
    );
    let (accepted, dialed) = take_pair(&server, &client).await;
    let gone = accepted.id();
    for again in [server.take(gone, NEVER).await, client.take(gone, NEVER).await] {
        assert_eq!(again.map(drop), Err(TakeError::Gone(CloseReason::Taken)));
    }
    drop((accepted, dialed));
    for again in [server.take(gone, NEVER).await, client.take(gone, NEVER).await] {
        assert_eq!(again.map(drop), Err(TakeError::Gone(CloseReason::Taken)));
    }
    filled(&server, &client, 3).await;
    let (flushed, _dialed) = client.take_next(SOON).await.unwrap();
    server.flush();
    assert_eq!(server.take(flushed, NEVER).await.map(drop), Err(TakeError::Gone(CloseReason::Flushed)));
}

pub async fn an_id_whose_other_end_is_gone_is_given_up_for_good<R: Testbed>() {
    let (server, client) = pair::<R>(2).await;
    let _control = (
        server.take(ConnectionId::CONTROL, SOON).await.unwrap(),
        client.take(ConnectionId::CONTROL, SOON).await.unwrap(),
    );
    let (gone, accepted) = server.take_next(SOON).await.unwrap();
    drop(accepted);
    // The news may still be on its way, but then the connection itself tells.
    if let Ok(mut dialed) = client.take(gone, NEVER).await {
        dialed.read(&mut [0]).await.unwrap_err();
    }
    assert!(matches!(client.take(gone, NEVER).await, Err(TakeError::Gone(_))));
    assert!(matches!(server.take(gone, NEVER).await, Err(TakeError::Gone(CloseReason::Taken))));
}

pub async fn the_server_hands_out_its_oldest_and_the_client_its_newest<R: Testbed>() {
    let (server, client, mut steps) = stepwise::<R>(4).await;
    let mut ids = Vec::new();
    for number in 1..=4 {
        steps.send(()).await.unwrap();
        filled(&server, &client, number).await;
        // Looks at what came without keeping it from anybody: the newest is the client's next.
        let mut peek = Box::pin(client.take_next(SOON));
        let (id, connection): (_, Connection) = (&mut peek).now_or_never().expect("it is there").unwrap();
        ids.push(id);
        drop(connection);
        until::<R>("its other end is gone", || server.stats().closed_total == number as u64).await;
        steps.send(()).await.unwrap();
        filled(&server, &client, number).await;
    }
    let (oldest, _a) = server.take_next(SOON).await.unwrap();
    let (newest, _b) = client.take_next(SOON).await.unwrap();
    assert_ne!(oldest, newest);
    assert!(!ids.contains(&newest));
    let (second, _c) = server.take_next(SOON).await.unwrap();
    let _d = client.take(oldest, SOON).await.expect("the client had not reached it");
    let _e = server.take(newest, SOON).await.expect("the server had not reached it");
    let _f = client.take(second, SOON).await.expect("in between");
}

pub async fn waiting_for_readiness_ends_with_the_first_idle_connection<R: Testbed>() {
    let (server, client, mut steps) = stepwise::<R>(1).await;
    let mut at_server = Box::pin(server.wait_ready(SOON));
    let mut at_client = Box::pin(client.wait_ready(SOON));
    assert!((&mut at_server).now_or_never().is_none());
    assert!((&mut at_client).now_or_never().is_none());
    assert!(!server.ready() && !client.ready());
    steps.send(()).await.unwrap();
    at_server.await.unwrap();
    at_client.await.unwrap();
    assert!(server.ready() && client.ready());
    assert!(server.wait_ready(Duration::ZERO).now_or_never().unwrap().is_ok());
}
