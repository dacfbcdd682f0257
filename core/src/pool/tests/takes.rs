//! Who gets which connection, and in which order.

use super::*;

#[test]
fn a_take_gets_the_connection_that_is_there_before_it() {
    let (mut pool, keys) = stocked(3);
    let waiter = pool.take(at(0), id(1), ms(5));
    assert_eq!(look(&mut pool).woken, [waiter]);
    let (key, payload) = pool.offered(waiter).unwrap();
    assert_eq!((key, *payload), (keys[1], 1));
    let taken = pool.complete(at(0), waiter).unwrap().unwrap();
    assert_eq!((taken.key, taken.peer, taken.connection), (keys[1], V1, 1));
    assert!(pool.complete(at(0), waiter).is_none(), "an outcome is fetched once");
}

#[test]
fn a_waiter_is_woken_by_the_arrival_itself() {
    let mut pool = server(4);
    let next = pool.take_next(at(0), ms(5000));
    let by_id = pool.take(at(0), id(1), ms(5000));
    assert!(look(&mut pool).woken.is_empty());
    accept(&mut pool, at(10), V1);
    assert_eq!(look(&mut pool).woken, [next]);
    accept(&mut pool, at(20), V1);
    assert_eq!(look(&mut pool).woken, [by_id]);
    assert_eq!(fetch(&mut pool, at(20), next), Ok(0));
    assert_eq!(fetch(&mut pool, at(20), by_id), Ok(1));
}

#[test]
fn registration_and_the_waiters_wake_up_are_one_step_so_none_is_lost_under_waiters() {
    let mut pool = server(4);
    for number in 0..2000 {
        let waiter = pool.take(at(0), id(number), FOREVER);
        accept(&mut pool, at(0), V1);
        assert_eq!(look(&mut pool).woken, [waiter]);
        assert_eq!(fetch(&mut pool, at(0), waiter), Ok(number));
    }
}

#[test]
fn a_timeout_of_zero_only_tries() {
    let (mut pool, _) = stocked(1);
    assert_eq!(try_id(&mut pool, at(0), 9), Err(TakeError::Timeout));
    assert_eq!(try_next(&mut pool, at(0)), Ok(0), "what is there is got, every time");
    assert_eq!(try_next(&mut pool, at(0)), Err(TakeError::Timeout));
}

#[test]
fn a_take_times_out_at_its_deadline_and_not_before() {
    let mut pool = server(1);
    let waiter = pool.take_next(at(0), ms(50));
    assert_eq!(pool.poll_timeout(), Some(at(50)));
    pool.handle_timeout(at(49));
    assert!(is_waiting(&mut pool, at(49), waiter));
    pool.handle_timeout(at(50));
    assert_eq!(look(&mut pool).woken, [waiter]);
    assert_eq!(fetch(&mut pool, at(50), waiter), Err(TakeError::Timeout));
    accept(&mut pool, at(60), V1);
    assert_eq!(pool.active(), 1, "nothing went to the waiter that had given up");
}

#[test]
fn an_offer_outlives_the_deadline_of_its_waiter() {
    let (mut pool, _) = stocked(1);
    let waiter = pool.take_next(at(0), ms(50));
    pool.handle_timeout(at(100));
    assert_eq!(fetch(&mut pool, at(100), waiter), Ok(0));
}

#[test]
fn waiters_are_served_in_the_order_in_which_they_came() {
    let mut pool = server(8);
    let waiters: Vec<_> = (0..4).map(|_| pool.take_next(at(0), FOREVER)).collect();
    for (number, waiter) in (0..).zip(waiters) {
        accept(&mut pool, at(1), V1);
        assert_eq!(look(&mut pool).woken, [waiter]);
        assert_eq!(fetch(&mut pool, at(1), waiter), Ok(number));
    }
}

#[test]
fn waiters_for_one_id_are_served_in_the_order_in_which_they_came() {
    let mut pool = server(8);
    let first = pool.take(at(0), id(0), FOREVER);
    let second = pool.take(at(0), id(0), FOREVER);
    accept(&mut pool, at(1), V1);
    assert_eq!(look(&mut pool).woken, [first]);
    pool.cancel(at(2), first);
    assert_eq!(look(&mut pool).woken, [second]);
    assert_eq!(fetch(&mut pool, at(2), second), Ok(0));
}

