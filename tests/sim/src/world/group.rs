//! Several client pools of one program as one: the group's machine, and what its driver does.

use std::collections::{BTreeMap, VecDeque};
use std::net::{Ipv4Addr, SocketAddr};
use std::ops::RangeInclusive;
use std::time::Duration;

use npws_core::{
    ClientConfig, ConfigError, DialFailure, EndpointId, Group, GroupConfig, GroupOutput, Instant, NameId,
    PeerGeneration,
};

use super::group_takes::GroupTake;
use super::process::{Machine, Plan};
use super::queue::Event;
use super::{Happening, PoolId, TakeId, World, note};

/// One group of a [`World`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct GroupId(pub(super) usize);

/// How a group begins, and begins again.
#[derive(Debug, Clone)]
pub(crate) struct GroupPlan {
    pub(crate) config: GroupConfig,
    pub(crate) own: PeerGeneration,
    pub(crate) watches: bool,
    /// What its pools are like.
    pub(crate) client: ClientConfig,
    /// The servers that it is told of one by one.
    pub(crate) servers: Vec<PoolId>,
    /// Those that have the name which it is told of, at first.
    pub(crate) named: Vec<PoolId>,
}

/// All groups, and what is under way in them.
#[derive(Debug, Default)]
pub(super) struct Groups {
    pub(super) all: Vec<GroupProcess>,
    pub(super) takes: BTreeMap<TakeId, GroupTake>,
    /// Which take of a group is behind the take of a pool.
    pub(super) parts: BTreeMap<TakeId, TakeId>,
    news: VecDeque<(PoolId, News)>,
}

impl Groups {
    /// Until when the program has no processor whose time this event takes.
    pub(super) fn stalled(&self, event: Event) -> Option<Instant> {
        let group = match event {
            Event::GroupTimer(group) | Event::LookedUp(group, _) => group,
            Event::GroupLook(take) | Event::GroupLate(take) => self.takes.get(&take)?.group,
            _ => return None,
        };
        Some(self.all[group.0].stalled)
    }
}

/// What a pool tells its group.
#[derive(Debug, Clone, Copy)]
pub(super) enum News {
    Dialed,
    DialFailed(DialFailure, usize),
    AskedBack,
    Closed,
}

#[derive(Debug)]
pub(super) struct Member {
    pub(super) pool: PoolId,
    pub(super) is_leaving: bool,
    /// Whether its pool was told to dial no more.
    pub(super) is_held: bool,
    pub(super) told: RangeInclusive<usize>,
    pub(super) address: Option<SocketAddr>,
}

#[derive(Debug)]
pub(super) struct GroupProcess {
    pub(super) plan: GroupPlan,
    pub(super) machine: Group,
    pub(super) members: BTreeMap<EndpointId, Member>,
    /// The addresses that the name has now.
    pub(super) named: Vec<PoolId>,
    /// The answers that are on their way.
    pub(super) answers: BTreeMap<u64, Option<Vec<SocketAddr>>>,
    pub(super) name: Option<NameId>,
    pub(super) ahead: Duration,
    pub(super) stalled: Instant,
    armed: Option<Instant>,
}

/// The address of a server.
pub(super) fn address(server: PoolId) -> SocketAddr {
    (Ipv4Addr::new(198, 51, 100, u8::try_from(server.0).unwrap_or(u8::MAX)), 443).into()
}

fn server(address: SocketAddr) -> PoolId {
    match address {
        SocketAddr::V4(address) => PoolId(address.ip().octets()[3].into()),
        SocketAddr::V6(_) => unreachable!("servers have IPv4 addresses"),
    }
}

impl World {
    /// Adds a group with the pools of its endpoints.
    pub(crate) fn add_group(&mut self, plan: GroupPlan) -> Result<GroupId, ConfigError> {
        let group = GroupId(self.groups.all.len());
        note!(self, "group {} {plan:?}", group.0);
        let seed = self.rng.next_u64();
        self.groups.all.push(GroupProcess {
            machine: Group::new(plan.config.clone(), seed)?,
            members: BTreeMap::new(),
            named: plan.named.clone(),
            answers: BTreeMap::new(),
            name: None,
            ahead: Duration::ZERO,
            stalled: self.now,
            armed: None,
            plan,
        });
        self.begin_group(group);
        Ok(group)
    }

    fn begin_group(&mut self, group: GroupId) {
        let plan = self.groups.all[group.0].plan.clone();
        for server in plan.servers {
            let capacity = plan.client.capacity.clone();
            if let Ok(endpoint) = self.groups.all[group.0].machine.add(capacity) {
                self.admit(group, endpoint, server, None);
            }
        }
        self.with_group(group, |_, _| {});
        if !plan.named.is_empty() {
            let name = self.with_group(group, |machine, now| machine.add_name(now, plan.client.capacity));
            self.groups.all[group.0].name = name.ok();
        }
    }

