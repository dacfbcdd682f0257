//! What a group of pools can be told.

use core::ops::RangeInclusive;
use core::time::Duration;

use super::Strategy;
use crate::ConfigError;
use crate::config::{DAY, SHORT, both_within, within};

/// What a [`Group`](super::Group) can be told.
///
/// ```
/// use npws_core::{GroupConfig, Strategy};
///
/// let config = GroupConfig { strategy: Strategy::LeastLoaded, ..GroupConfig::default() };
/// assert!(config.validate().is_ok());
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct GroupConfig {
    /// Which endpoint the next connection is taken from.
    pub strategy: Strategy,
    /// How many dials of an endpoint have to fail in a row for it to count as out, although it has idle connections: 1
    /// to 1,000, 3 unless told. Once it has none, a single one is enough.
    pub break_after: u32,
    /// The first and the longest pause before an endpoint that is out is probed again: each 1 ms to 1 h,
    /// `100 ms..=10 s` unless told. It doubles with every probe that fails and is drawn from the upper half.
    pub probe_backoff: RangeInclusive<Duration>,
    /// The time between two look-ups of a name, of which up to a tenth is left out at random: 1 ms to 24 h, 30 s unless
    /// told.
    pub resolve_interval: Duration,
    /// How many addresses of one name are used: 1 to 1,024, 64 unless told.
    pub max_addresses: usize,
    /// How long what the peer may already have taken can be taken from an endpoint that its name does not have any
    /// more: up to 24 h, 30 s unless told.
    pub drain_timeout: Duration,
}

impl Default for GroupConfig {
    fn default() -> Self {
        Self {
            strategy: Strategy::default(),
            break_after: 3,
            probe_backoff: Duration::from_millis(100)..=Duration::from_secs(10),
            resolve_interval: Duration::from_secs(30),
            max_addresses: 64,
            drain_timeout: Duration::from_secs(30),
        }
    }
}

impl GroupConfig {
    /// Checks every value.
    ///
    /// ```
    /// # use npws_core::GroupConfig;
    /// let config = GroupConfig { break_after: 0, ..GroupConfig::default() };
    /// assert_eq!(config.validate().unwrap_err().to_string(), "break_after is 0, accepted is 1 to 1000");
    /// ```
    ///
    /// # Errors
    /// Names the first field whose value is outside its range.
    pub fn validate(&self) -> Result<(), ConfigError> {
        within("break_after", self.break_after, 1..=1000)?;
        both_within("probe_backoff", &self.probe_backoff, SHORT)?;
        within("resolve_interval", self.resolve_interval, DAY)?;
        within("max_addresses", self.max_addresses, 1..=1024)?;
        within("drain_timeout", self.drain_timeout, Duration::ZERO..=*DAY.end())
    }
}
