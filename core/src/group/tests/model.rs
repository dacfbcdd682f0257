//! Random stories, told to a group and to a naive model of it.

use alloc::collections::BTreeMap;

use proptest::collection::vec;
use proptest::prelude::{Just, ProptestConfig, Strategy as _, prop_oneof, proptest};

use super::super::selection::Candidate;
use super::*;

#[derive(Debug, Clone)]
enum Op {
    Wait(u64),
    Dialed(usize),
    Failed(usize, usize, DialFailure),
    AskedBack(usize),
    Removed(usize),
    Answer(Vec<u8>),
    Order(Vec<(usize, usize)>),
}

fn op() -> impl proptest::strategy::Strategy<Value = Op> {
    let loads = || vec((0..3_usize, 0..5_usize), 12);
    prop_oneof![
        3 => prop_oneof![0..2000_u64, 0..90_000_u64].prop_map(Op::Wait),
        2 => (0..12_usize).prop_map(Op::Dialed),
        3 => (0..12_usize, 0..2_usize, failure()).prop_map(|(endpoint, idle, why)| Op::Failed(endpoint, idle, why)),
        1 => (0..12_usize).prop_map(Op::AskedBack),
        1 => (0..12_usize).prop_map(Op::Removed),
        1 => vec(0..6_u8, 0..5).prop_map(Op::Answer),
        4 => loads().prop_map(Op::Order),
    ]
}

fn failure() -> impl proptest::strategy::Strategy<Value = DialFailure> {
    prop_oneof![Just(REFUSED), Just(DialFailure::Rejected(429)), Just(DialFailure::Rejected(503))]
}

/// What the model knows of an endpoint.
#[derive(Debug, Clone, Default)]
struct Known {
    address: Option<SocketAddr>,
    is_out: bool,
    /// Since when one asks whether it is back.
    probed: Option<Instant>,
    is_leaving: bool,
    in_a_row: u32,
}

const BREAK_AFTER: u32 = 3;

struct Story {
    strategy: Strategy,
    group: Group,
    name: NameId,
    is_resolving: bool,
    known: BTreeMap<EndpointId, Known>,
    told: BTreeMap<EndpointId, core::ops::RangeInclusive<usize>>,
    now: Instant,
    /// Since the last change, who came first how often.
    turns: BTreeMap<EndpointId, usize>,
}

impl Story {
    fn new(strategy: Strategy) -> Self {
        let config = GroupConfig { strategy, break_after: BREAK_AFTER, max_addresses: 4, ..GroupConfig::default() };
        let mut group = Group::new(config, 7).unwrap();
        let known = (0..3).map(|_| (group.add(4..=8).unwrap(), Known::default())).collect();
        let name = group.add_name(at(0), 4..=8).unwrap();
        let (told, turns) = (BTreeMap::new(), BTreeMap::new());
        let mut story = Self { strategy, group, name, is_resolving: false, known, told, now: at(0), turns };
        story.look();
        story
    }

    fn endpoint(&self, index: usize) -> Option<EndpointId> {
        self.known.keys().nth(index % self.known.len().max(1)).copied()
    }

    fn apply(&mut self, op: Op) {
        let now = self.now;
        match op {
            Op::Wait(pause) => {
                self.now = now + ms(pause);
                self.group.handle_timeout(self.now);
            }
            Op::Dialed(index) => {
                let Some(endpoint) = self.endpoint(index) else { return };
                let known = self.known.get_mut(&endpoint).unwrap();
                if !known.is_leaving {
                    (known.is_out, known.probed, known.in_a_row) = (false, None, 0);
                }
                self.group.handle_dialed(endpoint);
            }
            Op::Failed(index, idle, failure) => {
                let Some(endpoint) = self.endpoint(index) else { return };
                let known = self.known.get_mut(&endpoint).unwrap();
                let is_full = failure != REFUSED && idle > 0;
                if !known.is_leaving && (known.is_out || !is_full) {
                    known.in_a_row += 1;
                    known.is_out |= idle == 0 || known.in_a_row >= BREAK_AFTER;
                    known.probed = None;
                }
                self.group.handle_dial_failed(now, endpoint, failure, idle);
            }
            Op::AskedBack(index) => {
                let Some(endpoint) = self.endpoint(index) else { return };
                let known = self.known.get_mut(&endpoint).unwrap();
                known.is_out |= !known.is_leaving;
                self.group.handle_asked_back(now, endpoint);
            }
            Op::Removed(index) => {
                let Some(endpoint) = self.endpoint(index) else { return };
                self.known.remove(&endpoint);
                self.told.remove(&endpoint);
                self.group.handle_removed(endpoint);
            }
            Op::Answer(hosts) => {
                if !core::mem::take(&mut self.is_resolving) {
                    return;
                }
                let answer: Vec<_> = hosts.iter().map(|host| address(*host)).collect();
                self.group.handle_resolved(now, self.name, &answer);
                for known in self.known.values_mut().filter(|_| !answer.is_empty()) {
                    known.is_leaving |= known.address.is_some_and(|address| !answer.contains(&address));
                }
            }
            Op::Order(loads) => return self.order(&loads),
        }
        self.turns.clear();
        self.look();
    }

