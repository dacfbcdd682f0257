//! Takes from a group, as the driver's futures go about them.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use npws_core::{BreakerState, ConnectionId, EndpointId, Instant, Load, TakeError};

use super::process::Want;
use super::queue::Event;
use super::{GroupId, Happening, TakeId, World, note};

#[derive(Debug)]
pub(super) struct GroupTake {
    pub(super) group: GroupId,
    want: Want,
    timeout: Duration,
    /// On the group's clock, once it waits.
    deadline: Option<Instant>,
    /// Who is still to be tried before all are waited for.
    order: VecDeque<EndpointId>,
    parts: BTreeMap<TakeId, EndpointId>,
    pub(super) asked: BTreeSet<EndpointId>,
    /// Whether it is about to look at the members.
    pub(super) is_woken: bool,
}

impl GroupTake {
    pub(super) fn is_waiting(&self) -> bool {
        self.deadline.is_some()
    }

    /// Whether it is to ask a member like this.
    pub(super) fn asks(&self, is_leaving: bool) -> bool {
        self.want != Want::Next || !is_leaving
    }
}

impl World {
    /// Asks a group.
    pub(crate) fn take_from_group(&mut self, group: GroupId, want: Want, timeout: Duration) -> TakeId {
        let take = TakeId(self.issued);
        self.issued += 1;
        note!(self, "group {}: {take:?} for {want:?}, {timeout:?}", group.0);
        let order = if want == Want::Next { self.order(group).into() } else { VecDeque::new() };
        let (parts, asked) = (BTreeMap::new(), BTreeSet::new());
        let entry = GroupTake { group, want, timeout, deadline: None, order, parts, asked, is_woken: false };
        self.groups.takes.insert(take, entry);
        self.try_next(take);
        take
    }

    /// Whom the group would try. Each that has a connection is among them, and those that are out come last.
    pub(super) fn order(&mut self, group: GroupId) -> Vec<EndpointId> {
        let mut loads = BTreeMap::new();
        for (endpoint, member) in &self.groups.all[group.0].members {
            let machine = &self.processes[member.pool.0].machine;
            let stats = machine.stats();
            let (capacity, round_trip) = (stats.capacity, stats.round_trip);
            loads.insert(*endpoint, Load { idle: machine.active(), capacity, in_use: stats.taken, round_trip });
        }
        let process = &mut self.groups.all[group.0];
        let order = process.machine.order(|endpoint| loads.get(&endpoint).copied().unwrap_or_default());
        let ready = process.members.iter().filter(|(endpoint, member)| !member.is_leaving && loads[endpoint].idle > 0);
        let ready: BTreeSet<_> = ready.map(|(endpoint, _)| *endpoint).collect();
        assert_eq!(ready, order.iter().copied().collect(), "who has one is to be tried");
        let is_out = |endpoint: &EndpointId| process.machine.breaker(*endpoint) != Some(BreakerState::Closed);
        assert!(order.is_sorted_by_key(is_out), "who is out is tried before who is not: {order:?}");
        order
    }

    fn try_next(&mut self, take: TakeId) {
        let Some(entry) = self.groups.takes.get_mut(&take) else { return };
        let group = entry.group;
        while let Some(endpoint) = entry.order.pop_front() {
            if self.groups.all[group.0].members.contains_key(&endpoint) {
                return self.ask_member(take, endpoint, Duration::ZERO);
            }
        }
        let deadline = self.now + self.groups.all[group.0].ahead + entry.timeout;
        entry.deadline = Some(deadline);
        let late = (entry.timeout < Duration::MAX).then_some(self.now + entry.timeout);
        self.look_around(take);
        if let Some(late) = late {
            self.queue.push(late, Event::GroupLate(take));
        }
    }

    fn ask_member(&mut self, take: TakeId, endpoint: EndpointId, timeout: Duration) {
        let Some(entry) = self.groups.takes.get(&take) else { return };
        let (group, want) = (entry.group, entry.want);
        let Some(pool) = self.groups.all[group.0].members.get(&endpoint).map(|member| member.pool) else { return };
        let part = self.begin_take(pool, want, timeout);
        self.groups.parts.insert(part, take);
        if let Some(entry) = self.groups.takes.get_mut(&take) {
            entry.parts.insert(part, endpoint);
        }
    }

