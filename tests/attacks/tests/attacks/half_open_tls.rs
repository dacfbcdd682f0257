//! Peers that begin TLS and say no more.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use npws::tokio::Tokio;
use npws_attacks::attackers::hung_up;
use npws_attacks::tls;
use npws_attacks::victim::{FLOOR, TLS_CONNECTION, Victim};
use npws_tests::testbed::until;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

const HALF_OPEN: usize = 1500;
const GOOD: usize = 100;

#[test]
fn a_flood_of_half_open_tls_delays_no_good_handshake() {
    crate::attack("--tls --handshake-timeout 8s", flood);
}

async fn flood(victim: Victim) {
    let hello = tls::hello(&tls::config(&victim));
    let cut = Arc::new(AtomicU64::new(0));
    let mut peers = JoinSet::new();
    for index in 0..HALF_OPEN {
        let (address, cut) = (victim.address, cut.clone());
        // Half of them wait for an answer that they do not go on from, half keep the server waiting for the rest.
        let hello = hello[..hello.len() / (1 + index % 2)].to_vec();
        peers.spawn(async move {
            loop {
                let Ok(mut stream) = TcpStream::connect(address).await else { continue };
                if stream.write_all(&hello).await.is_ok() {
                    hung_up(&mut stream).await;
                }
                cut.fetch_add(1, Ordering::Relaxed);
            }
        });
    }
    let under_way = HALF_OPEN as u64 * 9 / 10;
    until::<Tokio>("nearly all of them are there", || victim.count("handshakes") >= under_way).await;
    let client = victim.welcomes(GOOD).await;
    victim.pairs(&client).await;
    until::<Tokio>("each was cut at its deadline", || cut.load(Ordering::Relaxed) >= HALF_OPEN as u64).await;
    assert_eq!(client.stats().dial_failures.total(), 0);
    peers.shutdown().await;
    let sent = format!("{HALF_OPEN} peers at once, a ClientHello or half of one each, again whenever cut");
    let bound = FLOOR + (HALF_OPEN + GOOD) as u64 * TLS_CONNECTION;
    victim.report("half-open TLS", &sent, &format!("{GOOD} of {GOOD} handshakes"), bound);
    victim.recovers(client).await;
}
