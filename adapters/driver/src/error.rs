//! Why a pool cannot be made, and why a dial failed.

use std::fmt;
use std::io;

use npws_core::{CloseReason, ConfigError, DialFailure};

use crate::client::ConnectError;
use crate::proxy::ProxyError;
use crate::tls::{TlsConfigError, TlsError};
use crate::upgrade::client::UpgradeError;

/// Why a builder made no pool.
///
/// ```
/// use npws_driver::{BuildError, ConfigError};
///
/// let error = BuildError::from(ConfigError::new("capacity", "0", "1 to 65536"));
/// assert_eq!(error.to_string(), "capacity is 0, accepted is 1 to 65536");
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum BuildError {
    /// A value is outside its range.
    Config(ConfigError),
    /// The TLS settings do not work.
    Tls(TlsConfigError),
    /// The address cannot be bound, or the listener cannot be used.
    Bind(io::Error),
    /// The caller runs on no runtime of the kind that is asked for.
    NoRuntime(io::Error),
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Config(error) => error.fmt(f),
            Self::Tls(error) => error.fmt(f),
            Self::Bind(error) => write!(f, "the listener cannot be set up: {error}"),
            Self::NoRuntime(error) => write!(f, "there is no runtime to run on: {error}"),
        }
    }
}

impl std::error::Error for BuildError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            // The message is theirs already.
            Self::Config(error) => error.source(),
            Self::Tls(error) => error.source(),
            Self::Bind(error) | Self::NoRuntime(error) => Some(error),
        }
    }
}

impl From<ConfigError> for BuildError {
    fn from(error: ConfigError) -> Self {
        Self::Config(error)
    }
}

impl From<TlsConfigError> for BuildError {
    fn from(error: TlsConfigError) -> Self {
        Self::Tls(error)
    }
}

/// Why a client pool's dial failed. The last one is kept: `ClientPool::last_dial_error`.
///
/// ```
/// use npws_driver::{DialError, DialFailure};
/// assert_eq!(DialError::Timeout.failure(), DialFailure::Timeout);
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum DialError {
    /// The server's name could not be resolved, or has no address.
    Resolve(io::Error),
    /// No address took the connection.
    Connect(ConnectError),
    /// The proxy cannot be reached, or opened no way to the server.
    Proxy(ProxyError),
    /// The peers did not agree on TLS, or the certificate is not acceptable.
    Tls(TlsError),
    /// The transport failed during the TLS handshake.
    TlsTransport(io::Error),
    /// The server did not upgrade to WebSocket.
    Upgrade(UpgradeError),
    /// The upgraded connection ended before it told its ID.
    Id(CloseReason),
    /// The total deadline passed.
    Timeout,
}

impl DialError {
    /// The phase that failed, as the statistics count it.
    ///
    /// ```
    /// # use npws_driver::{DialError, DialFailure};
    /// assert_eq!(DialError::Timeout.failure(), DialFailure::Timeout);
    /// ```
    #[must_use]
    pub fn failure(&self) -> DialFailure {
        match self {
            Self::Resolve(_) => DialFailure::Resolve,
            Self::Connect(_) => DialFailure::Connect,
            Self::Proxy(_) => DialFailure::Proxy,
            Self::Tls(_) | Self::TlsTransport(_) => DialFailure::Tls,
            Self::Upgrade(UpgradeError::Rejected { status }) => DialFailure::Rejected(*status),
            Self::Upgrade(_) => DialFailure::Upgrade,
            Self::Id(_) => DialFailure::Id,
            Self::Timeout => DialFailure::Timeout,
        }
    }

    pub(crate) fn from_tls(error: io::Error) -> Self {
        match TlsError::from_io(&error) {
            Some(error) => Self::Tls(error),
            None => Self::TlsTransport(error),
        }
    }
}

impl fmt::Display for DialError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connect(error) => write!(f, "{}: {error}", self.failure()),
            Self::Proxy(error) => write!(f, "{}: {error}", self.failure()),
            Self::Resolve(error) | Self::TlsTransport(error) => write!(f, "{}: {error}", self.failure()),
            Self::Tls(error) => write!(f, "{}: {error}", self.failure()),
            Self::Upgrade(error) => error.fmt(f),
            Self::Id(reason) => write!(f, "{}: {reason}", self.failure()),
            Self::Timeout => self.failure().fmt(f),
        }
    }
}

impl std::error::Error for DialError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Connect(error) => error.source(),
            Self::Proxy(error) => Some(error),
            Self::Resolve(error) | Self::TlsTransport(error) => Some(error),
            Self::Tls(error) => Some(error),
            Self::Upgrade(error) => error.source(),
            Self::Id(_) | Self::Timeout => None,
        }
    }
}
