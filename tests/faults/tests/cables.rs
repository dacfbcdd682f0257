//! Cables that are cut in silence: no reset, no ICMP, only packets that never arrive. Needs root and iproute2.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "all of this is tests")]

use std::time::{Duration, Instant};

use npws_faults::network::{CLIENT, Network, SERVER};
use npws_faults::process::{Peer, with_files};
use npws_faults::row::{Row, SLACK, until};
use npws_faults::takes::{exchange, finish, talk};

const PEER: &str = env!("CARGO_BIN_EXE_npws-fault-peer");
const SECOND: Duration = Duration::from_secs(1);

/// A server and a client at the two ends of a network, with `count` idle connections.
fn ends(network: &Network, count: u64, options: &str) -> (Peer, Peer) {
    let files = u32::try_from(count).unwrap() + 1000;
    let [on_server, on_client] = [network.on_server(PEER), network.on_client(PEER)].map(|on| with_files(&on, files));
    let server = Peer::start(on_server, &format!("server {SERVER}:0 --capacity {count} {options}"));
    let address = server.address();
    let client = Peer::start(on_client, &format!("client {address} --capacity {count} {options}"));
    for peer in [&server, &client] {
        until("the pool is full", 6 * SLACK, || peer.stats().get("idle") == count);
    }
    (server, client)
}

/// What to expect of a cut.
struct Cut {
    test: &'static str,
    fault: &'static str,
    /// Who gets nothing any more.
    towards: &'static [&'static str],
    options: &'static str,
    bound: Duration,
    reason: &'static str,
}

/// Cuts the cable, and mends it when both ends know.
fn cut(cut: Cut) {
    let Cut { test, fault, towards, options, bound, reason } = cut;
    const COUNT: u64 = 8;
    let network = Network::build();
    let (server, client) = ends(&network, COUNT, options);
    exchange(&server, &client, 1);
    until("both are full", SLACK, || [&server, &client].iter().all(|peer| peer.stats().get("idle") == COUNT));
    let before = [&server, &client].map(|peer| peer.stats().closed_by(reason));
    network.cut(towards);
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
    network.mend(towards);
    let refilled = until("the client is full", 4 * SLACK, || client.stats().get("idle") == COUNT);
    finish(&server, &client, &waiting.wait());
    exchange(&server, &client, 12);
    for (side, known) in ["server", "client"].into_iter().zip(known) {
        let mut row = Row::new(test, format!("{fault}, {side}"));
        row.known(bound, known.unwrap());
        // A dial that was lost in the cut, and the longest pause after it.
        row.refilled(3 * SECOND, refilled);
        row.print(13, reason);
    }
}

#[test]
fn a_cut_cable_is_known_by_the_pong_deadline_of_v2() {
    cut(Cut {
        test: "a_cut_cable_is_known_by_the_pong_deadline_of_v2",
        fault: "cable cut in silence, v2",
        towards: &[SERVER, CLIENT],
        options: "--keepalive 1s --pong-timeout 1s --user-timeout 60s",
        bound: 2 * SECOND,
        reason: "KeepaliveTimeout",
    });
}

#[test]
fn a_cable_cut_one_way_is_known_at_both_ends() {
    let ways: [(&[&str], _); 2] =
        [(&[CLIENT], "nothing reaches the client, v2"), (&[SERVER], "nothing reaches the server, v2")];
    for (towards, fault) in ways {
        cut(Cut {
            test: "a_cable_cut_one_way_is_known_at_both_ends",
            fault,
            towards,
            options: "--keepalive 1s --pong-timeout 1s --user-timeout 60s",
            // Who still hears the other's last ping takes it for a sign of life.
            bound: 3 * SECOND,
            reason: "KeepaliveTimeout",
        });
    }
}

#[test]
fn a_cut_cable_is_known_by_the_user_timeout_towards_v1() {
    cut(Cut {
        test: "a_cut_cable_is_known_by_the_user_timeout_towards_v1",
        fault: "cable cut in silence, v1",
        towards: &[SERVER, CLIENT],
        options: "--v1 --keepalive 1s --pong-timeout 1s --user-timeout 2s",
        // The kernel looks at the timeout when a retransmission is due.
        bound: SECOND + 2 * SECOND * 5 / 4,
        reason: "TransportFailed",
    });
}

