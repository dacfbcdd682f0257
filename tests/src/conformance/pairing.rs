//! Both pools hold the same connections, whoever takes first.

use std::collections::{HashMap, HashSet};
use std::future::Future;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::future::{Either, select};
use futures::{AsyncReadExt, AsyncWriteExt, FutureExt};
use npws::{ClientPool, CloseReason, Connection, ConnectionId, ServerPool, TakeError};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::pools::{bind, client, pair, pattern, receive_all, server, talk, tls, tls_pair};
use crate::testbed::{SOON, Testbed, ms, seed, sleep, spawn, until};

/// How many tasks take the next connection, at each end.
const TAKERS: u64 = 4;

pub async fn a_thousand_pairs_survive_waits_timeouts_and_cancellations<R: Testbed>() {
    // Both ends open, and say so: each has its own half of the IDs.
    let (server, address) = bind(server::<R>().control_channel(true).opens(true)).await;
    let client = client(address, 64).control_channel(true).opens(true).connect().unwrap();
    survive(server, client, 1_000).await;
}

pub async fn pairs_over_tls_survive_waits_timeouts_and_cancellations<R: Testbed>() {
    let (server_tls, client_tls) = tls();
    // The original's peers cannot say so, and now and then both ends take the same one.
    let (server, address) = bind(server::<R>().control_channel(true).v2(false).tls(server_tls)).await;
    let client = client(address, 32).control_channel(true).v2(false).tls(client_tls).connect().unwrap();
    survive(server, client, 100).await;
}

pub async fn take_next_on_the_server_meets_take_on_the_client<R: Testbed>() {
    let (server, client) = pair::<R>(4).await;
    for _ in 0..20 {
        let (id, mut accepted) = server.take_next(SOON).await.unwrap();
        let mut dialed = client.take(id, SOON).await.unwrap();
        talk(&mut accepted, &mut dialed).await;
    }
}

pub async fn take_next_on_the_client_meets_take_on_the_server<R: Testbed>() {
    let (server, client) = tls_pair::<R>(4).await;
    for _ in 0..20 {
        let (id, mut dialed) = client.take_next(SOON).await.unwrap();
        let mut accepted = server.take(id, SOON).await.unwrap();
        talk(&mut dialed, &mut accepted).await;
    }
}

/// Takes at least `count` pairs, beginning at either end, by tasks that wait, time out and change their minds.
async fn survive<R: Testbed>(server: ServerPool<R>, client: ClientPool<R>, count: usize) {
    let seed = seed();
    let ledger = Arc::new(Ledger::default());
    let mut takers = Vec::new();
    for index in 0..TAKERS {
        takers.push(spawn::<R, _>(begin_at_server(
            server.clone(),
            client.clone(),
            ledger.clone(),
            StdRng::seed_from_u64(seed ^ index),
            count,
        )));
        takers.push(spawn::<R, _>(begin_at_client(
            server.clone(),
            client.clone(),
            ledger.clone(),
            StdRng::seed_from_u64(seed ^ (index + TAKERS)),
            count,
        )));
    }
    for taker in takers {
        taker.join().await;
    }
    let (pairs, crossed) = ledger.settle().await;
    assert!(pairs >= count, "only {pairs} pairs");
    println!("{pairs} pairs, {crossed} of them taken as next at both ends");
    let halves = pairs as u64;
    until::<R>("nobody waits any more", || server.stats().waiters + client.stats().waiters == 0).await;
    for stats in [server.stats(), client.stats()] {
        assert_eq!(stats.taken_total, halves, "{stats:?}");
        let present = (stats.idle + stats.offered + stats.claimed + stats.retained) as u64;
        assert_eq!(stats.registered_total, present + stats.taken_total + stats.closed_total, "{stats:?}");
    }
}

async fn begin_at_server<R: Testbed>(
    server: ServerPool<R>,
    client: ClientPool<R>,
    ledger: Arc<Ledger>,
    mut rng: StdRng,
    count: usize,
) {
    while ledger.distinct() < count {
        let taken = restless::<R, _, _>(&mut rng, |timeout| server.take_next(timeout)).await;
        let (id, accepted) = taken.expect("a take of the next fails by time only");
        ledger.put::<R>(End::Server, accepted);
        match restless::<R, _, _>(&mut rng, |timeout| client.take(id, timeout)).await {
            Ok(dialed) => ledger.put::<R>(End::Client, dialed),
            Err(error) => ledger.crossed(id, error),
        }
    }
}

