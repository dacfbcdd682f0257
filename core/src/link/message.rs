//! What a link gives out: messages for the peer and news for the pool.

use core::time::Duration;

use super::ControlWord;
use crate::{CloseReason, ConnectionId};

/// The codes of RFC 6455 section 7.4.1 and its registry that mean something here.
pub(super) mod close_code {
    pub(in crate::link) const NORMAL: u16 = 1000;
    pub(in crate::link) const GOING_AWAY: u16 = 1001;
    pub(in crate::link) const PROTOCOL_ERROR: u16 = 1002;
    pub(in crate::link) const UNSUPPORTED_DATA: u16 = 1003;
    pub(in crate::link) const NO_STATUS: u16 = 1005;
    pub(in crate::link) const TRY_AGAIN_LATER: u16 = 1013;
}

/// A WebSocket message that the link wants sent to the peer.
///
/// ```
/// use npws_core::{ConnectionId, ControlWord, LinkMessage};
///
/// /// How a driver may encode it: opcode and payload.
/// fn frame(message: LinkMessage) -> Option<(u8, Vec<u8>)> {
///     match message {
///         LinkMessage::Id(id) => Some((0x2, id.to_bytes().to_vec())),
///         LinkMessage::Word(word) => Some((0x1, word.as_str().into())),
///         LinkMessage::Ping => Some((0x9, Vec::new())),
///         LinkMessage::Close { code } => Some((0x8, code.to_be_bytes().to_vec())),
///         _ => None,
///     }
/// }
/// assert_eq!(frame(LinkMessage::Close { code: 1000 }), Some((0x8, vec![0x03, 0xe8])));
/// assert_eq!(frame(LinkMessage::Word(ControlWord::Fin)), Some((0x1, b"fin".to_vec())));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum LinkMessage {
    /// The connection ID, as one binary message of 4 bytes.
    Id(ConnectionId),
    /// A control word, as one text message; to v2 peers only. Its place among the data matters: what the user wrote
    /// before comes before it.
    Word(ControlWord),
    /// A ping without payload.
    Ping,
    /// A close frame; nothing may be sent after it.
    Close {
        /// The code of RFC 6455 section 7.4.1.
        code: u16,
    },
}

/// What [`Link::poll_output`](crate::Link::poll_output) hands out.
///
/// ```
/// use npws_core::{CloseReason, LinkOutput};
///
/// fn is_last(output: &LinkOutput) -> bool {
///     matches!(output, LinkOutput::Retained(_) | LinkOutput::Closed(_))
/// }
/// assert!(is_last(&LinkOutput::Closed(CloseReason::TransportEnded)));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum LinkOutput {
    /// Send this to the peer, in the order given.
    Send(LinkMessage),
    /// The ID step is over: both ends know this connection by this ID. Comes once, before any of the following.
    Established(ConnectionId),
    /// The peer has taken the connection and this side has not: it said `claim`, or its first data or its `fin` came.
    /// Comes at most once.
    Claimed,
    /// The peer had taken the connection and ended the stream in good order, all before this side took it: what it sent,
    /// if anything, is still to be read. Nothing comes after it.
    Retained(CloseReason),
    /// The pong came that [`probe`](crate::Link::probe) asked for. Comes once for every probe that is answered.
    Proved,
    /// How long a ping and its pong took.
    RoundTrip(Duration),
    /// The connection is over. Nothing comes after it.
    Closed(CloseReason),
}