#[test]
fn a_cable_cut_under_taken_connections_ends_reads_and_writes() {
    let network = Network::build();
    let (server, client) = ends(&network, 8, "--tcp-keepalive 1s --user-timeout 2s");
    let taken: Vec<_> = (0..2).map(|_| server.ask("take-next 30000").replace("taken ", "")).collect();
    for id in &taken {
        assert_eq!(client.ask(&format!("take {id} 30000")), format!("taken {id}"));
        talk(&server, &client, id);
    }
    let [read, written] = [&taken[0], &taken[1]];
    let mut waiting = vec![server.begin(&format!("read {read} 1")), client.begin(&format!("read {read} 1"))];
    network.cut(&[SERVER, CLIENT]);
    let begin = Instant::now();
    assert_eq!(client.ask(&format!("write {written} 1000")), "ok", "nobody knows yet");
    waiting.push(client.begin(&format!("read {written} 1")));
    for reply in waiting {
        assert_eq!(reply.wait(), "error TransportFailed", "what the user sees");
    }
    let mut row = Row::new(
        "a_cable_cut_under_taken_connections_ends_reads_and_writes",
        "cable cut in silence under taken connections",
    );
    // The kernel asks after a second, and again each second, until two have passed without an answer.
    row.known(4 * SECOND, begin.elapsed());
    network.mend(&[SERVER, CLIENT]);
    exchange(&server, &client, 12);
    row.print(12, "read: TransportFailed, not safe to retry");
}

#[test]
fn a_machine_that_was_suspended_knows_soon_after_it_goes_on() {
    const COUNT: u64 = 8;
    let network = Network::build();
    let (server, client) = ends(&network, COUNT, "--keepalive 1s --pong-timeout 1s --max-staleness 1s");
    // Without a network, it is told of nothing that happens meanwhile.
    client.stop();
    network.cut(&[SERVER, CLIENT]);
    until("the server knows", 3 * SLACK, || server.stats().closed_by("KeepaliveTimeout") == COUNT);
    network.assert_silent();
    network.mend(&[SERVER, CLIENT]);
    let before = client.begin("take-next 60000");
    client.resume();
    // The server may have given the control ID anew before the client looks at the connection that had it.
    let gone = ["KeepaliveTimeout", "TransportEnded", "TransportFailed", "PeerClosed(Some(1000))", "Replaced"];
    let closed = || gone.iter().map(|reason| client.stats().closed_by(reason)).sum::<u64>();
    let known = until("the client knows", 3 * SLACK, || closed() >= COUNT);
    let refilled = until("the client is full", 3 * SLACK, || client.stats().get("idle") == COUNT);
    let taken = before.wait();
    let id = taken.strip_prefix("taken ").unwrap_or_else(|| panic!("the take failed: {taken}"));
    assert_eq!(server.ask(&format!("take {id} 30000")), taken, "what it was given lives");
    talk(&server, &client, id);
    exchange(&server, &client, 12);
    let mut row = Row::new("a_machine_that_was_suspended_knows_soon_after_it_goes_on", "client suspended and resumed");
    row.known(2 * SECOND, known);
    row.refilled(2 * SECOND, refilled);
    row.print(13, "nothing dead is handed out");
}

#[test]
fn ten_thousand_idle_connections_cut_at_once_are_known_and_refilled() {
    const COUNT: u64 = 10_000;
    let network = Network::build();
    let options = "--keepalive 8s --pong-timeout 10s --dials 256 --dial-timeout 10s";
    let begin = Instant::now();
    let (server, client) = ends(&network, COUNT, options);
    println!("{COUNT} connections after {:?}", begin.elapsed());
    let before = [&server, &client].map(|peer| peer.stats().closed_by("KeepaliveTimeout"));
    assert_eq!(before, [0, 0], "a busy machine is no dead peer");
    network.cut(&[SERVER, CLIENT]);
    let bound = 18 * SECOND;
    let known = until("both know", bound + SLACK, || {
        [&server, &client].iter().all(|peer| peer.stats().closed_by("KeepaliveTimeout") == COUNT)
    });
    let waiting = server.begin("take-next 60000");
    network.mend(&[SERVER, CLIENT]);
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
