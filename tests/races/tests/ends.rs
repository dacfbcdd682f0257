//! Takes against the pool's own ends: flush, drain, close.
#![cfg(shuttle)]

use std::time::Duration;

use npws_driver::{CloseReason, TakeError};
use npws_races::{World, explore};
use shuttle::future::spawn;
use shuttle::thread::yield_now;

const FOREVER: Duration = Duration::MAX;
const SECOND: Duration = Duration::from_secs(1);

#[test]
fn close_ends_every_wait() {
    explore(|| async {
        let world = World::new(1);
        let takers = [(); 2].map(|()| {
            let client = world.client.clone();
            spawn(async move { client.take_next(FOREVER).await.map(drop) })
        });
        let client = world.client.clone();
        let observer = spawn(async move { client.wait_ready(FOREVER).await });
        yield_now();
        world.client.close();
        assert!(world.client.is_closed());
        for task in takers.into_iter().chain([observer]) {
            assert!(matches!(task.await.unwrap(), Ok(()) | Err(TakeError::Closed)));
        }
        assert_eq!(world.client.take_next(FOREVER).await.map(drop), Err(TakeError::Closed));
        assert_eq!(world.client.active(), 0);
        world
    });
}

#[test]
fn who_waits_for_readiness_is_woken_by_the_arrival() {
    explore(|| async {
        let world = World::new(1);
        let observers = [(); 2].map(|()| {
            let client = world.client.clone();
            spawn(async move { client.wait_ready(FOREVER).await })
        });
        for observer in observers {
            assert_eq!(observer.await.unwrap(), Ok(()));
        }
        world
    });
}

#[test]
fn a_flush_leaves_no_wait_behind() {
    explore(|| async {
        let world = World::new(1);
        let takers = [(); 2].map(|()| {
            let client = world.client.clone();
            spawn(async move { client.take_next(FOREVER).await.map(drop) })
        });
        yield_now();
        world.client.flush();
        for taker in takers {
            // What was flushed is not dialed again at once, lest a server that closes everything be dialed without end.
            while !taker.is_finished() {
                world.sometimes(|_| ());
            }
            assert_eq!(taker.await.unwrap(), Ok(()), "the pool dials anew for who waits");
        }
        world
    });
}

#[test]
fn a_drain_ends_and_hands_nothing_out_afterwards() {
    explore(|| async {
        let world = World::new(1);
        let client = world.client.clone();
        let taker = spawn(async move { client.take_next(FOREVER).await.map(drop) });
        let server = world.server.clone();
        let drain = spawn(async move { server.drain(SECOND).await });
        while !drain.is_finished() {
            world.sometimes(|_| ());
        }
        drain.await.unwrap();
        assert!(world.server.is_closed());
        assert_eq!(world.server.take_next(FOREVER).await.map(drop), Err(TakeError::Closed));
        world.client.close();
        assert!(matches!(taker.await.unwrap(), Ok(()) | Err(TakeError::Closed)));
        world
    });
}

#[test]
fn a_peer_that_falls_silent_is_given_up() {
    explore(|| async {
        // No round comes in between, so that the connection's own deadlines have to wake the pool's timer.
        let hour = Duration::from_secs(3600);
        let world = World::with(
            1,
            |server| server.keepalive(SECOND).pong_timeout(SECOND),
            |client| client.keepalive(SECOND).pong_timeout(SECOND).interval(hour..=hour),
        );
        world.client.wait_ready(FOREVER).await.unwrap();
        world.silence_all();
        while world.client.active() > 0 {
            world.sometimes(|_| ());
        }
        assert_eq!(world.client.stats().closed_by, [(CloseReason::KeepaliveTimeout, 1)]);
        world
    });
}
