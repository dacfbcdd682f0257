//! The HTTP upgrade that turns a transport into a WebSocket.

pub(crate) mod client;
pub(crate) mod server;
#[cfg(test)]
mod tests;

use tungstenite::protocol::WebSocketConfig;

/// The largest binary message that a connection sends when it is written to as a byte stream.
pub(crate) const MAX_SENT_MESSAGE: usize = 64 * 1024;

/// Read ahead of time and kept for life, so a pool of idle connections wants it small. While data flows, the transport
/// reads ahead instead.
const READ_BUFFER: usize = 512;

/// What may wait besides one message: the longest header, and pongs and pings for a peer that does not read.
const CONTROL_ROOM: usize = 4 * 1024;

/// How tungstenite is set up. `max_message` bounds one received message, `max_frame` each of its frames, which are as
/// large as the message may be if it is `None`.
pub(crate) fn websocket_config(max_message: usize, max_frame: Option<usize>) -> WebSocketConfig {
    WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER)
        .write_buffer_size(0)
        .max_write_buffer_size(MAX_SENT_MESSAGE + CONTROL_ROOM)
        .max_message_size(Some(max_message))
        .max_frame_size(Some(max_frame.unwrap_or(max_message)))
}

/// The same for a user of whole messages, who may send any that the peer of such a user would receive.
pub(crate) fn message_config(config: WebSocketConfig) -> WebSocketConfig {
    let longest = config.max_message_size.unwrap_or(usize::MAX).max(MAX_SENT_MESSAGE);
    config.max_write_buffer_size(longest.saturating_add(CONTROL_ROOM))
}

/// Whether the bytes from `before` on can complete a head, or are the first ones, which may show that it is none.
///
/// A head that comes bytewise is not parsed at every byte: that would let a peer buy much work with little.
pub(crate) fn may_end_head(read: &[u8], before: usize) -> bool {
    const FIRST_WORD: usize = 16;
    let new_lines = read[before.saturating_sub(2)..].windows(2).any(|pair| pair == b"\n\n");
    let blank_line = read[before.saturating_sub(3)..].windows(3).any(|three| three == b"\n\r\n");
    before < FIRST_WORD || new_lines || blank_line
}
