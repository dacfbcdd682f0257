//! Servers, and clients, that fail in the middle of a handshake.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "all of this is tests")]

use std::time::{Duration, Instant};

use npws::tokio::{ClientPool, Tokio};
use npws::{CloseReason, DialFailures, TakeError};
use npws_faults::front::{Conduct, Front};
use npws_faults::row::Row;
use npws_tests::pools::{bind, client, closed_by, filled, id, server, take_pair, talk, tls};
use npws_tests::raw::{BINARY, PING, Raw};
use npws_tests::testbed::{SOON, ms, run, spawn, thread, until};
use npws_tests::v1_peer::V1Server;

const COUNT: usize = 4;
const DIAL: Duration = Duration::from_secs(2);

/// Starts a client before a server that fails, and lets the server do better once the client knows.
async fn failing_server(
    test: &'static str,
    fault: &str,
    conduct: Conduct,
    over_tls: bool,
    bound: Duration,
    cause: fn(&DialFailures) -> u64,
) {
    let (server_tls, client_tls) = tls();
    let (mut server, mut client_tls) = (server::<Tokio>().tls(server_tls), Some(client_tls));
    if !over_tls {
        server = npws_tests::pools::server();
        client_tls = None;
    }
    let (server, address) = bind(server).await;
    let mut front = Front::new(address, conduct).await;
    let builder = client::<Tokio>(front.address(), COUNT).dial_timeout(DIAL).backoff(ms(50)..=ms(500));
    let builder = match client_tls {
        Some(tls) => builder.tls(tls).server_name("127.0.0.1"),
        None => builder,
    };
    let begin = Instant::now();
    let client = builder.connect().unwrap();
    until::<Tokio>("the client knows", || cause(&client.stats().dial_failures) > 0).await;
    let mut row = Row::new(test, fault);
    row.known(bound, begin.elapsed());
    assert!(client.last_dial_error().is_some());
    assert_eq!(client.take_next(ms(100)).await.map(drop), Err(TakeError::Timeout), "what the user sees");
    let failed = client.stats().dial_failures.total();
    assert_eq!(failed, cause(&client.stats().dial_failures), "no other cause: {:?}", client.stats().dial_failures);
    let waiting = spawn::<Tokio, _>({
        let client = client.clone();
        async move { client.take_next(SOON).await }
    });
    until::<Tokio>("somebody waits", || client.stats().waiters == 1).await;
    front.turn(Conduct::Carry).await;
    let begin = Instant::now();
    let (taken, mut dialed) = waiting.join().await.expect("who waited is served");
    let mut accepted = server.take(taken, SOON).await.unwrap();
    talk(&mut accepted, &mut dialed).await;
    filled(&server, &client, COUNT).await;
    // The longest pause, after a dial that began before the server did better.
    row.refilled(DIAL + ms(500), begin.elapsed());
    for _ in 0..2 * COUNT {
        let (mut accepted, mut dialed) = take_pair(&server, &client).await;
        talk(&mut accepted, &mut dialed).await;
    }
    row.print(2 * COUNT + 1, "TakeError::Timeout");
}

#[test]
fn a_server_that_refuses_is_known_at_once() {
    let test = "a_server_that_refuses_is_known_at_once";
    run::<Tokio, _>(|| {
        failing_server(test, "server refusing", Conduct::Refuse, false, Duration::ZERO, |failed| failed.connect)
    });
}

#[test]
fn a_server_that_says_nothing_is_known_by_the_dials_deadline() {
    let test = "a_server_that_says_nothing_is_known_by_the_dials_deadline";
    let fault = "server accepts TCP and says nothing";
    run::<Tokio, _>(|| failing_server(test, fault, Conduct::BeSilent, false, DIAL, |failed| failed.timeout));
}

#[test]
fn tls_that_stalls_half_way_is_known_by_the_dials_deadline() {
    let test = "tls_that_stalls_half_way_is_known_by_the_dials_deadline";
    let fault = "TLS stalls half-way, at the server";
    run::<Tokio, _>(|| failing_server(test, fault, Conduct::StallAfter(100), true, DIAL, |failed| failed.timeout));
}

#[test]
fn an_upgrade_that_dribbles_is_known_by_the_dials_deadline() {
    let test = "an_upgrade_that_dribbles_is_known_by_the_dials_deadline";
    let fault = "upgrade dribbles a byte a second, at the server";
    let conduct = Conduct::Dribble(Duration::from_secs(1));
    run::<Tokio, _>(|| failing_server(test, fault, conduct, false, DIAL, |failed| failed.timeout));
}

#[test]
fn an_id_that_never_comes_is_known_by_the_dials_deadline() {
    let test = "an_id_that_never_comes_is_known_by_the_dials_deadline";
    let fault = "ID never comes";
    run::<Tokio, _>(|| failing_server(test, fault, Conduct::StallAfterHead, false, DIAL, |failed| failed.timeout));
}

