//! Several servers as one.

use std::collections::BTreeMap;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Waker};
use std::time::Duration;

use futures::FutureExt;
use npws::{
    BreakerState, ClientPool, CloseReason, Connection, ConnectionId, Endpoint, PoolGroup, PoolGroupBuilder, ServerPool,
    Strategy, TakeError,
};

use crate::pools::{NEVER, bind, client, closed_by, id, server, talk};
use crate::testbed::{SOON, Testbed, ms, sleep, spawn, until};

/// So many servers, on loopback.
pub(super) async fn servers<R: Testbed>(count: usize) -> Vec<(ServerPool<R>, SocketAddr)> {
    let mut servers = Vec::new();
    for _ in 0..count {
        servers.push(bind(server::<R>()).await);
    }
    servers
}

/// A group of so many connections to each address, that probes often.
pub(super) fn group<R: Testbed>(addresses: impl IntoIterator<Item = SocketAddr>, each: usize) -> PoolGroupBuilder<R> {
    let builder = PoolGroup::builder().probe_backoff(ms(5)..=ms(50));
    addresses.into_iter().fold(builder, |builder, address| builder.endpoint(client(address, each)))
}

pub(super) async fn filled<R: Testbed>(group: &PoolGroup<R>, count: usize) {
    until::<R>("the group is full", || group.active() == count).await;
}

pub(super) fn breakers<R: Testbed>(group: &PoolGroup<R>) -> Vec<BreakerState> {
    group.stats().endpoints.iter().map(|endpoint| endpoint.breaker).collect()
}

/// Takes a connection whose ID no other server has given, unlike the control ID, which is every server's. Comes back when
/// the group knows of it.
pub(super) async fn take_named<R: Testbed>(server: &ServerPool<R>, group: &PoolGroup<R>) -> (ConnectionId, Connection) {
    // No less when a claimed one is taken or ends.
    let claimed = || group.stats().sum(|stats| stats.claimed as u64 + stats.taken_total + stats.closed_total);
    let mut others = Vec::new();
    loop {
        let before = claimed();
        let (id, connection) = server.take_next(SOON).await.unwrap();
        until::<R>("the claim has come", || claimed() > before).await;
        if id != ConnectionId::CONTROL {
            return (id, connection);
        }
        others.push(connection);
    }
}

/// An address of loopback where nobody listens.
fn refusing() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

pub async fn takes_are_spread_over_the_endpoints<R: Testbed>() {
    for strategy in [Strategy::RoundRobin, Strategy::LeastLoaded] {
        let servers = servers::<R>(3).await;
        let addresses = servers.iter().map(|(_, address)| *address);
        let group = group::<R>(addresses, 4).strategy(strategy).connect().unwrap();
        filled(&group, 12).await;
        let mut taken = Vec::new();
        let mut counts = BTreeMap::new();
        for _ in 0..9 {
            let (endpoint, id, mut dialed) = group.take_next(SOON).await.unwrap();
            let at = servers.iter().position(|(_, address)| address.to_string() == endpoint.address()).unwrap();
            let mut accepted = servers[at].0.take(id, SOON).await.unwrap();
            assert_eq!(dialed.id(), id);
            talk(&mut dialed, &mut accepted).await;
            taken.push((dialed, accepted));
            *counts.entry(at).or_insert(0) += 1;
        }
        assert_eq!(counts, BTreeMap::from([(0, 3), (1, 3), (2, 3)]), "{strategy:?}");
        assert_eq!(group.stats().sum(|stats| stats.taken_total), 9);
    }
}

pub async fn the_least_loaded_endpoint_is_preferred<R: Testbed>() {
    let servers = servers::<R>(2).await;
    let addresses = servers.iter().map(|(_, address)| *address);
    let group = group::<R>(addresses, 4).strategy(Strategy::LeastLoaded).connect().unwrap();
    filled(&group, 8).await;
    let first = group.stats().endpoints[0].endpoint.clone();
    let busy = group.pool(first.id()).unwrap();
    let (_, _one) = busy.take_next(SOON).await.unwrap();
    let (_, two) = busy.take_next(SOON).await.unwrap();
    for _ in 0..2 {
        let (endpoint, _, connection) = group.take_next(SOON).await.unwrap();
        assert_ne!(endpoint, first);
        // What has ended is no load.
        drop(connection);
    }
    drop(two);
    let (_, _, _three) = group.take_next(SOON).await.unwrap();
    let (_, _, _four) = group.take_next(SOON).await.unwrap();
    let in_use: Vec<_> = group.stats().endpoints.iter().map(|endpoint| endpoint.stats.taken).collect();
    assert_eq!(in_use.iter().sum::<usize>(), 3);
    assert!(in_use.iter().all(|count| *count > 0), "{in_use:?}");
}

