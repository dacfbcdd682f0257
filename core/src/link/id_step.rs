//! The first four bytes of the binary stream, however they are split.

use crate::ConnectionId;

/// Collects the ID that the server sends before anything else.
#[derive(Debug, Clone, Default)]
pub(super) struct IdStep {
    bytes: [u8; 4],
    filled: usize,
    messages: u64,
}

impl IdStep {
    /// Takes what belongs to the ID out of one binary message. Gives the ID once it is complete, and how many bytes of
    /// this message it took: the rest is stream data.
    pub(super) fn collect(&mut self, message: &[u8]) -> Option<(ConnectionId, usize)> {
        self.messages = self.messages.saturating_add(1);
        let mut used = 0;
        for (place, byte) in self.bytes.iter_mut().skip(self.filled).zip(message) {
            *place = *byte;
            used += 1;
        }
        self.filled += used;
        (self.filled == self.bytes.len()).then(|| (ConnectionId::from_bytes(self.bytes), used))
    }

    /// How many messages it looked at.
    pub(super) fn messages(&self) -> u64 {
        self.messages
    }
}
