//! How a drain asks v2 peers to give idle connections back.

use super::*;

#[test]
fn a_drain_asks_for_idle_v2_connections_and_closes_nothing_before_its_end() {
    let mut pool = server(8);
    let keys: Vec<_> = [V1, V2, V1, V2, V2].map(|peer| accept(&mut pool, at(0), peer)).into();
    let offered = pool.take(at(0), id(3), FOREVER);
    pool.handle_claimed(at(0), keys[4]);
    look(&mut pool);
    pool.drain(at(1), ms(5000));
    let seen = look(&mut pool);
    assert_eq!((seen.asked_back, seen.closed), (Vec::from([keys[1]]), Vec::new()));
    assert_eq!((pool.active(), pool.stats().idle), (2, 3), "v1 connections wait for the end");
    pool.cancel(at(2), offered);
    assert_eq!(look(&mut pool).asked_back, [keys[3]], "it became idle again");
    pool.handle_timeout(at(5000));
    assert!(look(&mut pool).closed.is_empty());
    assert_eq!(pool.poll_timeout(), Some(at(5001)));
    pool.handle_timeout(at(5001));
    let seen = look(&mut pool);
    assert_eq!(seen.closed, [0, 1, 2, 3, 4].map(|number| (number, CloseReason::Drained)));
    assert!(seen.is_closed);
}

#[test]
fn a_drain_is_over_when_the_peers_have_closed_what_they_were_asked_for() {
    let (mut pool, keys) = stocked_v2(3);
    pool.drain(at(1), ms(5000));
    assert_eq!(look(&mut pool).asked_back, keys);
    pool.drain(at(1), ms(4000));
    assert!(look(&mut pool).asked_back.is_empty(), "one question is enough");
    for (&key, reason) in keys.iter().zip([CloseReason::PeerClosed(Some(1000)), DIED, CloseReason::PeerClosed(None)]) {
        assert!(!pool.is_closed());
        pool.handle_closed(at(2), key, reason);
    }
    assert!(look(&mut pool).is_closed);
    assert_eq!(pool.stats().closed_by, [(DIED, 1), (CloseReason::Drained, 2)], "given back, they count as drained");
}

#[test]
fn a_take_of_what_was_asked_back_fails_at_once() {
    let (mut pool, keys) = stocked_v2(2);
    let first = pool.take(at(0), id(1), FOREVER);
    let behind = pool.take(at(0), id(1), FOREVER);
    pool.drain(at(1), ms(5000));
    assert_eq!(try_id(&mut pool, at(1), 0), Err(TakeError::Draining));
    let patient = pool.take(at(1), id(0), FOREVER);
    assert_eq!(fetch(&mut pool, at(1), patient), Err(TakeError::Draining));
    pool.cancel(at(2), first);
    let seen = look(&mut pool);
    assert!(seen.asked_back.len() == 1 && seen.asked_back[0] == keys[0], "1 goes to who still waits for it");
    pool.cancel(at(3), behind);
    assert_eq!(look(&mut pool).asked_back, [keys[1]]);
    assert_eq!(try_id(&mut pool, at(3), 1), Err(TakeError::Draining));
}

#[test]
fn a_take_of_the_peer_that_crosses_the_question_is_served() {
    let (mut pool, keys) = stocked_v2(3);
    let accepting = pool.accept(at(0), FOREVER);
    pool.drain(at(1), ms(5000));
    pool.handle_claimed(at(2), keys[1]);
    pool.handle_claimed(at(2), keys[2]);
    assert_eq!(fetch(&mut pool, at(2), accepting), Ok(1));
    assert_eq!(try_id(&mut pool, at(2), 2), Ok(2));
}

#[test]
fn what_a_drain_finds_held_back_is_asked_for_and_stays_so() {
    let (mut pool, keys) = stocked_v2(1);
    assert!(pool.handle_stale(at(0), keys[0]));
    let waiter = pool.take(at(0), id(0), FOREVER);
    pool.drain(at(1), ms(5000));
    assert_eq!(look(&mut pool).asked_back, keys);
    assert_eq!(fetch(&mut pool, at(1), waiter), Err(TakeError::Draining));
    pool.handle_proved(at(2), keys[0]);
    assert_eq!((pool.active(), pool.stats().idle), (0, 1));
    assert_eq!(try_id(&mut pool, at(2), 0), Err(TakeError::Draining));
}

#[test]
fn what_is_found_stale_during_a_drain_is_asked_for() {
    let (mut pool, keys) = stocked_v2(2);
    let next = pool.take_next(at(0), FOREVER);
    let by_id = pool.take(at(0), id(1), FOREVER);
    look(&mut pool);
    pool.drain(at(1), ms(5000));
    for (key, waiter) in keys.into_iter().zip([next, by_id]) {
        assert!(look(&mut pool).asked_back.is_empty());
        assert!(pool.handle_stale(at(1), key));
        assert_eq!(look(&mut pool).asked_back, [key]);
        assert_eq!(fetch(&mut pool, at(1), waiter), Err(TakeError::Draining));
    }
}