pub async fn a_server_that_is_killed_and_restarted_fails_no_take<R: Testbed>() {
    let mut servers = servers::<R>(2).await;
    let address = servers[1].1;
    let group = group::<R>(servers.iter().map(|(_, address)| *address), 4).connect().unwrap();
    filled(&group, 8).await;
    let (stop, taken) = (Arc::new(AtomicBool::new(false)), Arc::new([const { AtomicUsize::new(0) }; 2]));
    let load: Vec<_> = (0..4)
        .map(|_| {
            let (group, stop, taken) = (group.clone(), stop.clone(), taken.clone());
            spawn::<R, _>(async move {
                while !stop.load(Ordering::SeqCst) {
                    let (endpoint, _, _connection) = group.take_next(SOON).await?;
                    let at = usize::from(endpoint.address() == address.to_string());
                    taken[at].fetch_add(1, Ordering::SeqCst);
                    sleep::<R>(ms(1)).await;
                }
                Ok::<_, npws::GroupTakeError>(())
            })
        })
        .collect();
    let count = |at: usize| taken[at].load(Ordering::SeqCst);
    until::<R>("both serve", || count(0) > 8 && count(1) > 8).await;
    servers.pop().unwrap().0.close();
    until::<R>("it is out", || breakers(&group)[1] != BreakerState::Closed).await;
    let before = count(0);
    until::<R>("the other goes on", || count(0) > before + 20).await;
    let restarted = server::<R>().bind(&address.to_string()).await.unwrap();
    let before = count(1);
    until::<R>("it serves again", || count(1) > before + 8).await;
    stop.store(true, Ordering::SeqCst);
    for worker in load {
        worker.join().await.expect("no take fails while a server is there");
    }
    until::<R>("all is well", || breakers(&group) == [BreakerState::Closed; 2]).await;
    drop(restarted);
}

pub async fn no_take_waits_for_an_endpoint_that_is_out<R: Testbed>() {
    let (server, address) = bind(server::<R>()).await;
    let group = group::<R>([refusing(), address], 3).connect().unwrap();
    // It makes up for the other.
    filled(&group, 6).await;
    assert_ne!(breakers(&group)[0], BreakerState::Closed);
    for _ in 0..6 {
        let (endpoint, id, mut dialed) = group.take_next(Duration::ZERO).await.unwrap();
        assert_eq!(endpoint.address(), address.to_string());
        talk(&mut dialed, &mut server.take(id, SOON).await.unwrap()).await;
        filled(&group, 6).await;
    }
}

pub async fn a_take_by_id_goes_to_the_endpoint_that_has_it<R: Testbed>() {
    let servers = servers::<R>(3).await;
    let group = group::<R>(servers.iter().map(|(_, address)| *address), 2).connect().unwrap();
    filled(&group, 6).await;
    for (server, address) in servers.iter().rev() {
        let (id, mut accepted) = take_named(server, &group).await;
        let (endpoint, mut dialed) = group.take(id, SOON).await.unwrap();
        assert_eq!((endpoint.address(), dialed.id()), (&*address.to_string(), id));
        talk(&mut dialed, &mut accepted).await;
        let again = group.take(id, NEVER).await.unwrap_err();
        assert_eq!(again.error(), TakeError::Gone(CloseReason::Taken));
    }
    let error = group.take(id(0xdead_beef), Duration::ZERO).await.unwrap_err();
    assert_eq!((error.error(), error.causes().len()), (TakeError::Timeout, 3));
    // Who waits is served by whichever gets it.
    let late = id(77);
    let waiting = spawn::<R, _>({
        let group = group.clone();
        async move { group.take(late, SOON).await }
    });
    let original = crate::v1_peer::V1Server::default();
    let endpoint = group.add(client(original.address(), 1)).unwrap();
    let peer = crate::testbed::thread(move || original.accept(late));
    let (from, dialed) = waiting.join().await.unwrap();
    assert_eq!((from, dialed.id()), (endpoint, late));
    assert_eq!(group.stats().sum(|stats| stats.waiters as u64), 0, "nobody waits any more");
    drop(peer.join().await);
}

