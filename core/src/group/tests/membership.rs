use super::*;

fn named(config: GroupConfig) -> (Group, NameId) {
    let mut group = Group::new(config, 7).unwrap();
    let name = group.add_name(at(0), 4..=8).unwrap();
    assert_eq!(outputs(&mut group), [GroupOutput::Resolve(name)]);
    (group, name)
}

/// What an answer adds and drains.
fn answer(group: &mut Group, now: Instant, name: NameId, hosts: &[u8]) -> (Vec<SocketAddr>, Vec<EndpointId>) {
    let addresses: Vec<_> = hosts.iter().map(|host| address(*host)).collect();
    group.handle_resolved(now, name, &addresses);
    let (mut added, mut drained) = (Vec::new(), Vec::new());
    for output in outputs(group) {
        match output {
            GroupOutput::Add { address, .. } => added.push(address),
            GroupOutput::Drain { endpoint, timeout } => {
                assert_eq!(timeout, GroupConfig::default().drain_timeout);
                drained.push(endpoint);
            }
            GroupOutput::Resize { .. } => {}
            other => panic!("{other:?}"),
        }
    }
    (added, drained)
}

fn endpoints(group: &mut Group) -> Vec<EndpointId> {
    let mut all = group.order(|_| ready(0));
    all.sort();
    all
}

#[test]
fn an_answer_adds_what_is_new_drains_what_is_gone_and_leaves_the_rest() {
    let (mut group, name) = named(GroupConfig::default());
    assert_eq!(answer(&mut group, at(0), name, &[1, 2, 2]), (Vec::from([address(1), address(2)]), Vec::new()));
    let before = endpoints(&mut group);
    assert_eq!(before.len(), 2);
    assert_eq!(answer(&mut group, at(1), name, &[2, 1]), (Vec::new(), Vec::new()));
    let (added, drained) = answer(&mut group, at(2), name, &[3, 2]);
    assert_eq!((added, drained), (Vec::from([address(3)]), Vec::from([before[0]])));
    assert_eq!(endpoints(&mut group).len(), 2, "nothing is taken next from what is drained");
    // Back before its old pool is closed, it is another endpoint.
    assert_eq!(answer(&mut group, at(3), name, &[1, 2, 3]), (Vec::from([address(1)]), Vec::new()));
    group.handle_removed(before[0]);
    assert_eq!((endpoints(&mut group).len(), outputs(&mut group)), (3, Vec::new()));
}

#[test]
fn an_answer_without_an_address_and_no_answer_change_nothing_and_are_asked_for_again_soon() {
    let (mut group, name) = named(GroupConfig::default());
    answer(&mut group, at(0), name, &[1, 2]);
    let regular = group.poll_timeout().unwrap();
    assert!((ms(27_000)..=ms(30_000)).contains(&(regular - at(0))), "{regular}");
    group.handle_timeout(regular);
    assert_eq!(outputs(&mut group), [GroupOutput::Resolve(name)]);
    let mut now = regular;
    for (full, is_empty) in [(100, true), (200, false), (400, true)] {
        if is_empty {
            group.handle_resolved(now, name, &[])
        } else {
            group.handle_resolve_failed(now, name)
        }
        assert_eq!(outputs(&mut group), []);
        let due = group.poll_timeout().unwrap();
        assert!((ms(full) / 2..=ms(full)).contains(&(due - now)), "{:?} of {full} ms", due - now);
        now = due;
        group.handle_timeout(now);
        assert_eq!(outputs(&mut group), [GroupOutput::Resolve(name)]);
    }
    assert_eq!(endpoints(&mut group).len(), 2);
}

#[test]
fn no_more_addresses_than_the_limit_are_used_and_those_in_use_stay() {
    let (mut group, name) = named(GroupConfig { max_addresses: 3, ..GroupConfig::default() });
    assert_eq!(answer(&mut group, at(0), name, &[1, 2]).0.len(), 2);
    assert_eq!(answer(&mut group, at(1), name, &[9, 8, 2, 1]), (Vec::from([address(9)]), Vec::new()));
    let (added, drained) = answer(&mut group, at(2), name, &[7, 6, 5, 9]);
    assert_eq!((added, drained.len()), (Vec::from([address(7), address(6)]), 2));
}

#[test]
fn a_refresh_looks_up_at_once_and_once_more_when_one_is_under_way() {
    let (mut group, name) = named(GroupConfig::default());
    group.refresh(at(1));
    group.refresh(at(1));
    assert_eq!(outputs(&mut group), [], "one at a time");
    group.handle_resolved(at(2), name, &[address(1)]);
    assert!(outputs(&mut group).contains(&GroupOutput::Resolve(name)), "that answer may be older than the refresh");
    group.handle_resolved(at(3), name, &[address(1)]);
    assert_eq!(outputs(&mut group), []);
    group.refresh(at(4));
    assert_eq!(outputs(&mut group), [GroupOutput::Resolve(name)]);
}

#[test]
fn an_address_that_is_out_has_its_name_looked_up_early_but_not_all_the_time() {
    let (mut group, name) = named(GroupConfig { probe_backoff: ms(60_000)..=ms(60_000), ..GroupConfig::default() });
    group.handle_resolved(at(0), name, &[address(1)]);
    outputs(&mut group);
    let endpoint = endpoints(&mut group)[0];
    group.handle_dial_failed(at(10), endpoint, REFUSED, 0);
    assert_eq!(outputs(&mut group), [GroupOutput::Hold(endpoint)]);
    assert_eq!(group.poll_timeout(), Some(at(3000)), "a tenth of the interval after the last answer");
    group.handle_timeout(at(3000));
    assert_eq!(outputs(&mut group), [GroupOutput::Resolve(name)]);
}

#[test]
fn a_drained_group_is_closed_with_the_last_of_its_pools_and_adds_none() {
    let (mut group, name) = named(GroupConfig::default());
    answer(&mut group, at(0), name, &[1, 2]);
    let all = endpoints(&mut group);
    group.handle_dial_failed(at(0), all[0], REFUSED, 0);
    outputs(&mut group);
    group.drain(ms(5));
    let drained: Vec<_> = all.iter().map(|e| GroupOutput::Drain { endpoint: *e, timeout: ms(5) }).collect();
    assert_eq!(outputs(&mut group), drained);
    assert_eq!((group.poll_timeout(), endpoints(&mut group)), (None, Vec::new()));
    group.handle_resolved(at(1), name, &[address(3)]);
    group.refresh(at(1));
    group.handle_dialed(all[0]);
    let late = group.add(1..=1).unwrap();
    assert_eq!(outputs(&mut group), [GroupOutput::Close(late)]);
    for endpoint in all {
        assert!(group.is_draining() && !group.is_closed());
        group.handle_removed(endpoint);
    }
    assert!(group.is_closed() && !group.is_draining());
}

#[test]
fn a_closed_group_closes_every_pool_and_stays_closed() {
    let (mut group, endpoints) = group_of(GroupConfig::default(), 2);
    group.close();
    let closed: Vec<_> = endpoints.iter().map(|endpoint| GroupOutput::Close(*endpoint)).collect();
    assert_eq!(outputs(&mut group), closed);
    group.drain(ms(5));
    group.handle_dial_failed(at(1), endpoints[0], REFUSED, 0);
    assert_eq!((outputs(&mut group), group.is_closed()), (Vec::new(), true));
}
