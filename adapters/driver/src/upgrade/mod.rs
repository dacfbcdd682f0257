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
const READ_BUFFER: usize = 1024;

/// What may wait besides one message: the longest header, and pongs and pings for a peer that does not read.
const CONTROL_ROOM: usize = 4 * 1024;

/// How tungstenite is set up. `max_message` bounds one received message and each of its frames.
pub(crate) fn websocket_config(max_message: usize) -> WebSocketConfig {
    WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER)
        .write_buffer_size(0)
        .max_write_buffer_size(MAX_SENT_MESSAGE + CONTROL_ROOM)
        .max_message_size(Some(max_message))
        .max_frame_size(Some(max_message))
}

/// The same for a user of whole messages, who may send any that the peer of such a user would receive.
pub(crate) fn message_config(config: WebSocketConfig) -> WebSocketConfig {
    let longest = config.max_message_size.unwrap_or(usize::MAX).max(MAX_SENT_MESSAGE);
    config.max_write_buffer_size(longest.saturating_add(CONTROL_ROOM))
}