pub async fn what_a_server_takes_is_accepted_from_any_endpoint<R: Testbed>() {
    let servers = servers::<R>(3).await;
    let group = group::<R>(servers.iter().map(|(_, address)| *address), 2).connect().unwrap();
    filled(&group, 6).await;
    assert_eq!(group.accept(Duration::ZERO).await.unwrap_err().error(), TakeError::Timeout);
    for round in 0..2 {
        for (server, address) in &servers {
            let accepting = spawn::<R, _>({
                let group = group.clone();
                async move { group.accept(SOON).await }
            });
            let (id, mut accepted) = server.take_next(SOON).await.unwrap();
            let (endpoint, came, mut dialed) = accepting.join().await.unwrap();
            assert_eq!((endpoint.address(), came), (&*address.to_string(), id), "round {round}");
            talk(&mut dialed, &mut accepted).await;
        }
    }
    assert_eq!(group.stats().sum(|stats| stats.waiters as u64), 0);
}

pub async fn a_server_that_drains_hands_its_share_over_at_once<R: Testbed>() {
    let servers = servers::<R>(2).await;
    // No second round comes in time: what happens is the group's doing.
    let slow = |address: SocketAddr| client::<R>(address, 4).interval(NEVER..=NEVER);
    let builder = PoolGroup::builder().endpoint(slow(servers[0].1)).endpoint(slow(servers[1].1));
    let group = builder.probe_backoff(NEVER..=NEVER).connect().unwrap();
    filled(&group, 8).await;
    let (in_use, mut accepted) = take_named(&servers[0].0, &group).await;
    let draining = spawn::<R, _>({
        let server = servers[0].0.clone();
        async move { server.drain(SOON).await }
    });
    until::<R>("it is out", || breakers(&group) == [BreakerState::Open, BreakerState::Closed]).await;
    until::<R>("the other has all", || servers[1].0.active() == 8).await;
    assert_eq!(group.capacity(), 8);
    for _ in 0..4 {
        let (endpoint, _, _connection) = group.take_next(Duration::ZERO).await.unwrap();
        assert_eq!(endpoint.address(), servers[1].1.to_string());
    }
    let (endpoint, mut dialed) = group.take(in_use, SOON).await.expect("what it had taken goes on");
    assert_eq!(endpoint.address(), servers[0].1.to_string());
    talk(&mut dialed, &mut accepted).await;
    draining.join().await;
}

pub async fn a_take_that_is_dropped_or_served_elsewhere_loses_nothing<R: Testbed>() {
    let servers = servers::<R>(2).await;
    let group = group::<R>(servers.iter().map(|(_, address)| *address), 2).connect().unwrap();
    filled(&group, 4).await;
    for round in 0..20 {
        let mut taken = Vec::new();
        while let Ok(one) = group.take_next(Duration::ZERO).await {
            taken.push(one);
        }
        // Many wait for both; some lose interest, before or after they are offered one.
        let mut cx = Context::from_waker(Waker::noop());
        let mut waiting: Vec<_> = (0..4).map(|_| Box::pin(group.take_next(SOON))).collect();
        for (index, take) in waiting.iter_mut().enumerate() {
            if let std::task::Poll::Ready(outcome) = take.poll_unpin(&mut cx) {
                taken.push(outcome.unwrap());
                waiting.truncate(index);
                break;
            }
        }
        if round % 2 == 0 && !waiting.is_empty() {
            until::<R>("some come", || group.stats().sum(|stats| stats.offered as u64) > 0).await;
        }
        let rest = waiting.split_off(waiting.len() / 2);
        drop(rest);
        for take in waiting {
            taken.push(take.await.unwrap());
        }
        let stats = group.stats();
        let left = stats.sum(|stats| stats.waiters as u64 + stats.offered as u64);
        assert_eq!(left, 0, "{stats:?}");
        let accounted = |stats: &npws::Stats| stats.idle as u64 + stats.taken_total + stats.closed_total;
        assert_eq!(stats.sum(|stats| stats.registered_total), stats.sum(accounted), "{stats:?}");
        let surplus = |stats: &npws::Stats| closed_by(stats, CloseReason::Surplus);
        assert_eq!(stats.sum(|stats| stats.closed_total), stats.sum(surplus), "{stats:?}");
        for (endpoint, id, dialed) in &mut taken {
            let at = servers.iter().position(|(_, address)| address.to_string() == endpoint.address()).unwrap();
            talk(dialed, &mut servers[at].0.take(*id, SOON).await.unwrap()).await;
        }
        drop(taken);
        until::<R>("there are some again", || group.ready()).await;
    }
}

