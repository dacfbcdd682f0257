//! Where a world takes its chances from.

use core::ops::RangeInclusive;
use core::time::Duration;

/// Seeded pseudo-randomness (SplitMix64: Steele, Lea, Flood 2014). The same seed gives the same numbers everywhere.
///
/// ```
/// use npws_sim::world::Rng;
///
/// let (mut one, mut other) = (Rng::new(7), Rng::new(7));
/// assert_eq!(one.next_u64(), other.next_u64());
/// assert!(one.below(10) < 10);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rng(u64);

impl Rng {
    /// The numbers of this seed.
    ///
    /// ```
    /// # use npws_sim::world::Rng;
    /// assert_ne!(Rng::new(1).next_u64(), Rng::new(2).next_u64());
    /// ```
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number, any of 2^64.
    ///
    /// ```
    /// # use npws_sim::world::Rng;
    /// let mut rng = Rng::new(1);
    /// assert_ne!(rng.next_u64(), rng.next_u64());
    /// ```
    pub fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `limit`; 0 if that is 0.
    ///
    /// ```
    /// # use npws_sim::world::Rng;
    /// assert_eq!(Rng::new(1).below(1), 0);
    /// ```
    pub fn below(&mut self, limit: usize) -> usize {
        let drawn = (u128::from(self.next_u64()) * limit as u128) >> 64;
        usize::try_from(drawn).unwrap_or(0)
    }

    /// A number in this range.
    ///
    /// ```
    /// # use npws_sim::world::Rng;
    /// assert!((3..=5).contains(&Rng::new(1).within(3..=5)));
    /// ```
    pub fn within(&mut self, range: RangeInclusive<usize>) -> usize {
        range.start() + self.below(range.end() - range.start() + 1)
    }

    /// Yes in so many of a thousand cases.
    ///
    /// ```
    /// # use npws_sim::world::Rng;
    /// let mut rng = Rng::new(1);
    /// assert!(rng.chance(1000) && !rng.chance(0));
    /// ```
    pub fn chance(&mut self, per_mille: u32) -> bool {
        per_mille > 0 && self.below(1000) < per_mille as usize
    }

    /// A time in this range.
    ///
    /// ```
    /// # use core::time::Duration;
    /// # use npws_sim::world::Rng;
    /// let second = Duration::from_secs(1);
    /// assert!(Rng::new(1).time(&(Duration::ZERO..=second)) <= second);
    /// ```
    pub fn time(&mut self, range: &RangeInclusive<Duration>) -> Duration {
        let span = range.end().saturating_sub(*range.start()).as_nanos();
        let drawn = (span * u128::from(self.next_u64())) >> 64;
        *range.start() + Duration::from_nanos(u64::try_from(drawn).unwrap_or(u64::MAX))
    }

    /// One of these.
    ///
    /// # Panics
    /// If there are none.
    ///
    /// ```
    /// # use npws_sim::world::Rng;
    /// assert_eq!(Rng::new(1).pick(&["only"]), "only");
    /// ```
    pub fn pick<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())]
    }
}
