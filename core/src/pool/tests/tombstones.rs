//! What a take by ID learns of a connection that is gone, and how the control ID comes again.

use super::*;

const TAKEN: Result<u32, TakeError> = Err(TakeError::Gone(CloseReason::Taken));

#[test]
fn a_take_of_a_closed_connection_fails_at_once_with_the_reason() {
    let (mut pool, keys) = stocked(2);
    pool.handle_closed(at(0), keys[1], CloseReason::KeepaliveTimeout);
    let waiter = pool.take(at(10), id(1), FOREVER);
    assert_eq!(look(&mut pool).woken, [waiter]);
    assert_eq!(fetch(&mut pool, at(10), waiter), Err(TakeError::Gone(CloseReason::KeepaliveTimeout)));
}

#[test]
fn who_already_waits_for_a_connection_learns_at_once_that_it_is_gone() {
    let (mut pool, keys) = stocked(2);
    let next = pool.take_next(at(0), FOREVER);
    assert_eq!(fetch(&mut pool, at(0), next), Ok(0));
    let offered = pool.take(at(0), id(1), FOREVER);
    let waiting = pool.take(at(0), id(1), FOREVER);
    pool.handle_closed(at(1), keys[1], DIED);
    for waiter in [offered, waiting] {
        assert_eq!(fetch(&mut pool, at(1), waiter), Err(TakeError::Gone(DIED)));
    }
}

#[test]
fn a_second_take_of_one_connection_fails_at_once() {
    let (mut pool, _) = stocked(2);
    let first = pool.take(at(0), id(1), FOREVER);
    let second = pool.take(at(0), id(1), FOREVER);
    assert_eq!(fetch(&mut pool, at(0), first), Ok(1));
    assert_eq!(fetch(&mut pool, at(0), second), TAKEN);
    assert_eq!(try_id(&mut pool, at(0), 1), TAKEN);
}

#[test]
fn a_taken_connection_is_known_as_taken_while_it_lives_and_for_a_while_after() {
    let (mut pool, keys) = stocked(2);
    assert_eq!(try_id(&mut pool, at(0), 1), Ok(1));
    assert_eq!(try_id(&mut pool, at(3_600_000), 1), TAKEN);
    pool.handle_released(at(3_600_000), keys[1]);
    assert_eq!(pool.stats().taken, 0);
    assert_eq!(try_id(&mut pool, at(3_629_999), 1), TAKEN);
    assert_eq!(try_id(&mut pool, at(3_630_000), 1), Err(TakeError::Timeout));
}

#[test]
fn a_tombstone_expires() {
    let (mut pool, keys) = stocked(2);
    pool.handle_closed(at(0), keys[1], DIED);
    assert_eq!(try_id(&mut pool, at(29_999), 1), Err(TakeError::Gone(DIED)));
    let waiter = pool.take(at(30_000), id(1), FOREVER);
    assert!(is_waiting(&mut pool, at(30_000), waiter), "it may come again");
}

#[test]
fn a_newer_tombstone_is_not_removed_with_an_older_one() {
    let (mut pool, dials) = started(client_config(3));
    let first = dialed(&mut pool, at(0), dials[0], 1, V1);
    pool.handle_closed(at(0), first, DIED);
    let second = dialed(&mut pool, at(20_000), dials[1], 1, V1);
    pool.handle_closed(at(20_000), second, CloseReason::TransportEnded);
    let other = dialed(&mut pool, at(35_000), dials[2], 2, V1);
    pool.handle_closed(at(35_000), other, DIED);
    assert_eq!(try_id(&mut pool, at(35_000), 1), Err(TakeError::Gone(CloseReason::TransportEnded)));
}

