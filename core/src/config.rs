//! What a pool can be told, with the accepted ranges.

use alloc::format;
use alloc::string::{String, ToString};
use core::fmt::Debug;
use core::ops::RangeInclusive;
use core::time::Duration;

use crate::{
    AddressLimitsConfig, AllowList, ConfigError, ForwardedHeader, HandshakeRate, LinkConfig, OriginPolicy, Policy,
    ProxyProtocol, Tokens,
};

pub(crate) const COUNT: RangeInclusive<usize> = 1..=65_536;
pub(crate) const SHORT: RangeInclusive<Duration> = Duration::from_millis(1)..=Duration::from_secs(3600);
/// The recommended bounds of RFC 8305 section 5.
const ATTEMPT: RangeInclusive<Duration> = Duration::from_millis(100)..=Duration::from_secs(2);
pub(crate) const DAY: RangeInclusive<Duration> = Duration::from_millis(1)..=Duration::from_secs(86_400);

/// What both kinds of pool can be told.
///
/// ```
/// use npws_core::PoolConfig;
/// assert!(PoolConfig::default().validate().is_ok());
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct PoolConfig {
    /// How long a connection whose peer sent data and closed can still be taken by its ID: 1 ms to 24 h, 30 s unless
    /// told.
    pub retention: Duration,
    /// How long a take by the ID of a connection that is gone fails at once with the reason: 1 ms to 1 h, 30 s unless
    /// told.
    pub tombstone: Duration,
    /// Whether the [control ID](crate::ConnectionId::CONTROL) is taken by its ID only, never by `take_next`, and whether a
    /// server gives it again when the connection that was taken by it has ended. Without one it is given until somebody
    /// has taken it.
    pub control_channel: bool,
    /// How long ago an idle connection of a v2 peer may last have been proved alive when it is handed out: 1 ms to 1 h;
    /// `None`, unless told, hands it out whenever that was, unless its peer would have been given up since then if this
    /// end had not slept. The driver looks, the pool only keeps the value.
    pub max_staleness: Option<Duration>,
    /// Whether connections are opened from this end, by `take_next`. Where a v2 peer says the same of itself, each end
    /// takes next its own half of the IDs, and the pool keeps at least one for each, be its capacity only one.
    pub opens: bool,
    /// How many bytes all connections together may hold of what their peers send before this side takes them: 4,096 to
    /// 4,294,967,295, 64 MiB unless told. The driver keeps to it, by an [`EarlyDataBudget`](crate::EarlyDataBudget).
    pub early_data_total: usize,
    /// What each connection is told.
    pub link: LinkConfig,
}

impl Default for PoolConfig {
    fn default() -> Self {
        Self {
            retention: Duration::from_secs(30),
            tombstone: Duration::from_secs(30),
            control_channel: false,
            max_staleness: None,
            opens: false,
            early_data_total: 64 << 20,
            link: LinkConfig::default(),
        }
    }
}

impl PoolConfig {
    /// Checks every value.
    ///
    /// ```
    /// # use npws_core::PoolConfig;
    /// # use core::time::Duration;
    /// let config = PoolConfig { retention: Duration::ZERO, ..PoolConfig::default() };
    /// assert_eq!(config.validate().unwrap_err().field(), "retention");
    /// ```
    ///
    /// # Errors
    /// Names the first field whose value is outside its range.
    pub fn validate(&self) -> Result<(), ConfigError> {
        within("retention", self.retention, DAY)?;
        within("tombstone", self.tombstone, SHORT)?;
        if let Some(staleness) = self.max_staleness {
            within("max_staleness", staleness, SHORT)?;
        }
        if let Some(keepalive) = self.link.keepalive {
            within("keepalive", keepalive, DAY)?;
        }
        if let Some(age) = self.link.max_idle_age {
            within("max_idle_age", age, DAY)?;
        }
        within("pong_timeout", self.link.pong_timeout, SHORT)?;
        within("early_data_total", self.early_data_total, 4096..=u32::MAX as usize)?;
        within("early_data_limit", self.link.early_data_limit, 1..=64 << 20)
    }
}

