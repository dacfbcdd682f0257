//! Peers that are killed, stopped, or out of file descriptors, as processes of their own.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "all of this is tests")]

use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use npws_faults::process::{Peer, with_files};
use npws_faults::row::{Row, SLACK, until};
use npws_faults::takes::{exchange, finish};

const PEER: &str = env!("CARGO_BIN_EXE_npws-fault-peer");
const COUNT: u64 = 8;
const SECOND: Duration = Duration::from_secs(1);
/// The longest pause between two dials of a peer, unless told.
const BACKOFF: Duration = Duration::from_millis(500);

fn peer(arguments: &str) -> Peer {
    // Some of these tests hold many sockets, which the usual limit would not allow.
    Peer::start(with_files(&Command::new(PEER), 4000), arguments)
}

fn server(options: &str) -> Peer {
    peer(&format!("server 127.0.0.1:0 --capacity 64 {options}"))
}

fn client(server: &Peer, options: &str) -> Peer {
    peer(&format!("client {} {options}", server.address()))
}

fn full(peers: &[&Peer]) -> Duration {
    until("the pools are full", 4 * SLACK, || peers.iter().all(|peer| peer.stats().get("idle") == COUNT))
}

fn pair(options: &str) -> (Peer, Peer) {
    let server = server(options);
    let client = client(&server, options);
    full(&[&server, &client]);
    exchange(&server, &client, 1);
    full(&[&server, &client]);
    (server, client)
}

/// How long it takes until `peer` has lost all connections for one of these reasons, since it had lost as many.
fn lost(peer: &Peer, before: u64, reasons: &[&str]) -> Duration {
    let closed = || reasons.iter().map(|reason| peer.stats().closed_by(reason)).sum::<u64>();
    until("it knows", 3 * SLACK, || closed() == before + COUNT)
}

#[test]
fn a_killed_server_is_known_at_once_and_found_again_on_its_port() {
    for generation in ["", "--v1"] {
        let (mut server, client) = pair(generation);
        let mut row = Row::new(
            "a_killed_server_is_known_at_once_and_found_again_on_its_port",
            format!("server killed and restarted on its port{}", if generation.is_empty() { "" } else { ", v1" }),
        );
        let begin = Instant::now();
        server.kill();
        lost(&client, 0, &["TransportEnded", "TransportFailed"]);
        row.known(Duration::ZERO, begin.elapsed());
        let waiting = client.begin("take-next 60000");
        // It is asked again and again, and less and less often.
        let (begin, before) = (Instant::now(), client.stats().get("dials"));
        // Ten at once may be for what was lost and for who waits; pauses follow.
        until("it has been asked often", 2 * SLACK, || client.stats().get("dials") >= before + 20);
        let down = begin.elapsed();
        assert!(down >= 2 * BACKOFF, "twenty dials within only {down:?}");
        let again = peer(&format!("server {} --capacity 64 {generation}", server.address()));
        let begin = Instant::now();
        let taken = waiting.wait();
        let id = taken.strip_prefix("taken ").unwrap_or_else(|| panic!("who waited goes without: {taken}"));
        client.ask(&format!("end {id}"));
        full(&[&again, &client]);
        row.refilled(BACKOFF, begin.elapsed());
        exchange(&again, &client, 12);
        row.print(13, "TransportEnded, TransportFailed");
    }
}

#[test]
fn a_killed_client_is_known_at_once_and_its_successor_is_welcome() {
    for generation in ["", "--v1"] {
        let (server, mut client) = pair(generation);
        let mut row = Row::new(
            "a_killed_client_is_known_at_once_and_its_successor_is_welcome",
            format!("client killed{}", if generation.is_empty() { "" } else { ", v1" }),
        );
        let begin = Instant::now();
        client.kill();
        lost(&server, 0, &["TransportEnded", "TransportFailed"]);
        row.known(Duration::ZERO, begin.elapsed());
        let waiting = server.begin("take-next 60000");
        let begin = Instant::now();
        let client = self::client(&server, generation);
        full(&[&client]);
        row.refilled(SECOND, begin.elapsed());
        finish(&server, &client, &waiting.wait());
        exchange(&server, &client, 12);
        row.print(13, "TransportEnded, TransportFailed");
    }
}

