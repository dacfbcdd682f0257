//! Pools on both ends that take next: each has its half of the IDs.

use super::*;

fn opening() -> PoolConfig {
    PoolConfig { opens: true, ..PoolConfig::default() }
}

fn opening_client(capacity: usize) -> (Client, Vec<DialId>) {
    started(ClientConfig { pool: opening(), ..client_config(capacity) })
}

fn opening_server(capacity: usize) -> Server {
    server_with(ServerConfig { capacity, pool: opening(), ..ServerConfig::default() })
}

fn reserve(pool: &mut Server, peer: PeerHeader) -> Result<(AcceptId, ConnectionId), crate::Rejection> {
    let accept = pool.handle_incoming(at(0), None).expect("the pool is open");
    pool.handle_request(at(0), accept, RequestHead::from("/").with_peer(peer)).map(|admitted| (accept, admitted.id))
}

/// Lets a peer in; says which ID it got.
fn let_in(pool: &mut Server, peer: PeerHeader) -> u32 {
    let (accept, id) = reserve(pool, peer).expect("there is room");
    let number = u32::from_be_bytes(id.to_bytes());
    pool.handle_accepted(at(0), accept, peer, number).expect("it is registered");
    pool.assert_consistent();
    number
}

fn last_bits(ids: impl IntoIterator<Item = u32>) -> [usize; 2] {
    let mut bits = [0; 2];
    ids.into_iter().for_each(|id| bits[id as usize % 2] += 1);
    bits
}

#[test]
fn a_client_takes_next_only_its_half_and_accepts_the_other() {
    let (mut pool, dials) = opening_client(4);
    let keys: Vec<_> =
        dials.iter().zip(1..).map(|(dial, number)| dialed(&mut pool, at(0), *dial, number, opener())).collect();
    assert_eq!([try_next(&mut pool, at(0)), try_next(&mut pool, at(0))], [Ok(3), Ok(1)], "the newest odd one first");
    assert_eq!(try_next(&mut pool, at(0)), Err(TakeError::Timeout));
    assert_eq!(pool.active(), 2);
    assert_eq!(try_id(&mut pool, at(0), 2), Ok(2), "by its ID everything can be taken");
    let waiter = pool.accept(at(0), FOREVER);
    pool.handle_claimed(at(0), keys[3]);
    assert_eq!(fetch(&mut pool, at(0), waiter), Ok(4));
}

#[test]
fn a_server_takes_next_only_its_half_oldest_first() {
    let mut pool = opening_server(8);
    for expected in [0, 1, 2] {
        assert_eq!(let_in(&mut pool, opener()), expected);
    }
    assert_eq!([(); 3].map(|()| try_next(&mut pool, at(0))), [Ok(0), Ok(2), Err(TakeError::Timeout)]);
}

#[test]
fn halves_are_only_where_both_ends_say_that_they_open_connections() {
    for (ours, theirs) in [(opening(), V2.into()), (PoolConfig::default(), opener()), (opening(), V1.into())] {
        let mut pool = client_with(ClientConfig { pool: ours, ..client_config(2) });
        for (dial, number) in run(&mut pool, at(0)).into_iter().zip(1..) {
            dialed(&mut pool, at(0), dial, number, PeerHeader { ..theirs });
        }
        assert_eq!([try_next(&mut pool, at(0)), try_next(&mut pool, at(0))], [Ok(2), Ok(1)], "{theirs:?}");
    }
    let v1 = PeerHeader { generation: V1, opens: true };
    let mut pool = opening_server(4);
    assert_eq!([(); 3].map(|()| let_in(&mut pool, v1)), [0, 1, 2]);
    assert_eq!([(); 3].map(|()| try_next(&mut pool, at(0))), [Ok(0), Ok(1), Ok(2)], "a v1 peer divides nothing");
}

#[test]
fn divided_and_undivided_connections_are_taken_in_one_order() {
    let (mut pool, dials) = opening_client(6);
    let peers = [opener(), V2.into(), opener(), V1.into(), opener(), V2.into()];
    for ((dial, peer), number) in dials.into_iter().zip(peers).zip(11..) {
        dialed(&mut pool, at(0), dial, number, peer);
    }
    let taken: Vec<_> = (0..6).map_while(|_| try_next(&mut pool, at(0)).ok()).collect();
    assert_eq!(taken, [16, 15, 14, 13, 12, 11]);

    let mut pool = opening_server(8);
    for peer in [opener(), opener(), V2.into(), opener(), V1.into()] {
        let_in(&mut pool, peer);
    }
    let taken: Vec<_> = (0..6).map_while(|_| try_next(&mut pool, at(0)).ok()).collect();
    assert_eq!(taken, [0, 2, 4], "1 and 3 are the peer's");
}

#[test]
fn a_server_balances_the_halves_as_it_allots_ids() {
    let mut pool = opening_server(8);
    let ids: Vec<_> = (0..8).map(|_| let_in(&mut pool, opener())).collect();
    assert_eq!((ids[0], last_bits(ids.clone())), (0, [4, 4]), "the first is the control ID");
    for _ in 0..3 {
        assert!(try_next(&mut pool, at(0)).is_ok());
    }
    let ids: Vec<_> = (0..3).map(|_| let_in(&mut pool, opener())).collect();
    assert_eq!(last_bits(ids.into_iter().filter(|id| *id != 0)), [3, 0], "what was taken is replaced in its half");
}