#[test]
fn an_id_that_is_given_again_can_be_waited_for_again() {
    let ids = || 1_u32.to_be_bytes();
    let config = ServerConfig { capacity: 4, ..ServerConfig::default() };
    let mut pool = ServerPool::new(config, Box::new(ids) as Box<dyn FnMut() -> [u8; 4]>, 7).unwrap();
    accept(&mut pool, at(0), V1);
    let key = accept(&mut pool, at(0), V1);
    pool.handle_closed(at(0), key, DIED);
    let (handshake, again) = admit(&mut pool, at(1));
    assert_eq!(again, id(1));
    let waiter = pool.take(at(1), id(1), FOREVER);
    assert!(is_waiting(&mut pool, at(1), waiter), "the new one is on its way");
    pool.handle_accepted(at(2), handshake, V1, 1);
    assert_eq!(fetch(&mut pool, at(2), waiter), Ok(1));
}

#[test]
fn who_waits_for_an_id_whose_handshake_fails_learns_it_at_once() {
    let mut pool = server(4);
    accept(&mut pool, at(0), V1);
    let (handshake, number) = admit(&mut pool, at(0));
    let waiter = pool.take(at(0), number, FOREVER);
    pool.handle_accept_failed(at(1), handshake);
    assert_eq!(fetch(&mut pool, at(1), waiter), Err(TakeError::Gone(CloseReason::HandshakeFailed)));
}

#[test]
fn a_churning_peer_cannot_grow_the_memory_of_tombstones_without_limit() {
    let mut pool = server(1);
    let control = accept(&mut pool, at(0), V1);
    pool.handle_claimed(at(0), control);
    for _ in 0..70_000 {
        let key = accept(&mut pool, at(0), V1);
        pool.handle_closed(at(0), key, DIED);
        while pool.poll_output().is_some() {}
    }
    assert_eq!(try_id(&mut pool, at(0), 1), Err(TakeError::Timeout), "the oldest is forgotten");
    assert_eq!(try_id(&mut pool, at(0), 70_000), Err(TakeError::Gone(DIED)));
}

#[test]
fn the_control_id_can_be_waited_for_through_the_deaths_of_its_connections() {
    let mut pool = server(4);
    let control = pool.take(at(0), ConnectionId::CONTROL, FOREVER);
    for _ in 0..3 {
        let key = accept(&mut pool, at(1), V1);
        assert_eq!((look(&mut pool).woken, key.id()), (alloc::vec![control], ConnectionId::CONTROL));
        pool.handle_closed(at(2), key, DIED);
        assert!(is_waiting(&mut pool, at(2), control));
    }
    accept(&mut pool, at(3), V1);
    assert_eq!(fetch(&mut pool, at(3), control), Ok(0));
}

#[test]
fn a_second_take_of_the_control_id_waits_for_it_to_come_again() {
    let mut pool = server_with(ServerConfig { capacity: 8, pool: with_control_channel(), ..ServerConfig::default() });
    let control = accept(&mut pool, at(0), V1);
    assert_eq!(try_id(&mut pool, at(0), 0), Ok(0));
    let again = pool.take(at(0), ConnectionId::CONTROL, FOREVER);
    assert_eq!(accept(&mut pool, at(1), V1).id(), id(1), "there is one control connection at a time");
    assert!(is_waiting(&mut pool, at(1), again));
    pool.handle_released(at(2), control);
    accept(&mut pool, at(3), V1);
    assert_eq!(fetch(&mut pool, at(3), again), Ok(0));
}

#[test]
fn without_a_control_channel_the_control_id_is_taken_once() {
    for is_claimed in [false, true] {
        let (mut pool, keys) = stocked(1);
        if is_claimed {
            pool.handle_claimed(at(0), keys[0]);
        }
        assert_eq!(try_id(&mut pool, at(0), 0), Ok(0));
        assert_eq!(try_id(&mut pool, at(0), 0), Err(TakeError::Gone(CloseReason::Taken)));
        pool.handle_released(at(1), keys[0]);
        // The peer may still hold what came over it, under this ID.
        assert_eq!(accept(&mut pool, at(2), V1).id(), id(1));
    }
}