pub async fn an_error_says_what_each_endpoint_lacks<R: Testbed>() {
    let nowhere = refusing();
    let nameless =
        client::<R>("nowhere.example:1", 1).resolver(|_| async { Err(io::ErrorKind::HostUnreachable.into()) });
    let group = group::<R>([nowhere], 1).discover(nameless).connect().unwrap();
    let told = || async {
        let error = group.take_next(ms(1)).await.unwrap_err();
        let is_known = error.causes()[0].last_dial_error.is_some() && error.unresolved().next().is_some();
        is_known.then_some(error)
    };
    let error = loop {
        if let Some(error) = told().await {
            break error;
        }
    };
    assert_eq!((error.error(), error.causes().len()), (TakeError::Timeout, 1));
    let cause = &error.causes()[0];
    assert_eq!((cause.endpoint.address(), cause.error), (&*nowhere.to_string(), TakeError::Timeout));
    assert_eq!(error.unresolved().next().unwrap().0, "nowhere.example:1");
    for part in ["in time", &nowhere.to_string(), "out", "no TCP connection", "nowhere.example:1"] {
        assert!(error.to_string().contains(part), "{error}");
    }
    assert!(std::error::Error::source(&error).is_some());
}

pub async fn a_group_ends_gently_or_at_once<R: Testbed>() {
    let servers = servers::<R>(2).await;
    let group = group::<R>(servers.iter().map(|(_, address)| *address), 2).connect().unwrap();
    filled(&group, 4).await;
    let (claimed, _accepted) = take_named(&servers[1].0, &group).await;
    let mut draining = Box::pin(group.drain(SOON));
    assert!(draining.poll_unpin(&mut Context::from_waker(Waker::noop())).is_pending());
    assert_eq!(group.take_next(NEVER).await.unwrap_err().error(), TakeError::Draining);
    assert_eq!(group.take(id(9), NEVER).await.unwrap_err().error(), TakeError::Draining);
    let (_, _connection) = group.take(claimed, SOON).await.unwrap();
    draining.await;
    assert!(group.is_closed());
    assert_eq!(group.take_next(NEVER).await.unwrap_err().error(), TakeError::Closed);
    assert_eq!(group.accept(NEVER).await.unwrap_err().error(), TakeError::Closed);

    let addresses = servers.iter().map(|(_, address)| *address);
    let second = self::group::<R>(addresses, 2).connect().unwrap();
    filled(&second, 4).await;
    let (from, _, mut outlives) = second.take_next(SOON).await.unwrap();
    let waiting = spawn::<R, _>({
        let second = second.clone();
        async move { second.accept(NEVER).await.map(drop) }
    });
    second.flush();
    second.close();
    assert_eq!(waiting.join().await.unwrap_err().error(), TakeError::Closed);
    assert_eq!((second.active(), second.stats().endpoints.len()), (0, 0));
    let at = servers.iter().position(|(_, address)| address.to_string() == from.address()).unwrap();
    let mut others = servers[at].0.take(outlives.id(), SOON).await.unwrap();
    talk(&mut outlives, &mut others).await;
}

pub async fn the_last_handle_that_is_dropped_closes_every_pool<R: Testbed>() {
    let servers = servers::<R>(2).await;
    let group = group::<R>(servers.iter().map(|(_, address)| *address), 2).connect().unwrap();
    filled(&group, 4).await;
    let endpoints: Vec<Endpoint> = group.stats().endpoints.into_iter().map(|stats| stats.endpoint).collect();
    let pools: Vec<ClientPool<R>> = endpoints.iter().map(|endpoint| group.pool(endpoint.id()).unwrap()).collect();
    let other = group.clone();
    drop(group);
    assert!(other.take_next(SOON).await.is_ok());
    drop(other);
    until::<R>("its pools are closed", || pools.iter().all(ClientPool::is_closed)).await;
    until::<R>("the servers know", || servers.iter().all(|(server, _)| server.active() == 0)).await;
}
