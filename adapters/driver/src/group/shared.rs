//! The group's machine behind its lock: mutate, drain, unlock, then act.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock, PoisonError};
use std::task::{Context, Waker};

use futures::task::AtomicWaker;
use npws_core::{BreakerState, ConfigError, EndpointId, Group, GroupOutput, Instant, NameId, TakeError};

use super::member::{Ear, Member};
use super::{Endpoint, EndpointCause, EndpointStats, GroupStats, GroupTakeError};
use crate::client::connect::{Part, Prepared};
use crate::client::{ClientPool, ClientPoolBuilder};
use crate::clock::Clock;
use crate::error::BuildError;
use crate::runtime::Runtime;
use crate::sync::{Mutex, MutexGuard};

#[cfg(test)]
mod tests;

pub(crate) struct GroupShared<R: Runtime> {
    state: Mutex<State<R>>,
    pub(super) clock: Clock,
    pub(super) runtime: R,
    pub(super) timer: AtomicWaker,
}

/// Locked before the lock of a pool, if both are; and never while a pool acts, which may tell the group of it.
pub(super) struct State<R: Runtime> {
    pub(super) machine: Group,
    pub(super) members: BTreeMap<EndpointId, Member<R>>,
    pub(super) names: BTreeMap<NameId, Name<R>>,
    /// What the machine has asked for and nobody has done yet. One at a time does it, so that it is done in order.
    pub(super) queue: VecDeque<GroupOutput>,
    pub(super) is_performing: bool,
    /// Who waits for the members to change.
    watchers: BTreeMap<u64, Waker>,
    issued: u64,
    /// Grows with every change of the members.
    pub(super) version: u64,
    /// When the timer will look at the machine by itself.
    pub(super) armed: Option<Instant>,
    /// Who is waited for first, in turn.
    turn: usize,
}

pub(super) struct Name<R: Runtime> {
    pub(super) template: Arc<ClientPoolBuilder<R>>,
    pub(super) last_error: Option<Arc<io::Error>>,
}

/// A pool that the group does not know yet.
pub(super) struct Newcomer<R: Runtime> {
    pool: Prepared<R>,
    text: String,
    /// Where its ear learns whose it is.
    named: Arc<OnceLock<EndpointId>>,
}

impl<R: Runtime> GroupShared<R> {
    pub(super) fn new(machine: Group, clock: Clock, runtime: R) -> Arc<Self> {
        let state = State {
            machine,
            members: BTreeMap::new(),
            names: BTreeMap::new(),
            queue: VecDeque::new(),
            is_performing: false,
            watchers: BTreeMap::new(),
            issued: 0,
            version: 0,
            armed: None,
            turn: 0,
        };
        Arc::new(Self { state: Mutex::new(state), clock, runtime, timer: AtomicWaker::new() })
    }

    /// A panic elsewhere leaves the machine whole: each of its steps is complete or was not begun.
    pub(super) fn lock(&self) -> MutexGuard<'_, State<R>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The one way to change the machine.
    pub(super) fn with<T>(self: &Arc<Self>, mutate: impl FnOnce(&mut State<R>, Instant) -> T) -> T {
        let mut state = self.lock();
        let before = state.version;
        let (was_draining, was_closed) = (state.machine.is_draining(), state.machine.is_closed());
        let result = mutate(&mut state, self.clock.now());
        while let Some(output) = state.machine.poll_output() {
            state.queue.push_back(output);
        }
        if (was_draining, was_closed) != (state.machine.is_draining(), state.machine.is_closed()) {
            state.version += 1;
        }
        let watchers = if state.version == before { BTreeMap::new() } else { std::mem::take(&mut state.watchers) };
        let due = state.machine.poll_timeout();
        let is_earlier = due.is_some_and(|due| state.armed.is_none_or(|armed| due < armed));
        let rearm = is_earlier || state.machine.is_closed();
        drop(state);
        if rearm {
            self.timer.wake();
        }
        for waker in watchers.into_values() {
            waker.wake();
        }
        self.perform();
        result
    }

    /// Makes the pool of an endpoint. Not under the lock, for its settings may name files.
    pub(super) fn prepare(
        self: &Arc<Self>,
        mut builder: ClientPoolBuilder<R>,
        address: Option<SocketAddr>,
    ) -> Result<Newcomer<R>, BuildError> {
        builder.runtime.get_or_insert_with(|| self.runtime.clone());
        let text = address.map_or_else(|| builder.address.clone(), |address| address.to_string());
        let named = Arc::new(OnceLock::new());
        let ear = Ear { group: Arc::downgrade(self), endpoint: named.clone() };
        let pool = builder.prepare(Some(Part { observer: Box::new(ear), address }))?;
        Ok(Newcomer { pool, text, named })
    }

    /// Adds the pool of an endpoint, under the name that `name` has the machine give it, and starts it.
    pub(super) fn admit(
        self: &Arc<Self>,
        newcomer: Newcomer<R>,
        name: impl FnOnce(&mut Group) -> Result<EndpointId, ConfigError>,
    ) -> Result<Endpoint, ConfigError> {
        let endpoint = self.with(|state, _| {
            let id = name(&mut state.machine)?;
            newcomer.named.get_or_init(|| id);
            let endpoint = Endpoint::new(id, &newcomer.text);
            let pool = newcomer.pool.pool().clone();
            state.members.insert(id, Member { endpoint: endpoint.clone(), pool, is_leaving: false });
            state.version += 1;
            Ok(endpoint)
        })?;
        newcomer.pool.start();
        Ok(endpoint)
    }

