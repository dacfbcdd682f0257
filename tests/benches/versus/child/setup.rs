//! How fast connections are made.

use std::time::{Duration, Instant};

use npws::{ClientTls, ServerTls};
use npws_tests::pools;
use npws_tests::testbed::{Testbed, ms, sleep};

use super::link::full_handshakes;
use crate::figures::report;
use crate::usage;

const WARM_UP: usize = 100;
const CONNECTIONS: usize = 2000;

/// `resumes` is `None` without TLS.
pub(super) async fn run<R: Testbed>(resumes: Option<bool>) {
    fill::<R>(WARM_UP, resumes).await;
    let (wall, cpu) = fill::<R>(CONNECTIONS, resumes).await;
    let count = CONNECTIONS as f64;
    report("rate", count / wall.as_secs_f64(), cpu.as_secs_f64());
    report("cpu", cpu.as_secs_f64() * 1e6 / count, cpu.as_secs_f64());
}

async fn fill<R: Testbed>(count: usize, resumes: Option<bool>) -> (Duration, Duration) {
    let (server_tls, client_tls) = match resumes {
        None => (ServerTls::plain(), ClientTls::plain()),
        // As a user gets it.
        Some(true) => (ServerTls::self_signed(["localhost"]).expect("a name"), ClientTls::dangerous_accept_any()),
        Some(false) => {
            let (server, client) = full_handshakes();
            (ServerTls::from_config(server), ClientTls::from_config(client))
        }
    };
    let (server, address) = pools::bind(pools::server::<R>().capacity(count).tls(server_tls)).await;
    let client = pools::client::<R>(address, count).interval(pools::NEVER..=pools::NEVER).tls(client_tls);
    let (begin, cpu) = (Instant::now(), usage::cpu());
    let client = client.connect().expect("the settings are valid");
    while client.active() < count || server.active() < count {
        // Each look costs the threads that are measured some time of theirs.
        sleep::<R>(ms(2)).await;
    }
    let spent = (begin.elapsed(), usage::cpu() - cpu);
    let failures = client.stats().dial_failures.total();
    assert_eq!(failures, 0, "{:?}", client.last_dial_error());
    spent
}
