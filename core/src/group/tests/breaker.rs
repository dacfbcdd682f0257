use super::*;

fn state(group: &Group, endpoint: EndpointId) -> BreakerState {
    group.breaker(endpoint).unwrap()
}

#[test]
fn opens_after_failures_in_a_row_or_at_the_first_when_nothing_is_left() {
    let (mut group, endpoints) = group_of(GroupConfig { break_after: 3, ..GroupConfig::default() }, 2);
    let [stocked, empty] = endpoints[..] else { panic!() };
    for failures in 1..=3 {
        assert_eq!(state(&group, stocked), BreakerState::Closed, "{failures}");
        group.handle_dial_failed(at(0), stocked, REFUSED, 5);
        if failures == 2 {
            group.handle_dialed(stocked);
            group.handle_dial_failed(at(0), stocked, REFUSED, 5);
            group.handle_dial_failed(at(0), stocked, REFUSED, 5);
        }
    }
    assert_eq!(state(&group, stocked), BreakerState::Open);
    group.handle_dial_failed(at(0), empty, REFUSED, 0);
    assert_eq!(state(&group, empty), BreakerState::Open);
}

#[test]
fn a_server_that_is_full_is_not_out_while_it_has_connections_left() {
    let (mut group, endpoints) = group_of(GroupConfig::default(), 1);
    for status in [503, 429, 503, 503, 429] {
        group.handle_dial_failed(at(0), endpoints[0], DialFailure::Rejected(status), 1);
    }
    assert_eq!(state(&group, endpoints[0]), BreakerState::Closed);
    group.handle_dial_failed(at(0), endpoints[0], DialFailure::Rejected(503), 0);
    assert_eq!(state(&group, endpoints[0]), BreakerState::Open);
    group.handle_dialed(endpoints[0]);
    for _ in 0..3 {
        group.handle_dial_failed(at(0), endpoints[0], DialFailure::Rejected(403), 1);
    }
    assert_eq!(state(&group, endpoints[0]), BreakerState::Open);
}

#[test]
fn probes_come_one_at_a_time_with_longer_and_longer_pauses_until_one_succeeds() {
    let config = GroupConfig { probe_backoff: ms(100)..=ms(400), ..GroupConfig::default() };
    let (mut group, endpoints) = group_of(config, 1);
    let endpoint = endpoints[0];
    let mut now = at(0);
    group.handle_dial_failed(now, endpoint, REFUSED, 0);
    assert_eq!(outputs(&mut group), [GroupOutput::Hold(endpoint)]);
    for full in [100, 200, 400, 400] {
        // Those that were under way as it opened change nothing.
        let due = group.poll_timeout().unwrap();
        group.handle_dial_failed(now, endpoint, REFUSED, 0);
        assert_eq!(group.poll_timeout(), Some(due));
        assert!((ms(full) / 2..=ms(full)).contains(&(due - now)), "{:?} of {full} ms", due - now);
        group.handle_timeout(now);
        assert_eq!(outputs(&mut group), []);
        now = due;
        group.handle_timeout(now);
        assert_eq!(outputs(&mut group), [GroupOutput::Probe(endpoint)]);
        assert_eq!(state(&group, endpoint), BreakerState::HalfOpen);
        group.handle_timeout(now + ms(59_999));
        assert_eq!(outputs(&mut group), [], "no second probe beside the first");
        group.handle_dial_failed(now, endpoint, REFUSED, 0);
        assert_eq!((state(&group, endpoint), outputs(&mut group)), (BreakerState::Open, Vec::new()));
    }
    now = group.poll_timeout().unwrap();
    group.handle_timeout(now);
    group.handle_dialed(endpoint);
    assert_eq!(outputs(&mut group), [GroupOutput::Probe(endpoint), GroupOutput::Resume(endpoint)]);
    assert_eq!((state(&group, endpoint), group.poll_timeout()), (BreakerState::Closed, None));
}

#[test]
fn a_probe_that_finds_the_server_full_is_followed_by_another() {
    for status in [429, 503] {
        let (mut group, endpoints) = group_of(GroupConfig::default(), 1);
        group.handle_asked_back(at(0), endpoints[0]);
        let probe = group.poll_timeout().unwrap();
        group.handle_timeout(probe);
        assert_eq!(outputs(&mut group), [GroupOutput::Hold(endpoints[0]), GroupOutput::Probe(endpoints[0])]);
        group.handle_dial_failed(probe, endpoints[0], DialFailure::Rejected(status), 1);
        assert_eq!(state(&group, endpoints[0]), BreakerState::Open, "{status}");
        let next = group.poll_timeout().unwrap();
        assert!(next > probe);
        group.handle_timeout(next);
        assert_eq!(outputs(&mut group), [GroupOutput::Probe(endpoints[0])]);
    }
}