    pub(super) fn add(self: &Arc<Self>, builder: ClientPoolBuilder<R>) -> Result<Endpoint, BuildError> {
        let capacity = builder.config.capacity.clone();
        let newcomer = self.prepare(builder, None)?;
        Ok(self.admit(newcomer, |machine| machine.add(capacity))?)
    }

    /// The pool of an endpoint is closed.
    pub(super) fn forget(self: &Arc<Self>, endpoint: EndpointId) {
        let gone = self.with(|state, _| {
            state.machine.handle_removed(endpoint);
            let gone = state.members.remove(&endpoint);
            state.version += u64::from(gone.is_some());
            gone
        });
        // Not under the lock: a pool that is dropped acts.
        drop(gone);
    }

    pub(super) fn close(self: &Arc<Self>) {
        self.with(|state, _| state.machine.close());
    }

    /// The endpoints that have a connection ready, in the order in which to try them.
    pub(super) fn order(&self) -> Vec<Member<R>> {
        let mut state = self.lock();
        let State { machine, members, .. } = &mut *state;
        let order = machine.order(|endpoint| members.get(&endpoint).map(Member::load).unwrap_or_default());
        order.iter().filter_map(|endpoint| members.get(endpoint).cloned()).collect()
    }

    pub(super) fn members(&self) -> Vec<Member<R>> {
        self.lock().members.values().cloned().collect()
    }

    /// The endpoints that are not out.
    pub(super) fn up(&self) -> Vec<Member<R>> {
        let state = self.lock();
        let is_up = |member: &&Member<R>| {
            !member.is_leaving && state.machine.breaker(member.endpoint.id()) == Some(BreakerState::Closed)
        };
        state.members.values().filter(is_up).cloned().collect()
    }

    pub(super) fn pool(&self, endpoint: EndpointId) -> Option<ClientPool<R>> {
        self.lock().members.get(&endpoint).map(|member| member.pool.clone())
    }

    pub(super) fn stats(&self) -> GroupStats {
        let of = |member: Member<R>| {
            let breaker = self.lock().machine.breaker(member.endpoint.id()).unwrap_or(BreakerState::Closed);
            let stats = member.pool.stats();
            EndpointStats { endpoint: member.endpoint, breaker, is_leaving: member.is_leaving, stats }
        };
        GroupStats { endpoints: self.members().into_iter().map(of).collect() }
    }

    /// What is known of each endpoint, after a take that ended like this. `told` is what single ones said.
    pub(super) fn explain(&self, error: TakeError, told: &BTreeMap<EndpointId, TakeError>) -> GroupTakeError {
        let state = self.lock();
        let cause = |member: &Member<R>| {
            let id = member.endpoint.id();
            let breaker = state.machine.breaker(id).unwrap_or(BreakerState::Closed);
            EndpointCause {
                endpoint: member.endpoint.clone(),
                error: told.get(&id).copied().unwrap_or(error),
                breaker,
                last_dial_error: member.pool.last_dial_error().filter(|_| breaker != BreakerState::Closed),
            }
        };
        let causes = state.members.values().map(cause).collect();
        let names = state.names.values();
        let failed = names.filter_map(|name| Some((name.template.address.clone(), name.last_error.clone()?)));
        GroupTakeError::new(error, causes, failed.collect())
    }
}

/// Somebody who wants to know when the members change, until it is dropped.
pub(super) struct Watcher<'a, R: Runtime> {
    group: &'a Arc<GroupShared<R>>,
    key: u64,
    seen: Option<u64>,
}

impl<'a, R: Runtime> Watcher<'a, R> {
    pub(super) fn new(group: &'a Arc<GroupShared<R>>) -> Self {
        let mut state = group.lock();
        state.issued += 1;
        Self { group, key: state.issued, seen: None }
    }

    /// The members if they have changed since the last look, or at the first, each time another one in front; and
    /// whether the group goes on. Wakes the task at the next change.
    pub(super) fn look(&mut self, cx: &Context<'_>) -> (Option<Vec<Member<R>>>, Option<TakeError>) {
        let mut state = self.group.lock();
        state.watchers.insert(self.key, cx.waker().clone());
        let end = if state.machine.is_closed() {
            Some(TakeError::Closed)
        } else {
            state.machine.is_draining().then_some(TakeError::Draining)
        };
        if self.seen.replace(state.version) == Some(state.version) {
            return (None, end);
        }
        state.turn = state.turn.wrapping_add(1);
        let mut members: Vec<_> = state.members.values().cloned().collect();
        let turn = state.turn % members.len().max(1);
        members.rotate_left(turn);
        (Some(members), end)
    }
}

impl<R: Runtime> Drop for Watcher<'_, R> {
    fn drop(&mut self) {
        // Not under the lock: a waker may hold a task, and that a handle of the group.
        let gone = self.group.lock().watchers.remove(&self.key);
        drop(gone);
    }
}

impl<R: Runtime> fmt::Debug for GroupShared<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GroupShared").finish_non_exhaustive()
    }
}
