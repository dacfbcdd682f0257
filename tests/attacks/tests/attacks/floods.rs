//! Floods on a thousand idle connections, from peers that never read.

use npws_attacks::attackers::{crowd, frame, name, pour};
use npws_attacks::victim::{CONNECTION, FLOOR, Victim};
use tokio::net::TcpSocket;

const FLOODERS: usize = 1000;
const GOOD: usize = 50;

#[test]
fn an_early_data_flood_on_a_thousand_idle_connections_costs_what_it_may() {
    const HELD: usize = 16 << 10;
    let arguments = format!("--early-data-limit {HELD} --retention 1s --keepalive 1s");
    crate::attack(&arguments, |victim| flood(victim, "early data", 0x82, 8192, 128 << 10, HELD));
}

#[test]
fn an_early_data_flood_on_smol_costs_the_same() {
    const HELD: usize = 16 << 10;
    let arguments = format!("--smol --early-data-limit {HELD} --retention 1s --keepalive 1s");
    crate::attack(&arguments, |victim| flood(victim, "early data, smol", 0x82, 8192, 128 << 10, HELD));
}

#[test]
fn a_ping_flood_on_a_thousand_idle_connections_costs_next_to_nothing() {
    crate::attack("", |victim| flood(victim, "pings", 0x89, 125, 64 << 10, 0));
}

/// Each peer sends frames of this kind until the server takes no more, or so many bytes.
async fn flood(victim: Victim, attack: &str, first: u8, payload: usize, limit: usize, held: usize) {
    let client = victim.welcomes(GOOD).await;
    let address = victim.address;
    let frames = frame(first, &vec![7; payload]).repeat(16);
    let peers = crowd(FLOODERS, move |_| {
        let frames = frames.clone();
        async move {
            let socket = TcpSocket::new_v4().expect("there are descriptors left");
            // What the server says in return soon has nowhere to go.
            socket.set_recv_buffer_size(2048).expect("it is a TCP socket");
            let mut stream = socket.connect(address).await.expect("it listens");
            name(&mut stream).await;
            let sent = pour(&mut stream, &frames, limit).await;
            (stream, sent)
        }
    })
    .await;
    let poured: usize = peers.iter().map(|(_, sent)| sent).sum();
    assert_eq!((client.active(), client.stats().closed_total), (GOOD, 0), "good peers notice nothing");
    victim.pairs(&client).await;
    let more = victim.welcomes(GOOD).await;
    more.close();
    let bound = FLOOR + FLOODERS as u64 * (CONNECTION + held as u64 / 1024) + 2 * GOOD as u64 * CONNECTION;
    let sent = format!("{FLOODERS} peers that never read, {} MiB in all", poured >> 20);
    victim.report(&format!("flood of {attack}"), &sent, &format!("{GOOD} of {GOOD} stayed, {GOOD} more came"), bound);
    drop(peers);
    victim.recovers(client).await;
}
