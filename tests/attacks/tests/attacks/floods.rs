//! Floods on idle connections, from peers that never read.

use std::time::Duration;

use npws_attacks::attackers::{crowd, frame, name, pour};
use npws_attacks::victim::{CONNECTION, FLOOR, Victim};
use npws_tests::testbed::ms;
use tokio::net::TcpSocket;

const GOOD: usize = 50;

#[test]
fn an_early_data_flood_on_a_thousand_idle_connections_costs_what_it_may() {
    early_data("", "early data");
}

#[test]
fn an_early_data_flood_on_smol_costs_the_same() {
    early_data("--smol ", "early data, smol");
}

fn early_data(runtime: &str, attack: &str) {
    const HELD: usize = 16 << 10;
    let arguments = format!("{runtime}--early-data-limit {HELD} --retention 1s --keepalive 1s");
    let flood = Flood { peers: 1000, frame: frame(0x82, &[7; 8192]), bytes: 384 << 10, held: HELD, patience: ms(300) };
    crate::attack(&arguments, |victim| flood.run(victim, attack));
}

#[test]
fn a_ping_flood_on_a_thousand_idle_connections_costs_next_to_nothing() {
    let flood = Flood { peers: 1000, frame: frame(0x89, &[7; 125]), bytes: 32 << 10, held: 0, patience: ms(300) };
    crate::attack("", |victim| flood.run(victim, "pings"));
}

#[test]
fn pongs_that_nobody_reads_do_not_pile_up() {
    // More than the kernel holds of the pongs.
    let flood = Flood { peers: 10, frame: frame(0x89, &[7; 125]), bytes: 10 << 20, held: UNSENT, patience: ms(3000) };
    crate::attack("", |victim| flood.run(victim, "pings, many from each"));
}

/// What a connection may hold of what its peer does not read.
const UNSENT: usize = 128 << 10;

/// Each peer sends this frame again and again, until the server takes no more or so many bytes.
struct Flood {
    peers: usize,
    frame: Vec<u8>,
    bytes: usize,
    /// What the server may hold of it for each connection.
    held: usize,
    patience: Duration,
}

impl Flood {
    async fn run(self, victim: Victim, attack: &str) {
        let client = victim.welcomes(GOOD).await;
        let (address, limit, patience) = (victim.address, self.bytes, self.patience);
        let frames = self.frame.repeat(16);
        let peers = crowd(self.peers, move |_| {
            let frames = frames.clone();
            async move {
                let socket = TcpSocket::new_v4().expect("there are descriptors left");
                // What the server says in return soon has nowhere to go.
                socket.set_recv_buffer_size(2048).expect("it is a TCP socket");
                // What the server does not take is noticed before the kernel is full of it.
                socket.set_send_buffer_size(8192).expect("it is a TCP socket");
                let mut stream = socket.connect(address).await.expect("it listens");
                name(&mut stream).await;
                let sent = pour(&mut stream, &frames, limit, patience).await;
                (stream, sent)
            }
        })
        .await;
        let poured: usize = peers.iter().map(|(_, sent)| sent).sum();
        assert_eq!((client.active(), client.stats().closed_total), (GOOD, 0), "good peers notice nothing");
        victim.pairs(&client).await;
        let more = victim.welcomes(GOOD).await;
        more.close();
        let each = CONNECTION + self.held as u64 / 1024;
        let bound = FLOOR + self.peers as u64 * each + 2 * GOOD as u64 * CONNECTION;
        let sent = format!("{} peers that never read, {} MiB in all", self.peers, poured >> 20);
        let seen = format!("{GOOD} of {GOOD} stayed, {GOOD} more came");
        victim.report(&format!("flood of {attack}"), &sent, &seen, bound);
        drop(peers);
        victim.recovers(client).await;
    }
}
