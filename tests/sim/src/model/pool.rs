//! The naive pool: every connection and every waiter that ever was, in the order in which they came.

use core::time::Duration;

use npws_core::{CloseReason, ConnectionId, Instant, PeerGeneration, PoolConfig, Role, TakeError};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    Idle,
    Claimed,
    Retained(Instant),
    Taken,
    Gone,
}

#[derive(Debug)]
pub(super) struct Connection {
    pub(super) id: ConnectionId,
    pub(super) peer: PeerGeneration,
    pub(super) standing: Standing,
    pub(super) offered_to: Option<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    Waiting,
    Offered(usize),
    Failed(TakeError),
    Over,
}

#[derive(Debug)]
pub(super) struct Waiter {
    id: Option<ConnectionId>,
    deadline: Instant,
    pub(super) outcome: Outcome,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Life {
    Open,
    Draining(Instant),
    Closed,
}

#[derive(Debug)]
pub(super) struct Model {
    role: Role,
    config: PoolConfig,
    pub(super) now: Instant,
    pub(super) life: Life,
    pub(super) connections: Vec<Connection>,
    pub(super) waiters: Vec<Waiter>,
    tombstones: Vec<(ConnectionId, CloseReason, Instant)>,
    /// What was closed since the last look.
    pub(super) closed: Vec<(usize, CloseReason)>,
    pub(super) closed_total: usize,
    pub(super) taken_total: usize,
    /// When a connection last died without having been claimed.
    pub(super) last_death: Option<Instant>,
}

impl Model {
    pub(super) fn new(role: Role, config: PoolConfig) -> Self {
        Self {
            role,
            config,
            now: Instant::ZERO,
            life: Life::Open,
            connections: Vec::new(),
            waiters: Vec::new(),
            tombstones: Vec::new(),
            closed: Vec::new(),
            closed_total: 0,
            taken_total: 0,
            last_death: None,
        }
    }

    pub(super) fn is_open(&self) -> bool {
        self.life == Life::Open
    }

    /// Whether this connection is still the pool's.
    pub(super) fn is_present(&self, index: usize) -> bool {
        !matches!(self.connections[index].standing, Standing::Taken | Standing::Gone)
    }

    pub(super) fn present(&self) -> Vec<usize> {
        (0..self.connections.len()).filter(|&index| self.is_present(index)).collect()
    }

    pub(super) fn idle(&self) -> Vec<usize> {
        let is_idle = |index: &usize| {
            let connection = &self.connections[*index];
            connection.standing == Standing::Idle && connection.offered_to.is_none()
        };
        (0..self.connections.len()).filter(is_idle).collect()
    }

    pub(super) fn waiting(&self) -> Vec<usize> {
        (0..self.waiters.len()).filter(|&index| self.waiters[index].outcome == Outcome::Waiting).collect()
    }

    pub(super) fn waiting_next(&self) -> usize {
        self.waiting().iter().filter(|&&waiter| self.waiters[waiter].id.is_none()).count()
    }

    fn registered(&self, id: ConnectionId) -> Option<usize> {
        self.present().into_iter().find(|&index| self.connections[index].id == id)
    }

    /// Whether `id` names something that lives, in the pool or taken out of it.
    pub(super) fn is_alive(&self, id: ConnectionId) -> bool {
        self.connections.iter().any(|connection| connection.id == id && connection.standing != Standing::Gone)
    }

    fn is_taken(&self, id: ConnectionId) -> bool {
        self.connections.iter().any(|connection| connection.id == id && connection.standing == Standing::Taken)
    }

    pub(super) fn is_reserved(&self, id: ConnectionId) -> bool {
        self.config.control_channel && id.is_control()
    }

    pub(super) fn take(&mut self, id: Option<ConnectionId>, timeout: Duration) -> usize {
        let waiter = self.waiters.len();
        let outcome = self.refusal(id).map_or(Outcome::Waiting, Outcome::Failed);
        self.waiters.push(Waiter { id, deadline: self.now + timeout, outcome });
        self.pair();
        if timeout.is_zero() && self.waiters[waiter].outcome == Outcome::Waiting {
            self.fail(waiter, TakeError::Timeout);
        }
        self.settle();
        waiter
    }

