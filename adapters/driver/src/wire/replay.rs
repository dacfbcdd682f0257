//! The messages that came before anyone read, for a user who wants them whole.

use bytes::Bytes;
use npws_core::Role;
use tungstenite::protocol::frame::FrameHeader;
use tungstenite::protocol::frame::coding::{Data, OpCode};

/// Empty messages are no data to the link, which therefore does not bound them. So many are remembered.
const MAX_EMPTY: usize = 64;

/// Shares its payloads with the link and owns only the borders between them.
#[derive(Debug, Default)]
pub(super) struct Replay {
    messages: Vec<Bytes>,
    empty: usize,
}

impl Replay {
    pub(super) fn push(&mut self, payload: Bytes) {
        if payload.is_empty() {
            if self.empty == MAX_EMPTY {
                return;
            }
            self.empty += 1;
        }
        self.messages.push(payload);
    }

    /// The messages as frames that an end in this role accepts, followed by `rest`.
    pub(super) fn into_frames(self, role: Role, rest: &[u8]) -> Vec<u8> {
        let header = FrameHeader {
            opcode: OpCode::Data(Data::Binary),
            // A server takes masked frames only; this mask changes nothing.
            mask: matches!(role, Role::Server).then_some([0; 4]),
            ..FrameHeader::default()
        };
        let length = |payload: &Bytes| header.len(payload.len() as u64) + payload.len();
        let mut frames = Vec::with_capacity(self.messages.iter().map(length).sum::<usize>() + rest.len());
        for payload in self.messages {
            // Writing to memory does not fail.
            let _ = header.format(payload.len() as u64, &mut frames);
            frames.extend_from_slice(&payload);
        }
        frames.extend_from_slice(rest);
        frames
    }
}
