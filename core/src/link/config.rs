//! What a link is told about time and memory.

use core::time::Duration;

/// The limits of one [`Link`](crate::Link).
///
/// ```
/// use core::time::Duration;
/// use npws_core::LinkConfig;
///
/// let config = LinkConfig { keepalive: Some(Duration::from_secs(20)), ..LinkConfig::default() };
/// assert_eq!(config.pong_timeout, Duration::from_secs(10));
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct LinkConfig {
    /// How long nothing may arrive before a ping is sent; each wait is drawn from 90 to 100 % of it, so that connections
    /// opened together do not ping together. `None`: no pings. 30 s by default.
    pub keepalive: Option<Duration>,
    /// How long a v2 peer may stay silent after a ping. 10 s by default.
    pub pong_timeout: Duration,
    /// How many bytes are held of what the peer sends before this side takes the connection; what it costs to hold a
    /// message counts too, so that many tiny ones are bounded as well. The message that reaches the limit is kept
    /// whole. 64 KiB by default.
    pub early_data_limit: usize,
    /// How many pings are sent to a peer that is not known to read them: to a v1 peer until the connection is taken, to
    /// a v2 peer from its first data on. More would only fill its receive window. 1,000 by default.
    pub max_v1_pings: u32,
    /// How old an idle connection to a v2 peer may get before it is closed; for each it is drawn from 90 to 100 % of it,
    /// so that connections opened together do not close together. `None`, the default: as old as it will.
    pub max_idle_age: Option<Duration>,
}

impl Default for LinkConfig {
    fn default() -> Self {
        Self {
            keepalive: Some(Duration::from_secs(30)),
            pong_timeout: Duration::from_secs(10),
            early_data_limit: 64 * 1024,
            max_v1_pings: 1000,
            max_idle_age: None,
        }
    }
}