/// What a client pool can be told.
///
/// ```
/// use core::time::Duration;
/// use npws_core::ClientConfig;
///
/// let config = ClientConfig {
///     capacity: 5..=20,
///     interval: Duration::from_millis(100)..=Duration::from_secs(1),
///     ..ClientConfig::default()
/// };
/// assert!(config.validate().is_ok());
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct ClientConfig {
    /// The least and the greatest number of idle connections to aim for: each 1 to 65,536, `1..=1` unless told.
    pub capacity: RangeInclusive<usize>,
    /// The shortest and the longest time between rounds: each 1 ms to 1 h, `1 s..=1 s` unless told.
    pub interval: RangeInclusive<Duration>,
    /// The total deadline of one dial, from name resolution to the ID: 1 ms to 1 h, 10 s unless told.
    pub dial_timeout: Duration,
    /// How long an attempt to connect to one address of a name has for itself before the next address is tried beside
    /// it: 100 ms to 2 s, 250 ms unless told (RFC 8305 section 5). The driver [races](crate::Race), the pool only keeps
    /// the value.
    pub attempt_delay: Duration,
    /// How many dials may be under way at once: 1 to 65,536, 64 unless told.
    pub max_concurrent_dials: usize,
    /// How fast dials may begin: as fast as the other limits let them, unless told. What a server that has restarted
    /// sees of all its clients together is this, times their number. Whoever waits for a connection waits for it too.
    pub dial_rate: Option<HandshakeRate>,
    /// The first and the longest pause after failed dials: each 1 ms to 1 h, `100 ms..=10 s` unless told.
    ///
    /// The pause doubles with every failure in a row and is drawn from the upper half, so that clients of one server
    /// do not come back in a wave.
    pub backoff: RangeInclusive<Duration>,
    /// The rule that adapts capacity and interval.
    pub policy: Policy,
    /// What both kinds of pool can be told.
    pub pool: PoolConfig,
}

impl Default for ClientConfig {
    fn default() -> Self {
        let second = Duration::from_secs(1);
        Self {
            capacity: 1..=1,
            interval: second..=second,
            dial_timeout: Duration::from_secs(10),
            attempt_delay: Duration::from_millis(250),
            max_concurrent_dials: 64,
            dial_rate: None,
            backoff: Duration::from_millis(100)..=Duration::from_secs(10),
            policy: Policy::default(),
            pool: PoolConfig::default(),
        }
    }
}

impl ClientConfig {
    /// Checks every value.
    ///
    /// ```
    /// # use npws_core::ClientConfig;
    /// let config = ClientConfig { capacity: 20..=5, ..ClientConfig::default() };
    /// assert_eq!(
    ///     config.validate().unwrap_err().to_string(),
    ///     "capacity is 20..=5, accepted is a range that does not end before it begins"
    /// );
    /// ```
    ///
    /// # Errors
    /// Names the first field whose value is outside its range.
    pub fn validate(&self) -> Result<(), ConfigError> {
        both_within("capacity", &self.capacity, COUNT)?;
        both_within("interval", &self.interval, SHORT)?;
        within("dial_timeout", self.dial_timeout, SHORT)?;
        within("attempt_delay", self.attempt_delay, ATTEMPT)?;
        within("max_concurrent_dials", self.max_concurrent_dials, COUNT)?;
        self.dial_rate.map_or(Ok(()), |rate| rate.validate("dial_rate"))?;
        both_within("backoff", &self.backoff, SHORT)?;
        self.pool.validate()
    }
}