    fn refusal(&self, id: Option<ConnectionId>) -> Option<TakeError> {
        let draining = (!self.is_open()).then_some(TakeError::Draining);
        if self.life == Life::Closed {
            return Some(TakeError::Closed);
        }
        let Some(id) = id else { return draining };
        if self.registered(id).is_some() || (id.is_control() && self.is_open()) {
            return None;
        }
        if self.is_taken(id) {
            return Some(TakeError::Gone(CloseReason::Taken));
        }
        let fresh = self.tombstones.iter().rev().find(|(buried, _, until)| *buried == id && *until > self.now);
        fresh.map(|(_, reason, _)| TakeError::Gone(*reason)).or(draining)
    }

    pub(super) fn complete(&mut self, waiter: usize) -> Outcome {
        let outcome = self.waiters[waiter].outcome;
        if outcome != Outcome::Waiting {
            self.waiters[waiter].outcome = Outcome::Over;
        }
        if let Outcome::Offered(index) = outcome {
            self.connections[index].standing = Standing::Taken;
            self.connections[index].offered_to = None;
            self.taken_total += 1;
            self.give_up(self.connections[index].id, CloseReason::Taken);
        }
        self.settle();
        outcome
    }

    pub(super) fn cancel(&mut self, waiter: usize) {
        let outcome = core::mem::replace(&mut self.waiters[waiter].outcome, Outcome::Over);
        if let Outcome::Offered(index) = outcome {
            self.connections[index].offered_to = None;
        }
        self.pair();
        if !self.is_open() {
            self.close_idle_v2();
        }
        self.settle();
    }

    pub(super) fn register(&mut self, id: ConnectionId, peer: PeerGeneration) -> usize {
        if let Some(former) = self.registered(id) {
            self.end(former, CloseReason::Replaced);
        }
        self.forget(id);
        self.connections.push(Connection { id, peer, standing: Standing::Idle, offered_to: None });
        self.pair();
        self.settle();
        self.connections.len() - 1
    }

    pub(super) fn close_one(&mut self, index: usize, reason: CloseReason) {
        self.discard(index, reason);
        self.pair();
        self.settle();
    }

    pub(super) fn claim(&mut self, index: usize) {
        if self.connections[index].standing == Standing::Idle {
            self.connections[index].standing = Standing::Claimed;
            self.leave_to_takes_by_id(index);
        }
        self.settle();
    }

    pub(super) fn retain(&mut self, index: usize) {
        if matches!(self.connections[index].standing, Standing::Idle | Standing::Claimed) {
            self.connections[index].standing = Standing::Retained(self.now + self.config.retention);
            self.leave_to_takes_by_id(index);
        }
        self.settle();
    }

    fn leave_to_takes_by_id(&mut self, index: usize) {
        if let Some(waiter) = self.connections[index].offered_to.filter(|&waiter| self.waiters[waiter].id.is_none()) {
            self.connections[index].offered_to = None;
            self.requeue(waiter);
        }
        self.pair();
    }

    pub(super) fn release(&mut self, index: usize) {
        if self.connections[index].standing == Standing::Taken {
            let id = self.connections[index].id;
            self.connections[index].standing = Standing::Gone;
            if self.registered(id).is_none() {
                self.give_up(id, CloseReason::Taken);
            }
        }
        self.settle();
    }

    pub(super) fn flush(&mut self) {
        for index in self.present() {
            self.discard(index, CloseReason::Flushed);
        }
        self.settle();
    }

    pub(super) fn drain(&mut self, timeout: Duration) {
        if let Life::Draining(until) = &mut self.life {
            *until = (*until).min(self.now + timeout);
        }
        if self.is_open() {
            self.life = Life::Draining(self.now + timeout);
            for waiter in self.waiting() {
                if self.waiters[waiter].id.is_none_or(|id| self.registered(id).is_none()) {
                    self.fail(waiter, TakeError::Draining);
                }
            }
            self.close_idle_v2();
        }
        self.settle();
    }

    fn close_idle_v2(&mut self) {
        for index in self.idle() {
            if self.connections[index].peer == PeerGeneration::V2 {
                self.discard(index, CloseReason::Drained);
            }
        }
    }

    pub(super) fn close(&mut self) {
        if self.life != Life::Closed {
            self.life = Life::Closed;
            for waiter in self.waiting() {
                self.fail(waiter, TakeError::Closed);
            }
            for index in self.present() {
                if let Some(waiter) = self.connections[index].offered_to {
                    self.fail(waiter, TakeError::Closed);
                }
                self.end(index, CloseReason::PoolClosed);
            }
        }
    }

