//! Seeded pseudo-randomness for jitter. Never used for IDs or masks.

use core::time::Duration;

/// SplitMix64 (Steele, Lea, Flood 2014): tiny, seedable, and good enough to spread timers.
#[derive(Debug, Clone)]
pub(crate) struct Jitter(u64);

impl Jitter {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number drawn from `0..end` (0 if that is empty), evenly as long as `end` is far below 2^64.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        let drawn = (end as u128 * u128::from(self.next_u64())) >> 64;
        usize::try_from(drawn).unwrap_or(0)
    }

    /// A duration drawn evenly from `low..high` (`low` if that is empty).
    pub(crate) fn between(&mut self, low: Duration, high: Duration) -> Duration {
        let span = high.saturating_sub(low).as_nanos().min(u128::from(u64::MAX));
        let drawn = (span * u128::from(self.next_u64())) >> 64;
        low.saturating_add(Duration::from_nanos(u64::try_from(drawn).unwrap_or(u64::MAX)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stays_within_its_bounds_and_varies() {
        let mut jitter = Jitter::new(7);
        let (low, high) = (Duration::from_millis(10), Duration::from_millis(20));
        let drawn: alloc::vec::Vec<_> = (0..1000).map(|_| jitter.between(low, high)).collect();
        assert!(drawn.iter().all(|d| (low..high).contains(d)));
        assert!(drawn.iter().any(|d| *d < Duration::from_millis(11)));
        assert!(drawn.iter().any(|d| *d > Duration::from_millis(19)));
        assert_eq!(jitter.between(high, low), high);
        let numbers: alloc::collections::BTreeSet<_> = (0..100).map(|_| jitter.below(4)).collect();
        assert_eq!(numbers, [0, 1, 2, 3].into());
        assert_eq!((jitter.below(1), jitter.below(0)), (0, 0));
        assert!(jitter.between(Duration::ZERO, Duration::MAX) > Duration::ZERO);
    }
}
