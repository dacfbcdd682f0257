//! Cables that are cut in silence: no reset, no ICMP, only packets that never arrive. Needs root and iproute2.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "all of this is tests")]

use std::time::{Duration, Instant};

use npws_faults::network::Network;
use npws_faults::process::{Peer, with_files};
use npws_faults::row::{Row, SLACK, until};
use npws_faults::takes::{exchange, finish};

const PEER: &str = env!("CARGO_BIN_EXE_npws-fault-peer");
const SECOND: Duration = Duration::from_secs(1);

/// A server and a client at the two ends of a network, with `count` idle connections.
fn ends(network: &Network, count: u64, options: &str) -> (Peer, Peer) {
    let address = network.server_address();
    let files = u32::try_from(count).unwrap() + 1000;
    let [on_server, on_client] = [network.on_server(PEER), network.on_client(PEER)].map(|on| with_files(&on, files));
    let server = Peer::start(on_server, &format!("server {address}:0 --capacity {count} {options}"));
    let address = server.address();
    let client = Peer::start(on_client, &format!("client {address} --capacity {count} {options}"));
    for peer in [&server, &client] {
        until("the pool is full", 6 * SLACK, || peer.stats().get("idle") == count);
    }
    (server, client)
}

/// Cuts the cable, and mends it when both ends know.
fn cut(test: &'static str, generation: &str, options: &str, bound: Duration, reason: &str) {
    const COUNT: u64 = 8;
    let network = Network::build();
    let (server, client) = ends(&network, COUNT, options);
    exchange(&server, &client, 1);
    until("both are full", SLACK, || [&server, &client].iter().all(|peer| peer.stats().get("idle") == COUNT));
    let before = [&server, &client].map(|peer| peer.stats().closed_by(reason));
    network.cut();
    let mut known = [None; 2];
    let begin = Instant::now();
    until("both know", bound + SLACK, || {
        for ((peer, known), before) in [&server, &client].iter().zip(&mut known).zip(before) {
            if peer.stats().closed_by(reason) == before + COUNT {
                known.get_or_insert(begin.elapsed());
            }
        }
        known.iter().all(Option::is_some)
    });
    network.assert_silent();
    let waiting = server.begin("take-next 60000");
    let refused = client.ask("take-next 0");
    assert_eq!(refused, "error Timeout", "nothing dead is handed out");
    network.mend();
    let refilled = until("the client is full", 4 * SLACK, || client.stats().get("idle") == COUNT);
    finish(&server, &client, &waiting.wait());
    exchange(&server, &client, 12);
    for (side, known) in ["server", "client"].into_iter().zip(known) {
        let mut row = Row::new(test, format!("cable cut in silence, {generation}, {side}"));
        row.known(bound, known.unwrap());
        // A dial that was lost in the cut, and the longest pause after it.
        row.refilled(3 * SECOND, refilled);
        row.print(13, reason);
    }
}

#[test]
fn a_cut_cable_is_known_by_the_pong_deadline_of_v2() {
    let options = "--keepalive 1s --pong-timeout 1s --user-timeout 60s";
    cut("a_cut_cable_is_known_by_the_pong_deadline_of_v2", "v2", options, 2 * SECOND, "KeepaliveTimeout");
}

#[test]
fn a_cut_cable_is_known_by_the_user_timeout_towards_v1() {
    let options = "--v1 --keepalive 1s --pong-timeout 1s --user-timeout 2s";
    // The kernel looks at the timeout when a retransmission is due.
    let bound = SECOND + 2 * SECOND * 5 / 4;
    cut("a_cut_cable_is_known_by_the_user_timeout_towards_v1", "v1", options, bound, "TransportFailed");
}

#[test]
fn ten_thousand_idle_connections_cut_at_once_are_known_and_refilled() {
    const COUNT: u64 = 10_000;
    let network = Network::build();
    let options = "--keepalive 6s --pong-timeout 6s --dials 256 --dial-timeout 10s";
    let begin = Instant::now();
    let (server, client) = ends(&network, COUNT, options);
    println!("{COUNT} connections after {:?}", begin.elapsed());
    let before = [&server, &client].map(|peer| peer.stats().closed_by("KeepaliveTimeout"));
    assert_eq!(before, [0, 0], "a busy machine is no dead peer");
    network.cut();
    let bound = 12 * SECOND;
    let known = until("both know", bound + SLACK, || {
        [&server, &client].iter().all(|peer| peer.stats().closed_by("KeepaliveTimeout") == COUNT)
    });
    let waiting = server.begin("take-next 60000");
    network.mend();
    let refilled = until("the client is full", 6 * SLACK, || client.stats().get("idle") == COUNT);
    finish(&server, &client, &waiting.wait());
    exchange(&server, &client, 20);
    let mut row = Row::new(
        "ten_thousand_idle_connections_cut_at_once_are_known_and_refilled",
        "10,000 idle connections cut at once, v2, both ends",
    );
    row.known(bound, known);
    // What a lost dial and the longest pause cost, and at least 1,000 connections a second.
    row.refilled(21 * SECOND, refilled);
    row.print(21, "KeepaliveTimeout");
}
