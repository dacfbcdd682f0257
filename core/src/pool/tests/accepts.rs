//! Who gets the connections that the peer took.

use super::*;

#[test]
fn what_the_peer_took_first_is_accepted_first_by_who_came_first() {
    let (mut pool, keys) = stocked(4);
    let waiters = [pool.accept(at(0), FOREVER), pool.accept(at(0), FOREVER)];
    for key in [keys[3], keys[1], keys[2]] {
        pool.handle_claimed(at(1), key);
        pool.assert_consistent();
    }
    assert_eq!(waiters.map(|waiter| fetch(&mut pool, at(1), waiter)), [Ok(3), Ok(1)]);
    let third = pool.accept(at(2), Duration::ZERO);
    assert_eq!(fetch(&mut pool, at(2), third), Ok(2));
    let none = pool.accept(at(2), Duration::ZERO);
    assert_eq!(fetch(&mut pool, at(2), none), Err(TakeError::Timeout), "what is merely idle is not accepted");
}

#[test]
fn who_waits_for_the_id_goes_before_who_accepts() {
    let (mut pool, keys) = stocked(2);
    let accepting = pool.accept(at(0), FOREVER);
    let by_id = pool.take(at(0), id(1), FOREVER);
    pool.handle_claimed(at(1), keys[1]);
    assert_eq!(fetch(&mut pool, at(1), by_id), Ok(1));
    assert!(is_waiting(&mut pool, at(1), accepting));
}

#[test]
fn who_accepts_gets_another_when_the_first_dies() {
    let (mut pool, keys) = stocked(3);
    let waiter = pool.accept(at(0), FOREVER);
    for &key in &keys {
        pool.handle_claimed(at(1), key);
    }
    pool.handle_closed(at(2), keys[0], DIED);
    pool.assert_consistent();
    pool.handle_dead_on_take(at(2), keys[1], DIED);
    assert_eq!(fetch(&mut pool, at(2), waiter), Ok(2), "what was there already is not forgotten");
}

#[test]
fn a_cancelled_accept_gives_its_connection_to_the_next() {
    let (mut pool, keys) = stocked(2);
    let first = pool.accept(at(0), FOREVER);
    let second = pool.accept(at(0), FOREVER);
    pool.handle_claimed(at(1), keys[1]);
    pool.cancel(at(2), first);
    assert_eq!(fetch(&mut pool, at(2), second), Ok(1));
}

#[test]
fn the_control_connection_is_never_accepted_where_there_is_a_control_channel() {
    let mut pool = server_with(ServerConfig { capacity: 4, pool: with_control_channel(), ..ServerConfig::default() });
    let keys = [accept(&mut pool, at(0), V2), accept(&mut pool, at(0), V2)];
    let waiter = pool.accept(at(0), FOREVER);
    pool.handle_claimed(at(1), keys[0]);
    assert!(is_waiting(&mut pool, at(1), waiter));
    pool.handle_claimed(at(1), keys[1]);
    assert_eq!(fetch(&mut pool, at(1), waiter), Ok(1));
}
