//! How a pool ends, what it counts, and that it loses nothing.

use super::*;

#[test]
fn flush_closes_everything_that_nobody_has_taken_and_the_pool_goes_on() {
    let (mut pool, keys) = stocked(5);
    assert_eq!(try_id(&mut pool, at(0), 4), Ok(4));
    pool.handle_claimed(at(0), keys[1]);
    pool.handle_retained(at(0), keys[2]);
    let offered = pool.take(at(0), id(3), FOREVER);
    look(&mut pool);
    pool.flush(at(1));
    let flushed: Vec<_> = (0..4).map(|number| (number, CloseReason::Flushed)).collect();
    assert_eq!(look(&mut pool).closed, flushed);
    assert_eq!(fetch(&mut pool, at(1), offered), Err(TakeError::Gone(CloseReason::Flushed)));
    assert_eq!(pool.stats().taken, 1, "the taken one lives on");
    assert!(accept(&mut pool, at(2), V1).id().is_control());
}

#[test]
fn who_waits_for_the_next_waits_on_through_a_flush() {
    let (mut pool, _) = stocked(5);
    let offered = pool.take_next(at(0), FOREVER);
    look(&mut pool);
    pool.flush(at(1));
    assert!(look(&mut pool).woken.is_empty(), "it is not offered what is about to be flushed");
    assert!(is_waiting(&mut pool, at(1), offered));
    accept(&mut pool, at(2), V1);
    assert_eq!(fetch(&mut pool, at(2), offered), Ok(0));
}

#[test]
fn close_ends_waiters_and_connections_at_once_and_for_good() {
    let (mut pool, _) = stocked(3);
    assert_eq!(try_id(&mut pool, at(0), 2), Ok(2));
    let offered = pool.take_next(at(0), FOREVER);
    let waiting = pool.take(at(0), id(9), FOREVER);
    let (handshake, _) = admit(&mut pool, at(0));
    look(&mut pool);
    pool.close(at(1));
    let seen = look(&mut pool);
    assert_eq!(seen.closed, [(0, CloseReason::PoolClosed), (1, CloseReason::PoolClosed)]);
    assert_eq!(seen.aborted_accepts, [handshake]);
    assert!(seen.is_closed && seen.stopped_listening && pool.is_closed());
    for waiter in [offered, waiting] {
        assert_eq!(fetch(&mut pool, at(1), waiter), Err(TakeError::Closed));
    }
    assert_eq!(try_next(&mut pool, at(2)), Err(TakeError::Closed));
    assert_eq!(try_id(&mut pool, at(2), 1), Err(TakeError::Closed));
    assert!(pool.handle_incoming(at(2), None).is_err());
    assert_eq!(pool.poll_timeout(), None);
    pool.close(at(3));
    pool.drain(at(3), FOREVER);
    pool.flush(at(3));
    assert!(!look(&mut pool).is_closed, "it is said once");
}

#[test]
fn connections_already_taken_outlive_the_pool() {
    let (mut pool, keys) = stocked(2);
    assert_eq!(try_id(&mut pool, at(0), 1), Ok(1));
    pool.close(at(1));
    assert_eq!(look(&mut pool).closed, [(0, CloseReason::PoolClosed)]);
    assert_eq!(pool.stats().taken, 1);
    pool.handle_released(at(9), keys[1]);
    assert_eq!(pool.stats().taken, 0);
}

#[test]
fn a_closed_client_gives_up_its_dials_and_dials_no_more() {
    let (mut pool, dials) = started(client_config(3));
    pool.close(at(1));
    let seen = look(&mut pool);
    assert_eq!(seen.aborted_dials, dials);
    assert!(seen.is_closed);
    assert!(pool.handle_dialed(at(2), dials[0], id(1), V1, 1).is_none());
    assert_eq!(look(&mut pool).closed, [(1, CloseReason::HandshakeFailed)]);
    pool.take_next(at(3), FOREVER);
    assert!(run(&mut pool, at(1000)).is_empty());
    assert_eq!(pool.poll_timeout(), None);
}

#[test]
fn a_drained_pool_hands_out_nothing_new_but_still_what_the_peer_may_have_taken() {
    let (mut pool, keys) = stocked(3);
    pool.handle_claimed(at(0), keys[2]);
    let offered = pool.take_next(at(0), FOREVER);
    pool.drain(at(1), ms(5000));
    assert_eq!(try_next(&mut pool, at(2)), Err(TakeError::Draining));
    assert_eq!(try_id(&mut pool, at(2), 2), Ok(2));
    assert_eq!(try_id(&mut pool, at(2), 1), Ok(1));
    let seen = look(&mut pool);
    assert!(seen.stopped_listening && !seen.is_closed);
    assert!(pool.handle_incoming(at(2), None).is_err());
    assert_eq!(fetch(&mut pool, at(3), offered), Ok(0), "it was promised before");
    assert!(look(&mut pool).is_closed, "it is over when it is empty");
}

