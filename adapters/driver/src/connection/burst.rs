//! When small writes are worth sending together.

use std::time::Duration;

use npws_core::Instant;

/// What is written at once beyond this is worth a system call of its own.
const SMALL: usize = 8 * 1024;
/// Whoever writes again within this time, which is a few system calls, will do so once more.
const SOON: Duration = Duration::from_micros(25);

/// Small writes one right after the other, with nothing in between that says they are all.
#[derive(Debug, Default)]
pub(super) struct Burst {
    last_write: Option<Instant>,
    is_on: bool,
    /// The last write has to wait, and will be tried again.
    is_waiting: bool,
}

/// What becomes of a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Departure {
    /// The same as of the one before it.
    Unchanged,
    /// From now on they leave together.
    Together,
    /// From now on they leave at once.
    AtOnce,
}

impl Burst {
    /// A write of `length` bytes.
    pub(super) fn write(&mut self, length: usize, now: impl FnOnce() -> Instant) -> Departure {
        if std::mem::take(&mut self.is_waiting) {
            return Departure::Unchanged;
        }
        if length > SMALL {
            return self.end();
        }
        let now = now();
        let follows = self.last_write.replace(now).is_some_and(|last| now - last < SOON);
        match (std::mem::replace(&mut self.is_on, follows), follows) {
            (false, true) => Departure::Together,
            (true, false) => Departure::AtOnce,
            _ => Departure::Unchanged,
        }
    }

    /// The write that has just begun has to wait: what comes next is not another.
    pub(super) fn wait(&mut self) {
        self.is_waiting = true;
    }

    /// The writer flushes, waits for an answer, or is done.
    pub(super) fn end(&mut self) -> Departure {
        self.last_write = None;
        if std::mem::take(&mut self.is_on) { Departure::AtOnce } else { Departure::Unchanged }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(micros: u64) -> Instant {
        Instant::from_epoch(Duration::from_micros(micros))
    }

    #[test]
    fn a_burst_begins_with_the_second_write_and_lasts_as_long_as_they_follow_soon() {
        let mut burst = Burst::default();
        for (micros, departure) in [
            (0, Departure::Unchanged),
            (24, Departure::Together),
            (48, Departure::Unchanged),
            (73, Departure::AtOnce),
            (100, Departure::Unchanged),
            (101, Departure::Together),
        ] {
            assert_eq!(burst.write(1, || at(micros)), departure, "{micros}");
        }
    }

    #[test]
    fn a_write_that_is_tried_again_is_no_other_one() {
        let mut burst = Burst::default();
        for micros in 0..3 {
            assert_eq!(burst.write(1, || at(micros)), Departure::Unchanged);
            burst.wait();
        }
        assert_eq!(burst.write(1, || at(3)), Departure::Unchanged);
        assert_eq!(burst.write(1, || at(4)), Departure::Together);
    }

    #[test]
    fn whoever_flushes_or_waits_begins_anew() {
        let mut burst = Burst::default();
        assert_eq!(burst.write(1, || at(0)), Departure::Unchanged);
        assert_eq!(burst.end(), Departure::Unchanged);
        assert_eq!(burst.write(1, || at(1)), Departure::Unchanged);
        assert_eq!(burst.write(1, || at(2)), Departure::Together);
        assert_eq!(burst.end(), Departure::AtOnce);
        assert_eq!(burst.write(1, || at(3)), Departure::Unchanged);
    }

    #[test]
    fn a_large_write_is_no_part_of_one_and_costs_no_look_at_the_clock() {
        let mut burst = Burst::default();
        assert_eq!(burst.write(SMALL, || at(0)), Departure::Unchanged);
        assert_eq!(burst.write(SMALL, || at(1)), Departure::Together);
        assert_eq!(burst.write(SMALL + 1, || unreachable!()), Departure::AtOnce);
        assert_eq!(burst.write(SMALL, || at(2)), Departure::Unchanged);
    }
}
