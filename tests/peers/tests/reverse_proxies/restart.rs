//! `npws-tunnel` under load, while its servers restart.

use npws::tokio::Tokio;
use npws_tests::testbed::{thread, until};

use crate::load::{Load, ask, origin, plain};
use crate::proxy::{Kind, ReverseProxy, Servers};
use crate::tunnel::{client, ready, server};

const USERS: u64 = 8;
/// How many requests there are at least between two events.
const MEANWHILE: usize = 40;

pub(crate) async fn no_request_fails_while_one_server_after_the_other_restarts(kind: Kind) {
    let servers = Servers::new();
    let proxy = ReverseProxy::start(kind, "restart", &servers, None).await;
    let start = |index: usize| server(kind, servers.listen[index], servers.public[index]);
    let first = start(0);
    let _client = client(&proxy, origin());
    let mut running = [Some(ready(first).await), None];
    let serves = |index: usize| {
        let public = servers.public[index];
        async move { thread(move || ask(&mut plain(public).unwrap(), 7)).join().await.unwrap() }
    };
    serves(0).await;

    let load = Load::start(&proxy, USERS);
    running[1] = Some(ready(start(1)).await);
    let more = async || {
        let asked = load.asked();
        until::<Tokio>("more requests are done", || load.asked() >= asked + MEANWHILE).await;
    };
    for index in [0, 1] {
        more().await;
        running[index].take().unwrap().finish().await;
        more().await;
        running[index] = Some(ready(start(index)).await);
        serves(index).await;
    }
    more().await;
    let asked = load.asked();
    let failures = load.stop();
    assert!(failures.is_empty(), "{} of {asked} requests failed: {failures:#?}", failures.len());
    println!("{asked} requests, none failed");
}