/// What a server pool can be told.
///
/// ```
/// use npws_core::ServerConfig;
///
/// let config = ServerConfig { capacity: 100, path: Some("/tunnel".into()), ..ServerConfig::default() };
/// assert!(config.validate().is_ok());
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct ServerConfig {
    /// How many idle connections to accept: 1 to 65,536, 1 unless told.
    pub capacity: usize,
    /// How many connections that the peer took, and this side has not, may wait at once, those retained among them: 1 to
    /// 65,536, 4,096 unless told. They do not fill the capacity, so that slow takes here keep nobody out there; with more
    /// of them there is no room, or a peer that takes whatever it gets could hold any number.
    pub max_claimed: usize,
    /// The deadline of each phase of a handshake, which are TLS, the request head, and the answer with the ID: 1 ms to
    /// 1 h, 10 s unless told.
    pub handshake_timeout: Duration,
    /// The path to answer on; any path unless told. It begins with `/`.
    pub path: Option<String>,
    /// The addresses to serve; any address unless told.
    pub allow: Option<AllowList>,
    /// The tokens of which a request must present one; none is asked for unless told. An empty set lets nobody in.
    pub tokens: Option<Tokens>,
    /// The web pages from which a browser may connect; any unless told.
    pub origins: OriginPolicy,
    /// How many handshakes and connections there may be in total and per address, and how fast they may come.
    pub limits: AddressLimitsConfig,
    /// The proxies whose word counts for where a request comes from, at least one, and the header that they say it in.
    /// Unless told, every request comes from where its socket does.
    pub proxies: Option<(AllowList, ForwardedHeader)>,
    /// The proxies, at least one, that say in front of a connection where it comes from, in the PROXY protocol. Unless
    /// told, every connection comes from where its socket does.
    pub proxy_protocol: Option<ProxyProtocol>,
    /// Whether the control ID is given at all. It is unless told: v1 peers find each other by it. Several servers behind
    /// one address must not, since a client would take the connection of one for that of another.
    pub control_id: bool,
    /// The first and the longest pause after failures of the listener: each 1 ms to 1 h, `10 ms..=1 s` unless told.
    pub backoff: RangeInclusive<Duration>,
    /// What both kinds of pool can be told.
    pub pool: PoolConfig,
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            capacity: 1,
            max_claimed: 4096,
            handshake_timeout: Duration::from_secs(10),
            path: None,
            allow: None,
            tokens: None,
            origins: OriginPolicy::default(),
            limits: AddressLimitsConfig::default(),
            proxies: None,
            proxy_protocol: None,
            control_id: true,
            backoff: Duration::from_millis(10)..=Duration::from_secs(1),
            pool: PoolConfig::default(),
        }
    }
}

impl ServerConfig {
    /// Checks every value.
    ///
    /// ```
    /// # use npws_core::ServerConfig;
    /// let config = ServerConfig { path: Some("tunnel".into()), ..ServerConfig::default() };
    /// assert_eq!(config.validate().unwrap_err().field(), "path");
    /// ```
    ///
    /// # Errors
    /// Names the first field whose value is outside its range.
    pub fn validate(&self) -> Result<(), ConfigError> {
        within("capacity", self.capacity, COUNT)?;
        within("max_claimed", self.max_claimed, COUNT)?;
        within("handshake_timeout", self.handshake_timeout, SHORT)?;
        both_within("backoff", &self.backoff, SHORT)?;
        if let Some(path) = self.path.as_ref().filter(|path| !path.starts_with('/')) {
            return Err(ConfigError::new("path", path.to_string(), "a path that begins with /"));
        }
        trusting("proxies", self.proxies.as_ref().map(|(trusted, _)| trusted))?;
        trusting("proxy_protocol", self.proxy_protocol.as_ref().map(ProxyProtocol::trusted))?;
        if self.pool.control_channel && !self.control_id {
            return Err(ConfigError::new("control_id", "off", "on, as there is a control channel"));
        }
        self.limits.validate()?;
        self.pool.validate()
    }
}

