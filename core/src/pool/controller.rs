//! The rule that adapts capacity and interval to the demand.

use core::ops::RangeInclusive;
use core::time::Duration;

/// Both thresholds of the original: below a fifth is little, above four fifths is much.
const LOW: (usize, usize) = (1, 5);
const HIGH: (usize, usize) = (4, 5);
const INTERVAL_STEP: Duration = Duration::from_millis(100);

/// How a client pool adapts its capacity and the interval between its rounds.
///
/// ```
/// use npws_core::Policy;
/// assert_eq!(Policy::default(), Policy::Adaptive);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Policy {
    /// The original's rule. Before each round the interval falls by 100 ms when less than 20 % of the capacity is
    /// idle, and grows by 100 ms above 80 %. After each round the capacity falls by one when fewer than 20 % of it had
    /// to be created, and grows by one above 80 %.
    #[default]
    Adaptive,
    /// The least capacity and the shortest interval, always.
    Fixed,
}

#[derive(Debug)]
pub(super) struct Controller {
    policy: Policy,
    capacities: RangeInclusive<usize>,
    intervals: RangeInclusive<Duration>,
    capacity: usize,
    interval: Duration,
}

impl Controller {
    pub(super) fn new(policy: Policy, capacities: RangeInclusive<usize>, intervals: RangeInclusive<Duration>) -> Self {
        let (capacity, interval) = (*capacities.start(), *intervals.start());
        Self { policy, capacities, intervals, capacity, interval }
    }

    /// From now on the capacity stays within `capacities`.
    pub(super) fn resize(&mut self, capacities: RangeInclusive<usize>) {
        let (least, most) = (*capacities.start(), *capacities.end());
        self.capacity = match self.policy {
            Policy::Fixed => least,
            Policy::Adaptive => self.capacity.clamp(least, most.max(least)),
        };
        self.capacities = capacities;
    }

    pub(super) fn capacity(&self) -> usize {
        self.capacity
    }

    pub(super) fn interval(&self) -> Duration {
        self.interval
    }

    /// Adapts the interval to how many connections are idle.
    pub(super) fn before_round(&mut self, idle: usize) {
        if self.policy == Policy::Fixed {
            return;
        }
        // Whole connections, as the original computes them: with a capacity below 5 nothing is ever too few.
        if idle < self.capacity * LOW.0 / LOW.1 {
            self.interval = self.interval.saturating_sub(INTERVAL_STEP).max(*self.intervals.start());
        }
        if idle > self.capacity * HIGH.0 / HIGH.1 {
            self.interval = self.interval.saturating_add(INTERVAL_STEP).min(*self.intervals.end());
        }
    }

    /// Adapts the capacity to how many connections the round created.
    pub(super) fn after_round(&mut self, created: usize) {
        if self.policy == Policy::Fixed {
            return;
        }
        let before = self.capacity;
        if created * LOW.1 < before * LOW.0 && before > *self.capacities.start() {
            self.capacity -= 1;
        }
        if created * HIGH.1 > before * HIGH.0 && before < *self.capacities.end() {
            self.capacity += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn controller(capacities: RangeInclusive<usize>) -> Controller {
        Controller::new(Policy::Adaptive, capacities, MS * 100..=MS * 1000)
    }

    #[test]
    fn starts_at_the_least_capacity_and_the_shortest_interval() {
        let controller = controller(5..=20);
        assert_eq!((controller.capacity(), controller.interval()), (5, MS * 100));
    }

    #[test]
    fn interval_moves_by_100_ms_between_its_bounds() {
        let mut controller = controller(10..=20);
        for expected in [200, 300, 400, 500, 600, 700, 800, 900, 1000, 1000] {
            controller.before_round(9);
            assert_eq!(controller.interval(), MS * expected);
        }
        for idle in [2, 8] {
            controller.before_round(idle);
            assert_eq!(controller.interval(), MS * 1000, "{idle} of 10 is neither few nor many");
        }
        for expected in [900, 800, 700, 600, 500, 400, 300, 200, 100, 100] {
            controller.before_round(1);
            assert_eq!(controller.interval(), MS * expected);
        }
    }

    #[test]
    fn thresholds_truncate_to_whole_connections() {
        let mut controller = controller(4..=4);
        controller.before_round(4);
        controller.before_round(0);
        assert_eq!(controller.interval(), MS * 200, "a fifth of 4 truncates to 0, and 0 idle is not below it");
    }

    #[test]
    fn capacity_moves_by_one_between_its_bounds() {
        let mut controller = controller(5..=7);
        for expected in [6, 7, 7] {
            controller.after_round(controller.capacity());
            assert_eq!(controller.capacity(), expected);
        }
        controller.after_round(2);
        assert_eq!(controller.capacity(), 7, "2 of 7 is neither few nor many");
        for expected in [6, 5, 5] {
            controller.after_round(0);
            assert_eq!(controller.capacity(), expected);
        }
    }

    #[test]
    fn a_fixed_policy_never_moves() {
        let mut controller = Controller::new(Policy::Fixed, 5..=20, MS * 100..=MS * 1000);
        controller.before_round(5);
        controller.after_round(5);
        assert_eq!((controller.capacity(), controller.interval()), (5, MS * 100));
    }
}
