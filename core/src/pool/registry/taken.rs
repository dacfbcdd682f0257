//! Which connections users have.

use alloc::collections::BTreeSet;

use super::ConnectionKey;
use crate::ConnectionId;
use crate::keyed::{Key, KeyedMap};

/// Connections that were taken and have not ended yet.
#[derive(Debug)]
pub(super) struct InUse {
    /// One of each ID, by its age.
    by_id: KeyedMap<ConnectionId, u64>,
    /// The others: a server may give an ID again.
    others: BTreeSet<(ConnectionId, u64)>,
}

impl InUse {
    pub(super) fn new(key: Key) -> Self {
        Self { by_id: KeyedMap::with_hasher(key), others: BTreeSet::new() }
    }

    pub(super) fn len(&self) -> usize {
        self.by_id.len() + self.others.len()
    }

    pub(super) fn contains_id(&self, id: ConnectionId) -> bool {
        self.by_id.contains_key(&id)
    }

    pub(super) fn insert(&mut self, key: ConnectionKey) {
        let age = *self.by_id.entry(key.id).or_insert(key.age);
        if age != key.age {
            self.others.insert((key.id, key.age));
        }
    }

    /// Says whether it was there.
    pub(super) fn remove(&mut self, key: ConnectionKey) -> bool {
        if self.by_id.get(&key.id) != Some(&key.age) {
            return self.others.remove(&(key.id, key.age));
        }
        self.by_id.remove(&key.id);
        if let Some(other) = self.others.range((key.id, 0)..=(key.id, u64::MAX)).next().copied() {
            self.others.remove(&other);
            self.by_id.insert(key.id, other.1);
        }
        true
    }
}
