//! Peers and paths that die while a connection is idle.

use std::time::Duration;

use npws::{ClientTls, CloseReason, ServerTls, TakeError};

use crate::pools::{NEVER, bind, client, closed_by, filled, pair, server, take_pair, talk, tls};
use crate::relay::Relay;
use crate::testbed::{SOON, Testbed, ms, thread, until};
use crate::v1_peer::{V1Client, V1Server};

pub async fn a_cut_path_under_tls_is_noticed_and_refilled<R: Testbed>() {
    const COUNT: usize = 6;
    let (server_tls, client_tls) = tls();
    let (server, address) = bind(server::<R>().tls(server_tls)).await;
    let relay = Relay::start::<R>(address);
    let client = client::<R>(relay.address(), COUNT).tls(client_tls).server_name("127.0.0.1").connect().unwrap();
    filled(&server, &client, COUNT).await;
    relay.cut(true);
    until::<R>("both ends know of all deaths", || {
        server.stats().closed_total == COUNT as u64 && client.stats().closed_total == COUNT as u64
    })
    .await;
    for _ in 0..COUNT {
        let (mut accepted, mut dialed) = take_pair(&server, &client).await;
        talk(&mut accepted, &mut dialed).await;
    }
}

/// The other end goes and the take comes before any task or reactor has had its turn. Rarely the system itself is late.
pub async fn what_the_kernel_knows_to_be_over_is_not_handed_out<R: Testbed>() {
    const COUNT: usize = 100;
    let (server_tls, client_tls) = tls();
    for (server_tls, client_tls) in [(server_tls, client_tls), (ServerTls::plain(), ClientTls::plain())] {
        let (server, address) = bind(server::<R>().v2(false).control_id(false).tls(server_tls)).await;
        let client = client::<R>(address, COUNT).interval(NEVER..=NEVER).v2(false).tls(client_tls).connect().unwrap();
        filled(&server, &client, COUNT).await;
        let mut dead = 0;
        for _ in 0..COUNT {
            let (id, accepted) = server.take_next(SOON).await.unwrap();
            drop(accepted);
            match client.take(id, Duration::ZERO).await {
                Ok(_) => dead += 1,
                Err(error) => assert!(matches!(error, TakeError::Gone(_)), "{error}"),
            }
        }
        assert!(dead <= COUNT / 20, "{dead} of {COUNT} were handed out although they were over");
    }
}

pub async fn a_peer_that_stops_answering_is_evicted_at_both_ends<R: Testbed>() {
    const COUNT: usize = 3;
    let (server, address) = bind(server::<R>().keepalive(ms(50)).pong_timeout(ms(400))).await;
    let relay = Relay::start::<R>(address);
    let builder = client::<R>(relay.address(), COUNT).interval(NEVER..=NEVER);
    let client = builder.keepalive(ms(50)).pong_timeout(ms(400)).connect().unwrap();
    filled(&server, &client, COUNT).await;
    relay.swallow();
    until::<R>("all are evicted", || server.active() == 0 && client.active() == 0).await;
    for stats in [server.stats(), client.stats()] {
        assert_eq!(closed_by(&stats, CloseReason::KeepaliveTimeout), COUNT as u64, "{:?}", stats.closed_by);
    }
}

pub async fn a_peer_that_answers_is_kept<R: Testbed>() {
    let (server, address) = bind(server::<R>().keepalive(ms(10)).pong_timeout(ms(2000))).await;
    let client = client::<R>(address, 3).keepalive(ms(10)).pong_timeout(ms(2000)).connect().unwrap();
    filled(&server, &client, 3).await;
    // As long as another connection takes for fifty pings.
    let pings = thread(move || {
        let mut peer = V1Client::connect(address);
        (0..50).for_each(|_| drop(peer.raw.read_frame()));
    });
    pings.join().await;
    for stats in [server.stats(), client.stats()] {
        assert_eq!(closed_by(&stats, CloseReason::KeepaliveTimeout), 0, "{stats:?}");
    }
    assert_eq!((client.stats().closed_total, client.active()), (0, 3));
    let (mut accepted, mut dialed) = take_pair(&server, &client).await;
    talk(&mut accepted, &mut dialed).await;
    assert!(accepted.last_alive().is_some() && dialed.last_alive().is_some());
}

pub async fn a_close_by_the_peer_is_noticed_with_its_code<R: Testbed>() {
    let (server, address) = bind(server::<R>()).await;
    let peer = thread(move || {
        let mut peer = V1Client::connect(address);
        peer.raw.send_close(1001);
        // Answered in good order.
        peer.raw.read_close()
    });
    assert_eq!(peer.join().await, Some(1001));
    until::<R>("it is gone", || server.stats().closed_total == 1).await;
    assert!(matches!(server.stats().closed_by[..], [(CloseReason::PeerClosed(_), 1)]), "{:?}", server.stats());

    let original = V1Server::default();
    let client = client::<R>(original.address(), 1).interval(NEVER..=NEVER).connect().unwrap();
    let peer = thread(move || {
        let mut raw = original.accept(crate::pools::id(1));
        raw.send_close(1000);
        raw.read_close()
    });
    assert_eq!(peer.join().await, Some(1000));
    until::<R>("it is gone", || client.stats().closed_total == 1).await;
    assert!(matches!(client.stats().closed_by[..], [(CloseReason::PeerClosed(_), 1)]), "{:?}", client.stats());
}

pub async fn a_dropped_pool_is_noticed_by_its_peer<R: Testbed>() {
    let (server, client) = pair::<R>(4).await;
    drop(client);
    until::<R>("all are gone", || server.active() == 0).await;
    assert_eq!(server.stats().closed_by, [(CloseReason::PeerDrained, 4)]);
}

pub async fn a_server_that_dies_and_comes_back_is_found_again<R: Testbed>() {
    let (first, address) = bind(server::<R>()).await;
    let client = client::<R>(address, 4).connect().unwrap();
    filled(&first, &client, 4).await;
    first.close();
    until::<R>("it is missed", || client.stats().closed_total >= 4).await;
    let mut second = None;
    until::<R>("the port is free", || {
        second = std::net::TcpListener::bind(address).ok();
        second.is_some()
    })
    .await;
    let second = server::<R>().listen(second.unwrap()).unwrap();
    filled(&second, &client, 4).await;
    let (mut accepted, mut dialed) = take_pair(&second, &client).await;
    talk(&mut accepted, &mut dialed).await;
}