#[test]
fn a_drain_ends_every_take_that_nothing_can_serve_any_more() {
    let (mut pool, keys) = stocked(2);
    let other = pool.take(at(0), id(9), FOREVER);
    let offered = pool.take(at(0), id(0), FOREVER);
    let behind = pool.take(at(0), id(0), FOREVER);
    pool.drain(at(1), ms(5000));
    let next = pool.take_next(at(1), FOREVER);
    for waiter in [other, next] {
        assert_eq!(fetch(&mut pool, at(1), waiter), Err(TakeError::Draining));
    }
    assert_eq!(try_id(&mut pool, at(1), 9), Err(TakeError::Draining));
    pool.handle_closed(at(2), keys[0], DIED);
    for waiter in [offered, behind] {
        let outcome = fetch(&mut pool, at(2), waiter);
        assert_eq!(outcome, Err(TakeError::Gone(DIED)), "not even the control ID comes again");
    }
    assert_eq!(try_id(&mut pool, at(2), 0), Err(TakeError::Gone(DIED)));
    assert!(!look(&mut pool).is_closed);
    assert_eq!(try_id(&mut pool, at(2), 1), Ok(1));
    assert!(look(&mut pool).is_closed);
}

#[test]
fn a_drained_client_gives_up_its_dials_and_dials_no_more() {
    let (mut pool, dials) = started(client_config(2));
    dialed(&mut pool, at(0), dials[0], 1, V1);
    let waiter = pool.take(at(0), id(2), FOREVER);
    pool.drain(at(1), ms(5000));
    assert_eq!(look(&mut pool).aborted_dials, dials[1..]);
    assert_eq!(fetch(&mut pool, at(1), waiter), Err(TakeError::Draining));
    assert_eq!(pool.poll_timeout(), Some(at(5001)));
    assert!(run(&mut pool, at(1000)).is_empty());
    pool.handle_timeout(at(5001));
    assert!(pool.is_closed());
}

#[test]
fn close_cuts_a_drain_short_and_a_second_drain_does_not_prolong_it() {
    let (mut pool, _) = stocked(2);
    pool.drain(at(0), ms(5000));
    pool.drain(at(1), FOREVER);
    assert_eq!(pool.poll_timeout(), Some(at(5000)));
    pool.close(at(2));
    let seen = look(&mut pool);
    assert_eq!(seen.closed, [(0, CloseReason::PoolClosed), (1, CloseReason::PoolClosed)]);
    assert!(seen.is_closed && seen.stopped_listening);
}

#[test]
fn a_report_of_what_is_no_more_changes_nothing() {
    let (mut pool, keys) = stocked(3);
    assert_eq!(try_id(&mut pool, at(0), 1), Ok(1));
    pool.handle_closed(at(0), keys[2], DIED);
    look(&mut pool);
    let before = pool.stats();
    for key in [keys[1], keys[2]] {
        pool.handle_closed(at(1), key, DIED);
        pool.handle_claimed(at(1), key);
        pool.handle_retained(at(1), key);
    }
    pool.handle_released(at(1), keys[0]);
    assert_eq!(pool.stats(), before);
    assert!(look(&mut pool).closed.is_empty());
}

#[test]
fn errors_are_those_of_the_user_and_of_the_listener() {
    let (mut pool, dials) = started(client_config(2));
    refused(&mut pool, at(0), dials[0]);
    assert_eq!(pool.error_count(), 0, "a failed dial is told in the stats");
    pool.add_error();
    pool.add_error();
    assert_eq!((pool.error_count(), pool.stats().errors), (2, 2));
    pool.reset_error();
    assert_eq!(pool.error_count(), 0);

    let (mut pool, _) = stocked(1);
    pool.add_error();
    pool.handle_listener_failure(at(0));
    assert_eq!(pool.error_count(), 2);
}

#[test]
fn every_connection_is_accounted_for_with_its_reason() {
    let (mut pool, keys) = stocked(8);
    assert_eq!(try_next(&mut pool, at(0)), Ok(0));
    pool.handle_claimed(at(0), keys[1]);
    pool.handle_retained(at(0), keys[2]);
    pool.take(at(0), id(3), FOREVER);
    pool.handle_closed(at(0), keys[4], CloseReason::PeerClosed(Some(1000)));
    pool.handle_closed(at(0), keys[5], CloseReason::PeerClosed(Some(4321)));
    pool.handle_closed(at(0), keys[6], DIED);
    let stats = pool.stats();
    assert_eq!((stats.idle, stats.offered, stats.claimed, stats.retained, stats.taken), (1, 1, 1, 1, 1));
    assert_eq!((stats.registered_total, stats.taken_total, stats.closed_total), (8, 1, 3));
    assert_eq!(stats.closed_by, [(CloseReason::PeerClosed(None), 2), (DIED, 1)]);
}
