//! What a listener for several pools can be told.

use core::ops::RangeInclusive;
use core::time::Duration;

use crate::{AddressLimitsConfig, AllowList, ConfigError, ForwardedHeader, ProxyProtocol, ServerConfig};

/// What a [`Listener`](crate::Listener) can be told.
///
/// ```
/// use npws_core::ListenerConfig;
/// assert!(ListenerConfig::default().validate().is_ok());
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct ListenerConfig {
    /// The deadline of each phase of a handshake before a pool has it, which are TLS and the request head: 1 ms to 1 h,
    /// 10 s unless told.
    pub handshake_timeout: Duration,
    /// How many handshakes that no pool has yet may be in flight: 1 to 1,048,576 or no limit; 4,096 unless told.
    pub max_handshakes: Option<usize>,
    /// How many of them from one address: 1 to 1,048,576 or no limit; no limit unless told.
    pub max_handshakes_per_address: Option<usize>,
    /// Proxies, for which the limit of an address does not hold: behind them are many clients.
    pub trusted: AllowList,
    /// Which peers begin with a PROXY header that says where a connection comes from; none unless told.
    pub proxy_protocol: Option<ProxyProtocol>,
    /// The first and the longest pause after failures of the listener: each 1 ms to 1 h, `10 ms..=1 s` unless told.
    pub backoff: RangeInclusive<Duration>,
}

impl Default for ListenerConfig {
    fn default() -> Self {
        Self {
            handshake_timeout: Duration::from_secs(10),
            max_handshakes: AddressLimitsConfig::default().max_handshakes,
            max_handshakes_per_address: None,
            trusted: AllowList::default(),
            proxy_protocol: None,
            backoff: Duration::from_millis(10)..=Duration::from_secs(1),
        }
    }
}

impl ListenerConfig {
    /// Checks every value.
    ///
    /// ```
    /// # use npws_core::ListenerConfig;
    /// # use core::time::Duration;
    /// let config = ListenerConfig { handshake_timeout: Duration::ZERO, ..ListenerConfig::default() };
    /// assert_eq!(config.validate().unwrap_err().field(), "handshake_timeout");
    /// ```
    ///
    /// # Errors
    /// Names the first field whose value is outside its range.
    pub fn validate(&self) -> Result<(), ConfigError> {
        self.clone().into_door().validate()
    }

    /// What a pool would be told to do the same before the head.
    pub(super) fn into_door(self) -> ServerConfig {
        ServerConfig {
            handshake_timeout: self.handshake_timeout,
            limits: AddressLimitsConfig {
                max_handshakes: self.max_handshakes,
                max_handshakes_per_address: self.max_handshakes_per_address,
                ..AddressLimitsConfig::default()
            },
            proxies: (!self.trusted.is_empty()).then_some((self.trusted, ForwardedHeader::Forwarded)),
            proxy_protocol: self.proxy_protocol,
            backoff: self.backoff,
            ..ServerConfig::default()
        }
    }
}
