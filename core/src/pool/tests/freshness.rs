//! What comes of a last look at a connection before it is handed out.

use super::*;

fn offer<S: Side<u32>>(pool: &Pool<u32, S>, waiter: WaiterId) -> Option<u32> {
    pool.offered(waiter).map(|(_, payload)| *payload)
}

#[test]
fn a_fresher_connection_passes_a_stale_one_which_returns_to_its_old_place() {
    let (mut pool, keys) = stocked_v2(3);
    let waiter = pool.take_next(at(0), FOREVER);
    assert!(pool.handle_stale(at(1), keys[0]));
    assert_eq!(look(&mut pool).woken, [waiter, waiter]);
    assert_eq!(fetch(&mut pool, at(1), waiter), Ok(1));
    assert_eq!((pool.active(), pool.stats().idle), (1, 2));
    pool.handle_proved(at(2), keys[0]);
    assert_eq!([try_next(&mut pool, at(2)), try_next(&mut pool, at(2))], [Ok(0), Ok(2)]);
}

#[test]
fn a_waiter_passed_over_keeps_its_place_and_is_served_by_the_first_proof() {
    let (mut pool, keys) = stocked_v2(2);
    let first = pool.take_next(at(0), FOREVER);
    let second = pool.take_next(at(0), FOREVER);
    assert!(pool.handle_stale(at(1), keys[0]) && pool.handle_stale(at(1), keys[1]));
    assert!(is_waiting(&mut pool, at(1), first) && is_waiting(&mut pool, at(1), second));
    look(&mut pool);
    pool.handle_proved(at(2), keys[1]);
    assert_eq!(look(&mut pool).woken, [first]);
    assert_eq!(fetch(&mut pool, at(2), first), Ok(1));
    accept(&mut pool, at(3), V2);
    assert_eq!(fetch(&mut pool, at(3), second), Ok(2), "a new one does as well");
}

#[test]
fn what_was_proved_for_an_offer_is_not_found_stale_again() {
    let (mut pool, keys) = stocked_v2(1);
    let waiter = pool.take_next(at(0), FOREVER);
    assert!(pool.handle_stale(at(1), keys[0]) && pool.handle_stale(at(1), keys[0]), "held back once and for all");
    pool.handle_proved(at(2), keys[0]);
    let last = at(2) + LinkConfig::default().pong_timeout;
    assert!(!pool.handle_stale(last, keys[0]), "or a limit shorter than a round trip would ask for ever");
    assert_eq!(offer(&pool, waiter), Some(0));
    let late = last + Duration::from_nanos(1);
    assert!(pool.handle_stale(late, keys[0]), "this end has slept for longer than an answer takes");
    pool.handle_proved(late, keys[0]);
    pool.cancel(late, waiter);
    let later = pool.take_next(late, FOREVER);
    assert!(pool.handle_stale(late, keys[0]), "what was cancelled can grow stale");
    assert!(is_waiting(&mut pool, late, later));
}

#[test]
fn a_take_by_id_waits_for_the_proof() {
    let (mut pool, keys) = stocked_v2(2);
    let offered = pool.take(at(0), id(1), FOREVER);
    assert!(pool.handle_stale(at(1), keys[1]));
    assert!(is_waiting(&mut pool, at(1), offered));
    let behind = pool.take(at(1), id(1), FOREVER);
    assert_eq!(try_id(&mut pool, at(1), 1), Err(TakeError::Timeout), "who only tries does not wait");
    pool.handle_proved(at(2), keys[1]);
    assert_eq!(fetch(&mut pool, at(2), offered), Ok(1));
    assert_eq!(fetch(&mut pool, at(2), behind), Err(TakeError::Gone(CloseReason::Taken)));
}

#[test]
fn a_take_that_only_tries_passes_over_the_stale_and_the_dead() {
    let (mut pool, keys) = stocked_v2(3);
    let waiter = pool.take_next(at(0), Duration::ZERO);
    assert!(pool.handle_stale(at(1), keys[0]));
    pool.handle_dead_on_take(at(1), keys[1], DIED);
    assert_eq!(offer(&pool, waiter), Some(2));
    assert!(pool.handle_stale(at(1), keys[2]));
    assert_eq!(fetch(&mut pool, at(1), waiter), Err(TakeError::Timeout));
}

#[test]
fn what_cannot_answer_or_was_taken_is_not_held_back() {
    let (mut pool, keys) = stocked(1);
    let v2 = accept(&mut pool, at(0), V2);
    let waiter = pool.take_next(at(0), FOREVER);
    assert!(!pool.handle_stale(at(1), keys[0]), "a v1 peer answers no ping");
    assert_eq!(fetch(&mut pool, at(1), waiter), Ok(0));
    pool.handle_claimed(at(1), v2);
    for key in [keys[0], v2] {
        assert!(!pool.handle_stale(at(1), key));
        pool.handle_proved(at(1), key);
        pool.assert_consistent();
    }
    assert_eq!((pool.active(), pool.stats().claimed), (0, 1));
}

