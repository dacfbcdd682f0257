//! When which idle connection wants to be looked at.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, Weak};
use std::time::Duration;

use npws_core::Instant;

use crate::slot::Slot;
use crate::sync::{Mutex, MutexGuard};

/// The deadlines of all watched connections in one ordered map, so that a pool needs one timer.
#[derive(Debug, Default)]
pub(crate) struct LinkTimers {
    queue: Mutex<Queue>,
}

/// A deadline in the map. The number tells those of one moment apart.
pub(crate) type Alarm = (Instant, u64);

#[derive(Debug, Default)]
struct Queue {
    entries: BTreeMap<Alarm, Weak<Slot>>,
    issued: u64,
}

impl LinkTimers {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says also whether `due` is now the first deadline of all.
    pub(crate) fn insert(&self, now: Instant, due: Instant, slot: &Arc<Slot>) -> (Alarm, bool) {
        let mut queue = self.lock();
        let alarm = (together(now, due), queue.issued);
        queue.issued += 1;
        queue.entries.insert(alarm, Arc::downgrade(slot));
        (alarm, queue.entries.first_key_value().is_some_and(|(first, _)| *first == alarm))
    }

    /// Nobody waits for this one any more, and what it would have woken must not be kept until then.
    pub(crate) fn remove(&self, alarm: Alarm) {
        self.lock().entries.remove(&alarm);
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
        for (alarm, slot) in due {
            if let Some(slot) = slot.upgrade() {
                slot.wake_for_deadline(alarm);
            }
        }
    }
}

/// `due`, or a moment at most a hundredth of the time until then later, that deadlines near it share: waking up costs more
/// than most of what is done then.
fn together(now: Instant, due: Instant) -> Instant {
    let due_ns = due.since_epoch().as_nanos();
    let slack = due_ns.saturating_sub(now.since_epoch().as_nanos()) / 128;
    let Some(bits) = slack.checked_ilog2() else { return due };
    let shared = ((due_ns >> bits) + 1) << bits;
    u64::try_from(shared).map_or(due, |shared| Instant::from_epoch(Duration::from_nanos(shared)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Instant {
        Instant::from_epoch(Duration::from_millis(ms))
    }

    #[test]
    fn deadlines_that_lie_close_together_become_one_which_is_late_by_a_hundredth_at_most() {
        let mut moments = std::collections::BTreeSet::new();
        for due in 27_000..30_000 {
            let moment = together(at(0), at(due));
            assert!(moment >= at(due) && moment <= at(due + due / 100), "{due}: {moment:?}");
            moments.insert(moment);
        }
        assert!(moments.len() <= 24, "{} moments in 3 s", moments.len());
    }

    #[test]
    fn what_is_due_is_not_put_off() {
        assert_eq!(together(at(5), at(5)), at(5));
        assert_eq!(together(at(5), at(3)), at(3));
        assert_eq!(together(at(0), Instant::from_epoch(Duration::MAX)), Instant::from_epoch(Duration::MAX));
    }
}
