//! What the naive pool is told of its connections.

use core::time::Duration;

use npws_core::{CloseReason, ConnectionId, TakeError};

use super::pool::{Connection, Life, Model, Outcome, Standing, Waiter, Want};

impl Model {
    pub(super) fn close_one(&mut self, index: usize, reason: CloseReason) {
        let was_given_back = matches!(self.life, Life::Draining(_))
            && self.connections[index].standing == Standing::Held
            && reason.is_end_of_stream();
        self.discard(index, if was_given_back { CloseReason::Drained } else { reason });
        self.pair();
        self.settle();
    }

    pub(super) fn claim(&mut self, index: usize) {
        if matches!(self.connections[index].standing, Standing::Idle | Standing::Held) {
            self.connections[index].standing = Standing::Claimed;
            self.leave_to_who_may(index);
        }
        self.settle();
    }

    pub(super) fn retain(&mut self, index: usize) {
        if matches!(self.connections[index].standing, Standing::Idle | Standing::Held | Standing::Claimed) {
            self.connections[index].standing = Standing::Retained(self.now + self.config.retention);
            self.leave_to_who_may(index);
        }
        self.settle();
    }

    fn leave_to_who_may(&mut self, index: usize) {
        if self.connections[index].turn.is_none() {
            self.connections[index].turn = Some(self.claims);
            self.claims += 1;
        }
        let is_next = |waiter: &usize| self.waiters[*waiter].want == Want::Next;
        if let Some(waiter) = self.connections[index].offered_to.filter(is_next) {
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

    /// A connection ends, and with it the hopes of those who want this one.
    pub(super) fn discard(&mut self, index: usize, reason: CloseReason) {
        if !self.is_present(index) {
            return;
        }
        let Connection { id, offered_to, .. } = self.connections[index];
        let comes_again = id.is_control() && self.is_open();
        if let Some(waiter) = offered_to.filter(|&waiter| self.waiters[waiter].want == Want::Id(id) && !comes_again) {
            self.fail(waiter, TakeError::Gone(reason));
        }
        self.end(index, reason);
        self.give_up(id, reason);
    }

    /// A connection ends; who was offered it waits again.
    pub(super) fn end(&mut self, index: usize, reason: CloseReason) {
        let is_ours = matches!(reason, CloseReason::Flushed | CloseReason::Surplus | CloseReason::IdleAge);
        let connection = &mut self.connections[index];
        if matches!(connection.standing, Standing::Idle | Standing::Held) && !is_ours {
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
        for waiter in self.waiting_for(id) {
            self.fail(waiter, TakeError::Gone(reason));
        }
    }

    pub(super) fn forget(&mut self, id: ConnectionId) {
        self.tombstones.retain(|(buried, ..)| *buried != id);
    }

    fn requeue(&mut self, waiter: usize) {
        let Waiter { want, deadline, .. } = self.waiters[waiter];
        match self.life {
            Life::Draining(_) if want == Want::Next => self.fail(waiter, TakeError::Draining),
            _ if deadline <= self.now => self.fail(waiter, TakeError::Timeout),
            _ => self.waiters[waiter].outcome = Outcome::Waiting,
        }
    }

    pub(super) fn fail(&mut self, waiter: usize, error: TakeError) {
        self.waiters[waiter].outcome = Outcome::Failed(error);
    }

    /// Nobody is offered this one any more; says who was.
    fn put_back(&mut self, index: usize) -> Option<usize> {
        let waiter = self.connections[index].offered_to.take()?;
        match (self.life, self.waiters[waiter].want) {
            (Life::Draining(_), Want::Next) => self.fail(waiter, TakeError::Draining),
            _ => self.waiters[waiter].outcome = Outcome::Waiting,
        }
        Some(waiter)
    }

    /// Whoever finds something else gets it, and only then is told that the time is over.
    fn pass_over(&mut self, waiter: Option<usize>) {
        self.pair();
        if let Some(waiter) = waiter.filter(|&waiter| self.waiters[waiter].outcome == Outcome::Waiting)
            && self.waiters[waiter].deadline <= self.now
        {
            self.fail(waiter, TakeError::Timeout);
        }
        self.settle();
    }

    /// Says whether the connection is held back.
    pub(super) fn stale(&mut self, index: usize) -> bool {
        let Connection { standing, offered_to, proved_for, .. } = self.connections[index];
        let is_proved = offered_to.zip(proved_for).is_some_and(|(to, (by, until))| to == by && self.now <= until);
        if standing == Standing::Idle && self.is_v2(index) && !is_proved {
            let waiter = self.put_back(index);
            self.connections[index].standing = Standing::Held;
            if !self.is_open() {
                self.ask_back(index);
            }
            self.pass_over(waiter);
            return true;
        }
        self.settle();
        standing == Standing::Held
    }

    pub(super) fn proved(&mut self, index: usize) {
        if self.is_open() && self.connections[index].standing == Standing::Held {
            self.connections[index].standing = Standing::Idle;
            self.pair();
            let until = self.now + self.config.link.pong_timeout;
            self.connections[index].proved_for = self.connections[index].offered_to.map(|waiter| (waiter, until));
        }
        self.settle();
    }

    pub(super) fn dead_on_take(&mut self, index: usize, reason: CloseReason) {
        let Some(waiter) = self.put_back(index) else { return self.close_one(index, reason) };
        self.dead_on_take += 1;
        self.discard(index, reason);
        self.pass_over(Some(waiter));
    }

    pub(super) fn measure(&mut self, rtt: Duration) {
        let smoothed = self.round_trip.map(|former| former - former / 8 + rtt / 8);
        self.round_trip = smoothed.or(Some(rtt));
    }
}
