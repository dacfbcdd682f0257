//! Pending takes, first come first served.

use alloc::collections::BTreeSet;
use core::num::NonZeroU64;

use super::registry::ConnectionKey;
use crate::keyed::{Key, KeyedMap};
use crate::{ConnectionId, Instant, TakeError};

/// One pending `take`, `take_next` or `accept`. It ends in exactly one outcome: completed or cancelled.
///
/// ```
/// # use core::time::Duration;
/// # use npws_core::{ClientConfig, ClientPool, Instant};
/// # let mut pool = ClientPool::<()>::new(ClientConfig::default(), 1, Instant::ZERO)?;
/// let first = pool.take_next(Instant::ZERO, Duration::MAX);
/// let second = pool.take_next(Instant::ZERO, Duration::MAX);
/// assert!(first < second, "waiters are served in this order");
/// # Ok::<(), npws_core::ConfigError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WaiterId(NonZeroU64);

/// Which connection a waiter wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Want {
    Id(ConnectionId),
    Next,
    /// What the peer took.
    Claimed,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Progress {
    Waiting,
    Offered(ConnectionKey),
    Failed(TakeError),
}

#[derive(Debug, Clone, Copy)]
struct Waiter {
    want: Want,
    deadline: Instant,
    progress: Progress,
    /// Until when what it is offered counts as alive, if that was proved just before.
    proved: Option<Instant>,
}

#[derive(Debug)]
pub(super) struct Waiters {
    all: KeyedMap<WaiterId, Waiter>,
    by_id: BTreeSet<(ConnectionId, WaiterId)>,
    next: BTreeSet<WaiterId>,
    claimed: BTreeSet<WaiterId>,
    deadlines: BTreeSet<(Instant, WaiterId)>,
    next_id: NonZeroU64,
}

impl Waiters {
    pub(super) fn new(key: Key) -> Self {
        Self {
            all: KeyedMap::with_hasher(key),
            by_id: BTreeSet::new(),
            next: BTreeSet::new(),
            claimed: BTreeSet::new(),
            deadlines: BTreeSet::new(),
            next_id: NonZeroU64::MIN,
        }
    }

    /// Whose outcome is known already stands in no queue.
    pub(super) fn add(&mut self, want: Want, deadline: Instant, progress: Progress) -> WaiterId {
        let waiter = WaiterId(self.next_id);
        self.next_id = self.next_id.saturating_add(1);
        self.all.insert(waiter, Waiter { want, deadline, progress, proved: None });
        if progress == Progress::Waiting {
            self.enqueue(waiter, want, deadline);
        }
        waiter
    }

    fn enqueue(&mut self, waiter: WaiterId, want: Want, deadline: Instant) {
        match want {
            Want::Id(id) => self.by_id.insert((id, waiter)),
            Want::Next => self.next.insert(waiter),
            Want::Claimed => self.claimed.insert(waiter),
        };
        self.deadlines.insert((deadline, waiter));
    }

    fn dequeue(&mut self, waiter: WaiterId, want: Want, deadline: Instant) {
        match want {
            Want::Id(id) => self.by_id.remove(&(id, waiter)),
            Want::Next => self.next.remove(&waiter),
            Want::Claimed => self.claimed.remove(&waiter),
        };
        self.deadlines.remove(&(deadline, waiter));
    }

    /// The waiter that has waited longest for `id`.
    pub(super) fn first_by_id(&self, id: ConnectionId) -> Option<WaiterId> {
        self.by_id
            .range((id, WaiterId(NonZeroU64::MIN))..=(id, WaiterId(NonZeroU64::MAX)))
            .next()
            .map(|(_, waiter)| *waiter)
    }

    /// The waiter that has waited longest for whatever comes next.
    pub(super) fn first_next(&self) -> Option<WaiterId> {
        mutation!(WaiterLifo => return self.next.last().copied());
        self.next.first().copied()
    }

    /// The waiter that has waited longest for what the peer takes.
    pub(super) fn first_claimed(&self) -> Option<WaiterId> {
        self.claimed.first().copied()
    }

    pub(super) fn first_waiting(&self) -> Option<WaiterId> {
        self.deadlines.first().map(|(_, waiter)| *waiter)
    }

    pub(super) fn waiting(&self) -> usize {
        self.deadlines.len()
    }

    /// How many waiters a new connection may serve.
    pub(super) fn wanting_connections(&self) -> usize {
        self.deadlines.len() - self.claimed.len()
    }

    pub(super) fn waiting_next(&self) -> usize {
        self.next.len()
    }

    pub(super) fn next_deadline(&self) -> Option<(Instant, WaiterId)> {
        self.deadlines.first().copied()
    }

    pub(super) fn progress(&self, waiter: WaiterId) -> Option<Progress> {
        self.all.get(&waiter).map(|waiter| waiter.progress)
    }

    pub(super) fn want(&self, waiter: WaiterId) -> Option<Want> {
        self.all.get(&waiter).map(|waiter| waiter.want)
    }

    pub(super) fn deadline(&self, waiter: WaiterId) -> Option<Instant> {
        self.all.get(&waiter).map(|waiter| waiter.deadline)
    }

    /// Moves a waiter on. Back to [`Progress::Waiting`] it gets its old place in the queue.
    pub(super) fn set_progress(&mut self, waiter: WaiterId, progress: Progress) {
        let Some(entry) = self.all.get_mut(&waiter) else { return };
        let former = core::mem::replace(&mut entry.progress, progress);
        entry.proved = None;
        let Waiter { want, deadline, .. } = *entry;
        match (former == Progress::Waiting, progress == Progress::Waiting) {
            (true, false) => self.dequeue(waiter, want, deadline),
            (false, true) => self.enqueue(waiter, want, deadline),
            _ => {}
        }
    }

    /// What the waiter is offered counts as alive until then, for as long as it is offered.
    pub(super) fn mark_proved(&mut self, waiter: WaiterId, until: Instant) {
        if let Some(entry) = self.all.get_mut(&waiter) {
            entry.proved = Some(until);
        }
    }

    pub(super) fn is_proved(&self, now: Instant, waiter: WaiterId) -> bool {
        self.all.get(&waiter).is_some_and(|entry| entry.proved.is_some_and(|until| now <= until))
    }

    /// Forgets a waiter and says how far it had come.
    pub(super) fn remove(&mut self, waiter: WaiterId) -> Option<Progress> {
        let entry = self.all.remove(&waiter)?;
        if entry.progress == Progress::Waiting {
            self.dequeue(waiter, entry.want, entry.deadline);
        }
        Some(entry.progress)
    }

    pub(super) fn offered(&self) -> impl Iterator<Item = ConnectionKey> + '_ {
        self.all.values().filter_map(|waiter| match waiter.progress {
            Progress::Offered(key) => Some(key),
            _ => None,
        })
    }

    pub(super) fn waiting_for(&self) -> impl Iterator<Item = ConnectionId> + '_ {
        self.by_id.iter().map(|(id, _)| *id)
    }
}