    fn look(&mut self) {
        for output in outputs(&mut self.group) {
            match output {
                GroupOutput::Resolve(_) => assert!(!core::mem::replace(&mut self.is_resolving, true), "one at a time"),
                GroupOutput::Add { endpoint, address, .. } => {
                    let twice = |known: &Known| known.address == Some(address) && !known.is_leaving;
                    assert!(!self.known.values().any(twice), "{address} has two pools");
                    let known = Known { address: Some(address), ..Known::default() };
                    assert!(self.known.insert(endpoint, known).is_none());
                }
                GroupOutput::Drain { endpoint, .. } => assert!(self.known[&endpoint].is_leaving),
                GroupOutput::Hold(endpoint) => assert!(self.known[&endpoint].is_out),
                GroupOutput::Resume(endpoint) => assert!(!self.known[&endpoint].is_out),
                GroupOutput::Probe(endpoint) => {
                    let known = self.known.get_mut(&endpoint).unwrap();
                    let is_lost = |begun: Instant| self.now >= begun + ms(60_000);
                    assert!(known.is_out && known.probed.is_none_or(is_lost) && !known.is_leaving, "a second probe");
                    known.probed = Some(self.now);
                }
                GroupOutput::Resize { endpoint, capacity } => {
                    self.told.insert(endpoint, capacity);
                }
                GroupOutput::Close(_) => panic!("nobody closed it"),
            }
        }
        let present: Vec<_> = self.known.iter().filter(|(_, known)| !known.is_leaving).collect();
        assert!(present.iter().filter(|(_, known)| known.address.is_some()).count() <= 4);
        let is_out = |endpoint| self.group.breaker(endpoint) == Some(BreakerState::Open);
        for (endpoint, known) in &present {
            assert!(
                !known.is_out || known.probed.is_some_and(|begun| self.now < begun + ms(60_000)) || is_out(**endpoint),
                "nobody sees whether it is back: {known:?}"
            );
        }
        let up = present.iter().filter(|(_, known)| !known.is_out).count();
        for (endpoint, known) in &present {
            assert_eq!(self.group.breaker(**endpoint) != Some(BreakerState::Closed), known.is_out, "{known:?}");
            // All have the same share, so those that are up have what all had together.
            let factor = |share: usize| if known.is_out { share } else { (share * present.len()).div_ceil(up) };
            let told = self.told.get(endpoint).cloned().unwrap_or(4..=8);
            assert_eq!(told, factor(4)..=factor(8), "{up} of {} are up", present.len());
        }
    }

    fn order(&mut self, loads: &[(usize, usize)]) {
        let load = |endpoint: EndpointId| {
            let (idle, in_use) = loads[endpoint.0 as usize % loads.len()];
            Load { idle, capacity: 4, in_use, round_trip: None }
        };
        let order = self.group.order(load);
        let eligible = |is_out| {
            let of = move |(_, known): &(&EndpointId, &Known)| !known.is_leaving && known.is_out == is_out;
            self.known.iter().filter(of).map(|(endpoint, _)| *endpoint).filter(|endpoint| load(*endpoint).idle > 0)
        };
        let (up, out): (Vec<_>, Vec<_>) = (eligible(false).collect(), eligible(true).collect());
        let mut tried = order.clone();
        tried.sort();
        let mut all = [up.clone(), out].concat();
        all.sort();
        assert_eq!(tried, all, "everybody who has one is tried once");
        assert!(order[..up.len()].iter().all(|endpoint| up.contains(endpoint)), "who is out comes last");
        let Some(&first) = order.first().filter(|_| !up.is_empty()) else { return self.turns.clear() };
        let of = |endpoint| Candidate { endpoint, load: load(endpoint), failures: self.known[&endpoint].in_a_row };
        match self.strategy {
            Strategy::RoundRobin => {
                // Only while nobody's readiness changes is there something to be fair about.
                if up.len() == self.known.values().filter(|known| !known.is_leaving && !known.is_out).count() {
                    *self.turns.entry(first).or_default() += 1;
                    let turns = || up.iter().map(|endpoint| self.turns.get(endpoint).copied().unwrap_or(0));
                    assert!(turns().max() <= turns().min().map(|least| least + 1), "{:?}", self.turns);
                } else {
                    self.turns.clear();
                }
            }
            Strategy::LeastLoaded => {
                let least = up.iter().map(|endpoint| load(*endpoint).in_use).min();
                assert_eq!(Some(load(first).in_use), least, "a more loaded one was chosen");
            }
            Strategy::PowerOfTwo => {
                let worse = |other: &&EndpointId| of(**other).compare_health(&of(first)).is_gt();
                let equal = |other: &&EndpointId| of(**other).compare_health(&of(first)).is_eq();
                let beaten = up.iter().filter(worse).count() + up.iter().filter(equal).count() - 1;
                assert!(beaten > 0 || up.len() == 1, "the worst of all was chosen");
                assert!(up.len() < 2 || !of(order[1]).compare_health(&of(first)).is_lt(), "the worse of two");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_group_does_what_the_naive_one_does(ops in vec(op(), 0..120)) {
        for strategy in [Strategy::RoundRobin, Strategy::LeastLoaded, Strategy::PowerOfTwo] {
            let mut story = Story::new(strategy);
            for op in &ops {
                story.apply(op.clone());
            }
        }
    }
}
