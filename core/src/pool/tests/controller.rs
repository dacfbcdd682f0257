//! How a client's capacity and interval follow the demand from round to round.

use super::*;

fn adaptive() -> ClientConfig {
    ClientConfig { capacity: 10..=20, interval: ms(100)..=ms(1000), ..ClientConfig::default() }
}

/// Ends all these dials well.
fn all_dialed(pool: &mut Client, now: Instant, dials: Vec<DialId>, next_id: &mut u32) {
    for dial in dials {
        *next_id += 1;
        dialed(pool, now, dial, *next_id, V1);
    }
}

#[test]
fn starts_with_the_least_capacity_and_the_shortest_interval() {
    let (pool, dials) = started(adaptive());
    assert_eq!((pool.capacity(), pool.interval(), dials.len()), (10, ms(100), 10));
    assert_eq!(pool.poll_timeout(), Some(at(100)));
}

#[test]
fn an_idle_pool_slows_down_and_shrinks_to_its_least() {
    let (mut pool, dials) = started(adaptive());
    all_dialed(&mut pool, at(0), dials, &mut 0);
    let mut intervals = Vec::new();
    for _ in 0..12 {
        let due = pool.poll_timeout().unwrap();
        let dials = run(&mut pool, due);
        all_dialed(&mut pool, due, dials, &mut 100);
        intervals.push(pool.poll_timeout().unwrap() - due);
    }
    assert_eq!(intervals.last(), Some(&ms(1000)));
    assert!(intervals.windows(2).all(|pair| pair[1] - pair[0] <= ms(100)), "{intervals:?}");
    assert_eq!(pool.capacity(), 10, "the first round made 10 of 10, the others nothing");
}

#[test]
fn a_pool_that_is_emptied_every_round_grows_by_one_a_round_up_to_its_limit() {
    let (mut pool, mut dials) = started(adaptive());
    let mut next_id = 0;
    for round in 1..=15 {
        let now = pool.poll_timeout().unwrap();
        all_dialed(&mut pool, now, dials, &mut next_id);
        while try_next(&mut pool, now).is_ok() {}
        dials = run(&mut pool, now);
        assert_eq!(pool.capacity(), (10 + round).min(20));
        assert_eq!(dials.len(), pool.capacity());
    }
    assert_eq!(pool.interval(), ms(100));
}

#[test]
fn dials_slower_than_the_interval_do_not_look_like_no_demand() {
    let (mut pool, dials) = started(adaptive());
    let mut next_id = 0;
    let mut in_flight = alloc::collections::VecDeque::from([(at(1000), dials)]);
    for _ in 0..12 {
        let (arrival, dials) = in_flight.pop_front().unwrap();
        while let Some(due) = pool.poll_timeout()
            && due < arrival
        {
            let begun = run(&mut pool, due);
            assert!(begun.is_empty());
        }
        all_dialed(&mut pool, arrival, dials, &mut next_id);
        while try_next(&mut pool, arrival).is_ok() {}
        let mut due = arrival;
        let begun = loop {
            due = due.max(pool.poll_timeout().unwrap());
            let begun = run(&mut pool, due);
            if !begun.is_empty() {
                break begun;
            }
        };
        in_flight.push_back((due + ms(1000), begun));
    }
    assert_eq!(pool.capacity(), 20, "everything that was dialed was taken");
}

#[test]
fn an_outage_shrinks_the_pool_to_its_least_and_no_further() {
    let (mut pool, dials) = started(adaptive());
    let mut next_id = 0;
    all_dialed(&mut pool, at(0), dials, &mut next_id);
    let more = run(&mut pool, at(200));
    assert_eq!((pool.capacity(), more.len()), (11, 1));
    refused(&mut pool, at(200), more[0]);
    pool.flush(at(201));
    while let Some(now) = pool.poll_timeout()
        && now < at(5000)
    {
        for dial in run(&mut pool, now) {
            refused(&mut pool, now, dial);
        }
    }
    assert_eq!((pool.capacity(), pool.interval()), (10, ms(100)));
}

#[test]
fn dials_on_their_way_are_not_dialed_again() {
    let (mut pool, _) = started(adaptive());
    assert!(run(&mut pool, at(100)).is_empty());
    assert_eq!(pool.capacity(), 10);
}

#[test]
fn a_pool_that_its_waiters_dial_for_keeps_the_shortest_interval() {
    let (mut pool, mut dials) = started(adaptive());
    let mut next_id = 0;
    for round in 1..=12 {
        let (earlier, due) = (at(round * 100 - 50), at(round * 100));
        all_dialed(&mut pool, earlier, dials, &mut next_id);
        while try_next(&mut pool, earlier).is_ok() {}
        pool.take_next(earlier, FOREVER);
        dials = look(&mut pool).dials;
        assert!(dials.len() > 10, "a waiter has the pool dial at once");
        dials.extend(run(&mut pool, due));
        assert_eq!(pool.interval(), ms(100), "nothing is idle");
    }
}

#[test]
fn a_fixed_policy_keeps_capacity_and_interval() {
    let (mut pool, dials) = started(ClientConfig { policy: Policy::Fixed, ..adaptive() });
    all_dialed(&mut pool, at(0), dials, &mut 0);
    for round in 1..10 {
        assert_eq!(pool.poll_timeout(), Some(at(round * 100)));
        run(&mut pool, at(round * 100));
    }
    assert_eq!(pool.capacity(), 10);
}
