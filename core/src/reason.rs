//! Why a connection is no more.

use core::fmt;

/// Why a connection left the pool for another reason than being taken, or why a taken one ended.
///
/// ```
/// use npws_core::CloseReason;
///
/// assert_eq!(CloseReason::PeerClosed(Some(1000)).to_string(), "closed by the peer with code 1000");
/// assert_eq!(CloseReason::KeepaliveTimeout.to_string(), "no sign of life within the keep-alive deadline");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum CloseReason {
    /// The peer sent a close frame, with this code if it named one (RFC 6455 section 7.1.5).
    PeerClosed(Option<u16>),
    /// The transport ended without a close frame.
    TransportEnded,
    /// The transport failed: a reset, a TCP keep-alive or user timeout, a TLS alert.
    TransportFailed,
    /// A peer that promised to answer pings was silent for too long.
    KeepaliveTimeout,
    /// The peer broke the protocol.
    Violation(Violation),
    /// The handshake did not end in time or failed after the ID was sent.
    HandshakeFailed,
    /// `flush` was called.
    Flushed,
    /// The pool was closed.
    PoolClosed,
    /// The pool was drained.
    Drained,
    /// There were more idle connections than the capacity asks for.
    Surplus,
    /// The server gave the same ID to a newer connection.
    Replaced,
    /// The peer had sent data and closed, and nobody took it within the retention limit.
    RetentionExpired,
    /// It was taken out of the pool before.
    Taken,
    /// This side closed it after taking it.
    ClosedLocally,
    /// Both ends said that they had no more to send.
    Finished,
    /// Both ends took it by `take_next` at the same time.
    ClaimsCrossed,
    /// The peer wanted it given up, and none of its users had it.
    PeerDrained,
    /// It was idle for as long as it may be.
    IdleAge,
}

/// What a peer did that the protocol forbids.
///
/// ```
/// use npws_core::Violation;
/// assert_eq!(Violation::Text.to_string(), "a text message where only binary ones are allowed");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Violation {
    /// A text message from a v1 peer.
    Text,
    /// A frame that RFC 6455 forbids, or a message over the size limit.
    Frame,
    /// Data after the peer had said that it sends no more.
    DataAfterFin,
}

impl fmt::Display for CloseReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::PeerClosed(Some(code)) => return write!(f, "closed by the peer with code {code}"),
            Self::PeerClosed(None) => "closed by the peer without a code",
            Self::TransportEnded => "the transport ended without a close frame",
            Self::TransportFailed => "the transport failed",
            Self::KeepaliveTimeout => "no sign of life within the keep-alive deadline",
            Self::Violation(violation) => return write!(f, "the peer broke the protocol: {violation}"),
            Self::HandshakeFailed => "the handshake failed after the ID was sent",
            Self::Flushed => "flushed",
            Self::PoolClosed => "the pool was closed",
            Self::Drained => "the pool was drained",
            Self::Surplus => "more idle connections than the capacity",
            Self::Replaced => "replaced by a newer connection with the same ID",
            Self::RetentionExpired => "not taken within the retention limit",
            Self::Taken => "already taken",
            Self::ClosedLocally => "closed by this side",
            Self::Finished => "finished by both sides",
            Self::ClaimsCrossed => "taken by both sides at once",
            Self::PeerDrained => "given up at the peer's wish",
            Self::IdleAge => "idle for too long",
        })
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Text => "a text message where only binary ones are allowed",
            Self::Frame => "a frame that is malformed or too large",
            Self::DataAfterFin => "data after its announced end",
        })
    }
}

impl CloseReason {
    /// Whether a stream that ended like this ended in good order: the peer closed with 1000, 1001 or no code, or both
    /// ends had finished.
    ///
    /// ```
    /// # use npws_core::CloseReason;
    /// assert!(CloseReason::PeerClosed(None).is_end_of_stream());
    /// assert!(!CloseReason::PeerClosed(Some(1011)).is_end_of_stream());
    /// assert!(!CloseReason::TransportEnded.is_end_of_stream());
    /// ```
    #[must_use]
    pub fn is_end_of_stream(self) -> bool {
        matches!(self, Self::PeerClosed(None | Some(1000 | 1001 | 1005)) | Self::Finished)
    }

    /// Whether a request that went out on a connection which ended like this can be sent again on another: no user at
    /// the peer has seen anything of it, and none will.
    ///
    /// ```
    /// # use npws_core::CloseReason;
    /// assert!(CloseReason::PeerDrained.is_safe_to_retry());
    /// assert!(!CloseReason::TransportFailed.is_safe_to_retry(), "the peer may have acted on it");
    /// ```
    #[must_use]
    pub fn is_safe_to_retry(self) -> bool {
        matches!(self, Self::ClaimsCrossed | Self::PeerDrained)
    }
}
