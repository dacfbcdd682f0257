//! How a pool ends: gently or at once.

use alloc::vec::Vec;

use super::Output;
use super::exchange::{Exchange, Life};
use crate::{CloseReason, Instant, PeerGeneration, TakeError};

impl<C> Exchange<C> {
    /// Closes every connection that nobody has taken yet.
    pub(super) fn close_all(&mut self, now: Instant, reason: CloseReason) {
        // Nobody is offered another before all are gone: it would be the next to go.
        for key in self.registry.keys(None) {
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
        self.close_idle_if_draining(now);
        self.close_if_drained(now);
    }

    /// A v1 peer would keep a ghost of a connection that we close under it: those wait for the deadline.
    pub(super) fn close_idle_if_draining(&mut self, now: Instant) {
        if let Life::Draining { .. } = self.life {
            for key in self.registry.keys(Some(PeerGeneration::V2)) {
                self.close_connection(now, key, CloseReason::Drained);
            }
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
        for key in self.registry.keys(None) {
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