    /// Asks the members that have not been asked, if the group goes on.
    pub(super) fn look_around(&mut self, take: TakeId) {
        let Some((group, want)) = self.groups.takes.get(&take).map(|entry| (entry.group, entry.want)) else { return };
        let end = self.group_end(group);
        if let Some(error) = end.filter(|end| *end == TakeError::Closed || want == Want::Next) {
            return self.group_take_fails(take, error);
        }
        let members = &self.groups.all[group.0].members;
        let Some(entry) = self.groups.takes.get_mut(&take) else { return };
        entry.is_woken = false;
        let asked: Vec<_> = members
            .iter()
            .filter(|(endpoint, member)| entry.asks(member.is_leaving) && entry.asked.insert(**endpoint))
            .map(|(endpoint, _)| *endpoint)
            .collect();
        let each = if entry.timeout.is_zero() { Duration::ZERO } else { Duration::MAX };
        let is_over = asked.is_empty() && entry.parts.is_empty();
        if let Some(error) = end.filter(|_| is_over) {
            return self.group_take_fails(take, error);
        }
        for endpoint in asked {
            self.ask_member(take, endpoint, each);
        }
    }

    fn group_end(&self, group: GroupId) -> Option<TakeError> {
        let machine = &self.groups.all[group.0].machine;
        if machine.is_closed() {
            return Some(TakeError::Closed);
        }
        machine.is_draining().then_some(TakeError::Draining)
    }

    /// The members of a group have changed, or it ends.
    pub(super) fn look_again(&mut self, group: GroupId) {
        let at = self.turn();
        for (take, entry) in self.groups.takes.iter_mut().filter(|(_, entry)| entry.group == group) {
            if entry.is_waiting() && !core::mem::replace(&mut entry.is_woken, true) {
                self.queue.push(at, Event::GroupLook(*take));
            }
        }
    }

    /// One of the pools has an outcome.
    pub(super) fn part_ended(&mut self, take: TakeId, part: TakeId, outcome: Happening) {
        let Some(entry) = self.groups.takes.get_mut(&take) else { return };
        entry.parts.remove(&part);
        let (group, want, is_over) = (entry.group, entry.want, entry.parts.is_empty());
        match outcome {
            Happening::Taken { stream, id, .. } => {
                note!(self, "group {}: {take:?} gets {id}", group.0);
                self.end_group_take(take);
                self.happenings.push_back(Happening::Taken { take, stream, id });
            }
            Happening::Failed { .. } if !entry.is_waiting() => self.try_next(take),
            Happening::Failed { error, .. } => {
                let is_gone = matches!(error, TakeError::Gone(_)) && want != Want::Id(ConnectionId::CONTROL);
                let end = self.group_end(group).filter(|_| is_over);
                if let Some(error) = end.or(is_gone.then_some(error)) {
                    self.group_take_fails(take, error);
                }
            }
            _ => {}
        }
    }

    pub(super) fn too_late(&mut self, take: TakeId) {
        self.group_take_fails(take, TakeError::Timeout);
    }

    fn group_take_fails(&mut self, take: TakeId, error: TakeError) {
        let Some(entry) = self.end_group_take(take) else { return };
        note!(self, "group {}: {take:?} fails: {error}", entry.group.0);
        match error {
            TakeError::Gone(_) => assert!(matches!(entry.want, Want::Id(_)), "gone, it says to who asked for any"),
            TakeError::Timeout => {
                let now = self.now + self.groups.all[entry.group.0].ahead;
                assert!(entry.deadline.is_some_and(|deadline| deadline <= now), "a take fails before its time is over");
            }
            _ => {}
        }
        self.happenings.push_back(Happening::Failed { take, error });
    }

    /// Gives up what a take waits for. This takes nothing from the pools.
    pub(super) fn end_group_take(&mut self, take: TakeId) -> Option<GroupTake> {
        let mut entry = self.groups.takes.remove(&take)?;
        for part in core::mem::take(&mut entry.parts).into_keys() {
            self.groups.parts.remove(&part);
            self.cancel(part);
        }
        Some(entry)
    }
}