#[test]
fn what_is_being_answered_counts_for_its_half() {
    let mut pool = opening_server(8);
    let reserved: Vec<_> = (0..8).map(|_| reserve(&mut pool, opener()).expect("there is room")).collect();
    let number = |id: ConnectionId| u32::from_be_bytes(id.to_bytes());
    assert_eq!(last_bits(reserved.iter().map(|(_, id)| number(*id))), [4, 4]);
    for (accept, _) in reserved.iter().filter(|(_, id)| number(*id) % 2 == 1) {
        pool.handle_accept_failed(at(0), *accept);
    }
    let again = (0..4).map(|_| number(reserve(&mut pool, opener()).expect("there is room").1));
    assert_eq!(last_bits(again.collect::<Vec<_>>()), [0, 4]);
}

#[test]
fn peers_that_do_not_open_get_ids_as_they_are_drawn_and_count_for_neither_half() {
    let mut pool = opening_server(16);
    assert_eq!([(); 4].map(|()| let_in(&mut pool, V2.into())), [0, 1, 2, 3]);
    assert_eq!(let_in(&mut pool, opener()), 4, "of even halves neither is served first");
    assert_eq!(let_in(&mut pool, opener()), 5);
}

#[test]
fn the_control_connection_of_a_control_channel_counts_for_neither_half() {
    let config = PoolConfig { control_channel: true, ..opening() };
    let mut pool = server_with(ServerConfig { capacity: 8, pool: config, ..ServerConfig::default() });
    assert_eq!([(); 3].map(|()| let_in(&mut pool, opener())), [0, 1, 2]);
    assert_eq!([(); 2].map(|()| try_next(&mut pool, at(0))), [Ok(2), Err(TakeError::Timeout)]);
}

#[test]
fn a_full_server_lets_one_more_in_for_the_end_that_has_none() {
    let mut pool = opening_server(1);
    assert_eq!(let_in(&mut pool, opener()), 0);
    assert_eq!(reserve(&mut pool, V2.into()), Err(crate::Rejection::Full), "a peer that does not open needs none");
    assert_eq!(let_in(&mut pool, opener()), 1);
    assert_eq!(reserve(&mut pool, opener()), Err(crate::Rejection::Full));
}

#[test]
fn a_client_of_capacity_one_keeps_one_for_each_end() {
    let (mut pool, dials) = opening_client(1);
    dialed(&mut pool, at(0), dials[0], 2, opener());
    assert!(look(&mut pool).dials.is_empty());
    let dials = run(&mut pool, at(100));
    assert_eq!(dials.len(), 1, "this end has none to take");
    dialed(&mut pool, at(100), dials[0], 3, opener());
    for round in 2..9 {
        assert!(run(&mut pool, at(100 * round)).is_empty());
        assert_eq!(pool.active(), 2, "neither is surplus");
    }
}

#[test]
fn a_waiter_is_dialed_for_though_the_peers_half_fills_the_capacity() {
    let (mut pool, dials) = opening_client(2);
    for (dial, number) in dials.into_iter().zip([2, 4]) {
        dialed(&mut pool, at(0), dial, number, opener());
    }
    look(&mut pool);
    let waiter = pool.take_next(at(1), FOREVER);
    let dials = look(&mut pool).dials;
    assert!(!dials.is_empty());
    dialed(&mut pool, at(2), dials[0], 5, opener());
    assert_eq!(fetch(&mut pool, at(2), waiter), Ok(5));
}

#[test]
fn a_server_that_gives_only_the_other_half_is_not_dialed_without_end() {
    let (mut pool, mut dials) = opening_client(3);
    let waiter = pool.take_next(at(0), FOREVER);
    dials.extend(look(&mut pool).dials);
    let mut even = (2..).step_by(2);
    while let Some(dial) = dials.pop() {
        dialed(&mut pool, at(0), dial, even.next().unwrap(), opener());
        dials.extend(look(&mut pool).dials);
    }
    assert!(is_waiting(&mut pool, at(0), waiter));
    assert_eq!(pool.active(), 2 * 3 + 1, "twice the capacity, and one for the waiter");
}

#[test]
fn surplus_is_taken_from_the_larger_half_oldest_first() {
    let (mut pool, mut dials) = opening_client(2);
    let waiters = [(); 3].map(|()| pool.take_next(at(0), FOREVER));
    dials.extend(look(&mut pool).dials);
    waiters.into_iter().for_each(|waiter| pool.cancel(at(0), waiter));
    for (dial, number) in dials.into_iter().zip([1, 2, 4, 6, 8]) {
        dialed(&mut pool, at(0), dial, number, opener());
    }
    let closed: Vec<_> = (1..9)
        .flat_map(|round| {
            pool.handle_timeout(at(100 * round));
            look(&mut pool).closed
        })
        .collect();
    assert_eq!(closed, [2, 4, 6].map(|number| (number, CloseReason::Surplus)));
}