/// Whoever trusts nobody in particular has forgotten to say whom.
pub(crate) fn trusting(field: &'static str, trusted: Option<&AllowList>) -> Result<(), ConfigError> {
    match trusted {
        Some(trusted) if trusted.is_empty() => {
            Err(ConfigError::new(field, "no address", "at least one address to trust"))
        }
        _ => Ok(()),
    }
}

pub(crate) fn within<T: PartialOrd + Debug>(
    field: &'static str,
    value: T,
    accepted: RangeInclusive<T>,
) -> Result<(), ConfigError> {
    if accepted.contains(&value) {
        return Ok(());
    }
    Err(ConfigError::new(field, format!("{value:?}"), format!("{:?} to {:?}", accepted.start(), accepted.end())))
}

pub(crate) fn both_within<T: PartialOrd + Debug + Copy>(
    field: &'static str,
    range: &RangeInclusive<T>,
    accepted: RangeInclusive<T>,
) -> Result<(), ConfigError> {
    if range.is_empty() {
        return Err(ConfigError::new(field, format!("{range:?}"), "a range that does not end before it begins"));
    }
    within(field, *range.start(), accepted.clone())?;
    within(field, *range.end(), accepted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_field_value_and_accepted_range() {
        let client = ClientConfig::default();
        let none = Duration::ZERO..=Duration::ZERO;
        let cases = [
            (ClientConfig { capacity: 0..=5, ..client.clone() }, "capacity is 0, accepted is 1 to 65536"),
            (ClientConfig { interval: none.clone(), ..client.clone() }, "interval is 0ns, accepted is 1ms to 3600s"),
            (ClientConfig { backoff: none, ..client.clone() }, "backoff is 0ns, accepted is 1ms to 3600s"),
            (
                ClientConfig { dial_rate: Some(HandshakeRate { burst: 0, refill: *DAY.start() }), ..client.clone() },
                "dial_rate is a burst of 0, accepted is 1 to 1048576",
            ),
            (
                ClientConfig { dial_timeout: Duration::ZERO, ..client.clone() },
                "dial_timeout is 0ns, accepted is 1ms to 3600s",
            ),
            (
                ClientConfig { attempt_delay: Duration::from_millis(10), ..client.clone() },
                "attempt_delay is 10ms, accepted is 100ms to 2s",
            ),
            (
                ClientConfig {
                    pool: PoolConfig { max_staleness: Some(*DAY.end()), ..PoolConfig::default() },
                    ..client.clone()
                },
                "max_staleness is 86400s, accepted is 1ms to 3600s",
            ),
            (
                ClientConfig {
                    pool: PoolConfig {
                        link: LinkConfig { early_data_limit: 0, ..LinkConfig::default() },
                        ..PoolConfig::default()
                    },
                    ..client
                },
                "early_data_limit is 0, accepted is 1 to 67108864",
            ),
        ];
        for (config, message) in cases {
            assert_eq!(config.validate().unwrap_err().to_string(), message);
        }
        let server = ServerConfig { capacity: 70_000, ..ServerConfig::default() };
        assert_eq!(server.validate().unwrap_err().to_string(), "capacity is 70000, accepted is 1 to 65536");
        let proxies = Some((AllowList::default(), ForwardedHeader::Forwarded));
        let server = ServerConfig { proxies, ..ServerConfig::default() };
        assert_eq!(
            server.validate().unwrap_err().to_string(),
            "proxies is no address, accepted is at least one address to trust"
        );
        let proxy_protocol = Some(ProxyProtocol::optional(AllowList::default()));
        let server = ServerConfig { proxy_protocol, ..ServerConfig::default() };
        assert_eq!(server.validate().unwrap_err().field(), "proxy_protocol");
        let limits = AddressLimitsConfig { max_handshakes: Some(0), ..AddressLimitsConfig::default() };
        let server = ServerConfig { limits, ..ServerConfig::default() };
        assert_eq!(server.validate().unwrap_err().field(), "max_handshakes");
    }
}
