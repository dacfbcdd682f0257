//! Takes against arrivals, each other, cancellation, deadlines and cut connections.
#![cfg(shuttle)]
#![allow(clippy::unwrap_used, reason = "all of this is tests")]

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use futures::{AsyncReadExt, AsyncWriteExt};
use npws_driver::{CloseReason, Connection, ConnectionId, TakeError};
use npws_races::{World, explore};
use shuttle::future::spawn;
use shuttle::rand::Rng;

const FOREVER: Duration = Duration::MAX;
const SECOND: Duration = Duration::from_secs(1);

async fn talk(near: &mut Connection, far: &mut Connection) {
    near.write_all(b"over").await.unwrap();
    let mut heard = [0; 4];
    far.read_exact(&mut heard).await.unwrap();
    assert_eq!(&heard, b"over");
}

/// Gives the future up after a random number of polls, each of which something woke.
async fn impatient<F: Future>(future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    let mut polls = shuttle::rand::thread_rng().gen_range(0..4);
    poll_fn(|cx| {
        if polls == 0 {
            return Poll::Ready(None);
        }
        polls -= 1;
        let polled = future.as_mut().poll(cx).map(Some);
        if polled.is_pending() && polls == 0 {
            cx.waker().wake_by_ref();
        }
        polled
    })
    .await
}

fn assert_conserved(world: &World, taken: u64) {
    let stats = world.client.stats();
    assert_eq!(stats.taken_total, taken);
    assert_eq!(
        stats.registered_total,
        stats.taken_total + stats.closed_total + stats.idle as u64 + stats.claimed as u64
    );
}

#[test]
fn every_pair_meets() {
    explore(|| async {
        let world = World::new(2);
        let pairs = [(); 3].map(|()| {
            let (server, client) = (world.server.clone(), world.client.clone());
            spawn(async move {
                let (id, mut near) = client.take_next(FOREVER).await.unwrap();
                let mut far = server.take(id, FOREVER).await.unwrap();
                talk(&mut near, &mut far).await;
                id
            })
        });
        let mut ids = Vec::new();
        for pair in pairs {
            ids.push(pair.await.unwrap());
        }
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), 3, "each connection is handed out once");
        world
    });
}

#[test]
fn a_pair_meets_by_accept_too() {
    explore(|| async {
        let world = World::new(1);
        let client = world.client.clone();
        let opener = spawn(async move {
            let (id, mut near) = client.take_next(FOREVER).await.unwrap();
            near.write_all(b"over").await.unwrap();
            let mut answer = Vec::new();
            near.read_to_end(&mut answer).await.unwrap();
            assert_eq!(answer, b"out");
            id
        });
        let (id, mut far) = world.server.accept(FOREVER).await.unwrap();
        let mut heard = [0; 4];
        far.read_exact(&mut heard).await.unwrap();
        far.write_all(b"out").await.unwrap();
        AsyncWriteExt::close(&mut far).await.unwrap();
        assert_eq!(opener.await.unwrap(), id);
        world
    });
}

#[test]
fn a_take_that_is_given_up_loses_nothing() {
    explore(|| async {
        let world = World::new(2);
        let takers = [(); 3].map(|()| {
            let client = world.client.clone();
            spawn(async move { impatient(client.take_next(FOREVER)).await.is_some() })
        });
        let patient = world.client.take_next(FOREVER).await.unwrap();
        let mut taken = 1;
        for taker in takers {
            taken += u64::from(taker.await.unwrap());
        }
        assert_conserved(&world, taken);
        let closed_by = world.client.stats().closed_by;
        assert!(closed_by.iter().all(|(reason, _)| *reason == CloseReason::Surplus), "{closed_by:?}");
        drop(patient);
        world
    });
}

#[test]
fn a_deadline_and_an_arrival_leave_one_outcome() {
    explore(|| async {
        // No round comes in between: the waiters' own deadlines have to wake the pool's timer.
        let hour = Duration::from_secs(3600);
        let world = World::with(1, |server| server, |client| client.interval(hour..=hour));
        let takers = [(); 2].map(|()| {
            let client = world.client.clone();
            spawn(async move { client.take_next(SECOND).await })
        });
        let client = world.client.clone();
        let in_vain = spawn(async move { client.take(ConnectionId::from_bytes([0xff; 4]), SECOND).await.map(drop) });
        while !in_vain.is_finished() {
            world.runtime.advance(SECOND / 8);
            shuttle::thread::yield_now();
        }
        assert_eq!(in_vain.await.unwrap(), Err(TakeError::Timeout));
        let mut taken = 0;
        for taker in takers {
            match taker.await.unwrap() {
                Ok(_) => taken += 1,
                Err(error) => assert_eq!(error, TakeError::Timeout),
            }
        }
        assert_conserved(&world, taken);
        world
    });
}

#[test]
fn a_cut_is_seen_by_whoever_has_the_connection() {
    explore(|| async {
        let world = World::new(1);
        let client = world.client.clone();
        let taker = spawn(async move {
            let (_, mut near) = client.take_next(FOREVER).await.unwrap();
            // It was alive when it was handed out, and its cut has to wake the reader: else this never ends.
            assert!(near.read(&mut [0]).await.is_err(), "a cut is no end in good order");
        });
        while !taker.is_finished() {
            world.sometimes(World::cut_all);
        }
        taker.await.unwrap();
        world
    });
}

#[test]
fn both_directions_of_a_connection_go_on_at_once() {
    explore(|| async {
        let world = World::new(1);
        let (id, near) = world.client.take_next(FOREVER).await.unwrap();
        let far = world.server.take(id, FOREVER).await.unwrap();
        let ends = [near, far].map(|connection| {
            let (mut reader, mut writer) = connection.split();
            let writing = spawn(async move {
                for _ in 0..3 {
                    writer.write_all(b"over").await.unwrap();
                }
                writer.close().await.unwrap();
            });
            let reading = spawn(async move {
                let mut heard = Vec::new();
                reader.read_to_end(&mut heard).await.unwrap();
                assert_eq!(heard, b"over".repeat(3));
            });
            [writing, reading]
        });
        for task in ends.into_iter().flatten() {
            task.await.unwrap();
        }
        world
    });
}

#[test]
fn a_burst_that_ends_in_silence_arrives_whole() {
    explore(|| async {
        let world = World::new(1);
        let (id, mut near) = world.client.take_next(FOREVER).await.unwrap();
        let far = world.server.take(id, FOREVER).await.unwrap();
        let (mut reader, mut back) = far.split();
        let writing = spawn(async move {
            for word in ["over ", "and ", "over ", "again"] {
                near.write_all(word.as_bytes()).await.unwrap();
            }
            near
        });
        let answering = spawn(async move {
            for word in ["yes ", "yes ", "yes"] {
                back.write_all(word.as_bytes()).await.unwrap();
            }
            back
        });
        let mut heard = [0; 19];
        reader.read_exact(&mut heard).await.unwrap();
        assert_eq!(&heard, b"over and over again");
        let mut near = writing.await.unwrap();
        let mut heard = [0; 11];
        near.read_exact(&mut heard).await.unwrap();
        assert_eq!(&heard, b"yes yes yes");
        answering.await.unwrap();
        world
    });
}
