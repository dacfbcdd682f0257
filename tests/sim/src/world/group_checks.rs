//! What must hold of a group after every event, and in the end.

use std::collections::BTreeSet;
use std::time::Duration;

use npws_core::{BreakerState, Strategy};

use super::group::address;
use super::{GroupId, PoolId, World};

/// After so long a probe without an outcome is asked for again.
const PATIENCE: Duration = Duration::from_secs(60);

impl World {
    pub(super) fn check_group(&self, group: GroupId) {
        let process = &self.groups.all[group.0];
        let (machine, config) = (&process.machine, &process.plan.config);
        let (now, due) = (self.now + process.ahead, machine.poll_timeout());
        let is_armed = |within| due.is_some_and(|due| due <= now + within);
        let present = || process.members.iter().filter(|(_, member)| !member.is_leaving);
        if machine.is_closed() || machine.is_draining() {
            assert_eq!(present().count(), 0, "endpoints outlive their group");
            return;
        }
        let is_up = |endpoint: &_| machine.breaker(*endpoint) == Some(BreakerState::Closed);
        let (all, up) = (present().count(), present().filter(|(endpoint, _)| is_up(endpoint)).count());
        let mut addresses = BTreeSet::new();
        for (endpoint, member) in present() {
            let pool = &self.processes[member.pool.0];
            assert_eq!(member.is_held, !is_up(endpoint), "{endpoint:?} is held, or is out");
            match machine.breaker(*endpoint) {
                None => unreachable!("{endpoint:?} is lost"),
                Some(BreakerState::Open) => assert!(is_armed(*config.probe_backoff.end()), "no probe of {endpoint:?}"),
                Some(BreakerState::HalfOpen) => {
                    assert!(is_armed(PATIENCE), "no second probe of {endpoint:?}");
                    assert!(!pool.dials.is_empty(), "nobody asks whether {endpoint:?} is back");
                }
                Some(_) => {}
            }
            // All begin with the same share, so those that are up have what all had together.
            let share = &process.plan.client.capacity;
            let part = |share: usize| if is_up(endpoint) { (share * all).div_ceil(up) } else { share };
            assert_eq!(member.told, part(*share.start())..=part(*share.end()), "{up} of {all} are up");
            assert!(member.told.contains(&pool.machine.stats().capacity), "what {endpoint:?} holds");
            let is_first = member.address.is_none_or(|address| addresses.insert(address));
            assert!(is_first, "two pools for {:?}", member.address);
        }
        assert!(addresses.len() <= config.max_addresses, "{addresses:?} are too many");
        let is_asking = process.name.is_none() || !process.answers.is_empty();
        assert!(is_asking || is_armed(config.resolve_interval), "nobody looks the name up");
        let mut waiting = self.groups.takes.iter().filter(|(_, take)| take.group == group && !take.is_woken);
        let forgets = |(endpoint, member): (_, &super::group::Member), take: &super::group_takes::GroupTake| {
            take.is_waiting() && take.asks(member.is_leaving) && !take.asked.contains(endpoint)
        };
        let forgetful = waiting.find(|(_, take)| process.members.iter().any(|member| forgets(member, take)));
        assert!(forgetful.is_none(), "{forgetful:?} waits, but not for all");
    }

    /// An endpoint that is out is asked by one dial at a time whether it is back, and otherwise left alone.
    pub(super) fn check_dial(&self, client: PoolId) {
        let process = &self.processes[client.0];
        let Some((group, endpoint)) = process.group else { return };
        match self.groups.all[group.0].machine.breaker(endpoint) {
            Some(BreakerState::Open) => unreachable!("{endpoint:?} is dialed although it is out"),
            Some(BreakerState::HalfOpen) => assert!(process.dials.is_empty(), "{endpoint:?} is probed twice"),
            _ => {}
        }
    }

    /// Whether the group must begin again, because it has ended, or does not look at what it has.
    pub(crate) fn is_group_over(&self, group: GroupId) -> bool {
        let process = &self.groups.all[group.0];
        process.machine.is_closed() || process.machine.is_draining() || !process.plan.watches
    }

    /// What is missing, if anything is: each server of the group is an endpoint, and none is out that has room.
    pub(super) fn is_group_well(&self, group: GroupId) -> Result<(), String> {
        let process = &self.groups.all[group.0];
        let most = process.plan.config.max_addresses;
        // That a name has no address at all says nothing.
        let named = process.name.map_or(&[][..], |_| &process.named);
        let is_answered = process.name.is_none() || !named.is_empty();
        let found: BTreeSet<_> = process.members.values().filter_map(|member| member.address).collect();
        let is_known = found.iter().all(|found| named.iter().any(|server| address(*server) == *found));
        if is_answered && (!is_known || found.len() != named.len().min(most)) {
            return Err(format!("{group:?} has {found:?} for {named:?}"));
        }
        for (endpoint, member) in &process.members {
            if member.is_leaving {
                return Err(format!("{endpoint:?} is still leaving"));
            }
            let is_up = process.machine.breaker(*endpoint) == Some(BreakerState::Closed);
            if !is_up && self.has_room(self.server_of(member.pool)) {
                return Err(format!("{endpoint:?} is out"));
            }
        }
        Ok(())
    }

    /// Endpoints that have connections take turns.
    pub(crate) fn check_turns(&mut self, group: GroupId) {
        let order = self.order(group);
        let machine = &self.groups.all[group.0].machine;
        let are_up = order.iter().all(|endpoint| machine.breaker(*endpoint) == Some(BreakerState::Closed));
        if are_up && self.groups.all[group.0].plan.config.strategy == Strategy::RoundRobin {
            let firsts: BTreeSet<_> = order.iter().filter_map(|_| self.order(group).first().copied()).collect();
            assert_eq!(firsts.len(), order.len(), "{order:?} do not take turns: {firsts:?}");
        }
    }
}
