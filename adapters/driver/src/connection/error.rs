//! How a stream ends that does not end well.

use std::fmt;
use std::io;
use std::sync::Arc;

use npws_core::CloseReason;

use super::Connection;

/// Inside an [`io::Error`] of a [`Connection`]: why its stream is over.
///
/// ```
/// use std::io;
/// use npws_driver::{CloseReason, StreamError};
///
/// fn was_cut(error: &io::Error) -> bool {
///     let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<StreamError>());
///     inner.is_some_and(|stream| stream.reason() == CloseReason::TransportEnded)
/// }
/// assert!(!was_cut(&io::ErrorKind::TimedOut.into()));
/// ```
#[derive(Debug, Clone)]
pub struct StreamError {
    reason: CloseReason,
    source: Option<Arc<tungstenite::Error>>,
}

impl StreamError {
    pub(super) fn new(reason: CloseReason, source: Option<Arc<tungstenite::Error>>) -> Self {
        Self { reason, source }
    }

    /// Why the stream is over.
    ///
    /// ```
    /// # use npws_driver::StreamError;
    /// fn explain(error: &StreamError) -> String {
    ///     error.reason().to_string()
    /// }
    /// ```
    #[must_use]
    pub fn reason(&self) -> CloseReason {
        self.reason
    }

    /// Whether the same request can be sent again on another connection: no user at the peer has seen anything of this
    /// one, and none will. So ends a connection that was taken while the peer gave it up.
    ///
    /// ```
    /// # use npws_driver::StreamError;
    /// use std::io;
    ///
    /// fn should_retry(error: &io::Error) -> bool {
    ///     let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<StreamError>());
    ///     inner.is_some_and(StreamError::is_safe_to_retry)
    /// }
    /// assert!(!should_retry(&io::ErrorKind::TimedOut.into()));
    /// ```
    #[must_use]
    pub fn is_safe_to_retry(&self) -> bool {
        self.reason.is_safe_to_retry()
    }

    /// What a read gives.
    pub(super) fn into_read_error(self) -> io::Error {
        let kind = match self.reason {
            CloseReason::TransportEnded => io::ErrorKind::UnexpectedEof,
            CloseReason::TransportFailed => io::ErrorKind::ConnectionReset,
            CloseReason::Violation(_) => io::ErrorKind::InvalidData,
            CloseReason::KeepaliveTimeout => io::ErrorKind::TimedOut,
            _ => io::ErrorKind::ConnectionAborted,
        };
        io::Error::new(kind, self)
    }

    /// What a write gives, whatever ended the stream.
    pub(super) fn into_write_error(self) -> io::Error {
        io::Error::new(io::ErrorKind::BrokenPipe, self)
    }
}

impl fmt::Display for StreamError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the stream is over: {}", self.reason)
    }
}

impl std::error::Error for StreamError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_deref().map(|error| error as _)
    }
}

/// A connection cannot become a WebSocket, because bytes have been read from it. Gives it back.
///
/// ```
/// use npws_driver::{Connection, IntoWebSocketError};
///
/// fn go_on(error: IntoWebSocketError) -> Connection {
///     error.into_connection()
/// }
/// ```
#[derive(Debug)]
pub struct IntoWebSocketError(Box<Connection>);

impl IntoWebSocketError {
    pub(super) fn new(connection: Connection) -> Self {
        Self(Box::new(connection))
    }

    /// The connection as it was.
    ///
    /// ```
    /// # use npws_driver::IntoWebSocketError;
    /// async fn give_up(error: IntoWebSocketError) {
    ///     error.into_connection().close().await;
    /// }
    /// ```
    #[must_use]
    pub fn into_connection(self) -> Connection {
        *self.0
    }
}

impl fmt::Display for IntoWebSocketError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("bytes have been read from this connection: its messages are no longer whole")
    }
}

impl std::error::Error for IntoWebSocketError {}