#[test]
fn a_stopped_client_is_known_by_the_pong_deadline_and_comes_back() {
    let (server, client) = pair("");
    let mut row =
        Row::new("a_stopped_client_is_known_by_the_pong_deadline_and_comes_back", "client stopped and continued, v2");
    let begin = Instant::now();
    client.stop();
    lost(&server, 0, &["KeepaliveTimeout"]);
    row.known(2 * SECOND, begin.elapsed());
    assert_eq!(server.ask("take-next 0"), "error Timeout", "nothing dead is handed out");
    let waiting = server.begin("take-next 60000");
    let begin = Instant::now();
    client.resume();
    full(&[&client]);
    row.refilled(SECOND, begin.elapsed());
    finish(&server, &client, &waiting.wait());
    exchange(&server, &client, 12);
    row.print(13, "KeepaliveTimeout");
}

#[test]
fn a_stopped_server_is_known_by_the_pong_deadline_and_found_again() {
    let (server, client) = pair("");
    let mut row =
        Row::new("a_stopped_server_is_known_by_the_pong_deadline_and_found_again", "server stopped and continued, v2");
    let begin = Instant::now();
    server.stop();
    lost(&client, 0, &["KeepaliveTimeout"]);
    row.known(2 * SECOND, begin.elapsed());
    let waiting = client.begin("take-next 60000");
    // Its kernel still accepts: only the dials' deadline tells.
    until("a dial's time is over", SLACK, || client.stats().get("timed_out") > 0);
    let begin = Instant::now();
    server.resume();
    assert!(waiting.wait().starts_with("taken "));
    full(&[&client]);
    row.refilled(2 * SECOND + BACKOFF, begin.elapsed());
    exchange(&server, &client, 12);
    row.print(13, "KeepaliveTimeout");
}

#[test]
fn an_original_peer_that_is_stopped_and_continued_keeps_its_connections() {
    let (server, client) = pair("--v1 --keepalive 100ms --pong-timeout 100ms");
    // Its kernel acknowledges for it, and a v1 peer has no deadline: nobody can know, and nothing is lost.
    client.stop();
    sleep(2 * SECOND);
    assert_eq!((server.stats().get("idle"), server.stats().get("closed")), (COUNT, 0));
    let waiting = server.ask("take-next 0");
    client.resume();
    finish(&server, &client, &waiting);
    exchange(&server, &client, 12);
    assert_eq!([&server, &client].map(|peer| peer.stats().get("closed")), [0, 0]);
    let row = Row::new(
        "an_original_peer_that_is_stopped_and_continued_keeps_its_connections",
        "client stopped and continued, v1",
    );
    row.print(13, "nothing: no connection is lost");
}

/// Takes one at both ends. The server may be given what the client is giving up at that moment; that counts as lost.
fn exchange_in_the_end(server: &Peer, client: &Peer) {
    loop {
        let taken = server.ask("take-next 30000");
        let id = taken.strip_prefix("taken ").expect("the server has connections");
        let answer = client.ask(&format!("take {id} 30000"));
        if answer == taken {
            npws_faults::takes::talk(server, client, id);
            return [server, client].into_iter().for_each(|peer| drop(peer.ask(&format!("end {id}"))));
        }
        assert_eq!(answer, "error Gone(KeepaliveTimeout)");
        server.ask(&format!("end {id}"));
    }
}

#[test]
fn who_was_stopped_looks_for_what_arrived_before_it_gives_up() {
    // The server has all the patience, and the client's own deadlines pass while it is stopped.
    let server = server("--keepalive 1h");
    let client = client(&server, "--keepalive 20ms --pong-timeout 1s");
    full(&[&server, &client]);
    for _ in 0..5 {
        client.stop();
        sleep(3 * SECOND / 2);
        client.resume();
        (0..2).for_each(|_| exchange_in_the_end(&server, &client));
        full(&[&server, &client]);
    }
    // Who is stopped with a ping that has not left yet has no pong to find. That costs what one stop can cost at most, and
    // not what five do.
    let lost = client.stats().closed_by("KeepaliveTimeout");
    assert!(lost <= COUNT, "every pong was there in time: {:?}", client.stats());
    let row =
        Row::new("who_was_stopped_looks_for_what_arrived_before_it_gives_up", "stopped beyond its own pong deadline");
    row.print(10, &format!("nothing: {lost} of {} idle connections are replaced", 5 * COUNT));
}

