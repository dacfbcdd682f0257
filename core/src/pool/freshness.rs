//! What the last look at a connection, before it is handed out, can find.

use super::exchange::{Exchange, Life};
use super::registry::{ConnectionKey, Standing};
use super::waiters::{Progress, WaiterId, Want};
use crate::{CloseReason, ConnectionId, Instant, PeerGeneration, TakeError};

impl<C> Exchange<C> {
    /// Whether the connection that stands under `id` is not to be handed out.
    pub(super) fn is_held(&self, id: ConnectionId) -> bool {
        self.registry.registered(id).and_then(|key| self.registry.standing(key)) == Some(Standing::Held)
    }

    /// A connection was not proved alive of late: holds it back. Says whether it is held back now.
    pub(super) fn hold(&mut self, now: Instant, key: ConnectionKey) -> bool {
        match self.registry.standing(key) {
            Some(Standing::Held) => return true,
            // Who was proved for this very offer is fresh enough, or a short limit would ask again and again, unless this
            // end has slept since.
            Some(Standing::Idle) if !self.is_proved(now, key) => {}
            _ => return false,
        }
        if self.registry.peer(key) != Some(PeerGeneration::V2) {
            return false;
        }
        let waiter = self.put_back(key);
        if let Life::Draining { .. } = self.life {
            self.ask_back(key);
        } else {
            self.registry.set_standing(key, Standing::Held);
        }
        self.pair_next();
        self.expire(now, waiter);
        true
    }

    /// A connection that was held back is alive.
    pub(super) fn prove(&mut self, now: Instant, key: ConnectionKey) {
        if self.is_open() && self.registry.standing(key) == Some(Standing::Held) {
            self.registry.set_standing(key, Standing::Idle);
            self.pair(key);
            if let Some(waiter) = self.registry.offered_to(key) {
                self.waiters.mark_proved(waiter, now + self.config.link.pong_timeout);
            }
        }
    }

    /// Whether it was offered because it had been proved alive, and counts as that.
    fn is_proved(&self, now: Instant, key: ConnectionKey) -> bool {
        self.registry.offered_to(key).is_some_and(|waiter| self.waiters.is_proved(now, waiter))
    }

    /// A connection is dead. Says whether it was offered.
    pub(super) fn bury_offered(&mut self, now: Instant, key: ConnectionKey, reason: CloseReason) -> bool {
        let waiter = self.put_back(key);
        self.close_connection(now, key, reason);
        self.expire(now, waiter);
        waiter.is_some()
    }

    /// Takes an offer back, so that its waiter, in its old place, can be offered what else is there.
    fn put_back(&mut self, key: ConnectionKey) -> Option<WaiterId> {
        let waiter = self.registry.offered_to(key)?;
        self.registry.withdraw(key);
        if matches!(self.life, Life::Draining { .. }) && self.waiters.want(waiter) == Some(Want::Next) {
            self.fail(waiter, TakeError::Draining);
        } else {
            self.waiters.set_progress(waiter, Progress::Waiting);
        }
        Some(waiter)
    }

    /// Who got nothing else waits on, if there is time.
    fn expire(&mut self, now: Instant, waiter: Option<WaiterId>) {
        if let Some(waiter) = waiter
            && self.waiters.progress(waiter) == Some(Progress::Waiting)
            && self.waiters.deadline(waiter).is_some_and(|deadline| deadline <= now)
        {
            self.fail(waiter, TakeError::Timeout);
        }
    }
}
