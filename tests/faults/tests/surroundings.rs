//! What changes around a pool: the address under a name, and the time.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "all of this is tests")]

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use npws::tokio::Tokio;
use npws::{ClientPool, CloseReason, Runtime, ServerPool, TakeError};
use npws_faults::rig::Rig;
use npws_faults::row::Row;
use npws_tests::pools::{bind, client, closed_by, filled, send, server, take_pair, talk};
use npws_tests::testbed::{SOON, ms, run, spawn, until};

const COUNT: usize = 6;
const HOUR: Duration = Duration::from_secs(3600);

#[test]
fn a_name_that_gets_another_address_is_followed_as_connections_end() {
    run::<Tokio, _>(|| async {
        let (old, old_address) = bind(server::<Tokio>()).await;
        let (new, new_address) = bind(server::<Tokio>()).await;
        let answer: Arc<Mutex<Result<Vec<SocketAddr>, ()>>> = Arc::new(Mutex::new(Ok(vec![old_address])));
        let resolver = answer.clone();
        let client = client::<Tokio>("pool.example:80", COUNT)
            .backoff(ms(20)..=ms(200))
            .resolver(move |_| {
                let answer = resolver.lock().unwrap().clone();
                async move { answer.map_err(|()| std::io::ErrorKind::HostUnreachable.into()) }
            })
            .connect()
            .unwrap();
        filled(&old, &client, COUNT).await;
        let (mut accepted, mut dialed) = take_pair(&old, &client).await;
        filled(&old, &client, COUNT).await;
        // The answer changes: what is there stays, and what is new goes there.
        *answer.lock().unwrap() = Ok(vec![new_address]);
        let (id, mut before) = old.take_next(SOON).await.unwrap();
        let mut beside = client.take(id, SOON).await.unwrap();
        talk(&mut before, &mut beside).await;
        until::<Tokio>("it is replaced there", || new.active() == 1 && client.active() == COUNT).await;
        assert_eq!(old.active(), COUNT - 1, "no connection is closed for a name");
        // For a while the name has no address at all, and the old server ends.
        *answer.lock().unwrap() = Err(());
        let mut row = Row::new(
            "a_name_that_gets_another_address_is_followed_as_connections_end",
            "address changes under the name",
        );
        let begin = Instant::now();
        old.close();
        until::<Tokio>("the client knows", || client.active() == 1).await;
        row.known(Duration::ZERO, begin.elapsed());
        until::<Tokio>("it is counted", || client.stats().dial_failures.resolve > 1).await;
        *answer.lock().unwrap() = Ok(vec![new_address]);
        let begin = Instant::now();
        filled(&new, &client, COUNT).await;
        row.refilled(ms(200), begin.elapsed());
        for _ in 0..2 * COUNT {
            let (mut accepted, mut dialed) = take_pair(&new, &client).await;
            talk(&mut accepted, &mut dialed).await;
        }
        talk(&mut accepted, &mut dialed).await;
        row.print(2 * COUNT, "PeerClosed, and DialError::Resolve while the name has no address");
    });
}

/// Two pools whose clocks leap by themselves.
async fn leaping(pong_timeout: Duration) -> (Rig, ServerPool<Rig>, Rig, ClientPool<Rig>) {
    let (server_rig, client_rig): (Rig, Rig) = (current_rig(), current_rig());
    let builder = ServerPool::<Rig>::builder().capacity(64).keepalive(ms(30_000)).pong_timeout(pong_timeout);
    let server = builder.runtime(server_rig.clone()).bind("127.0.0.1:0").await.unwrap();
    let client = ClientPool::<Rig>::builder(server.local_addr().unwrap().to_string())
        .capacity(COUNT..=COUNT)
        .interval(ms(10)..=ms(10))
        .keepalive(ms(30_000))
        .pong_timeout(pong_timeout)
        .runtime(client_rig.clone())
        .connect()
        .unwrap();
    both_full(&server, &client).await;
    (server_rig, server, client_rig, client)
}

fn current_rig() -> Rig {
    Rig::current().expect("the test runs on tokio")
}

async fn both_full(server: &ServerPool<Rig>, client: &ClientPool<Rig>) {
    until::<Tokio>("both are full", || server.active() == COUNT && client.active() == COUNT).await;
}

