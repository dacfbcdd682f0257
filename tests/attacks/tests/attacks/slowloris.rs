//! Peers that say a byte now and then.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures::AsyncWriteExt as _;
use npws::rustls::ClientConfig;
use npws::tokio::Tokio;
use npws_attacks::tls;
use npws_attacks::victim::{FLOOR, TLS_CONNECTION, Victim};
use npws_tests::raw::request;
use npws_tests::testbed::until;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::sleep;

const SLOW: usize = 1000;
const GOOD: usize = 200;
const PAUSE: Duration = Duration::from_millis(250);

#[test]
fn a_thousand_slow_peers_delay_no_good_one_on_tokio() {
    crate::attack("--tls --handshake-timeout 8s", slow);
}

#[test]
fn a_thousand_slow_peers_delay_no_good_one_on_smol() {
    crate::attack("--smol --tls --handshake-timeout 8s", slow);
}

async fn slow(victim: Victim) {
    let config = tls::config(&victim);
    let cut = Arc::new(AtomicU64::new(0));
    let mut peers = JoinSet::new();
    for index in 0..SLOW {
        let (address, config, cut) = (victim.address, config.clone(), cut.clone());
        peers.spawn(async move {
            // As often as it is cut, it comes back.
            loop {
                if index % 2 == 0 {
                    dribble_hello(address, &config).await;
                } else {
                    dribble_head(address, &config).await;
                }
                cut.fetch_add(1, Ordering::Relaxed);
            }
        });
    }
    let under_way = SLOW as u64 * 9 / 10;
    until::<Tokio>("nearly all of them are there", || victim.count("handshakes") >= under_way).await;
    let client = victim.welcomes(GOOD).await;
    victim.pairs(&client).await;
    until::<Tokio>("they are all there still, or again", || victim.count("handshakes") >= under_way).await;
    until::<Tokio>("each was cut at its deadline", || cut.load(Ordering::Relaxed) >= SLOW as u64).await;
    assert_eq!(client.stats().dial_failures.total(), 0);
    peers.shutdown().await;
    let sent = format!("{SLOW} peers at once, a byte every {PAUSE:?}, half in the ClientHello and half in the head");
    victim.report(
        "slowloris",
        &sent,
        &format!("{GOOD} of {GOOD} handshakes"),
        FLOOR + (SLOW + GOOD) as u64 * TLS_CONNECTION,
    );
    victim.recovers(client).await;
}

/// Never comes to the end of its ClientHello.
async fn dribble_hello(address: SocketAddr, config: &Arc<ClientConfig>) {
    let Ok(mut stream) = TcpStream::connect(address).await else { return };
    for byte in tls::hello(config) {
        if stream.write_all(&[byte]).await.is_err() {
            return;
        }
        sleep(PAUSE).await;
    }
}

/// Never comes to the end of its head.
async fn dribble_head(address: SocketAddr, config: &Arc<ClientConfig>) {
    let Ok(stream) = TcpStream::connect(address).await else { return };
    let Ok(mut stream) = tls::secure(config.clone(), stream).await else { return };
    for byte in request("/", "").bytes() {
        if stream.write_all(&[byte]).await.is_err() || stream.flush().await.is_err() {
            return;
        }
        sleep(PAUSE).await;
    }
}
