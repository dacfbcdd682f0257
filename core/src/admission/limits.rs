//! How much is allowed of what, and what it is called when it was too much.

use alloc::format;
use core::fmt;
use core::ops::RangeInclusive;
use core::time::Duration;

use crate::{ConfigError, Instant};

const COUNT: RangeInclusive<usize> = 1..=1 << 20;
const REFILL: RangeInclusive<Duration> = Duration::from_micros(1)..=Duration::from_secs(3600);

/// What [`AddressLimits`](crate::AddressLimits) can be told. An address stands for one IPv4 address or one IPv6 /64,
/// which is what a customer is given.
///
/// Mind that many clients may share an address, behind a NAT or a proxy, and that one client pool opens as many
/// connections as it has capacity. So nothing is limited per address unless told.
///
/// ```
/// use npws_core::{AddressLimitsConfig, HandshakeRate};
///
/// let config = AddressLimitsConfig {
///     max_handshakes_per_address: Some(16),
///     max_connections_per_address: Some(200),
///     handshake_rate: Some(HandshakeRate::per_second(50, 200)?),
///     ..AddressLimitsConfig::default()
/// };
/// assert!(config.validate().is_ok());
/// # Ok::<(), npws_core::ConfigError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct AddressLimitsConfig {
    /// How many handshakes may be in flight: 1 to 1,048,576 or no limit; 4,096 unless told.
    pub max_handshakes: Option<usize>,
    /// How many of them from one address: 1 to 1,048,576 or no limit; no limit unless told.
    pub max_handshakes_per_address: Option<usize>,
    /// How many idle connections and handshakes in flight one address may have together: 1 to 1,048,576 or no limit; no
    /// limit unless told.
    pub max_connections_per_address: Option<usize>,
    /// How fast handshakes from one address may come; as fast as it likes unless told.
    pub handshake_rate: Option<HandshakeRate>,
    /// How many addresses are remembered at most: 1 to 1,048,576, 65,536 unless told. Fewer than there may be
    /// connections and handshakes would turn peers away, each of which may come from another address.
    pub max_addresses: usize,
}

impl Default for AddressLimitsConfig {
    fn default() -> Self {
        Self {
            max_handshakes: Some(4096),
            max_handshakes_per_address: None,
            max_connections_per_address: None,
            handshake_rate: None,
            max_addresses: 65_536,
        }
    }
}

impl AddressLimitsConfig {
    /// Checks every value.
    ///
    /// ```
    /// # use npws_core::AddressLimitsConfig;
    /// let config = AddressLimitsConfig { max_handshakes: Some(0), ..AddressLimitsConfig::default() };
    /// assert_eq!(config.validate().unwrap_err().field(), "max_handshakes");
    /// ```
    ///
    /// # Errors
    /// Names the first field whose value is outside its range.
    pub fn validate(&self) -> Result<(), ConfigError> {
        for (field, value) in [
            ("max_handshakes", self.max_handshakes),
            ("max_handshakes_per_address", self.max_handshakes_per_address),
            ("max_connections_per_address", self.max_connections_per_address),
            ("max_addresses", Some(self.max_addresses)),
        ] {
            if let Some(value) = value.filter(|value| !COUNT.contains(value)) {
                return Err(ConfigError::new(field, format!("{value}"), "1 to 1048576"));
            }
        }
        self.handshake_rate.map_or(Ok(()), |rate| rate.validate("handshake_rate"))
    }
}

/// A token bucket: so many handshakes at once, then one more after each `refill`.
///
/// ```
/// use core::time::Duration;
/// use npws_core::HandshakeRate;
///
/// let rate = HandshakeRate { burst: 20, refill: Duration::from_millis(100) };
/// assert_eq!(HandshakeRate::per_second(10, 20)?, rate);
/// # Ok::<(), npws_core::ConfigError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HandshakeRate {
    /// How many may come at once: 1 to 1,048,576.
    pub burst: u32,
    /// How long it takes until one more may come: 1 µs to 1 h.
    pub refill: Duration,
}

