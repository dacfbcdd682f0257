//! Why a proxy opened no way to the server.

use std::fmt;
use std::io;

use crate::client::ConnectError;
use crate::tls::TlsError;

/// Why a proxy opened no way to the server.
///
/// ```
/// use npws_driver::ProxyError;
///
/// assert_eq!(ProxyError::Status(502).to_string(), "it answered CONNECT with status 502");
/// assert_eq!(ProxyError::Reply(5).to_string(), "it answered with SOCKS reply 5, connection refused");
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum ProxyError {
    /// The proxy's own name could not be resolved.
    Resolve(io::Error),
    /// No address of the proxy took the connection.
    Connect(ConnectError),
    /// The TLS handshake with the proxy failed.
    Tls(TlsError),
    /// The transport to the proxy failed, or ended before the whole answer had come.
    Io(io::Error),
    /// The proxy wants credentials, or others than it was shown: HTTP status 407 or 401, or the refusal of RFC 1929.
    Unauthorized,
    /// A SOCKS proxy accepts none of the methods of authentication that were offered.
    NoMethod,
    /// An HTTP proxy answered with this status, neither of these nor 2xx.
    Status(u16),
    /// A SOCKS proxy answered with this reply code of RFC 1928 section 6, or one that is not in it.
    Reply(u8),
    /// What came is no answer of such a proxy, or too long a one.
    Malformed,
}

impl ProxyError {
    pub(super) fn from_tls(error: io::Error) -> Self {
        match TlsError::from_io(&error) {
            Some(error) => Self::Tls(error),
            None => Self::Io(error),
        }
    }
}

impl From<io::Error> for ProxyError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl fmt::Display for ProxyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Resolve(error) => write!(f, "its name could not be resolved: {error}"),
            Self::Connect(error) => write!(f, "it could not be connected to: {error}"),
            Self::Tls(error) => write!(f, "the TLS handshake with it failed: {error}"),
            Self::Io(error) => write!(f, "the connection to it failed: {error}"),
            Self::Unauthorized => f.write_str("it asks for other credentials"),
            Self::NoMethod => f.write_str("it accepts no method of authentication that was offered"),
            Self::Status(status) => write!(f, "it answered CONNECT with status {status}"),
            Self::Reply(code) => write!(f, "it answered with SOCKS reply {code}, {}", meaning(*code)),
            Self::Malformed => f.write_str("what it answered is not what such a proxy answers"),
        }
    }
}

impl std::error::Error for ProxyError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Resolve(error) | Self::Io(error) => Some(error),
            Self::Connect(error) => Some(error),
            Self::Tls(error) => Some(error),
            Self::Unauthorized | Self::NoMethod | Self::Status(_) | Self::Reply(_) | Self::Malformed => None,
        }
    }
}

fn meaning(code: u8) -> &'static str {
    match code {
        1 => "general failure",
        2 => "not allowed by its rules",
        3 => "network unreachable",
        4 => "host unreachable",
        5 => "connection refused",
        6 => "TTL expired",
        7 => "command not supported",
        8 => "address type not supported",
        _ => "which has no meaning",
    }
}
