//! Why a handshake of a server came to nothing.

use std::fmt;
use std::io;

use npws_core::{CloseReason, ProxyHeaderError, Rejection};

use crate::tls::TlsError;

/// Why a socket that was accepted did not become a connection. The last one is kept: `ServerPool::last_accept_error`.
///
/// ```
/// use npws_driver::{AcceptError, ProxyHeaderError};
///
/// fn is_configuration(error: &AcceptError) -> bool {
///     matches!(error, AcceptError::ProxyHeader(ProxyHeaderError::Untrusted | ProxyHeaderError::Missing))
/// }
/// assert!(!is_configuration(&AcceptError::Timeout));
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum AcceptError {
    /// Too many handshakes were under way, in total or from its address. Over plain sockets the peer was told so if it
    /// was there to hear it.
    TurnedAway(Rejection),
    /// A PROXY header was missing, or came from somebody who is not trusted, or cannot be read.
    ProxyHeader(ProxyHeaderError),
    /// The peers did not agree on TLS, or the client's certificate is not acceptable.
    Tls(TlsError),
    /// The request was answered with this.
    Rejected(Rejection),
    /// The connection was lost before it was idle.
    Transport(io::Error),
    /// The upgraded connection ended before its ID had left.
    Id(CloseReason),
    /// The deadline of a phase passed.
    Timeout,
}

impl AcceptError {
    /// What `From` finds again.
    pub(crate) fn into_io(self) -> io::Error {
        io::Error::other(self)
    }
}

impl From<io::Error> for AcceptError {
    fn from(error: io::Error) -> Self {
        match error.downcast::<Self>() {
            Ok(own) => own,
            Err(error) => TlsError::from_io(&error).map_or_else(|| Self::Transport(error), Self::Tls),
        }
    }
}

impl fmt::Display for AcceptError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TurnedAway(rejection) => write!(f, "too many handshakes are under way: {rejection}"),
            Self::ProxyHeader(error) => error.fmt(f),
            Self::Tls(error) => write!(f, "TLS failed: {error}"),
            Self::Rejected(rejection) => write!(f, "the request was answered with {rejection}"),
            Self::Transport(error) => write!(f, "the connection was lost during the handshake: {error}"),
            Self::Id(reason) => write!(f, "the connection ended before its ID had left: {reason}"),
            Self::Timeout => f.write_str("the handshake took too long"),
        }
    }
}

impl std::error::Error for AcceptError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::ProxyHeader(error) => Some(error),
            Self::Tls(error) => Some(error),
            Self::Transport(error) => Some(error),
            Self::TurnedAway(_) | Self::Rejected(_) | Self::Id(_) | Self::Timeout => None,
        }
    }
}