#[test]
fn a_newcomer_cannot_overtake_a_waiter() {
    let mut pool = server(8);
    let first = pool.take_next(at(0), FOREVER);
    let key = accept(&mut pool, at(1), V1);
    // Between the wake-up and the fetch the connection dies, a newcomer asks, and then one connection arrives.
    pool.handle_closed(at(2), key, DIED);
    let newcomer = pool.take_next(at(2), FOREVER);
    accept(&mut pool, at(3), V1);
    assert!(is_waiting(&mut pool, at(3), newcomer));
    assert!(fetch(&mut pool, at(3), first).is_ok());
}

#[test]
fn a_waiter_whose_connection_dies_before_it_is_fetched_gets_the_next_one_at_once() {
    let (mut pool, keys) = stocked(2);
    let waiter = pool.take_next(at(0), FOREVER);
    look(&mut pool);
    pool.handle_closed(at(1), keys[0], DIED);
    let seen = look(&mut pool);
    assert_eq!(seen.woken, [waiter]);
    assert_eq!(seen.closed, [(0, DIED)]);
    assert_eq!(fetch(&mut pool, at(1), waiter), Ok(1));
}

#[test]
fn a_waiter_whose_connection_dies_keeps_its_place_before_those_who_came_later() {
    let mut pool = server(8);
    let first = pool.take_next(at(0), FOREVER);
    let second = pool.take_next(at(0), FOREVER);
    let key = accept(&mut pool, at(1), V1);
    pool.handle_closed(at(2), key, DIED);
    accept(&mut pool, at(3), V1);
    assert!(is_waiting(&mut pool, at(3), second));
    assert!(fetch(&mut pool, at(3), first).is_ok());
    accept(&mut pool, at(4), V1);
    assert!(fetch(&mut pool, at(4), second).is_ok());
}

#[test]
fn a_waiter_whose_connection_dies_after_its_deadline_is_told_of_the_timeout() {
    let (mut pool, keys) = stocked(2);
    let waiter = pool.take_next(at(0), ms(10));
    pool.handle_closed(at(20), keys[0], DIED);
    assert_eq!(fetch(&mut pool, at(20), waiter), Err(TakeError::Timeout));
    assert_eq!(try_next(&mut pool, at(20)), Ok(1), "the other one is still there");
}

#[test]
fn a_cancelled_offer_returns_to_its_old_place_in_the_order() {
    let (mut pool, _) = stocked(3);
    let waiter = pool.take_next(at(0), FOREVER);
    pool.cancel(at(0), waiter);
    let by_id = pool.take(at(0), id(1), FOREVER);
    pool.cancel(at(0), by_id);
    let order: Vec<_> = (0..3).map(|_| try_next(&mut pool, at(0)).unwrap()).collect();
    assert_eq!(order, [0, 1, 2]);

    let (mut pool, _) = filled(3);
    let waiter = pool.take_next(at(0), FOREVER);
    pool.cancel(at(0), waiter);
    assert_eq!(try_next(&mut pool, at(0)), Ok(3), "the newest is still the newest");
}

#[test]
fn a_cancelled_offer_goes_to_who_waits_for_it() {
    let (mut pool, _) = stocked(1);
    let first = pool.take_next(at(0), FOREVER);
    let second = pool.take_next(at(0), FOREVER);
    look(&mut pool);
    pool.cancel(at(1), first);
    assert_eq!(look(&mut pool).woken, [second]);
    assert_eq!(fetch(&mut pool, at(1), second), Ok(0));
}

#[test]
fn a_cancelled_waiter_gets_nothing_and_holds_nobody_up() {
    let mut pool = server(4);
    let first = pool.take_next(at(0), FOREVER);
    let second = pool.take_next(at(0), FOREVER);
    pool.cancel(at(0), first);
    pool.cancel(at(0), first);
    accept(&mut pool, at(1), V1);
    assert!(pool.complete(at(1), first).is_none());
    assert!(fetch(&mut pool, at(1), second).is_ok());
}

/// The original popped the head of its queue: of 9 idle connections, 3 of them taken by ID, it then found 4 of 6.
#[test]
fn a_take_by_id_does_not_disturb_the_order_of_the_others_and_makes_none_unreachable() {
    let (mut pool, _) = stocked(9);
    for number in [7, 2, 4] {
        assert_eq!(try_id(&mut pool, at(0), number), Ok(number));
    }
    assert_eq!(pool.active(), 6);
    let rest: Vec<_> = (0..6).map(|_| try_next(&mut pool, at(0)).unwrap()).collect();
    assert_eq!(rest, [0, 1, 3, 5, 6, 8]);
}

