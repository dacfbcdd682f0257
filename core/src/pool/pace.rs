//! How fast dials may begin.

use crate::{HandshakeRate, Instant};

/// A bucket of dials, which is never empty if there is no rate.
#[derive(Debug)]
pub(super) struct Pace {
    rate: Option<HandshakeRate>,
    full_at: Instant,
}

impl Pace {
    pub(super) fn new(rate: Option<HandshakeRate>) -> Self {
        Self { rate, full_at: Instant::ZERO }
    }

    /// Counts a dial, if one may begin now.
    pub(super) fn take_one(&mut self, now: Instant) -> bool {
        let Some(rate) = self.rate else { return true };
        let full_at = rate.take_one(self.full_at, now);
        self.full_at = full_at.unwrap_or(self.full_at);
        full_at.is_some()
    }

    /// Since when, or from when on, a dial may begin. `None` if always.
    pub(super) fn next(&self) -> Option<Instant> {
        let rate = self.rate?;
        let last = rate.refill.saturating_mul(rate.burst.saturating_sub(1));
        Some(Instant::from_epoch(self.full_at.since_epoch().saturating_sub(last)))
    }
}
