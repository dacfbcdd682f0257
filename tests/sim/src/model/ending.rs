//! How the naive pool ends, and what comes to an end in it.

use core::time::Duration;

use npws_core::{CloseReason, Instant, TakeError};

use super::pool::{Connection, Life, Model, Standing, Want};

impl Model {
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
                let is_hopeless = match self.waiters[waiter].want {
                    Want::Id(id) => self.registered(id).is_none(),
                    Want::Next => true,
                    Want::Claimed => false,
                };
                if is_hopeless {
                    self.fail(waiter, TakeError::Draining);
                }
            }
            for index in self.idle() {
                if self.is_v2(index) {
                    self.ask_back(index);
                }
            }
        }
        self.settle();
    }

    /// Asks for what has just become idle.
    pub(super) fn ask_back_idle(&mut self) {
        for index in self.available() {
            if self.is_v2(index) {
                self.ask_back(index);
            }
        }
    }

    pub(super) fn ask_back(&mut self, index: usize) {
        self.connections[index].standing = Standing::Held;
        self.asked_back.push(index);
        for waiter in self.waiting_for(self.connections[index].id) {
            self.fail(waiter, TakeError::Draining);
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
}