    pub(super) fn handle_timeout(&mut self) {
        for waiter in self.waiting() {
            if self.waiters[waiter].deadline <= self.now {
                self.fail(waiter, TakeError::Timeout);
            }
        }
        for index in self.present() {
            let Connection { standing, offered_to, .. } = self.connections[index];
            if offered_to.is_none() && matches!(standing, Standing::Retained(until) if until <= self.now) {
                self.discard(index, CloseReason::RetentionExpired);
            }
        }
        self.settle();
    }

    /// When the next waiter, retained connection or drain comes to its end.
    pub(super) fn next_timeout(&self) -> Option<Instant> {
        let waiters = self.waiting().into_iter().map(|waiter| self.waiters[waiter].deadline);
        let retained = self.present().into_iter().filter_map(|index| match self.connections[index] {
            Connection { standing: Standing::Retained(until), offered_to: None, .. } => Some(until),
            _ => None,
        });
        let drain = if let Life::Draining(until) = self.life { Some(until) } else { None };
        waiters.chain(retained).chain(drain).min()
    }

    /// Ends a drain that is over, whatever else it was that happened.
    pub(super) fn settle(&mut self) {
        if let Life::Draining(until) = self.life
            && (self.present().is_empty() || until <= self.now)
        {
            for index in self.present() {
                self.discard(index, CloseReason::Drained);
            }
            self.close();
        }
    }

    /// A connection ends, and with it the hopes of those who want this one.
    fn discard(&mut self, index: usize, reason: CloseReason) {
        if !self.is_present(index) {
            return;
        }
        let Connection { id, offered_to, .. } = self.connections[index];
        let comes_again = id.is_control() && self.is_open();
        if let Some(waiter) = offered_to.filter(|&waiter| self.waiters[waiter].id.is_some() && !comes_again) {
            self.fail(waiter, TakeError::Gone(reason));
        }
        self.end(index, reason);
        self.give_up(id, reason);
    }

    /// A connection ends; who was offered it waits again.
    fn end(&mut self, index: usize, reason: CloseReason) {
        let is_ours = matches!(reason, CloseReason::Flushed | CloseReason::Surplus);
        let connection = &mut self.connections[index];
        if connection.standing == Standing::Idle && !is_ours {
            self.last_death = Some(self.now);
        }
        connection.standing = Standing::Gone;
        if let Some(waiter) = connection.offered_to.take()
            && self.waiters[waiter].outcome == Outcome::Offered(index)
        {
            self.requeue(waiter);
        }
        self.closed.push((index, reason));
        self.closed_total += 1;
    }

    pub(super) fn give_up(&mut self, id: ConnectionId, reason: CloseReason) {
        if id.is_control() && self.is_open() {
            return;
        }
        self.tombstones.push((id, reason, self.now + self.config.tombstone));
        for waiter in self.waiting() {
            if self.waiters[waiter].id == Some(id) {
                self.fail(waiter, TakeError::Gone(reason));
            }
        }
    }

    pub(super) fn forget(&mut self, id: ConnectionId) {
        self.tombstones.retain(|(buried, ..)| *buried != id);
    }

    fn requeue(&mut self, waiter: usize) {
        let Waiter { id, deadline, .. } = self.waiters[waiter];
        match self.life {
            Life::Draining(_) if id.is_none() => self.fail(waiter, TakeError::Draining),
            _ if deadline <= self.now => self.fail(waiter, TakeError::Timeout),
            _ => self.waiters[waiter].outcome = Outcome::Waiting,
        }
    }

    fn fail(&mut self, waiter: usize, error: TakeError) {
        self.waiters[waiter].outcome = Outcome::Failed(error);
    }

    /// Gives every waiter what it could have: first who wants one connection, then who wants any; first come, first
    /// served.
    fn pair(&mut self) {
        for waiter in self.waiting() {
            if let Some(index) = self.waiters[waiter].id.and_then(|id| self.registered(id))
                && self.connections[index].offered_to.is_none()
            {
                self.offer(index, waiter);
            }
        }
        for waiter in self.waiting() {
            let idle = self.idle().into_iter().filter(|&index| !self.is_reserved(self.connections[index].id));
            let next = if self.role == Role::Client { idle.max() } else { idle.min() };
            if let Some(index) = next.filter(|_| self.waiters[waiter].id.is_none()) {
                self.offer(index, waiter);
            }
        }
    }

    fn offer(&mut self, index: usize, waiter: usize) {
        self.connections[index].offered_to = Some(waiter);
        self.waiters[waiter].outcome = Outcome::Offered(index);
    }
}
