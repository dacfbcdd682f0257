//! What users of the original suffer from, row by row of the table in the design, and what they get here.

use std::collections::HashSet;
use std::net::TcpListener;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Waker};
use std::time::{Duration, Instant};

use futures::FutureExt;
use futures::channel::mpsc;
use futures::{SinkExt, StreamExt};
use npws::{CloseReason, ConnectionId, DialError, ServerPool, Socket, TakeError};
use socket2::{Domain, Type};

use crate::pools::{NEVER, bind, client, closed_by, filled, pair, receive, send, server, take_pair, talk};
use crate::raw::{PING, PONG};
use crate::relay::Relay;
use crate::spy::Spy;
use crate::testbed::{SOON, Testbed, current, ms, spawn, thread, until};
use crate::v1_peer::{V1Client, V1Server};

pub async fn a_cut_path_is_noticed_and_no_connection_is_handed_out_dead<R: Testbed>() {
    const COUNT: usize = 9;
    let (server, address) = bind(server::<R>()).await;
    let relay = Relay::start::<R>(address);
    let client = client::<R>(relay.address(), COUNT).connect().unwrap();
    filled(&server, &client, COUNT).await;
    for (round, reset) in [false, true].into_iter().enumerate() {
        relay.cut(reset);
        let dead = COUNT * (round + 1);
        until::<R>("both ends know of all deaths", || {
            server.stats().closed_total == dead as u64 && client.stats().closed_total == dead as u64
        })
        .await;
        // Nobody waits for the refill: a take is what brings it about.
        for _ in 0..COUNT {
            let (mut accepted, mut dialed) = take_pair(&server, &client).await;
            talk(&mut accepted, &mut dialed).await;
        }
        filled(&server, &client, COUNT).await;
    }
    let stats = client.stats();
    let cut = closed_by(&stats, CloseReason::TransportEnded) + closed_by(&stats, CloseReason::TransportFailed);
    assert_eq!(cut, 2 * COUNT as u64, "{:?}", stats.closed_by);
}

pub async fn a_waiter_is_woken_by_the_arrival_itself_even_while_time_stands_still<R: Testbed>() {
    let spy = Spy::<R>::without_time();
    let server = ServerPool::<Spy<R>>::builder().capacity(8).runtime(spy.clone()).bind("127.0.0.1:0").await.unwrap();
    let address = server.local_addr().unwrap();
    let (mut open, opened) = mpsc::channel::<()>(8);
    let opened = Arc::new(futures::lock::Mutex::new(opened));
    let client = npws::ClientPool::<Spy<R>>::builder(address.to_string())
        .capacity(2..=2)
        .runtime(spy)
        .dialer(move |_| {
            let opened = opened.clone();
            async move {
                opened.lock().await.next().await;
                Ok(Socket::new(current::<R>().connect(address).await?))
            }
        })
        .connect()
        .unwrap();
    // All wait before anything can arrive.
    let mut by_next = Box::pin(server.take_next(SOON));
    let mut by_id = Box::pin(client.take(ConnectionId::CONTROL, SOON));
    let mut idle = Box::pin(client.wait_ready(SOON));
    let mut cx = Context::from_waker(Waker::noop());
    assert!(by_next.poll_unpin(&mut cx).is_pending());
    assert!(by_id.poll_unpin(&mut cx).is_pending());
    assert!(idle.poll_unpin(&mut cx).is_pending());
    open.send(()).await.unwrap();
    let (id, mut accepted) = by_next.await.unwrap();
    let mut dialed = by_id.await.unwrap();
    assert_eq!(id, ConnectionId::CONTROL);
    talk(&mut accepted, &mut dialed).await;
    open.send(()).await.unwrap();
    idle.await.unwrap();
    // So is who waits for an end.
    let waiter = spawn::<R, _>({
        let client = client.clone();
        async move { client.take(crate::pools::id(7), SOON).await.map(drop) }
    });
    until::<R>("it waits", || client.stats().waiters == 1).await;
    client.close();
    assert_eq!(waiter.join().await, Err(TakeError::Closed));
}

