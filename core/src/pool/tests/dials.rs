//! How a client dials: limits, deadlines, backoff, and what a waiter sets off.

use super::*;

const SECOND: u64 = 1000;

/// Refuses every dial for a while; says when each began.
fn refuse_all(pool: &mut Client, mut dials: Vec<DialId>, until: Instant) -> Vec<Instant> {
    let mut begun: Vec<_> = dials.iter().map(|_| at(0)).collect();
    let mut now = at(0);
    loop {
        for dial in dials.drain(..) {
            refused(pool, now, dial);
        }
        dials.extend(look(pool).dials);
        if dials.is_empty() {
            now = pool.poll_timeout().unwrap();
            if now >= until {
                return begun;
            }
            dials.extend(run(pool, now));
        }
        begun.extend(dials.iter().map(|_| now));
    }
}

#[test]
fn no_more_dials_than_the_limit_are_under_way_and_the_rest_follow_at_once() {
    let (mut pool, dials) = started(ClientConfig { max_concurrent_dials: 3, ..client_config(5) });
    assert_eq!(dials.len(), 3);
    dialed(&mut pool, at(10), dials[0], 1, V1);
    assert_eq!(look(&mut pool).dials.len(), 1, "what the round owes begins as soon as there is room");
    dialed(&mut pool, at(11), dials[1], 2, V1);
    assert_eq!(look(&mut pool).dials.len(), 1);
    dialed(&mut pool, at(12), dials[2], 3, V1);
    assert!(look(&mut pool).dials.is_empty());
    assert_eq!((pool.active(), pool.stats().handshakes), (3, 2));
}

#[test]
fn dials_in_flight_count_as_present() {
    let (mut pool, dials) = started(client_config(5));
    assert_eq!(dials.len(), 5);
    for round in 1..50 {
        assert!(run(&mut pool, at(round * 100)).is_empty());
    }
}

/// The original waited for the slowest dial of a round: one black hole froze 20 connections for 29.8 s.
#[test]
fn a_black_holed_dial_stops_neither_the_others_nor_the_rounds() {
    let (mut pool, dials) = started(client_config(3));
    for (number, &dial) in (1..).zip(&dials[1..]) {
        dialed(&mut pool, at(5), dial, number, V1);
    }
    assert_eq!(try_next(&mut pool, at(50)), Ok(2));
    assert_eq!(run(&mut pool, at(100)).len(), 1, "the next round replaces what was taken");
}

#[test]
fn each_dial_has_one_total_deadline() {
    let (mut pool, first) = started(client_config(1));
    let waiter = pool.take_next(at(400), FOREVER);
    let second = look(&mut pool).dials;
    pool.handle_timeout(at(9_999));
    assert!(look(&mut pool).aborted_dials.is_empty());
    pool.handle_timeout(at(10_000));
    assert_eq!(look(&mut pool).aborted_dials, first);
    pool.handle_timeout(at(10_400));
    assert_eq!(look(&mut pool).aborted_dials, second);
    let stats = pool.stats();
    assert_eq!(stats.dial_failures.timeout, 2);
    assert_eq!(stats.last_dial_failure, Some((at(10_400), DialFailure::Timeout)));
    assert!(is_waiting(&mut pool, at(10_400), waiter));
}

/// The original made 2,614 dials in 5 s.
#[test]
fn a_refusing_server_is_dialed_less_and_less_often_even_while_somebody_waits() {
    for waiting in [false, true] {
        let (mut pool, dials) = started(client_config(1));
        if waiting {
            pool.take(at(0), id(9), FOREVER);
        }
        let begun = refuse_all(&mut pool, dials, at(60 * SECOND));
        for (pair, full) in begun.windows(2).zip([100, 200, 400, 800, 1600, 3200, 6400, 10_000, 10_000]) {
            let pause = pair[1] - pair[0];
            assert!((ms(full) / 2..=ms(full)).contains(&pause), "{pause:?} of {full} ms");
        }
        assert!((11..=20).contains(&begun.len()), "{} dials in a minute", begun.len());
        assert_eq!(pool.stats().dial_failures.connect, begun.len() as u64, "each is counted with its cause");
        assert_eq!(pool.error_count(), 0);
    }
}

#[test]
fn clients_of_one_server_do_not_come_back_in_a_wave() {
    let comebacks = (0..100).map(|seed| {
        let mut pool = ClientPool::new(client_config(1), seed, at(0)).unwrap();
        let dials = run(&mut pool, at(0));
        refused(&mut pool, at(0), dials[0]);
        pool.poll_timeout().unwrap()
    });
    let distinct: alloc::collections::BTreeSet<_> = comebacks.collect();
    assert!(distinct.len() > 95, "{} of 100 differ", distinct.len());
}

#[test]
fn dials_that_fail_together_count_as_one_failure() {
    let (mut pool, dials) = started(client_config(20));
    for dial in dials {
        refused(&mut pool, at(1), dial);
    }
    assert_eq!(pool.stats().dial_failures.connect, 20);
    let next = pool.poll_timeout().unwrap();
    assert!(next <= at(101), "the first pause is the shortest, not the twentieth: {next}");
}

