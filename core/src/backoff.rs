//! Growing, jittered pauses after failures.

use core::ops::RangeInclusive;
use core::time::Duration;

use crate::Instant;
use crate::random::Jitter;

/// Doubles the pause with every failure in a row and draws it from the upper half.
#[derive(Debug)]
pub(crate) struct Backoff {
    pauses: RangeInclusive<Duration>,
    failures: u32,
    until: Option<Instant>,
}

impl Backoff {
    pub(crate) fn new(pauses: RangeInclusive<Duration>) -> Self {
        Self { pauses, failures: 0, until: None }
    }

    /// Whether the last attempt failed.
    pub(crate) fn is_failing(&self) -> bool {
        self.failures > 0
    }

    /// When the pause ends, while there is one.
    pub(crate) fn until(&self) -> Option<Instant> {
        self.until
    }

    pub(crate) fn is_paused(&self, now: Instant) -> bool {
        self.until.is_some_and(|until| until > now)
    }

    pub(crate) fn fail(&mut self, now: Instant, jitter: &mut Jitter) {
        let doublings = self.failures.min(31);
        self.failures = self.failures.saturating_add(1);
        let full = self.pauses.start().saturating_mul(1 << doublings).min(*self.pauses.end());
        self.until = Some(now + jitter.between(full / 2, full));
        mutation!(UnjitteredWave => self.until = Some(now + full));
    }

    pub(crate) fn succeed(&mut self) {
        self.failures = 0;
        self.until = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_up_to_its_limit_within_the_upper_half_and_starts_over() {
        let ms = Duration::from_millis;
        let mut jitter = Jitter::new(3);
        let mut backoff = Backoff::new(ms(100)..=ms(1000));
        let now = Instant::ZERO + ms(5);
        for full in [100, 200, 400, 800, 1000, 1000] {
            backoff.fail(now, &mut jitter);
            let pause = backoff.until().unwrap() - now;
            assert!((ms(full) / 2..=ms(full)).contains(&pause), "{pause:?} of {full} ms");
            assert!(backoff.is_paused(now));
            assert!(!backoff.is_paused(now + pause));
        }
        backoff.succeed();
        assert!(!backoff.is_paused(now));
        assert!(!backoff.is_failing());
    }
}
