//! How long a take waits once its connection has its ID.

use std::sync::mpsc;
use std::thread;
use std::time::Instant;

use npws_tests::pools;
use npws_tests::testbed::{SOON, Testbed, ms, spawn, until};
use npws_tests::v1_peer::V1Server;

use super::echo::report_percentiles;
use crate::usage;

const WARM_UP: u32 = 10;
const TAKES: u32 = 200;

/// The server is made by hand, so that the ID leaves when the take waits, and not before.
pub(super) async fn run<R: Testbed>() {
    let server = V1Server::default();
    let client = pools::client::<R>(server.address(), 1).interval(ms(1)..=ms(1));
    let client = client.connect().expect("the settings are valid");
    let (name, names) = mpsc::channel();
    let (begin, begins) = mpsc::channel();
    let server = thread::spawn(move || {
        let mut kept = Vec::new();
        let mut next = Some(server.accept_unnamed());
        for number in names {
            let mut raw = next.take().unwrap_or_else(|| server.accept_unnamed());
            let _ = begin.send(Instant::now());
            raw.send_binary(&pools::id(number).to_bytes());
            kept.push(raw);
        }
    });
    let cpu = usage::cpu();
    let mut micros = Vec::new();
    for number in 1..=WARM_UP + TAKES {
        let taker = client.clone();
        let taken = spawn::<R, _>(async move {
            let connection = taker.take(pools::id(number), SOON).await;
            (connection, Instant::now())
        });
        until::<R>("the take waits", || client.stats().waiters == 1).await;
        name.send(number).expect("the server is there");
        let (connection, woken) = taken.join().await;
        connection.expect("it was named");
        let begin = begins.recv().expect("it was sent before");
        micros.push((woken - begin).as_secs_f64() * 1e6);
    }
    report_percentiles("", &mut micros.split_off(WARM_UP as usize), usage::cpu() - cpu);
    drop(name);
    client.close();
    drop(server);
}