#[test]
fn a_probe_whose_outcome_nobody_tells_is_asked_for_again() {
    let (mut group, endpoints) = group_of(GroupConfig::default(), 1);
    group.handle_dial_failed(at(0), endpoints[0], REFUSED, 0);
    let mut now = group.poll_timeout().unwrap();
    group.handle_timeout(now);
    outputs(&mut group);
    for _ in 0..3 {
        assert_eq!(group.poll_timeout(), Some(now + ms(60_000)));
        now = now + ms(60_000);
        group.handle_timeout(now);
        assert_eq!(outputs(&mut group), [GroupOutput::Probe(endpoints[0])]);
        assert_eq!(state(&group, endpoints[0]), BreakerState::HalfOpen);
    }
    group.handle_dialed(endpoints[0]);
    assert_eq!((state(&group, endpoints[0]), group.poll_timeout()), (BreakerState::Closed, None));
}

#[test]
fn a_dial_that_began_before_and_succeeds_closes_it_too() {
    let (mut group, endpoints) = group_of(GroupConfig::default(), 1);
    group.handle_dial_failed(at(0), endpoints[0], REFUSED, 0);
    group.handle_dialed(endpoints[0]);
    assert_eq!(outputs(&mut group), [GroupOutput::Hold(endpoints[0]), GroupOutput::Resume(endpoints[0])]);
}

#[test]
fn who_is_up_makes_up_for_who_is_out_and_gives_it_back() {
    let mut group = Group::new(GroupConfig::default(), 7).unwrap();
    let shares = [10..=30, 5..=10, 5..=20];
    let endpoints: Vec<_> = shares.iter().map(|share| group.add(share.clone()).unwrap()).collect();
    assert_eq!(outputs(&mut group), []);
    group.handle_asked_back(at(0), endpoints[0]);
    group.handle_asked_back(at(0), endpoints[0]);
    assert_eq!(
        outputs(&mut group),
        [
            GroupOutput::Hold(endpoints[0]),
            GroupOutput::Resize { endpoint: endpoints[1], capacity: 10..=20 },
            GroupOutput::Resize { endpoint: endpoints[2], capacity: 10..=40 },
        ]
    );
    group.handle_dial_failed(at(0), endpoints[1], REFUSED, 0);
    assert_eq!(
        outputs(&mut group),
        [
            GroupOutput::Hold(endpoints[1]),
            GroupOutput::Resize { endpoint: endpoints[1], capacity: 5..=10 },
            GroupOutput::Resize { endpoint: endpoints[2], capacity: 20..=60 },
        ]
    );
    // Nobody is left to make up for anybody.
    group.handle_dial_failed(at(0), endpoints[2], REFUSED, 0);
    let back = GroupOutput::Resize { endpoint: endpoints[2], capacity: 5..=20 };
    assert_eq!(outputs(&mut group), [GroupOutput::Hold(endpoints[2]), back]);
    for endpoint in &endpoints {
        group.handle_dialed(*endpoint);
    }
    let told = outputs(&mut group);
    for (endpoint, share) in endpoints.iter().zip(shares) {
        let of = |output: &&GroupOutput| matches!(output, GroupOutput::Resize { endpoint: e, .. } if e == endpoint);
        let last = told.iter().rev().find(of);
        assert!(
            last.is_none_or(|last| *last == GroupOutput::Resize { endpoint: *endpoint, capacity: share }),
            "all are up: {told:?}"
        );
    }
}

#[test]
fn no_share_is_larger_than_a_pool_can_be() {
    let mut group = Group::new(GroupConfig::default(), 7).unwrap();
    let (one, two) = (group.add(1..=65_536).unwrap(), group.add(1..=65_536).unwrap());
    group.handle_asked_back(at(0), one);
    assert!(outputs(&mut group).contains(&GroupOutput::Resize { endpoint: two, capacity: 2..=65_536 }));
}

#[test]
fn shares_of_a_whole_too_large_to_count_stop_at_the_most() {
    assert_eq!(machine::scaled(2, (usize::MAX, 1)), 65_536);
}