#[test]
fn a_server_hands_out_the_oldest_next_and_a_client_the_newest() {
    let (mut pool, _) = stocked(3);
    assert_eq!(try_next(&mut pool, at(0)), Ok(0));
    let (mut pool, _) = filled(3);
    assert_eq!(try_next(&mut pool, at(0)), Ok(3));
}

#[test]
fn who_asked_by_id_gets_the_arrival_before_who_would_take_any() {
    let mut pool = server(4);
    let next = pool.take_next(at(0), FOREVER);
    let by_id = pool.take(at(0), id(0), FOREVER);
    accept(&mut pool, at(1), V1);
    assert_eq!(fetch(&mut pool, at(1), by_id), Ok(0));
    assert!(is_waiting(&mut pool, at(1), next));
}

#[test]
fn a_claimed_connection_is_not_handed_out_next_but_by_its_id() {
    let (mut pool, keys) = stocked(2);
    pool.handle_claimed(at(0), keys[0]);
    pool.handle_claimed(at(0), keys[0]);
    assert_eq!((pool.active(), pool.stats().claimed), (1, 1));
    assert_eq!(try_next(&mut pool, at(0)), Ok(1));
    assert_eq!(try_next(&mut pool, at(0)), Err(TakeError::Timeout));
    assert_eq!(try_id(&mut pool, at(0), 0), Ok(0));
}

#[test]
fn a_retained_connection_is_handed_out_by_its_id_until_its_limit() {
    let (mut pool, keys) = stocked(3);
    assert_eq!(try_next(&mut pool, at(0)), Ok(0));
    pool.handle_retained(at(0), keys[1]);
    pool.handle_claimed(at(0), keys[2]);
    pool.handle_retained(at(1000), keys[2]);
    pool.handle_claimed(at(1000), keys[2]);
    assert_eq!((pool.active(), pool.stats().claimed, pool.stats().retained), (0, 0, 2));
    assert_eq!(try_next(&mut pool, at(1000)), Err(TakeError::Timeout));
    assert_eq!(pool.poll_timeout(), Some(at(30_000)));
    pool.handle_timeout(at(30_000));
    assert_eq!(look(&mut pool).closed, [(1, CloseReason::RetentionExpired)]);
    assert_eq!(try_id(&mut pool, at(30_000), 1), Err(TakeError::Gone(CloseReason::RetentionExpired)));
    assert_eq!(try_id(&mut pool, at(30_999), 2), Ok(2));
}

#[test]
fn a_retained_connection_does_not_expire_under_the_waiter_it_was_offered_to() {
    let (mut pool, keys) = stocked(1);
    pool.handle_retained(at(0), keys[0]);
    let waiter = pool.take(at(29_999), id(0), ms(1));
    pool.handle_timeout(at(40_000));
    assert!(look(&mut pool).closed.is_empty());
    pool.cancel(at(40_000), waiter);
    pool.handle_timeout(at(40_000));
    assert_eq!(look(&mut pool).closed, [(0, CloseReason::RetentionExpired)]);
}

#[test]
fn who_is_offered_what_the_peer_then_claims_keeps_its_place_and_gets_another() {
    let mut pool = server(4);
    let first = pool.take_next(at(0), FOREVER);
    let second = pool.take_next(at(0), FOREVER);
    let key = accept(&mut pool, at(1), V1);
    look(&mut pool);
    pool.handle_claimed(at(2), key);
    assert!(is_waiting(&mut pool, at(2), first));
    accept(&mut pool, at(3), V1);
    assert_eq!(look(&mut pool).woken, [first]);
    assert_eq!(fetch(&mut pool, at(3), first), Ok(1));
    assert!(is_waiting(&mut pool, at(3), second));
    assert_eq!(try_id(&mut pool, at(3), 0), Ok(0), "the claimed one is there for who knows its ID");
}

#[test]
fn what_the_peer_claims_goes_at_once_to_who_waits_for_its_id() {
    let (mut pool, keys) = stocked(1);
    let next = pool.take_next(at(0), FOREVER);
    let by_id = pool.take(at(0), id(0), FOREVER);
    pool.handle_claimed(at(1), keys[0]);
    assert!(is_waiting(&mut pool, at(1), next));
    assert_eq!(fetch(&mut pool, at(1), by_id), Ok(0));
}

#[test]
fn what_the_peer_claims_stays_with_who_was_offered_it_by_its_id() {
    let (mut pool, keys) = stocked(1);
    let by_id = pool.take(at(0), id(0), FOREVER);
    pool.handle_claimed(at(1), keys[0]);
    pool.handle_retained(at(2), keys[0]);
    assert_eq!(fetch(&mut pool, at(3), by_id), Ok(0));
}
