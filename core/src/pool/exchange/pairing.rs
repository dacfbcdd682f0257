//! Who gets which connection.

use super::Exchange;
use crate::ConnectionId;
use crate::pool::Output;
use crate::pool::registry::ConnectionKey;
use crate::pool::waiters::{Progress, WaiterId, Want};

impl<C> Exchange<C> {
    /// The connection that a new take gets without waiting. Nobody waits for what is there, so it overtakes nobody.
    pub(super) fn at_once(&self, want: Want) -> Option<ConnectionKey> {
        match want {
            Want::Id(id) => self.registry.available(id),
            Want::Next => self.next_idle().filter(|_| self.is_open()),
            Want::Claimed => self.next_claimed(),
        }
    }

    /// Offers a connection to whom it suits: who asked for it by ID first.
    pub(in crate::pool) fn pair(&mut self, key: ConnectionKey) {
        self.pair_by_id(key.id());
        self.pair_claimed();
        self.pair_next();
    }

    pub(super) fn pair_by_id(&mut self, id: ConnectionId) {
        if let Some(key) = self.registry.available(id)
            && let Some(waiter) = self.waiters.first_by_id(id)
        {
            self.offer(key, waiter);
        }
    }

    pub(in crate::pool) fn pair_next(&mut self) {
        while let Some(waiter) = self.waiters.first_next()
            && let Some(key) = self.next_idle()
        {
            self.offer(key, waiter);
        }
    }

    pub(super) fn pair_claimed(&mut self) {
        while let Some(waiter) = self.waiters.first_claimed()
            && let Some(key) = self.next_claimed()
        {
            self.offer(key, waiter);
        }
    }

    pub(super) fn next_claimed(&self) -> Option<ConnectionKey> {
        let spare = self.reserved_for_control();
        self.registry.acceptable().find(|key| Some(key.id()) != spare)
    }

    pub(super) fn next_idle(&self) -> Option<ConnectionKey> {
        self.registry.idle.next(self.role)
    }

    fn offer(&mut self, key: ConnectionKey, waiter: WaiterId) {
        self.registry.offer(key, waiter);
        self.waiters.set_progress(waiter, Progress::Offered(key));
        mutation!(LostWakeUp => return);
        self.emit(Output::Wake(waiter));
    }
}
