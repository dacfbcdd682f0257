//! Whom a server lets in, and which IDs it gives.

use super::*;
use core::net::{IpAddr, Ipv4Addr};

use crate::Rejection;

const FRIEND: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));

fn answer(pool: &mut Server, address: &str, path: &str, upgrade: Result<(), Rejection>) -> Rejection {
    let accept = pool.handle_incoming(at(0), address.parse().ok()).unwrap();
    let rejection = pool.handle_request(at(0), accept, RequestHead::from(path).with_upgrade(upgrade)).unwrap_err();
    pool.handle_accept_failed(at(0), accept);
    pool.assert_consistent();
    rejection
}

fn server_with_ids(ids: &'static [u32], capacity: usize) -> Server {
    let mut ids = ids.iter().cycle();
    let source = move || ids.next().unwrap().to_be_bytes();
    let config = ServerConfig { capacity, ..ServerConfig::default() };
    ServerPool::new(config, Box::new(source) as Box<dyn FnMut() -> [u8; 4]>, 7).unwrap()
}

#[test]
fn a_peer_beyond_the_capacity_is_told_503_and_costs_no_id() {
    let mut pool = server(2);
    accept(&mut pool, at(0), V1);
    accept(&mut pool, at(0), V1);
    assert_eq!(answer(&mut pool, "192.0.2.1", "/", Ok(())), Rejection::Full);
    assert_eq!(try_next(&mut pool, at(0)), Ok(0));
    assert_eq!(accept(&mut pool, at(0), V1).id(), id(2), "no ID was lost to the rejected peer");
    assert_eq!(pool.stats().rejected_total, 1);
    assert_eq!(pool.stats().accept_failures, 0, "a rejection is an answer, not a failure");
}

#[test]
fn a_peer_learns_that_it_may_not_come_before_anything_else_of_the_pool() {
    let config = ServerConfig { path: Some("/pool".into()), allow: Some([FRIEND].into()), ..ServerConfig::default() };
    let mut pool = server_with(config);
    let first = pool.handle_incoming(at(0), "192.0.2.1".parse().ok()).unwrap();
    assert!(pool.handle_request(at(0), first, "/pool").is_ok(), "now the pool is full");
    let (stranger, friend) = ("192.0.2.9", "192.0.2.1");
    for upgrade in [Err(Rejection::Malformed), Err(Rejection::UpgradeRequired), Ok(())] {
        assert_eq!(answer(&mut pool, stranger, "/pool", upgrade), Rejection::Forbidden);
        assert_eq!(answer(&mut pool, "unknown", "/other", upgrade), Rejection::Forbidden);
        assert_eq!(answer(&mut pool, friend, "/other", upgrade), Rejection::NotFound);
        assert_eq!(answer(&mut pool, friend, "/pool", upgrade), upgrade.err().unwrap_or(Rejection::Full));
    }
}

#[test]
fn a_server_that_shares_its_address_never_gives_the_control_id() {
    let mut ids = [0_u32, 7, 0, 7, 0, 9].into_iter();
    let config = ServerConfig { capacity: 2, control_id: false, ..ServerConfig::default() };
    let source = move || ids.next().unwrap().to_be_bytes();
    let mut pool = ServerPool::new(config.clone(), Box::new(source) as Box<dyn FnMut() -> [u8; 4]>, 7).unwrap();
    let given = [V1, V2].map(|peer| accept(&mut pool, at(0), peer).id());
    assert_eq!(given, [7, 9].map(|id: u32| ConnectionId::from_bytes(id.to_be_bytes())));
    let pool = PoolConfig { control_channel: true, ..PoolConfig::default() };
    assert_eq!(ServerConfig { pool, ..config }.validate().unwrap_err().field(), "control_id");
}

#[test]
fn an_allowed_address_is_known_in_its_mapped_form_too() {
    let config = ServerConfig { allow: Some([FRIEND].into()), ..ServerConfig::default() };
    let mut pool = server_with(config);
    let accept = pool.handle_incoming(at(0), "::ffff:192.0.2.1".parse().ok()).unwrap();
    assert!(pool.handle_request(at(0), accept, "/any").is_ok());
}

#[test]
fn a_slot_is_reserved_by_a_complete_request_and_given_back_when_the_handshake_fails() {
    let mut pool = server(1);
    let slow: Vec<_> = (0..10).map(|_| pool.handle_incoming(at(0), None).unwrap()).collect();
    let (quick, _) = admit(&mut pool, at(0));
    assert_eq!(pool.handle_request(at(0), slow[0], "/"), Err(Rejection::Full), "the slot is reserved");
    pool.handle_accept_failed(at(1), quick);
    assert!(pool.handle_request(at(1), slow[1], "/").is_ok(), "slow peers fill no slots");
}

