use alloc::collections::BTreeMap;

use super::super::selection::Candidate;
use super::*;

fn with(strategy: Strategy) -> GroupConfig {
    GroupConfig { strategy, ..GroupConfig::default() }
}

/// How often each endpoint came first.
fn firsts(group: &mut Group, rounds: usize, load: impl Fn(EndpointId) -> Load) -> BTreeMap<EndpointId, usize> {
    let mut counts = BTreeMap::new();
    for _ in 0..rounds {
        *counts.entry(group.order(&load)[0]).or_default() += 1;
    }
    counts
}

#[test]
fn who_has_nothing_is_not_tried_and_who_is_out_comes_last() {
    for strategy in [Strategy::RoundRobin, Strategy::LeastLoaded, Strategy::PowerOfTwo] {
        let (mut group, endpoints) = group_of(with(strategy), 4);
        group.handle_asked_back(at(0), endpoints[1]);
        for _ in 0..20 {
            let load = |endpoint| if endpoint == endpoints[0] { Load::default() } else { ready(0) };
            let order = group.order(load);
            assert_eq!((order.len(), order[2]), (3, endpoints[1]), "{strategy:?}");
            assert!(!order.contains(&endpoints[0]), "{strategy:?}");
            // When nobody else has any, what is left of one that is out is as good as any.
            let only = group.order(|endpoint| if endpoint == endpoints[1] { ready(0) } else { Load::default() });
            assert_eq!(only, [endpoints[1]], "{strategy:?}");
        }
        assert_eq!(group.order(|_| Load::default()), [], "{strategy:?}");
    }
}

#[test]
fn round_robin_goes_on_where_it_was_when_endpoints_come_and_go() {
    let (mut group, endpoints) = group_of(with(Strategy::RoundRobin), 3);
    assert_eq!(group.order(|_| ready(0))[0], endpoints[0]);
    group.handle_removed(endpoints[1]);
    assert_eq!(group.order(|_| ready(0))[0], endpoints[2]);
    let new = group.add(1..=1).unwrap();
    assert_eq!(group.order(|_| ready(0))[0], new);
    assert_eq!(group.order(|_| ready(0))[0], endpoints[0]);
}

#[test]
fn least_loaded_prefers_fewer_in_use_then_more_idle_then_takes_turns() {
    let (mut group, endpoints) = group_of(with(Strategy::LeastLoaded), 4);
    let loads: BTreeMap<_, _> = endpoints.iter().copied().zip([ready(3), ready(1), ready(2), ready(1)]).collect();
    let order = group.order(|endpoint| loads[&endpoint]);
    assert_eq!(order[2..], [endpoints[2], endpoints[0]]);
    assert_eq!(firsts(&mut group, 10, |e| loads[&e]), [(endpoints[1], 5), (endpoints[3], 5)].into());
    let more = |e| Load { idle: if e == endpoints[3] { 9 } else { 4 }, ..loads[&e] };
    assert_eq!(firsts(&mut group, 10, more), [(endpoints[3], 10)].into());
}

#[test]
fn power_of_two_draws_everybody_but_the_worst() {
    let (mut group, endpoints) = group_of(with(Strategy::PowerOfTwo), 4);
    let counts = firsts(&mut group, 1200, |e| ready(if e == endpoints[2] { 100 } else { 0 }));
    assert_eq!(counts.get(&endpoints[2]), None, "whoever is drawn beside it is healthier");
    assert_eq!(counts.len(), 3);
    assert!(counts.values().all(|count| (250..550).contains(count)), "{counts:?}");
}

#[test]
fn health_is_made_of_round_trip_use_idle_share_and_failures() {
    let base = Candidate {
        endpoint: EndpointId(1),
        load: Load { idle: 4, capacity: 8, in_use: 3, round_trip: Some(ms(20)) },
        failures: 0,
    };
    let load = base.load;
    let worse = [
        Candidate { load: Load { round_trip: Some(ms(40)), ..load }, ..base },
        Candidate { load: Load { in_use: 5, ..load }, ..base },
        Candidate { load: Load { idle: 2, ..load }, ..base },
        Candidate { load: Load { capacity: 16, ..load }, ..base },
        Candidate { failures: 1, ..base },
    ];
    for worse in worse {
        assert!(base.compare_health(&worse).is_lt() && worse.compare_health(&base).is_gt(), "{worse:?}");
    }
    // An original peer measures none: then it says nothing about the other either.
    let unknown = Candidate { load: Load { round_trip: None, ..load }, ..base };
    assert!(base.compare_health(&unknown).is_eq());
    let huge = Load { idle: 1, capacity: usize::MAX, in_use: usize::MAX, round_trip: Some(Duration::MAX) };
    assert!(base.compare_health(&Candidate { load: huge, failures: u32::MAX, ..base }).is_lt());
}
