//! Durations, and where most of them lie.

use std::time::Duration;

/// The half and the 99 % below which durations lie.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Percentiles {
    pub(super) p50: Duration,
    pub(super) p99: Duration,
}

impl Percentiles {
    /// Zero when there are none.
    pub(super) fn of(mut durations: Vec<Duration>) -> Self {
        durations.sort_unstable();
        let at = |percent: usize| {
            let rank = (durations.len() * percent).div_ceil(100).max(1);
            durations.get(rank - 1).copied().unwrap_or_default()
        };
        Self { p50: at(50), p99: at(99) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_the_smallest_value_with_that_share_at_or_below_it() {
        let percentiles = Percentiles::of((1..=200).rev().map(Duration::from_secs).collect());
        assert_eq!((percentiles.p50.as_secs(), percentiles.p99.as_secs()), (100, 198));
        assert_eq!(Percentiles::of(vec![]).p99, Duration::ZERO);
        assert_eq!(Percentiles::of(vec![Duration::from_secs(3)]).p50.as_secs(), 3);
    }
}