    /// Makes the pool of an endpoint.
    fn admit(&mut self, group: GroupId, endpoint: EndpointId, server: PoolId, address: Option<SocketAddr>) {
        let GroupPlan { client, own, watches, .. } = self.groups.all[group.0].plan.clone();
        let told = client.capacity.clone();
        let Ok(pool) = self.add(Plan::Client { config: client, server }, own, watches) else { return };
        note!(self, "pool {} is {endpoint:?} of group {}", pool.0, group.0);
        let (ahead, stalled) = (self.groups.all[group.0].ahead, self.groups.all[group.0].stalled);
        let process = self.process(pool);
        (process.group, process.ahead, process.stalled) = (Some((group, endpoint)), ahead, stalled);
        let member = Member { pool, is_leaving: false, is_held: false, told, address };
        self.groups.all[group.0].members.insert(endpoint, member);
        self.look_again(group);
    }

    /// One mutation of a group, and everything that it asks for.
    pub(super) fn with_group<T>(&mut self, group: GroupId, mutate: impl FnOnce(&mut Group, Instant) -> T) -> T {
        let process = &mut self.groups.all[group.0];
        let now = self.now + process.ahead;
        let result = mutate(&mut process.machine, now);
        while let Some(output) = self.groups.all[group.0].machine.poll_output() {
            self.carry_out_for_group(group, output);
        }
        self.arm_group(group);
        result
    }

    fn carry_out_for_group(&mut self, group: GroupId, output: GroupOutput) {
        note!(self, "group {}: {output:?}", group.0);
        match output {
            GroupOutput::Resolve(_) => self.look_up(group),
            GroupOutput::Add { endpoint, address, .. } => self.admit(group, endpoint, server(address), Some(address)),
            GroupOutput::Drain { endpoint, timeout } => {
                if let Some(pool) = self.change(group, endpoint, |member| member.is_leaving = true) {
                    self.drain(pool, timeout);
                    self.look_again(group);
                }
            }
            GroupOutput::Hold(endpoint) => {
                if let Some(pool) = self.change(group, endpoint, |member| member.is_held = true) {
                    self.hold_dials(pool);
                }
            }
            GroupOutput::Probe(endpoint) => {
                if let Some(pool) = self.change(group, endpoint, |_| {}) {
                    self.with(pool, |machine, now| {
                        if let Machine::Client(pool) = machine {
                            pool.probe(now);
                        }
                    });
                }
            }
            GroupOutput::Resume(endpoint) => {
                if let Some(pool) = self.change(group, endpoint, |member| member.is_held = false) {
                    self.resume_dials(pool);
                }
            }
            GroupOutput::Resize { endpoint, capacity } => {
                if let Some(pool) = self.change(group, endpoint, |member| member.told = capacity.clone()) {
                    self.resize(pool, capacity);
                }
            }
            GroupOutput::Close(endpoint) => {
                if let Some(pool) = self.change(group, endpoint, |_| {}) {
                    self.close_pool(pool);
                }
                self.forget_member(group, endpoint);
            }
            other => unreachable!("{other:?} is not known here"),
        }
    }

    fn change(&mut self, group: GroupId, endpoint: EndpointId, change: impl FnOnce(&mut Member)) -> Option<PoolId> {
        let member = self.groups.all[group.0].members.get_mut(&endpoint)?;
        change(member);
        Some(member.pool)
    }

    fn forget_member(&mut self, group: GroupId, endpoint: EndpointId) {
        self.groups.all[group.0].members.remove(&endpoint);
        self.with_group(group, |machine, _| machine.handle_removed(endpoint));
        self.look_again(group);
    }

    /// The name is asked for. What it has now is the answer, however late that comes.
    fn look_up(&mut self, group: GroupId) {
        let number = self.issued;
        self.issued += 1;
        let at = self.now + self.rng.time(&self.network.latency);
        let is_lost = self.rng.chance(self.network.refuse);
        let process = &mut self.groups.all[group.0];
        let mut answer: Vec<_> = process.named.iter().copied().map(address).collect();
        if !answer.is_empty() {
            let turn = self.rng.below(answer.len());
            answer.rotate_left(turn);
        }
        assert!(process.answers.is_empty(), "two look-ups at once");
        process.answers.insert(number, (!is_lost).then_some(answer));
        self.queue.push(at, Event::LookedUp(group, number));
    }

    pub(super) fn looked_up(&mut self, group: GroupId, number: u64) {
        let process = &mut self.groups.all[group.0];
        let (Some(answer), Some(name)) = (process.answers.remove(&number), process.name) else { return };
        note!(self, "group {} learns that the name is {answer:?}", group.0);
        self.with_group(group, |machine, now| match answer {
            Some(addresses) => machine.handle_resolved(now, name, &addresses),
            None => machine.handle_resolve_failed(now, name),
        });
    }

