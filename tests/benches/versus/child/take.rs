//! How long a take by ID lasts when the connection is idle.

use std::time::Instant;

use npws_tests::pools;
use npws_tests::testbed::{SOON, Testbed, ms, spawn};

use super::echo::report_percentiles;
use crate::usage;

const WARM_UP: usize = 200;
const TAKES: usize = 2000;
const POOL: usize = 64;

/// In v1, where taking at one end tells the other nothing: its connection stays idle.
pub(super) async fn run<R: Testbed>() {
    let count = WARM_UP + TAKES;
    let (server, address) = pools::bind(pools::server::<R>().capacity(count).v2(false)).await;
    let client = pools::client::<R>(address, count).interval(pools::NEVER..=pools::NEVER).v2(false);
    let client = client.connect().expect("the settings are valid");
    pools::filled(&server, &client, count).await;
    let mut accepted = Vec::with_capacity(count);
    for _ in 0..count {
        accepted.push(server.take_next(SOON).await.expect("it is there"));
    }
    let mut dialed = Vec::with_capacity(count);
    let mut micros = Vec::with_capacity(count);
    let cpu = usage::cpu();
    for (id, _) in &accepted {
        let begin = Instant::now();
        let connection = client.take(*id, SOON).await;
        micros.push(begin.elapsed().as_secs_f64() * 1e6);
        dialed.push(connection.expect("it is idle"));
    }
    report_percentiles("", &mut micros.split_off(WARM_UP), usage::cpu() - cpu);
}

/// As it is used: the moment that one end has the next connection, the other asks for it by its ID, and the pools refill.
pub(super) async fn fresh<R: Testbed>() {
    let (server, address) = pools::bind(pools::server::<R>().capacity(POOL)).await;
    let client = pools::client::<R>(address, POOL).interval(ms(1)..=ms(1)).connect().expect("the settings are valid");
    let cpu = usage::cpu();
    // A task among those that refill the pools, as a user's is, and not a thread that competes with theirs.
    let taking = spawn::<R, _>(async move {
        let mut kept = Vec::new();
        let mut micros = Vec::new();
        for _ in 0..(WARM_UP + TAKES) / 2 {
            let (id, accepted) = server.take_next(SOON).await.expect("the client dials");
            let begin = Instant::now();
            let dialed = client.take(id, SOON).await;
            micros.push(begin.elapsed().as_secs_f64() * 1e6);
            kept.push((accepted, dialed.expect("it is the other end")));
        }
        micros
    });
    let mut micros = taking.join().await;
    report_percentiles("", &mut micros.split_off(WARM_UP / 2), usage::cpu() - cpu);
}