impl HandshakeRate {
    /// So many a second on average, and `burst` at once.
    ///
    /// ```
    /// # use npws_core::HandshakeRate;
    /// assert!(HandshakeRate::per_second(0, 20).is_err());
    /// ```
    ///
    /// # Errors
    /// When `rate` is not 1 to 1,000,000, or `burst` not 1 to 1,048,576.
    pub fn per_second(rate: u32, burst: u32) -> Result<Self, ConfigError> {
        if !(1..=1_000_000).contains(&rate) {
            return Err(ConfigError::new("rate", format!("{rate} per second"), "1 to 1000000 per second"));
        }
        let rate = Self { burst, refill: Duration::from_secs(1) / rate };
        rate.validate("rate").map(|()| rate)
    }

    /// `field` is what the configuration calls it.
    pub(crate) fn validate(&self, field: &'static str) -> Result<(), ConfigError> {
        if !usize::try_from(self.burst).is_ok_and(|burst| COUNT.contains(&burst)) {
            return Err(ConfigError::new(field, format!("a burst of {}", self.burst), "1 to 1048576"));
        }
        if !REFILL.contains(&self.refill) {
            return Err(ConfigError::new(field, format!("one every {:?}", self.refill), "1µs to 3600s"));
        }
        Ok(())
    }

    /// When a bucket that is full at `full_at` will be full after one more handshake, unless it is empty.
    pub(crate) fn take_one(self, full_at: Instant, now: Instant) -> Option<Instant> {
        let full_at = full_at.max(now) + self.refill;
        (full_at - now <= self.refill.saturating_mul(self.burst)).then_some(full_at)
    }
}

/// Which limit keeps a handshake from beginning.
///
/// ```
/// use npws_core::Limited;
///
/// assert_eq!(Limited::Rate.status(), 429);
/// assert_eq!(Limited::Handshakes.status(), 503);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Limited {
    /// As many handshakes are in flight as may be.
    Handshakes,
    /// As many of them are from this address as may be.
    HandshakesOfAddress,
    /// This address has as many connections as it may have.
    ConnectionsOfAddress,
    /// The handshakes from this address come faster than they may.
    Rate,
    /// More different addresses have connections or handshakes than can be remembered.
    Addresses,
}

impl Limited {
    /// The HTTP status to answer with: 429 when this address asks for too much, 503 when all together do.
    ///
    /// ```
    /// assert_eq!(npws_core::Limited::ConnectionsOfAddress.status(), 429);
    /// ```
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::HandshakesOfAddress | Self::ConnectionsOfAddress | Self::Rate => 429,
            Self::Handshakes | Self::Addresses => 503,
        }
    }
}

impl fmt::Display for Limited {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Handshakes => "too many handshakes are in flight",
            Self::HandshakesOfAddress => "too many handshakes from this address are in flight",
            Self::ConnectionsOfAddress => "this address has too many connections",
            Self::Rate => "handshakes from this address come too fast",
            Self::Addresses => "connections and handshakes come from too many addresses",
        })
    }
}

impl core::error::Error for Limited {}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;

    #[test]
    fn names_field_value_and_accepted_range() {
        let config = AddressLimitsConfig::default;
        let rate = |burst, refill| Some(HandshakeRate { burst, refill });
        let second = Duration::from_secs(1);
        for (config, message) in [
            (
                AddressLimitsConfig { max_handshakes_per_address: Some(0), ..config() },
                "max_handshakes_per_address is 0, accepted is 1 to 1048576",
            ),
            (
                AddressLimitsConfig { max_connections_per_address: Some(1 << 21), ..config() },
                "max_connections_per_address is 2097152, accepted is 1 to 1048576",
            ),
            (AddressLimitsConfig { max_addresses: 0, ..config() }, "max_addresses is 0, accepted is 1 to 1048576"),
            (
                AddressLimitsConfig { handshake_rate: rate(0, second), ..config() },
                "handshake_rate is a burst of 0, accepted is 1 to 1048576",
            ),
            (
                AddressLimitsConfig { handshake_rate: rate(1, Duration::ZERO), ..config() },
                "handshake_rate is one every 0ns, accepted is 1µs to 3600s",
            ),
        ] {
            assert_eq!(config.validate().unwrap_err().to_string(), message);
        }
    }

    #[test]
    fn rates_a_second_are_checked() {
        assert_eq!(HandshakeRate::per_second(1_000_000, 1).unwrap().refill, Duration::from_micros(1));
        assert!(HandshakeRate::per_second(1_000_001, 1).is_err());
        assert!(HandshakeRate::per_second(1, 0).is_err());
    }
}
