//! IDs that cannot be taken any more, and why.

use alloc::collections::VecDeque;

use crate::keyed::{Key, KeyedMap};
use crate::{CloseReason, ConnectionId, Instant};

/// Older tombstones are dropped early rather than let a churning peer grow the pool's memory.
const MAX_TOMBSTONES: usize = 65_536;

#[derive(Debug)]
pub(super) struct Tombstones {
    by_id: KeyedMap<ConnectionId, (Instant, CloseReason)>,
    burials: VecDeque<(Instant, ConnectionId)>,
}

impl Tombstones {
    pub(super) fn new(key: Key) -> Self {
        Self { by_id: KeyedMap::with_hasher(key), burials: VecDeque::new() }
    }

    /// Remembers until `until` why `id` cannot be taken any more.
    pub(super) fn bury(&mut self, now: Instant, id: ConnectionId, reason: CloseReason, until: Instant) {
        self.by_id.insert(id, (until, reason));
        self.burials.push_back((until, id));
        while self.burials.len() > MAX_TOMBSTONES || self.burials.front().is_some_and(|(until, _)| *until <= now) {
            let Some((expired, id)) = self.burials.pop_front() else { break };
            if self.by_id.get(&id).is_some_and(|(until, _)| *until == expired) {
                self.by_id.remove(&id);
            }
        }
    }

    pub(super) fn find(&self, now: Instant, id: ConnectionId) -> Option<CloseReason> {
        self.by_id.get(&id).filter(|(until, _)| *until > now).map(|(_, reason)| *reason)
    }

    pub(super) fn forget(&mut self, id: ConnectionId) {
        self.by_id.remove(&id);
    }
}