#[test]
fn bytes_and_an_id_that_come_in_pieces_are_no_fault() {
    run::<Tokio, _>(|| async {
        let (server, address) = bind(server::<Tokio>()).await;
        let front = Front::new(address, Conduct::Dribble(ms(1))).await;
        let begin = Instant::now();
        let client = client::<Tokio>(front.address(), COUNT).connect().unwrap();
        filled(&server, &client, COUNT).await;
        for _ in 0..2 * COUNT {
            let (mut accepted, mut dialed) = take_pair(&server, &client).await;
            talk(&mut accepted, &mut dialed).await;
        }
        // In pieces that are messages of their own, with an empty one and a ping between them.
        let original = V1Server::default();
        let pool: ClientPool = npws_tests::pools::client(original.address(), 1).connect().unwrap();
        let peer = thread(move || {
            let mut raw = original.accept_unnamed();
            raw.send_frame(true, BINARY, &[0]);
            raw.send_frame(true, BINARY, &[]);
            raw.send_frame(true, PING, b"between");
            raw.send_frame(false, BINARY, &[0]);
            raw.send_frame(true, 0, &[0]);
            raw.send_frame(true, BINARY, b"\x07and data");
            raw
        });
        let mut raw = peer.join().await;
        let mut dialed = pool.take(id(7), SOON).await.unwrap();
        assert_eq!(npws_tests::pools::receive(&mut dialed, 8).await, b"and data");
        npws_tests::pools::send(&mut dialed, b"back").await;
        assert_eq!(thread(move || raw.read_data(4)).join().await, b"back");
        let mut row =
            Row::new("bytes_and_an_id_that_come_in_pieces_are_no_fault", "everything, and the ID, comes in pieces");
        row.refilled(DIAL, begin.elapsed());
        assert_eq!(client.stats().dial_failures.total() + pool.stats().dial_failures.total(), 0);
        row.print(2 * COUNT + 1, "nothing");
    });
}

#[test]
fn an_id_that_comes_twice_replaces_what_had_it_and_the_pool_refills() {
    run::<Tokio, _>(|| async {
        let original = V1Server::default();
        let pool: ClientPool = client(original.address(), 2).connect().unwrap();
        let begin = Instant::now();
        let peer = thread(move || {
            let doubled = [original.accept(id(7)), original.accept(id(7))];
            let last = original.accept(id(8));
            (doubled, last)
        });
        let (doubled, last) = peer.join().await;
        let mut row = Row::new("an_id_that_comes_twice_replaces_what_had_it_and_the_pool_refills", "ID comes twice");
        until::<Tokio>("the first is replaced", || closed_by(&pool.stats(), CloseReason::Replaced) == 1).await;
        row.known(Duration::ZERO, begin.elapsed());
        until::<Tokio>("the pool is full", || pool.active() == 2).await;
        // A round, and a dial.
        row.refilled(ms(500), begin.elapsed());
        // One of the two is the connection, the other was closed.
        let mut dialed = pool.take(id(7), SOON).await.unwrap();
        npws_tests::pools::send(&mut dialed, b"one of you").await;
        let heard = doubled.map(|mut raw| {
            thread(move || {
                let frame = raw.read_frame();
                if frame.opcode == BINARY { frame.payload } else { Vec::new() }
            })
        });
        let [first, second] = heard;
        let mut heard = [first.join().await, second.join().await];
        heard.sort();
        assert_eq!(heard, [b"".to_vec(), b"one of you".to_vec()]);
        let mut dialed = pool.take(id(8), SOON).await.unwrap();
        npws_tests::pools::send(&mut dialed, b"and you").await;
        let mut last = last;
        assert_eq!(thread(move || last.read_data(7)).join().await, b"and you");
        row.print(2, "Replaced");
    });
}

/// Clients that fail at this, twenty of them, delay nobody and are gone at their deadline.
async fn failing_clients(test: &'static str, fault: &str, over_tls: bool, behave: fn(&mut Raw)) {
    const FAILING: u64 = 20;
    const HANDSHAKE: Duration = Duration::from_secs(2);
    let (server_tls, client_tls) = tls();
    let builder = server::<Tokio>().capacity(COUNT).handshake_timeout(HANDSHAKE);
    let (server, address) = bind(if over_tls { builder.tls(server_tls) } else { builder }).await;
    let failing = thread(move || {
        let mut all: Vec<_> = (0..FAILING).map(|_| Raw::connect(address)).collect();
        all.iter_mut().for_each(behave);
        all
    });
    let failing = failing.join().await;
    let begin = Instant::now();
    until::<Tokio>("all are there", || server.stats().accepted_total >= FAILING).await;
    let builder = client::<Tokio>(address, COUNT);
    let client = if over_tls { builder.tls(client_tls) } else { builder }.connect().unwrap();
    for _ in 0..2 * COUNT {
        let (mut accepted, mut dialed) = take_pair(&server, &client).await;
        talk(&mut accepted, &mut dialed).await;
    }
    filled(&server, &client, COUNT).await;
    let served = begin.elapsed();
    until::<Tokio>("they are gone", || server.stats().accept_failures == FAILING).await;
    let mut row = Row::new(test, fault);
    row.known(HANDSHAKE, begin.elapsed());
    row.refilled(Duration::ZERO, served);
    row.print(2 * COUNT, "nothing");
    drop(failing);
}

#[test]
fn clients_that_say_nothing_are_gone_at_their_deadline() {
    let test = "clients_that_say_nothing_are_gone_at_their_deadline";
    run::<Tokio, _>(|| failing_clients(test, "clients connect and say nothing", false, |_| {}));
}

#[test]
fn clients_whose_tls_stalls_are_gone_at_their_deadline() {
    let test = "clients_whose_tls_stalls_are_gone_at_their_deadline";
    run::<Tokio, _>(|| {
        failing_clients(test, "TLS stalls half-way, at clients", true, |raw| raw.send(&[22, 3, 1, 2, 0, 1, 0, 1]))
    });
}

#[test]
fn clients_whose_upgrade_stalls_are_gone_at_their_deadline() {
    let test = "clients_whose_upgrade_stalls_are_gone_at_their_deadline";
    run::<Tokio, _>(|| {
        failing_clients(test, "upgrade stalls half-way, at clients", false, |raw| raw.send(b"GET / HTTP/1.1\r\nHo"))
    });
}