#[test]
fn a_peer_that_takes_whatever_it_gets_holds_no_more_than_may_be_claimed() {
    let mut pool = server_with(ServerConfig { capacity: 2, max_claimed: 3, ..ServerConfig::default() });
    let claimed: Vec<_> = (0..2)
        .map(|_| {
            let key = accept(&mut pool, at(0), V1);
            pool.handle_claimed(at(0), key);
            key
        })
        .collect();
    let retained = accept(&mut pool, at(0), V1);
    pool.handle_retained(at(0), retained);
    assert_eq!(answer(&mut pool, "192.0.2.1", "/", Ok(())), Rejection::Full);
    let waiter = pool.take(at(0), claimed[0].id(), FOREVER);
    assert!(pool.complete(at(0), waiter).is_some_and(|outcome| outcome.is_ok()));
    accept(&mut pool, at(0), V1);
    accept(&mut pool, at(0), V1);
    assert_eq!(answer(&mut pool, "192.0.2.1", "/", Ok(())), Rejection::Full, "now it is the capacity");
}

#[test]
fn connections_that_are_offered_claimed_or_retained_do_not_fill_the_capacity() {
    let mut pool = server(1);
    let claimed = accept(&mut pool, at(0), V1);
    pool.handle_claimed(at(0), claimed);
    let retained = accept(&mut pool, at(0), V1);
    pool.handle_retained(at(0), retained);
    accept(&mut pool, at(0), V1);
    pool.take_next(at(0), FOREVER);
    accept(&mut pool, at(0), V1);
    let stats = pool.stats();
    assert_eq!((stats.claimed, stats.retained, stats.offered, stats.idle), (1, 1, 1, 1));
    assert_eq!(answer(&mut pool, "192.0.2.1", "/", Ok(())), Rejection::Full);
}

#[test]
fn the_control_id_is_not_burnt_by_a_scanner_that_connects_first() {
    let mut pool = server(2);
    let scanner = pool.handle_incoming(at(0), None).unwrap();
    assert!(
        pool.handle_request(at(0), scanner, RequestHead::from("/").with_upgrade(Err(Rejection::UpgradeRequired)))
            .is_err()
    );
    let (dropped, first) = admit(&mut pool, at(0));
    assert!(first.is_control());
    let (_, second) = admit(&mut pool, at(0));
    assert!(!second.is_control(), "it is reserved once at a time");
    pool.handle_accept_failed(at(1), dropped);
    assert!(accept(&mut pool, at(2), V1).id().is_control(), "the failed handshake gave it back");
}

#[test]
fn the_control_id_is_offered_again_when_its_connection_dies_unclaimed() {
    let mut pool = server(2);
    let first = accept(&mut pool, at(0), V1);
    pool.handle_closed(at(1), first, DIED);
    let second = accept(&mut pool, at(2), V1);
    assert!(first.id().is_control() && second.id().is_control());
    assert_ne!(first, second);
    pool.handle_closed(at(3), first, DIED);
    assert_eq!(pool.active(), 1, "a late report of the first does not touch the second");
}

#[test]
fn take_next_leaves_the_control_connection_alone_when_there_is_a_control_channel() {
    let mut pool = server_with(ServerConfig { capacity: 8, pool: with_control_channel(), ..ServerConfig::default() });
    let waiter = pool.take_next(at(0), FOREVER);
    accept(&mut pool, at(0), V1);
    assert!(is_waiting(&mut pool, at(0), waiter));
    accept(&mut pool, at(0), V1);
    assert_eq!(fetch(&mut pool, at(0), waiter), Ok(1));
    assert_eq!(try_next(&mut pool, at(0)), Err(TakeError::Timeout));
    assert_eq!(try_id(&mut pool, at(0), 0), Ok(0));
}

