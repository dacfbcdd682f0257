//! Points in time as the caller's clock counts them.

use core::fmt;
use core::ops::{Add, Sub};
use core::time::Duration;

/// A point in time: the [`Duration`] since an epoch that the caller chose.
///
/// The machines read no clock. Whoever drives them passes the time in, so a recorded run replays exactly. Arithmetic
/// saturates: adding [`Duration::MAX`] gives a point that is never reached.
///
/// ```
/// use core::time::Duration;
/// use npws_core::Instant;
///
/// let start = Instant::ZERO;
/// let later = start + Duration::from_millis(1500);
/// assert_eq!(later - start, Duration::from_millis(1500));
/// assert_eq!(start - later, Duration::ZERO);
/// assert_eq!(later.to_string(), "1.500000s");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Instant(Duration);

impl Instant {
    /// The epoch.
    ///
    /// ```
    /// # use npws_core::Instant;
    /// assert_eq!(Instant::default(), Instant::ZERO);
    /// ```
    pub const ZERO: Self = Self(Duration::ZERO);

    /// The point `since_epoch` after the epoch.
    ///
    /// ```
    /// # use npws_core::Instant;
    /// # use core::time::Duration;
    /// assert_eq!(Instant::from_epoch(Duration::ZERO), Instant::ZERO);
    /// ```
    #[must_use]
    pub const fn from_epoch(since_epoch: Duration) -> Self {
        Self(since_epoch)
    }

    /// How long after the epoch this is.
    ///
    /// ```
    /// # use npws_core::Instant;
    /// # use core::time::Duration;
    /// let second = Duration::from_secs(1);
    /// assert_eq!((Instant::ZERO + second).since_epoch(), second);
    /// ```
    #[must_use]
    pub const fn since_epoch(self) -> Duration {
        self.0
    }
}

impl Add<Duration> for Instant {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(duration))
    }
}

impl Sub for Instant {
    type Output = Duration;

    fn sub(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

impl fmt::Display for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:06}s", self.0.as_secs(), self.0.subsec_micros())
    }
}
