//! One attempt of a client to open a connection, and why it failed.

use core::fmt;

/// One dial of a client pool. It ends in exactly one outcome: dialed, failed or aborted.
///
/// ```
/// # use npws_core::{ClientConfig, ClientPool, Instant, Output};
/// let mut pool = ClientPool::<()>::new(ClientConfig::default(), 1, Instant::ZERO)?;
/// pool.handle_timeout(Instant::ZERO);
/// assert!(matches!(pool.poll_output(), Some(Output::Dial(_))));
/// # Ok::<(), npws_core::ConfigError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DialId(pub(super) u64);

/// The phase in which a dial failed.
///
/// ```
/// use npws_core::{DialFailure, Rejection};
/// assert_eq!(DialFailure::Rejected(503).to_string(), "rejected with HTTP status 503");
/// assert_eq!(DialFailure::Rejected(Rejection::Full.status()), DialFailure::Rejected(503));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DialFailure {
    /// The name could not be resolved.
    Resolve,
    /// No TCP connection to any of the addresses.
    Connect,
    /// The proxy cannot be reached, or did not open a way to the server.
    Proxy,
    /// The TLS handshake failed.
    Tls,
    /// The server answered the upgrade with this HTTP status.
    Rejected(u16),
    /// The upgrade failed in another way.
    Upgrade,
    /// The ID did not come.
    Id,
    /// The total deadline passed.
    Timeout,
}

impl fmt::Display for DialFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Resolve => "the name could not be resolved",
            Self::Connect => "no TCP connection could be made",
            Self::Proxy => "the proxy opened no way to the server",
            Self::Tls => "the TLS handshake failed",
            Self::Rejected(status) => return write!(f, "rejected with HTTP status {status}"),
            Self::Upgrade => "the HTTP upgrade failed",
            Self::Id => "the connection ID did not come",
            Self::Timeout => "the total deadline passed",
        })
    }
}

/// How many dials failed, by cause.
///
/// ```
/// use npws_core::DialFailures;
/// assert_eq!(DialFailures::default().total(), 0);
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct DialFailures {
    /// Name resolution.
    pub resolve: u64,
    /// TCP.
    pub connect: u64,
    /// The proxy, from its name to its answer.
    pub proxy: u64,
    /// TLS.
    pub tls: u64,
    /// An HTTP status other than 101.
    pub rejected: u64,
    /// The upgrade, otherwise.
    pub upgrade: u64,
    /// The ID step.
    pub id: u64,
    /// The total deadline.
    pub timeout: u64,
}

impl DialFailures {
    pub(super) fn count(&mut self, failure: DialFailure) {
        *match failure {
            DialFailure::Resolve => &mut self.resolve,
            DialFailure::Connect => &mut self.connect,
            DialFailure::Proxy => &mut self.proxy,
            DialFailure::Tls => &mut self.tls,
            DialFailure::Rejected(_) => &mut self.rejected,
            DialFailure::Upgrade => &mut self.upgrade,
            DialFailure::Id => &mut self.id,
            DialFailure::Timeout => &mut self.timeout,
        } += 1;
    }

    /// All of them together.
    ///
    /// ```
    /// # use npws_core::DialFailures;
    /// let mut failures = DialFailures::default();
    /// failures.tls = 2;
    /// failures.timeout = 1;
    /// assert_eq!(failures.total(), 3);
    /// ```
    #[must_use]
    pub fn total(&self) -> u64 {
        let Self { resolve, connect, proxy, tls, rejected, upgrade, id, timeout } = self;
        resolve + connect + proxy + tls + rejected + upgrade + id + timeout
    }
}
