//! What connections cost that do nothing.

use std::time::{Duration, Instant};

use npws::{ClientPool, ServerPool};
use npws_tests::pools;
use npws_tests::testbed::{Testbed, ms, sleep};

use crate::figures::report;
use crate::usage;

const PAIRS: usize = 5000;
const SETTLE: Duration = Duration::from_secs(10);
/// Each connection sends one ping in it.
const WINDOW: Duration = Duration::from_secs(30);
const WINDOWS: usize = 5;

pub(super) async fn memory<R: Testbed>(is_tls: bool) {
    let before = usage::resident_kib();
    let _pools = fill::<R>(is_tls).await;
    sleep::<R>(SETTLE).await;
    report("memory", (usage::resident_kib() - before) / PAIRS as f64, 0.0);
}

/// Reports a window at a time.
pub(super) async fn cpu<R: Testbed>() {
    let _pools = fill::<R>(true).await;
    sleep::<R>(SETTLE).await;
    for _ in 0..WINDOWS {
        let (begin, cpu) = (Instant::now(), usage::cpu());
        sleep::<R>(WINDOW).await;
        let spent = (usage::cpu() - cpu).as_secs_f64();
        report("share", 100.0 * spent / begin.elapsed().as_secs_f64(), spent);
    }
}

async fn fill<R: Testbed>(is_tls: bool) -> (ServerPool<R>, ClientPool<R>) {
    let keepalive = Duration::from_secs(30);
    let mut server = pools::server::<R>().capacity(PAIRS).keepalive(keepalive);
    let mut client_tls = npws::ClientTls::plain();
    if is_tls {
        let (server_tls, trusting) = pools::tls();
        (server, client_tls) = (server.tls(server_tls), trusting);
    }
    let (server, address) = pools::bind(server).await;
    let client = pools::client::<R>(address, PAIRS).interval(pools::NEVER..=pools::NEVER).keepalive(keepalive);
    let client = client.tls(client_tls).connect().expect("the settings are valid");
    while client.active() < PAIRS || server.active() < PAIRS {
        sleep::<R>(ms(1)).await;
    }
    (server, client)
}
