//! Dials that are held, asked for one by one, and resumed; a capacity that changes.

use super::*;

#[test]
fn a_pool_that_is_held_dials_neither_for_rounds_nor_waiters_nor_retries() {
    let (mut pool, dials) = started(client_config(2));
    pool.handle_dial_failed(at(0), dials[0], DialFailure::Connect);
    pool.hold_dials(at(0));
    pool.handle_dialed(at(1), dials[1], id(1), V2, 1);
    assert_eq!(try_next(&mut pool, at(1)), Ok(1), "a dial under way goes on");
    let waiter = pool.take_next(at(2), FOREVER);
    let mut now = at(2);
    for _ in 0..20 {
        let due = pool.poll_timeout().expect("rounds go on");
        assert!(due > now, "no timer is due again and again for what may not be done");
        now = due;
        pool.handle_timeout(now);
        assert_eq!(look(&mut pool).dials, []);
    }
    pool.resume_dials(now);
    let dials = look(&mut pool).dials;
    assert_eq!(dials.len(), 3, "two for the capacity and one for who waits");
    pool.handle_dialed(now, dials[0], id(2), V2, 2);
    assert_eq!(fetch(&mut pool, now, waiter), Ok(2));
}

#[test]
fn a_held_pool_has_one_probe_at_a_time_even_during_a_pause() {
    let (mut pool, dials) = started(ClientConfig { backoff: ms(10)..=ms(10), ..client_config(2) });
    for dial in dials {
        pool.handle_dial_failed(at(0), dial, DialFailure::Connect);
    }
    pool.hold_dials(at(0));
    let first_round = at(100);
    assert_eq!(pool.poll_timeout(), Some(first_round), "the pause ends before, and nobody retries");
    pool.probe(at(1));
    pool.probe(at(1));
    let probes = look(&mut pool).dials;
    assert_eq!(probes.len(), 1);
    pool.handle_dial_failed(at(2), probes[0], DialFailure::Connect);
    assert_eq!(look(&mut pool).dials, []);
    pool.probe(at(3));
    let probes = look(&mut pool).dials;
    pool.handle_dialed(at(4), probes[0], id(1), V2, 1);
    assert_eq!(look(&mut pool).dials, [], "a probe that succeeds does not end the hold");
    pool.resume_dials(at(4));
    assert_eq!(look(&mut pool).dials.len(), 1, "the pause of the failures is over with the success");
    pool.close(at(5));
    pool.probe(at(5));
    assert_eq!(look(&mut pool).dials, [], "a closed pool probes nothing");
}

#[test]
fn a_capacity_that_grows_is_dialed_for_at_once_and_one_that_shrinks_is_trimmed() {
    let (mut pool, dials) = started(client_config(1));
    pool.handle_dialed(at(0), dials[0], id(1), V2, 1);
    pool.resize(at(1), 3..=3).unwrap();
    let dials = look(&mut pool).dials;
    assert_eq!((pool.capacity(), dials.len()), (3, 2));
    for (number, dial) in (2..).zip(dials) {
        pool.handle_dialed(at(1), dial, id(number), V2, number);
    }
    pool.resize(at(2), 1..=1).unwrap();
    assert_eq!((pool.capacity(), pool.active()), (1, 3));
    let mut now = at(2);
    for left in [2, 1, 1] {
        now = pool.poll_timeout().unwrap().max(now);
        pool.handle_timeout(now);
        look(&mut pool);
        assert_eq!(pool.active(), left);
    }
    assert!(pool.resize(now, 0..=4).is_err());
    assert_eq!(pool.capacity(), 1);
}

#[test]
fn an_adaptive_capacity_stays_within_the_new_bounds() {
    let config = ClientConfig { capacity: 2..=8, policy: Policy::Adaptive, ..client_config(2) };
    let (mut pool, _) = started(config);
    pool.resize(at(1), 4..=16).unwrap();
    assert_eq!(pool.capacity(), 4);
    pool.resize(at(1), 1..=3).unwrap();
    assert_eq!(pool.capacity(), 3);
}