#[test]
fn what_the_peer_takes_or_closes_while_held_back_is_not_held_back_any_more() {
    let (mut pool, keys) = stocked_v2(3);
    for &key in &keys {
        assert!(pool.handle_stale(at(0), key));
    }
    let waiter = pool.take(at(0), id(1), FOREVER);
    pool.handle_claimed(at(1), keys[0]);
    pool.handle_closed(at(1), keys[1], CloseReason::KeepaliveTimeout);
    pool.handle_retained(at(1), keys[2]);
    assert_eq!(fetch(&mut pool, at(1), waiter), Err(TakeError::Gone(CloseReason::KeepaliveTimeout)));
    for (number, key) in (0..).zip(&keys) {
        pool.handle_proved(at(2), *key);
        assert_eq!(try_id(&mut pool, at(2), number).is_ok(), number != 1, "{number}");
    }
}

#[test]
fn held_back_connections_fill_the_capacity_and_can_be_flushed() {
    let mut pool = server(2);
    let keys = [accept(&mut pool, at(0), V2), accept(&mut pool, at(0), V2)];
    look(&mut pool);
    assert!(pool.handle_stale(at(0), keys[0]));
    let late = pool.handle_incoming(at(0), None).unwrap();
    assert_eq!(pool.handle_request(at(0), late, "/"), Err(crate::Rejection::Full));
    pool.flush(at(1));
    assert_eq!(look(&mut pool).closed.len(), 2);
}

#[test]
fn a_client_dials_for_who_waits_while_everything_is_held_back() {
    let (mut pool, dials) = started(client_config(2));
    let keys = [dialed(&mut pool, at(0), dials[0], 1, V2), dialed(&mut pool, at(0), dials[1], 2, V2)];
    let waiter = pool.take_next(at(1), FOREVER);
    assert!(look(&mut pool).dials.is_empty());
    assert!(keys.iter().rev().all(|key| pool.handle_stale(at(1), *key)));
    let dials = look(&mut pool).dials;
    assert_eq!(dials.len(), 1, "they may all be dead");
    dialed(&mut pool, at(2), dials[0], 3, V2);
    assert_eq!(fetch(&mut pool, at(2), waiter), Ok(3));
}

#[test]
fn the_dead_are_counted_when_they_were_about_to_be_handed_out() {
    let (mut pool, keys) = stocked(4);
    let first = pool.take_next(at(0), ms(10));
    let second = pool.take_next(at(0), FOREVER);
    pool.handle_dead_on_take(at(20), keys[0], DIED);
    assert_eq!((offer(&pool, first), offer(&pool, second)), (Some(2), Some(1)), "late, but there is one");
    assert_eq!(look(&mut pool).closed, [(0, DIED)]);
    pool.handle_dead_on_take(at(20), keys[3], DIED);
    pool.handle_dead_on_take(at(20), keys[0], DIED);
    let stats = pool.stats();
    assert_eq!((stats.dead_on_take, stats.closed_total), (1, 2), "nobody was offered the other one");
    pool.handle_dead_on_take(at(21), keys[2], DIED);
    assert_eq!(fetch(&mut pool, at(21), first), Err(TakeError::Timeout));
}

#[test]
fn the_round_trip_time_is_smoothed_as_rfc_6298_says() {
    let (mut pool, _) = stocked(0);
    assert_eq!(pool.stats().round_trip, None);
    for (measured, smoothed) in [(80, 80), (160, 90), (90, 90)] {
        pool.handle_round_trip(ms(measured));
        assert_eq!(pool.stats().round_trip, Some(ms(smoothed)));
    }
    pool.handle_round_trip(Duration::MAX);
    pool.handle_round_trip(Duration::MAX);
    assert!(pool.stats().round_trip > Some(Duration::MAX / 8), "absurd measurements do no harm");
}

#[test]
fn a_connection_can_be_looked_up_while_the_pool_has_it() {
    let (mut pool, keys) = stocked(3);
    let waiter = pool.take(at(0), id(1), FOREVER);
    assert_eq!(keys.iter().filter_map(|key| pool.connection(*key)).collect::<Vec<_>>(), [&0, &1, &2]);
    assert_eq!(fetch(&mut pool, at(0), waiter), Ok(1));
    pool.handle_closed(at(0), keys[2], DIED);
    assert_eq!(keys.iter().filter_map(|key| pool.connection(*key)).collect::<Vec<_>>(), [&0]);
}