pub async fn one_black_holed_dial_delays_no_other<R: Testbed>() {
    const COUNT: usize = 8;
    let (server, address) = bind(server::<R>()).await;
    // It takes the connection and never says a word.
    let black_hole = TcpListener::bind("127.0.0.1:0").unwrap();
    let hole = black_hole.local_addr().unwrap();
    let dials = AtomicUsize::new(0);
    let client = client::<R>(address, COUNT)
        .dial_timeout(NEVER)
        .dialer(move |_| {
            let address = if dials.fetch_add(1, Ordering::SeqCst) == 0 { hole } else { address };
            async move { Ok(Socket::new(current::<R>().connect(address).await?)) }
        })
        .connect()
        .unwrap();
    filled(&server, &client, COUNT - 1).await;
    for _ in 0..3 * COUNT {
        let (mut accepted, mut dialed) = take_pair(&server, &client).await;
        talk(&mut accepted, &mut dialed).await;
    }
    filled(&server, &client, COUNT - 1).await;
    assert_eq!(client.stats().handshakes, 1, "the black-holed dial is under way still");
}

pub async fn dials_to_a_refusing_server_are_limited_backed_off_and_counted_with_their_cause<R: Testbed>() {
    const DIALS: u64 = 7;
    // Bound but not listening: the system refuses, and nobody else gets the port.
    let socket = socket2::Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind(&std::net::SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
    let address = socket.local_addr().unwrap().as_socket().unwrap();
    let begin = Instant::now();
    let client = client::<R>(address, 50)
        .interval(ms(1)..=ms(1))
        .backoff(ms(40)..=ms(80))
        .max_concurrent_dials(4)
        .connect()
        .unwrap();
    let waiters: Vec<_> = (0..8)
        .map(|_| {
            let client = client.clone();
            spawn::<R, _>(async move { client.take_next(SOON).await })
        })
        .collect();
    until::<R>("some dials have failed", || client.stats().dial_failures.total() >= DIALS).await;
    let stats = client.stats();
    let elapsed = begin.elapsed();
    // Four at first; then single ones, with pauses of at least 20 ms and then 40 ms.
    let singles = stats.dials_total - 4;
    let least = ms(20) + ms(40) * (singles - 1) as u32;
    assert!(elapsed >= least, "{singles} more dials after {elapsed:?} only, where pauses alone take {least:?}");
    assert_eq!(stats.dial_failures.connect, stats.dial_failures.total(), "{stats:?}");
    assert!(stats.last_dial_failure.is_some());
    let error = client.last_dial_error().expect("there was one");
    assert!(matches!(&*error, DialError::Connect(cause) if cause.kind() == std::io::ErrorKind::ConnectionRefused));
    assert_eq!(client.error_count(), 0, "these are not the user's errors");
    // And it recovers by itself.
    socket.listen(128).unwrap();
    let server = server::<R>().listen(socket.into()).unwrap();
    for waiter in waiters {
        let (id, mut dialed) = waiter.join().await.expect("served in the end");
        let mut accepted = server.take(id, SOON).await.expect("its other end is there");
        talk(&mut accepted, &mut dialed).await;
    }
}

pub async fn no_connection_is_lost_or_doubled_under_waiters<R: Testbed>() {
    const TAKERS: usize = 8;
    const EACH: usize = 40;
    let (server, address) = bind(server::<R>()).await;
    // The waiters come first, so every connection is born into somebody's hands.
    let (seen, mut ids) = mpsc::unbounded();
    let takers: Vec<_> = (0..TAKERS)
        .map(|_| {
            let (server, seen) = (server.clone(), seen.clone());
            spawn::<R, _>(async move {
                let mut held = Vec::new();
                for _ in 0..EACH {
                    let (id, connection) = server.take_next(SOON).await.expect("enough are dialed");
                    seen.unbounded_send(id).expect("somebody listens");
                    held.push(connection);
                }
                held
            })
        })
        .collect();
    drop(seen);
    until::<R>("all wait", || server.stats().waiters == TAKERS).await;
    let client = client::<R>(address, 16).connect().unwrap();
    let mut other_ends = Vec::new();
    while let Some(id) = ids.next().await {
        other_ends.push(client.take(id, SOON).await.expect("both ends know every connection"));
    }
    let mut held = Vec::new();
    for taker in takers {
        held.extend(taker.join().await);
    }
    held.sort_by_key(npws::Connection::id);
    other_ends.sort_by_key(npws::Connection::id);
    let distinct: HashSet<_> = held.iter().map(npws::Connection::id).collect();
    assert_eq!(distinct.len(), TAKERS * EACH);
    for (accepted, dialed) in held.iter_mut().zip(&mut other_ends) {
        talk(accepted, dialed).await;
    }
    filled(&server, &client, 16).await;
    for stats in [server.stats(), client.stats()] {
        assert_eq!((stats.taken_total, stats.closed_total), ((TAKERS * EACH) as u64, 0), "{stats:?}");
    }
}

pub async fn a_take_by_id_takes_exactly_that_connection_and_leaves_the_others_in_order<R: Testbed>() {
    let (server, address) = bind(server::<R>().capacity(9)).await;
    let dialed = Arc::new(Mutex::new(Vec::new()));
    let mut clients = Vec::new();
    // Nine pools of one, so that the order is known.
    for _ in 0..9 {
        let count = server.stats().registered_total;
        let one = client::<R>(address, 1).interval(NEVER..=NEVER).connect().unwrap();
        one.wait_ready(SOON).await.unwrap();
        until::<R>("the server has it", || server.stats().registered_total > count).await;
        clients.push(one);
    }
    for one in [1, 4, 8] {
        let (id, mut dialed_end) = clients[one].take_next(SOON).await.unwrap();
        let mut accepted = server.take(id, SOON).await.expect("by its ID");
        talk(&mut accepted, &mut dialed_end).await;
        dialed.lock().unwrap().push(dialed_end);
    }
    assert_eq!(server.active(), 6);
    for one in [0, 2, 3, 5, 6, 7] {
        let (id, mut accepted) = server.take_next(Duration::ZERO).await.expect("six are left");
        let mut dialed_end = clients[one].take(id, Duration::ZERO).await.expect("oldest first, and reachable");
        talk(&mut accepted, &mut dialed_end).await;
    }
    assert_eq!(server.take_next(Duration::ZERO).await.map(|_| ()), Err(TakeError::Timeout));
}

pub async fn the_control_id_burnt_by_a_scanner_is_given_to_the_next<R: Testbed>() {
    let (server, address) = bind(server::<R>().control_channel(true)).await;
    // One that sees the ID and goes, and one that goes before it could.
    let seen = thread(move || V1Client::connect(address).id).join().await;
    assert_eq!(seen, ConnectionId::CONTROL);
    until::<R>("the scanner is gone", || server.stats().closed_total == 1).await;
    thread(move || crate::raw::Raw::connect(address).send(b"GET / HTTP/1.1\r\n")).join().await;
    until::<R>("the other scanner is gone", || server.stats().accept_failures == 1).await;
    let client = client::<R>(address, 2).control_channel(true).connect().unwrap();
    let mut accepted = server.take(ConnectionId::CONTROL, SOON).await.expect("the control channel comes up");
    let mut dialed = client.take(ConnectionId::CONTROL, SOON).await.expect("at both ends");
    talk(&mut accepted, &mut dialed).await;
}

pub async fn flush_and_close_return_at_once_although_idle_peers_never_answer<R: Testbed>() {
    const COUNT: usize = 4;
    let (server, address) = bind(server::<R>()).await;
    let peers = thread(move || (0..COUNT).map(|_| V1Client::connect(address)).collect::<Vec<_>>()).join().await;
    until::<R>("all are idle", || server.active() == COUNT).await;
    let begin = Instant::now();
    server.flush();
    assert_eq!(server.active(), 0);
    assert!(begin.elapsed() < Duration::from_secs(1), "flush took {:?}", begin.elapsed());
    assert_eq!(closed_by(&server.stats(), CloseReason::Flushed), COUNT as u64);

    let original = V1Server::default();
    let client = client::<R>(original.address(), COUNT).connect().unwrap();
    let ends = thread(move || (0..COUNT as u32).map(|n| original.accept(crate::pools::id(n))).collect::<Vec<_>>());
    let ends = ends.join().await;
    until::<R>("all are idle", || client.active() == COUNT).await;
    let begin = Instant::now();
    client.close();
    server.close();
    assert_eq!((client.active(), client.is_closed(), server.is_closed()), (0, true, true));
    assert!(begin.elapsed() < Duration::from_secs(1), "close took {:?}", begin.elapsed());
    // Each was told in good order all the same.
    let codes = thread(move || {
        let raws = peers.into_iter().map(|peer| peer.raw).chain(ends);
        raws.map(|mut raw| raw.read_close()).collect::<Vec<_>>()
    });
    assert_eq!(codes.join().await, vec![Some(1000); 2 * COUNT]);
}

pub async fn handed_out_connections_outlive_the_pool_and_closed_is_terminal<R: Testbed>() {
    let (server, client) = pair::<R>(3).await;
    let (mut accepted, mut dialed) = take_pair(&server, &client).await;
    send(&mut accepted, b"before").await;
    client.close();
    server.close();
    assert_eq!(receive(&mut dialed, 6).await, b"before");
    talk(&mut accepted, &mut dialed).await;
    for error in [server.take_next(SOON).await.map(drop), client.take_next(SOON).await.map(drop)] {
        assert_eq!(error, Err(TakeError::Closed));
    }
    assert_eq!(server.take(accepted.id(), SOON).await.map(drop), Err(TakeError::Closed));
    assert_eq!(client.wait_ready(SOON).await, Err(TakeError::Closed));
    client.flush();
    client.drain(SOON).await;
    client.close();
    let address = server.local_addr().unwrap();
    drop((server, client));
    talk(&mut accepted, &mut dialed).await;
    until::<R>("the port is closed", || std::net::TcpStream::connect(address).is_err()).await;
}

pub async fn keep_alive_is_implemented<R: Testbed>() {
    let (server, address) = bind(server::<R>().keepalive(ms(20))).await;
    let peer = thread(move || {
        let mut peer = V1Client::connect(address);
        let pings = (0..5).map(|_| peer.raw.read_frame()).filter(|frame| frame.opcode == PING).count();
        (peer, pings)
    });
    let (_peer, pings) = peer.join().await;
    assert_eq!(pings, 5, "all that an idle connection carries is pings");
    assert_eq!(server.active(), 1);
}

pub async fn health_monitoring_is_implemented<R: Testbed>() {
    let (server, address) = bind(server::<R>().keepalive(ms(30)).pong_timeout(ms(300))).await;
    let mut peer = thread(move || {
        let mut raw = crate::raw::Raw::upgrade(address, "Npws-Version: 2\r\n");
        raw.read_frame();
        raw
    })
    .join()
    .await;
    // Healthy as long as it answers, and no longer.
    let peer = thread(move || {
        for _ in 0..5 {
            let ping = peer.read_frame();
            peer.send_frame(true, PONG, &ping.payload);
        }
        peer
    });
    let peer = peer.join().await;
    assert_eq!(server.active(), 1);
    until::<R>("the silence is noticed", || server.active() == 0).await;
    assert_eq!(closed_by(&server.stats(), CloseReason::KeepaliveTimeout), 1);
    drop(peer);
}

pub async fn unique_ids_are_implemented<R: Testbed>() {
    const COUNT: usize = 200;
    let (server, client) = pair::<R>(COUNT).await;
    let mut held = Vec::new();
    // Taken ones stay alive, so nothing may have their IDs.
    for _ in 0..COUNT + 50 {
        held.push(take_pair(&server, &client).await);
    }
    let ids: HashSet<_> = held.iter().map(|(accepted, _)| accepted.id()).collect();
    assert_eq!(ids.len(), held.len());
    assert!(ids.contains(&ConnectionId::CONTROL), "the first one had the control ID");
}

pub async fn backoff_is_implemented<R: Testbed>() {
    let dials = Arc::new(Mutex::new(Vec::new()));
    let times = dials.clone();
    let client = client::<R>("localhost:1", 1)
        .interval(ms(1)..=ms(1))
        .backoff(ms(10)..=ms(80))
        .dialer(move |_| {
            times.lock().unwrap().push(Instant::now());
            async { Err(std::io::ErrorKind::ConnectionRefused.into()) }
        })
        .connect()
        .unwrap();
    until::<R>("it has dialed eight times", || dials.lock().unwrap().len() >= 8).await;
    client.close();
    let times = dials.lock().unwrap().clone();
    // Each pause is drawn from the upper half of 10, 20, 40, 80, 80, ... ms.
    for (index, (pair, full)) in times.windows(2).zip([10, 20, 40, 80, 80, 80, 80]).enumerate() {
        let pause = pair[1] - pair[0];
        assert!(pause >= ms(full / 2), "pause {index} took only {pause:?} of {full} ms");
    }
}
