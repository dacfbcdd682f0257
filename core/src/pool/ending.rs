//! How a pool ends: gently or at once.

use alloc::vec::Vec;

use super::exchange::{Exchange, Life};
use super::registry::Standing;
use super::{ConnectionKey, Output};
use crate::{CloseReason, Instant, PeerGeneration, TakeError};

impl<C> Exchange<C> {
    /// Closes every connection that nobody has taken yet.
    pub(super) fn close_all(&mut self, now: Instant, reason: CloseReason) {
        // Nobody is offered another before all are gone: it would be the next to go.
        for key in self.registry.keys() {
            self.discard(now, key, reason);
        }
    }

    pub(super) fn drain(&mut self, now: Instant, until: Instant) {
        match self.life {
            Life::Closed => return,
            // Asked again it can only end sooner.
            Life::Draining { until: former } => {
                self.life = Life::Draining { until: until.min(former) };
                return self.close_if_drained(now);
            }
            Life::Open => self.life = Life::Draining { until },
        }
        while let Some(waiter) = self.waiters.first_next() {
            self.fail(waiter, TakeError::Draining);
        }
        let absent: Vec<_> = self.waiters.waiting_for().filter(|id| self.registry.registered(*id).is_none()).collect();
        for id in absent {
            while let Some(waiter) = self.waiters.first_by_id(id) {
                self.fail(waiter, TakeError::Draining);
            }
        }
        for key in self.registry.returnable() {
            self.ask_back(key);
        }
        self.close_if_drained(now);
    }

    /// What nobody is offered any more is asked back from a v2 peer, who closes it when no take of its own crosses the
    /// question. A v1 peer cannot be asked, and it would keep a ghost of what we close under it: that waits for the
    /// end.
    pub(super) fn ask_back_if_draining(&mut self, key: ConnectionKey) {
        if matches!(self.life, Life::Draining { .. })
            && self.registry.standing(key) == Some(Standing::Idle)
            && self.registry.offered_to(key).is_none()
            && self.registry.peer(key) == Some(PeerGeneration::V2)
        {
            self.ask_back(key);
        }
    }

    pub(super) fn ask_back(&mut self, key: ConnectionKey) {
        self.registry.set_standing(key, Standing::Held);
        mutation!(NotAskedBack => return);
        self.emit(Output::AskBack(key));
        while let Some(waiter) = self.waiters.first_by_id(key.id()) {
            self.fail(waiter, TakeError::Draining);
        }
    }

    /// Ends a drain that is over.
    pub(super) fn close_if_drained(&mut self, now: Instant) {
        let Life::Draining { until } = self.life else { return };
        let counts = self.registry.counts();
        let present = counts.idle + counts.offered + counts.claimed + counts.retained;
        if present == 0 || until <= now {
            self.close_all(now, CloseReason::Drained);
            self.close();
        }
    }

    pub(super) fn close(&mut self) {
        if self.life == Life::Closed {
            return;
        }
        self.life = Life::Closed;
        while let Some(waiter) = self.waiters.first_waiting() {
            self.fail(waiter, TakeError::Closed);
        }
        for key in self.registry.keys() {
            if let Some(evicted) = self.registry.evict(key, CloseReason::PoolClosed) {
                if let Some(waiter) = evicted.offered_to {
                    self.fail(waiter, TakeError::Closed);
                }
                self.emit(Output::Close { connection: evicted.connection, reason: CloseReason::PoolClosed });
            }
        }
    }

    /// Says that the pool is closed, once, after everything else that there was to do for it.
    pub(super) fn announce_closed(&mut self) {
        if self.life == Life::Closed && !core::mem::replace(&mut self.is_announced, true) {
            self.emit(Output::Closed);
        }
    }
}
