//! When which idle connection wants to be looked at.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, Weak};

use npws_core::Instant;

use crate::slot::Slot;
use crate::sync::{Mutex, MutexGuard};

/// The deadlines of all watched connections in one ordered map, so that a pool needs one timer.
#[derive(Debug, Default)]
pub(crate) struct LinkTimers {
    queue: Mutex<Queue>,
}

#[derive(Debug, Default)]
struct Queue {
    entries: BTreeMap<(Instant, u64), Weak<Slot>>,
    issued: u64,
}

impl LinkTimers {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says whether `at` is now the first deadline of all.
    pub(crate) fn insert(&self, at: Instant, slot: &Arc<Slot>) -> bool {
        let mut queue = self.lock();
        let key = (at, queue.issued);
        queue.issued += 1;
        queue.entries.insert(key, Arc::downgrade(slot));
        queue.entries.first_key_value().is_some_and(|(first, _)| *first == key)
    }

    pub(crate) fn first(&self) -> Option<Instant> {
        self.lock().entries.first_key_value().map(|((at, _), _)| *at)
    }

    /// Wakes the watchers of all connections that are due.
    pub(crate) fn fire(&self, now: Instant) {
        let mut queue = self.lock();
        let later = queue.entries.split_off(&(now, u64::MAX));
        let due = std::mem::replace(&mut queue.entries, later);
        drop(queue);
        for slot in due.into_values().filter_map(|slot| slot.upgrade()) {
            slot.wake_for_deadline();
        }
    }
}
