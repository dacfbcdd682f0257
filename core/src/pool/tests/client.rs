//! What a client does with the connections that it dialed.

use super::*;

/// Lets waiters come and be served, so that more connections than the capacity are idle.
fn overfull(peers: &[PeerGeneration]) -> Client {
    let (mut pool, mut dials) = started(client_config(1));
    let waiters: Vec<_> = peers.iter().skip(1).map(|_| pool.take_next(at(0), FOREVER)).collect();
    dials.extend(look(&mut pool).dials);
    for waiter in waiters {
        pool.cancel(at(1), waiter);
    }
    for ((dial, &peer), number) in dials.into_iter().zip(peers).zip(1..) {
        dialed(&mut pool, at(2), dial, number, peer);
    }
    assert_eq!(pool.active(), peers.len(), "a dial that was begun ends in the pool, whoever lost interest");
    pool
}

#[test]
fn a_repeated_id_replaces_the_idle_connection_which_is_closed() {
    let (mut pool, dials) = started(client_config(2));
    dialed(&mut pool, at(0), dials[0], 1, V1);
    pool.handle_dialed(at(1), dials[1], id(1), V1, 11).unwrap();
    assert_eq!(look(&mut pool).closed, [(1, CloseReason::Replaced)]);
    assert_eq!(try_id(&mut pool, at(1), 1), Ok(11));
}

#[test]
fn who_was_offered_what_is_replaced_gets_the_new_one() {
    let (mut pool, dials) = started(client_config(2));
    dialed(&mut pool, at(0), dials[0], 1, V1);
    let waiter = pool.take(at(0), id(1), FOREVER);
    pool.handle_dialed(at(1), dials[1], id(1), V1, 11).unwrap();
    assert_eq!(fetch(&mut pool, at(1), waiter), Ok(11));
}

#[test]
fn a_repeated_id_never_touches_a_taken_connection() {
    let (mut pool, dials) = started(client_config(2));
    let first = dialed(&mut pool, at(0), dials[0], 1, V1);
    assert_eq!(try_id(&mut pool, at(0), 1), Ok(1));
    let second = pool.handle_dialed(at(1), dials[1], id(1), V1, 11).unwrap();
    assert!(look(&mut pool).closed.is_empty());
    pool.handle_closed(at(2), first, DIED);
    pool.handle_released(at(2), first);
    pool.handle_released(at(2), second);
    assert_eq!(try_id(&mut pool, at(2), 1), Ok(11), "the end of the old one is not the end of the new one");
    assert_eq!(pool.stats().taken, 1);
}

#[test]
fn the_end_of_a_taken_connection_is_not_that_of_a_newer_one_with_its_id() {
    let (mut pool, dials) = started(client_config(2));
    let first = dialed(&mut pool, at(0), dials[0], 1, V1);
    assert_eq!(try_id(&mut pool, at(0), 1), Ok(1));
    dialed(&mut pool, at(1), dials[1], 1, V1);
    let offered = pool.take(at(1), id(1), FOREVER);
    let waiting = pool.take(at(1), id(1), FOREVER);
    pool.handle_released(at(2), first);
    assert!(is_waiting(&mut pool, at(2), waiting));
    pool.cancel(at(2), offered);
    assert_eq!(fetch(&mut pool, at(2), waiting), Ok(1));
}

#[test]
fn surplus_towards_v2_peers_is_closed_oldest_first_one_a_round() {
    let mut pool = overfull(&[V2, V2, V2, V2]);
    for (round, expected) in [(1, 1), (2, 2), (3, 3)] {
        pool.handle_timeout(at(round * 100));
        assert_eq!(look(&mut pool).closed, [(expected, CloseReason::Surplus)]);
    }
    pool.handle_timeout(at(400));
    assert!(look(&mut pool).closed.is_empty());
    assert_eq!(try_next(&mut pool, at(400)), Ok(4));
}

