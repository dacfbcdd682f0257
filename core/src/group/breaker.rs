//! Whether an endpoint is out, and when to see whether it is back.

use core::ops::RangeInclusive;
use core::time::Duration;

use crate::Instant;
use crate::backoff::Backoff;
use crate::random::Jitter;

/// Whether an endpoint is out.
///
/// ```
/// use npws_core::BreakerState;
/// assert_eq!(BreakerState::HalfOpen.to_string(), "half open");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum BreakerState {
    /// It is in use.
    Closed,
    /// It is out: nothing is dialed until the next probe.
    Open,
    /// It is out, and a single dial is asking whether it is back.
    HalfOpen,
}

impl core::fmt::Display for BreakerState {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half open",
        })
    }
}

/// After so long without an outcome a probe is asked for again. A pool begins none beside a dial that is under way, so
/// this may be less than a dial may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// Opens on failures, and lets one probe through at a time until one succeeds.
#[derive(Debug)]
pub(super) struct Breaker {
    state: BreakerState,
    /// Failed dials in a row.
    failures: u32,
    backoff: Backoff,
    /// When a probe that is under way counts as lost.
    lost: Option<Instant>,
}

impl Breaker {
    pub(super) fn new(pauses: RangeInclusive<Duration>) -> Self {
        Self { state: BreakerState::Closed, failures: 0, backoff: Backoff::new(pauses), lost: None }
    }

    pub(super) fn state(&self) -> BreakerState {
        self.state
    }

    pub(super) fn failures(&self) -> u32 {
        self.failures
    }

    /// When the next probe is due.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        match self.state {
            BreakerState::Closed => None,
            BreakerState::Open => self.backoff.until(),
            BreakerState::HalfOpen => self.lost,
        }
    }

    /// `true` when the next probe is to begin, and the breaker is half open. One of which nobody tells the outcome is
    /// asked for again.
    pub(super) fn handle_timeout(&mut self, now: Instant) -> bool {
        let is_due = self.poll_timeout().is_some_and(|due| due <= now);
        if is_due {
            self.state = BreakerState::HalfOpen;
            self.lost = Some(now + PATIENCE);
        }
        is_due
    }

    /// A dial succeeded, be it the probe or one that began before: the endpoint is there.
    pub(super) fn handle_success(&mut self) {
        self.failures = 0;
        self.state = BreakerState::Closed;
        self.backoff.succeed();
    }

    /// A dial failed. `breaks` says after how many in a row the endpoint is out.
    pub(super) fn handle_failure(&mut self, now: Instant, breaks: u32, jitter: &mut Jitter) {
        self.failures = self.failures.saturating_add(1);
        match self.state {
            BreakerState::Closed if self.failures >= breaks => self.open(now, jitter),
            BreakerState::HalfOpen => {
                mutation!(ProbeOnlyOnce => return);
                self.open(now, jitter);
            }
            // Of the dials that were under way as it opened, the first spoke for all.
            BreakerState::Closed | BreakerState::Open => {}
        }
    }

    pub(super) fn open(&mut self, now: Instant, jitter: &mut Jitter) {
        self.state = BreakerState::Open;
        self.backoff.fail(now, jitter);
    }
}