async fn exchange(server: &ServerPool<Rig>, client: &ClientPool<Rig>, count: usize) {
    for _ in 0..count {
        let (id, mut accepted) = server.take_next(SOON).await.unwrap();
        let mut dialed = client.take(id, SOON).await.unwrap();
        talk(&mut accepted, &mut dialed).await;
    }
    both_full(server, client).await;
}

#[test]
fn a_clock_that_leaps_an_hour_costs_no_connection_that_lives() {
    run::<Tokio, _>(|| async {
        let (server_rig, server, client_rig, client) = leaping(SOON).await;
        let mut row = Row::new("a_clock_that_leaps_an_hour_costs_no_connection_that_lives", "the clock leaps an hour");
        let (id, mut accepted) = server.take_next(SOON).await.unwrap();
        let mut dialed = client.take(id, SOON).await.unwrap();
        both_full(&server, &client).await;
        let begin = Instant::now();
        for rig in [&server_rig, &client_rig, &client_rig, &server_rig] {
            let before = [server.stats().round_trip, client.stats().round_trip];
            rig.leap(HOUR);
            // Long silent by its clock, each is asked for a sign of life, and gives it.
            until::<Tokio>("they have answered", || before != [server.stats().round_trip, client.stats().round_trip])
                .await;
            exchange(&server, &client, COUNT).await;
        }
        for stats in [server.stats(), client.stats()] {
            assert_eq!(closed_by(&stats, CloseReason::KeepaliveTimeout), 0, "{:?}", stats.closed_by);
            assert_eq!(stats.closed_total, 0, "{:?}", stats.closed_by);
        }
        talk(&mut accepted, &mut dialed).await;
        row.refilled(SOON, begin.elapsed());
        row.print(4 * COUNT, "nothing");
    });
}

#[test]
fn after_a_leap_a_take_that_wants_fresh_connections_gets_none_that_died_meanwhile() {
    run::<Tokio, _>(|| async {
        let (server, address) = bind(server::<Tokio>().no_keepalive()).await;
        let mut front = npws_faults::front::Front::new(address, npws_faults::front::Conduct::Carry).await;
        let rig = current_rig();
        let client = ClientPool::<Rig>::builder(front.address().to_string())
            .capacity(COUNT..=COUNT)
            .interval(ms(10)..=ms(10))
            .backoff(ms(10)..=ms(100))
            .dial_timeout(ms(2000))
            .keepalive(ms(30_000))
            .pong_timeout(ms(1000))
            .max_staleness(ms(5000))
            .runtime(rig.clone())
            .connect()
            .unwrap();
        until::<Tokio>("it is full", || client.active() == COUNT).await;
        // While the machine sleeps, the path forgets its connections, and tells nobody.
        front.hush();
        rig.leap(HOUR);
        let begin = Instant::now();
        assert_eq!(client.take_next(ms(200)).await.map(drop), Err(TakeError::Timeout), "none is known to live");
        until::<Tokio>("all are known to be dead", || {
            closed_by(&client.stats(), CloseReason::KeepaliveTimeout) == COUNT as u64
        })
        .await;
        let mut row = Row::new(
            "after_a_leap_a_take_that_wants_fresh_connections_gets_none_that_died_meanwhile",
            "suspended, and the path forgot its connections",
        );
        row.known(ms(1000), begin.elapsed());
        let waiting = spawn::<Tokio, _>({
            let client = client.clone();
            async move { client.take_next(SOON).await }
        });
        front.turn(npws_faults::front::Conduct::Carry).await;
        let begin = Instant::now();
        let (id, mut dialed) = waiting.join().await.unwrap();
        let mut accepted = server.take(id, SOON).await.unwrap();
        talk(&mut accepted, &mut dialed).await;
        until::<Tokio>("it is full", || client.active() == COUNT).await;
        row.refilled(ms(2100), begin.elapsed());
        for _ in 0..COUNT {
            let (id, mut dialed) = client.take_next(SOON).await.unwrap();
            let mut accepted = server.take(id, SOON).await.unwrap();
            send(&mut dialed, b"fresh").await;
            assert_eq!(npws_tests::pools::receive(&mut accepted, 5).await, b"fresh");
        }
        row.print(COUNT + 1, "TakeError::Timeout, and no dead connection");
    });
}