#[test]
fn surplus_towards_v1_peers_is_never_closed() {
    let mut pool = overfull(&[V1, V2, V1, V1]);
    pool.handle_timeout(at(100));
    assert_eq!(look(&mut pool).closed, [(2, CloseReason::Surplus)]);
    for round in 2..20 {
        pool.handle_timeout(at(round * 100));
        assert!(look(&mut pool).closed.is_empty());
    }
    assert_eq!(pool.active(), 3);
}

#[test]
fn the_control_connection_is_never_surplus() {
    let config = ClientConfig { pool: with_control_channel(), ..client_config(1) };
    let (mut pool, dials) = started(config);
    dialed(&mut pool, at(0), dials[0], 0, V2);
    let waiter = pool.take_next(at(0), FOREVER);
    let dials = look(&mut pool).dials;
    assert_eq!(dials.len(), 1, "the control connection is no use to who takes the next");
    pool.cancel(at(0), waiter);
    dialed(&mut pool, at(1), dials[0], 1, V2);
    pool.handle_timeout(at(100));
    assert_eq!(look(&mut pool).closed, [(1, CloseReason::Surplus)]);
    assert_eq!(try_id(&mut pool, at(100), 0), Ok(0));
}

#[test]
fn a_claimed_connection_is_replaced_by_the_next_round() {
    let (mut pool, keys) = filled(3);
    pool.handle_claimed(at(50), keys[0]);
    assert_eq!(run(&mut pool, at(100)).len(), 1);
}

#[test]
fn an_accepted_connection_is_replaced_at_once_within_the_dial_limit() {
    let config = ClientConfig { max_concurrent_dials: 2, ..client_config(3) };
    let (mut pool, mut dials) = started(config);
    let keys = [1, 2, 3].map(|number| {
        let key = dialed(&mut pool, at(0), dials.remove(0), number, V2);
        dials.extend(look(&mut pool).dials);
        key
    });
    keys.iter().for_each(|&key| pool.handle_claimed(at(10), key));
    assert!(look(&mut pool).dials.is_empty(), "nobody accepted anything yet");
    for number in 1..=3 {
        let waiter = pool.accept(at(10), FOREVER);
        assert_eq!(fetch(&mut pool, at(10), waiter), Ok(number));
        dials.extend(look(&mut pool).dials);
        assert_eq!(dials.len(), 2, "after {number}");
    }
    let key = dialed(&mut pool, at(11), dials[0], 4, V2);
    assert_eq!(look(&mut pool).dials.len(), 1, "what the limit kept back");
    refused(&mut pool, at(12), dials[1]);
    pool.handle_claimed(at(13), key);
    let waiter = pool.accept(at(13), FOREVER);
    assert_eq!(fetch(&mut pool, at(13), waiter), Ok(4));
    assert!(look(&mut pool).dials.is_empty(), "a server that fails is left alone for a while");
}

#[test]
fn what_is_accepted_from_a_server_that_closes_what_it_lets_in_is_replaced_by_the_next_round() {
    let (mut pool, keys) = filled(3);
    pool.handle_claimed(at(10), keys[0]);
    pool.handle_closed(at(10), keys[1], DIED);
    let waiter = pool.accept(at(10), FOREVER);
    fetch(&mut pool, at(10), waiter).unwrap();
    assert!(look(&mut pool).dials.is_empty());
    assert_eq!(run(&mut pool, at(100)).len(), 2);
}

#[test]
fn flushed_connections_are_dialed_again_by_the_next_round() {
    let (mut pool, _) = filled(3);
    pool.flush(at(50));
    assert_eq!(look(&mut pool).closed.len(), 3);
    assert_eq!(run(&mut pool, at(100)).len(), 3);
}

#[test]
fn timers_never_come_due_without_something_to_do() {
    let (mut pool, dials) = started(ClientConfig { max_concurrent_dials: 2, ..client_config(4) });
    refused(&mut pool, at(0), dials[0]);
    pool.take_next(at(0), ms(777));
    pool.take(at(0), id(1), ms(888));
    let mut last = at(0);
    for _ in 0..1000 {
        let due = pool.poll_timeout().unwrap();
        assert!(due > last, "{due} after {last}");
        last = due;
        run(&mut pool, due);
    }
}