/// Both ends have all the files that they may; `freed` tells how they get some back.
fn exhausted(test: &'static str, side: &str, exhaust: impl Fn(&Peer, &Peer) -> Vec<String>) {
    let (server, client) = pair("");
    let hogged = exhaust(&server, &client);
    assert!(hogged.iter().all(|answer| answer.contains("Too many open files")), "{hogged:?}");
    let mut row = Row::new(test, format!("file descriptors exhausted, {side}"));
    let begin = Instant::now();
    // What is taken is replaced, which needs files; what is there works on.
    let taken: Vec<_> = (0..COUNT / 2).map(|_| server.ask("take-next 30000")).collect();
    let failures = |peer: &Peer| peer.stats().get("listener_failures") + peer.stats().get("refused");
    until("it is known", SLACK, || failures(&server) + failures(&client) > 0);
    row.known(Duration::from_millis(100), begin.elapsed());
    for taken in &taken {
        let id = taken.strip_prefix("taken ").expect("the server has connections");
        assert_eq!(client.ask(&format!("take {id} 30000")), *taken);
        npws_faults::takes::talk(&server, &client, id);
    }
    let (before, pause) = (failures(&client) + failures(&server), 2 * SECOND);
    sleep(pause);
    let hasty = failures(&client) + failures(&server) - before;
    assert!(hasty <= 40, "{hasty} failures in {pause:?}");
    for peer in [&server, &client] {
        peer.ask("release");
    }
    let refilled = full(&[&server, &client]);
    // Whichever pause is the longest: the listener's, the dials', or that of a dial which nobody accepts.
    row.refilled(2 * SECOND + BACKOFF, refilled);
    exchange(&server, &client, 12);
    // The server may let in, late, whose dial had been given up. A connection that was lost is known to the client too.
    assert_eq!(client.stats().get("closed"), 0, "no connection was lost");
    row.print(16, "nothing: what is there works on");
}

#[test]
fn a_server_out_of_file_descriptors_accepts_again_when_it_has_some() {
    let test = "a_server_out_of_file_descriptors_accepts_again_when_it_has_some";
    exhausted(test, "server", |server, _| vec![server.ask("hog")]);
}

#[test]
fn a_client_out_of_file_descriptors_dials_again_when_it_has_some() {
    let test = "a_client_out_of_file_descriptors_dials_again_when_it_has_some";
    exhausted(test, "client", |_, client| vec![client.ask("hog")]);
}

#[test]
fn both_ends_out_of_file_descriptors_find_together_again() {
    let test = "both_ends_out_of_file_descriptors_find_together_again";
    exhausted(test, "both ends", |server, client| vec![server.ask("hog"), client.ask("hog")]);
}

#[test]
fn closing_a_pool_of_1000_idle_v1_peers_returns_within_100_ms() {
    let server = peer("server 127.0.0.1:0 --capacity 1000");
    let _silent = peer(&format!("original {} --count 1000", server.address()));
    until("all are idle", 2 * SLACK, || server.stats().get("idle") == 1000);
    let micros: u64 = server.ask("close").parse().unwrap();
    println!("close of 1,000 idle v1 peers: {micros} µs");
    assert!(micros < 100_000, "{micros} µs");
    let stats = server.stats();
    assert_eq!((stats.get("idle"), stats.closed_by("PoolClosed")), (0, 1000));
    // Nobody answers the close frames, and the sockets do not wait for that for long.
    #[cfg(target_os = "linux")]
    until("the sockets are closed", SLACK, || {
        std::fs::read_dir(format!("/proc/{}/fd", server.pid())).expect("it runs").count() < 100
    });
}
