//! How long an answer takes.

use core::time::Duration;

/// The smoothed round-trip time of RFC 6298 section 2: each new one counts for an eighth.
#[derive(Debug, Default)]
pub(super) struct RoundTrip(Option<Duration>);

impl RoundTrip {
    pub(super) fn measure(&mut self, measured: Duration) {
        self.0 = Some(match self.0 {
            None => measured,
            Some(smoothed) => (smoothed - smoothed / 8).saturating_add(measured / 8),
        });
    }

    pub(super) fn smoothed(&self) -> Option<Duration> {
        self.0
    }
}
