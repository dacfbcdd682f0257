//! A group that follows a name.

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use npws::PoolGroup;

use super::group::{filled, servers, take_named};
use crate::pools::{NEVER, bind, client, id, server, talk};
use crate::testbed::{SOON, Testbed, ms, sleep, until};

pub async fn a_name_is_followed_as_its_addresses_change<R: Testbed>() {
    let servers = servers::<R>(3).await;
    let at = |index: usize| servers[index].1;
    let answer = Arc::new(Mutex::new(vec![at(0), at(1)]));
    let asked = answer.clone();
    let template = client::<R>("tunnel.example:8443", 2).resolver(move |target| {
        assert_eq!((&*target.host, target.port), ("tunnel.example", 8443));
        let answer = asked.lock().unwrap().clone();
        async move { Ok(answer) }
    });
    let group = PoolGroup::<R>::builder().discover(template).resolve_interval(NEVER).connect().unwrap();
    filled(&group, 4).await;
    let members = || -> Vec<String> {
        let endpoints = group.stats().endpoints;
        endpoints.iter().filter(|e| !e.is_leaving).map(|e| e.endpoint.to_string()).collect()
    };
    assert_eq!(members(), [at(0).to_string(), at(1).to_string()]);

    // The server that leaves the name has taken one that this end has not.
    let (claimed, mut accepted) = take_named(&servers[0].0, &group).await;
    *answer.lock().unwrap() = vec![at(1), at(2)];
    group.refresh();
    until::<R>("one is added and one is gone", || members() == [at(1).to_string(), at(2).to_string()]).await;
    filled(&group, 4).await;
    for _ in 0..6 {
        let (endpoint, _, _connection) = group.take_next(SOON).await.unwrap();
        assert_ne!(endpoint.address(), at(0).to_string(), "it is being drained");
    }
    let (endpoint, mut dialed) = group.take(claimed, SOON).await.unwrap();
    assert_eq!(endpoint.address(), at(0).to_string());
    talk(&mut dialed, &mut accepted).await;
    until::<R>("the old pool is closed", || group.stats().endpoints.len() == 2).await;
    until::<R>("nothing is left there", || servers[0].0.active() == 0).await;

    // An answer without an address says nothing.
    answer.lock().unwrap().clear();
    group.refresh();
    let lookup_failed = || async { group.take(id(5), Duration::ZERO).await.unwrap_err().unresolved().count() == 1 };
    while !lookup_failed().await {
        sleep::<R>(ms(1)).await;
    }
    assert_eq!(members(), [at(1).to_string(), at(2).to_string()]);
}

pub async fn a_name_is_looked_up_again_and_again<R: Testbed>() {
    let (server, address) = bind(server::<R>()).await;
    let lookups = Arc::new(AtomicUsize::new(0));
    let counted = lookups.clone();
    let template = client::<R>("tunnel.example:8443", 1).resolver(move |_| {
        let count = counted.fetch_add(1, Ordering::SeqCst);
        async move { if count < 3 { Err(io::ErrorKind::NotConnected.into()) } else { Ok(vec![address]) } }
    });
    let group = PoolGroup::<R>::builder().discover(template).resolve_interval(ms(20)).connect().unwrap();
    let (_, id, mut dialed) = group.take_next(SOON).await.expect("names that fail are looked up again");
    talk(&mut dialed, &mut server.take(id, SOON).await.unwrap()).await;
    until::<R>("it goes on", || lookups.load(Ordering::SeqCst) > 6).await;
    assert_eq!(group.stats().endpoints.len(), 1);
}