    fn arm_group(&mut self, group: GroupId) {
        let process = &mut self.groups.all[group.0];
        let Some(due) = process.machine.poll_timeout() else { return };
        let at = (Instant::ZERO + (due - (Instant::ZERO + process.ahead))).max(self.now);
        if process.armed.is_none_or(|armed| at < armed) {
            process.armed = Some(at);
            self.queue.push(at, Event::GroupTimer(group));
        }
    }

    pub(super) fn fire_group(&mut self, group: GroupId) {
        self.groups.all[group.0].armed = None;
        self.with_group(group, |machine, now| machine.handle_timeout(now));
    }

    /// A pool has something to tell its group, if it is in one.
    pub(super) fn tell_group(&mut self, pool: PoolId, news: News) {
        if self.processes[pool.0].group.is_some() {
            self.groups.news.push_back((pool, news));
        }
    }

    /// The groups hear what there is to hear, and are checked.
    pub(super) fn settle_groups(&mut self) {
        while let Some((pool, news)) = self.groups.news.pop_front() {
            let Some((group, endpoint)) = self.processes[pool.0].group else { continue };
            note!(self, "group {} hears of pool {}: {news:?}", group.0, pool.0);
            match news {
                News::Dialed => self.with_group(group, |machine, _| machine.handle_dialed(endpoint)),
                News::DialFailed(failure, idle) => {
                    self.with_group(group, |machine, now| machine.handle_dial_failed(now, endpoint, failure, idle));
                }
                News::AskedBack => self.with_group(group, |machine, now| machine.handle_asked_back(now, endpoint)),
                News::Closed => self.forget_member(group, endpoint),
            }
        }
        for group in 0..self.groups.all.len() {
            self.check_group(GroupId(group));
        }
    }

    /// The name has other servers from now on.
    pub(crate) fn renumber(&mut self, group: GroupId, servers: Vec<PoolId>) {
        note!(self, "the name is {servers:?}");
        self.groups.all[group.0].named = servers;
    }

    pub(crate) fn refresh(&mut self, group: GroupId) {
        self.with_group(group, Group::refresh);
    }

    pub(crate) fn drain_group(&mut self, group: GroupId, timeout: Duration) {
        note!(self, "group {} is drained within {timeout:?}", group.0);
        self.with_group(group, |machine, _| machine.drain(timeout));
        self.look_again(group);
    }

    pub(crate) fn close_group(&mut self, group: GroupId) {
        note!(self, "group {} is closed", group.0);
        self.with_group(group, |machine, _| machine.close());
        self.look_again(group);
    }

    /// The clock of a group's program leaps ahead.
    pub(crate) fn leap_group(&mut self, group: GroupId, time: Duration) {
        self.groups.all[group.0].ahead += time;
        for pool in self.members(group) {
            self.leap(pool, time);
        }
        self.groups.all[group.0].armed = None;
        self.arm_group(group);
    }

    /// A group's program gets no processor for so long.
    pub(crate) fn stall_group(&mut self, group: GroupId, time: Duration) {
        let until = self.now + time;
        for pool in self.members(group) {
            self.stall(pool, time);
        }
        let process = &mut self.groups.all[group.0];
        process.stalled = process.stalled.max(until);
    }

    /// Ends a group's program at once and starts it again, with new pools.
    pub(crate) fn restart_group(&mut self, group: GroupId, silently: bool) {
        note!(self, "group {} restarts", group.0);
        self.groups.takes.retain(|_, take| take.group != group);
        for pool in core::mem::take(&mut self.groups.all[group.0].members).into_values().map(|member| member.pool) {
            self.process(pool).group = None;
            self.restart(pool, silently);
            // Its place is a new pool's.
            self.close_pool(pool);
        }
        let seed = self.rng.next_u64();
        let process = &mut self.groups.all[group.0];
        if let Ok(machine) = Group::new(process.plan.config.clone(), seed) {
            process.machine = machine;
        }
        process.answers.clear();
        (process.name, process.armed) = (None, None);
        self.groups.parts.retain(|_, whole| self.groups.takes.contains_key(whole));
        self.begin_group(group);
    }

    /// The pools of a group, those that are leaving among them.
    pub(crate) fn members(&self, group: GroupId) -> Vec<PoolId> {
        self.groups.all[group.0].members.values().map(|member| member.pool).collect()
    }

    /// The group that a pool is in.
    pub(crate) fn group_of(&self, pool: PoolId) -> Option<GroupId> {
        self.processes[pool.0].group.map(|(group, _)| group)
    }

    /// What has become of a take, be it a part of one from a group.
    pub(super) fn happen(&mut self, happening: Happening) {
        let part = match happening {
            Happening::Taken { take, .. } | Happening::Failed { take, .. } => take,
            other => return self.happenings.push_back(other),
        };
        match self.groups.parts.remove(&part) {
            Some(whole) => self.part_ended(whole, part, happening),
            None => self.happenings.push_back(happening),
        }
    }
}