async fn begin_at_client<R: Testbed>(
    server: ServerPool<R>,
    client: ClientPool<R>,
    ledger: Arc<Ledger>,
    mut rng: StdRng,
    count: usize,
) {
    while ledger.distinct() < count {
        let taken = restless::<R, _, _>(&mut rng, |timeout| client.take_next(timeout)).await;
        let (id, dialed) = taken.expect("a take of the next fails by time only");
        ledger.put::<R>(End::Client, dialed);
        match restless::<R, _, _>(&mut rng, |timeout| server.take(id, timeout)).await {
            Ok(accepted) => ledger.put::<R>(End::Server, accepted),
            Err(error) => ledger.crossed(id, error),
        }
    }
}

/// Takes at last, after any number of tries that time out or are dropped half-way.
async fn restless<R: Testbed, T, F: Future<Output = Result<T, TakeError>>>(
    rng: &mut StdRng,
    take: impl Fn(Duration) -> F,
) -> Result<T, TakeError> {
    loop {
        let short = ms(rng.random_range(0..4));
        let outcome = match rng.random_range(0..6) {
            0 => take(Duration::ZERO).await,
            1 => take(short).await,
            2 => match take(SOON).now_or_never() {
                Some(outcome) => outcome,
                None => continue,
            },
            3 => match select(Box::pin(take(SOON)), Box::pin(sleep::<R>(short))).await {
                Either::Left((outcome, _)) => outcome,
                Either::Right(_) => continue,
            },
            4 => {
                // Offered, perhaps, and dropped before it could look.
                let mut waiting = Box::pin(take(SOON));
                if let Some(outcome) = (&mut waiting).now_or_never() {
                    return outcome;
                }
                sleep::<R>(short).await;
                continue;
            }
            _ => return take(SOON).await,
        };
        if !matches!(outcome, Err(TakeError::Timeout)) {
            return outcome;
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Server,
    Client,
}

/// Everything that was taken at either end.
#[derive(Debug, Default)]
struct Ledger(Mutex<Entries>);

#[derive(Debug, Default)]
struct Entries {
    alone: HashMap<ConnectionId, (End, Connection)>,
    seen: HashSet<ConnectionId>,
    crossed: HashSet<ConnectionId>,
    verified: Vec<crate::testbed::Running<ConnectionId>>,
}

impl Ledger {
    fn distinct(&self) -> usize {
        self.0.lock().unwrap().seen.len()
    }

    /// Writes a taken end down. When the other one is there the two talk.
    fn put<R: Testbed>(&self, end: End, connection: Connection) {
        let mut entries = self.0.lock().unwrap();
        let id = connection.id();
        let Some((other, left)) = entries.alone.remove(&id) else {
            assert!(entries.seen.insert(id), "{id} was handed out twice");
            entries.alone.insert(id, (end, connection));
            return;
        };
        assert_ne!(other, end, "{id} was handed out twice at the same end");
        entries.verified.push(spawn::<R, _>(verify(left, connection)));
    }

    /// Both ends may take the same connection as their next; then neither can take it by ID.
    fn crossed(&self, id: ConnectionId, error: TakeError) {
        assert_eq!(error, TakeError::Gone(CloseReason::Taken), "{id} was lost");
        self.0.lock().unwrap().crossed.insert(id);
    }

    /// How many pairs there were, and how many of them crossed. All of them have talked.
    async fn settle(&self) -> (usize, usize) {
        let entries = std::mem::take(&mut *self.0.lock().unwrap());
        assert!(entries.alone.is_empty(), "these have no other end: {:?}", entries.alone.keys());
        let mut talked = HashSet::new();
        for pair in entries.verified {
            talked.insert(pair.join().await);
        }
        assert_eq!(talked, entries.seen);
        (talked.len(), entries.crossed.len())
    }
}

/// Data both ways, then the end of the stream.
async fn verify(mut left: Connection, mut right: Connection) -> ConnectionId {
    let id = left.id();
    let number = u64::from(u32::from_be_bytes(id.to_bytes()));
    let there = pattern(1 + number as usize % 5_000, number);
    let back = pattern(1 + number as usize % 3_000, !number);
    let mut received = (vec![0; back.len()], vec![0; there.len()]);
    futures::try_join!(
        async {
            left.write_all(&there).await?;
            left.read_exact(&mut received.0).await
        },
        async {
            right.write_all(&back).await?;
            right.read_exact(&mut received.1).await
        }
    )
    .unwrap_or_else(|error| panic!("{id} is broken: {error}"));
    assert!(received == (back, there), "{id} carried other data than was sent");
    let (rest, ()) = futures::join!(receive_all(&mut right), left.close());
    assert!(rest.is_empty(), "{id} carried more than was sent");
    id
}
