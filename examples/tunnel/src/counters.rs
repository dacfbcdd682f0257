//! What an end of the tunnel counts.

use std::sync::atomic::{AtomicU64, Ordering};

/// The counters of an end of the tunnel.
#[derive(Debug, Default)]
pub struct Counters {
    pub(crate) carried: AtomicU64,
    pub(crate) retried: AtomicU64,
    pub(crate) failed: AtomicU64,
}

/// The counters at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counts {
    /// Connections of users that were joined to the target.
    pub carried: u64,
    /// Times a user's connection went on to another connection of the pool because the one before was no good.
    pub retried: u64,
    /// Connections of users that were given up.
    pub failed: u64,
}

impl Counters {
    /// Their values now.
    ///
    /// ```
    /// assert_eq!(npws_tunnel::Counters::default().counts().carried, 0);
    /// ```
    #[must_use]
    pub fn counts(&self) -> Counts {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Counts { carried: read(&self.carried), retried: read(&self.retried), failed: read(&self.failed) }
    }
}

/// Adds one.
pub(crate) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}