#[test]
fn an_id_is_unique_among_all_that_is_alive() {
    let mut pool = server_with_ids(&[0, 5, 5, 6, 5, 6, 7, 8], 8);
    assert!(accept(&mut pool, at(0), V1).id().is_control());
    let five = accept(&mut pool, at(0), V1);
    assert_eq!(five.id(), id(5), "a zero is asked for again");
    assert_eq!(try_id(&mut pool, at(0), 5), Ok(5));
    let (six, reserved) = admit(&mut pool, at(0));
    assert_eq!(reserved, id(6), "5 is alive though it is taken");
    assert_eq!(accept(&mut pool, at(0), V1).id(), id(7), "6 is reserved");
    pool.handle_released(at(1), five);
    pool.handle_accept_failed(at(1), six);
    assert_eq!(accept(&mut pool, at(1), V1).id(), id(8));
    assert_eq!(accept(&mut pool, at(1), V1).id(), id(5), "5 came to its end");
}

#[test]
fn a_source_that_repeats_itself_makes_the_pool_full_not_the_ids_ambiguous() {
    let mut pool = server_with_ids(&[5], 8);
    accept(&mut pool, at(0), V1);
    accept(&mut pool, at(0), V1);
    assert_eq!(answer(&mut pool, "192.0.2.1", "/", Ok(())), Rejection::Full);
}

#[test]
fn each_phase_of_a_handshake_has_its_own_deadline() {
    let mut pool = server(4);
    let silent = pool.handle_incoming(at(0), None).unwrap();
    let secured = pool.handle_incoming(at(0), None).unwrap();
    let asked = pool.handle_incoming(at(0), None).unwrap();
    let rejected = pool.handle_incoming(at(0), None).unwrap();
    pool.handle_secured(at(4000), secured);
    pool.handle_secured(at(5000), asked);
    assert!(pool.handle_request(at(6000), asked, "/").is_ok());
    assert!(
        pool.handle_request(at(7000), rejected, RequestHead::from("/").with_upgrade(Err(Rejection::Malformed)))
            .is_err()
    );
    let mut aborted = Vec::new();
    while let Some(due) = pool.poll_timeout() {
        pool.handle_timeout(due);
        aborted.extend(look(&mut pool).aborted_accepts.into_iter().map(|accept| (accept, due)));
    }
    assert_eq!(aborted, [(silent, at(10_000)), (secured, at(14_000)), (asked, at(16_000)), (rejected, at(17_000))]);
    let stats = pool.stats();
    assert_eq!((stats.handshakes, stats.accept_failures, stats.rejected_total), (0, 3, 1));
    assert!(accept(&mut pool, at(20_000), V1).id().is_control(), "slot and ID were given back");
}

#[test]
fn a_handshake_that_was_given_up_gives_its_connection_back_to_be_closed() {
    let mut pool = server(4);
    let (late, _) = admit(&mut pool, at(0));
    pool.handle_timeout(at(10_000));
    assert_eq!(look(&mut pool).aborted_accepts, [late]);
    assert!(pool.handle_accepted(at(10_001), late, V1, 77).is_none());
    assert_eq!(look(&mut pool).closed, [(77, CloseReason::HandshakeFailed)]);
    assert_eq!(pool.stats().registered_total, 0);
}

#[test]
fn a_repeated_report_of_a_handshake_changes_nothing() {
    let mut pool = server(2);
    let (first, control) = admit(&mut pool, at(0));
    assert_eq!(pool.handle_request(at(0), first, "/"), Err(Rejection::Full));
    pool.handle_secured(at(0), first);
    pool.handle_accept_failed(at(0), first);
    pool.handle_accept_failed(at(0), first);
    assert!(pool.handle_request(at(0), first, "/").is_err());
    let stats = pool.stats();
    assert_eq!((stats.accept_failures, stats.rejected_total, stats.handshakes), (1, 0, 0));
    for _ in 0..2 {
        accept(&mut pool, at(1), V1);
    }
    assert_eq!(try_next(&mut pool, at(1)), Ok(u32::from_be_bytes(control.to_bytes())), "both slots were free again");
}

#[test]
fn a_failing_listener_is_asked_less_and_less_often_until_it_works_again() {
    let mut pool = server(4);
    for full in [10, 20, 40, 80, 160, 320, 640, 1000, 1000] {
        let pause = pool.handle_listener_failure(at(0));
        assert!((ms(full) / 2..=ms(full)).contains(&pause), "{pause:?} of {full} ms");
    }
    assert_eq!((pool.error_count(), pool.stats().listener_failures), (9, 9));
    let accept = pool.handle_incoming(at(0), None).unwrap();
    pool.handle_accept_failed(at(0), accept);
    assert!(pool.handle_listener_failure(at(0)) <= ms(10));
    assert_eq!(pool.error_count(), 10, "a peer's failed handshake is not the pool's");
}