#[test]
fn while_the_server_fails_one_dial_at_a_time_asks_whether_it_is_back() {
    let (mut pool, dials) = started(client_config(20));
    for dial in dials {
        refused(&mut pool, at(0), dial);
    }
    let mut probed = 0;
    while let Some(now) = pool.poll_timeout()
        && now < at(30 * SECOND)
    {
        let probes = run(&mut pool, now);
        assert!(probes.len() <= 1);
        for probe in probes {
            probed += 1;
            refused(&mut pool, now, probe);
        }
    }
    assert!((5..=12).contains(&probed), "{probed} probes in 30 s");
}

#[test]
fn a_black_hole_does_not_stop_the_probing_nor_make_it_hasty() {
    let (mut pool, dials) = started(client_config(20));
    for dial in dials {
        refused(&mut pool, at(0), dial);
    }
    let mut begun = Vec::new();
    while let Some(now) = pool.poll_timeout()
        && now < at(9 * SECOND)
    {
        begun.extend(run(&mut pool, now).into_iter().map(|_| now));
    }
    assert!((5..=10).contains(&begun.len()), "nothing answers, so the pauses grow: {begun:?}");
}

#[test]
fn one_success_refills_the_pool_at_once() {
    let (mut pool, dials) = started(ClientConfig { interval: ms(60_000)..=ms(60_000), ..client_config(20) });
    for dial in dials {
        refused(&mut pool, at(0), dial);
    }
    let now = pool.poll_timeout().unwrap();
    let probe = run(&mut pool, now)[0];
    dialed(&mut pool, now + ms(5), probe, 1, V1);
    assert_eq!(look(&mut pool).dials.len(), 19, "not at the next round, which is a minute away");
}

#[test]
fn a_waiter_sets_off_a_dial_at_once() {
    let (mut pool, keys) = filled(2);
    assert_eq!(try_next(&mut pool, at(10)), Ok(2));
    assert!(look(&mut pool).dials.is_empty(), "who was served at once can wait for the round");
    pool.handle_closed(at(11), keys[0], DIED);
    run(&mut pool, at(100));
    for expected in [1, 1, 1] {
        pool.take_next(at(110), FOREVER);
        assert_eq!(look(&mut pool).dials.len(), expected, "every waiter wants one on top of the capacity");
    }
}

#[test]
fn a_waiter_does_not_cut_the_backoff_short() {
    let (mut pool, dials) = started(client_config(1));
    refused(&mut pool, at(0), dials[0]);
    let waiter = pool.take_next(at(1), FOREVER);
    assert!(look(&mut pool).dials.is_empty());
    let due = pool.poll_timeout().unwrap();
    let probe = run(&mut pool, due)[0];
    dialed(&mut pool, due, probe, 1, V1);
    assert_eq!(fetch(&mut pool, due, waiter), Ok(1));
    assert_eq!(look(&mut pool).dials.len(), 1, "success lifts the backoff for the rest");
}

#[test]
fn a_server_that_closes_what_it_has_just_accepted_is_not_dialed_in_a_tight_loop() {
    let (mut pool, mut dials) = started(client_config(1));
    pool.take(at(0), id(9), FOREVER);
    let (mut now, mut count) = (at(0), 0);
    while now < at(SECOND) {
        for dial in core::mem::take(&mut dials) {
            count += 1;
            let key = dialed(&mut pool, now, dial, count, V1);
            pool.handle_closed(now, key, CloseReason::PeerClosed(Some(1000)));
        }
        dials = look(&mut pool).dials;
        if dials.is_empty() {
            now = pool.poll_timeout().unwrap();
            dials = run(&mut pool, now);
        }
    }
    assert!((10..=35).contains(&count), "{count} dials in a second");
}

#[test]
fn a_waiter_that_lost_its_fresh_connection_does_not_wait_for_the_next_round() {
    let (mut pool, dials) = started(ClientConfig { interval: ms(60_000)..=ms(60_000), ..client_config(1) });
    let waiter = pool.take_next(at(0), FOREVER);
    let more = look(&mut pool).dials;
    let first = dialed(&mut pool, at(1), dials[0], 1, V1);
    pool.handle_closed(at(2), first, DIED);
    dialed(&mut pool, at(3), more[0], 2, V1);
    let second = pool.offered(waiter).unwrap().0;
    pool.handle_closed(at(4), second, DIED);
    assert!(look(&mut pool).dials.is_empty());
    let due = pool.poll_timeout().unwrap();
    assert!(due <= at(102), "{due}");
    assert_eq!(run(&mut pool, due).len(), 2);
}

#[test]
fn a_dial_that_was_given_up_gives_its_connection_back_to_be_closed() {
    let (mut pool, dials) = started(client_config(1));
    pool.handle_timeout(at(10_000));
    assert_eq!(look(&mut pool).aborted_dials, dials);
    assert!(pool.handle_dialed(at(10_001), dials[0], id(1), V1, 77).is_none());
    assert_eq!(look(&mut pool).closed, [(77, CloseReason::HandshakeFailed)]);
    pool.handle_dial_failed(at(10_002), dials[0], DialFailure::Tls);
    assert_eq!((pool.stats().dial_failures.total(), pool.stats().registered_total), (1, 0));
}
