//! What tungstenite has read and not handed out, so that another tungstenite can go on from there.

use std::io::Cursor;

use tungstenite::protocol::frame::FrameHeader;
use tungstenite::protocol::frame::coding::OpCode;

/// The bytes of all frames that belong to no handled message.
///
/// Tungstenite keeps these in a private buffer. Most of the time there are none, and then this owns no memory.
#[derive(Default)]
pub(super) struct Transcript {
    bytes: Vec<u8>,
    /// Up to here there are only fragments of one unfinished data message. Counted, so that a peer that sends many tiny
    /// fragments does not make every control frame between them cost a walk over all of them.
    fragments: usize,
}

/// Where a frame lies, and what ends with it.
struct Span {
    end: usize,
    is_control: bool,
    is_final: bool,
}

impl Transcript {
    pub(super) fn record(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    pub(super) fn forget_first(&mut self, n: usize) {
        self.remove(0, n);
    }

    /// Drops the first data message. The control frames between its fragments have been settled before, because
    /// tungstenite handed them out before.
    pub(super) fn settle_data(&mut self) {
        let mut at = std::mem::take(&mut self.fragments);
        while let Some(frame) = self.frame(at) {
            at = frame.end;
            if frame.is_final && !frame.is_control {
                return self.remove(0, at);
            }
        }
    }

    /// Drops the first control frame, which may lie between the fragments of a data message.
    pub(super) fn settle_control(&mut self) {
        while let Some(frame) = self.frame(self.fragments) {
            if frame.is_control {
                return self.remove(self.fragments, frame.end);
            }
            self.fragments = frame.end;
        }
    }

    /// The frame that begins at `start`, if all of it is there.
    fn frame(&self, start: usize) -> Option<Span> {
        let mut cursor = Cursor::new(self.bytes.get(start..)?);
        let (header, length) = FrameHeader::parse(&mut cursor).ok()??;
        let end = start.checked_add(usize::try_from(cursor.position()).ok()?)?;
        let end = end.checked_add(usize::try_from(length).ok()?)?;
        let is_control = matches!(header.opcode, OpCode::Control(_));
        (end <= self.bytes.len()).then_some(Span { end, is_control, is_final: header.is_final })
    }

    fn remove(&mut self, start: usize, end: usize) {
        if end - start >= self.bytes.len() {
            self.bytes = Vec::new();
        } else {
            self.bytes.drain(start..end.min(self.bytes.len()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PING: &[u8] = &[0x89, 0x01, 0xaa];

    fn transcript(frames: &[&[u8]]) -> Transcript {
        let mut transcript = Transcript::default();
        transcript.record(&frames.concat());
        transcript
    }

    #[test]
    fn a_handled_message_leaves_no_memory() {
        let mut transcript = transcript(&[&[0x82, 2, 1, 2]]);
        transcript.settle_data();
        assert_eq!(transcript.bytes.capacity(), 0);
    }

    #[test]
    fn what_follows_a_handled_message_stays() {
        let mut transcript = transcript(&[&[0x82, 2, 1, 2], PING, &[0x82, 9, 1]]);
        transcript.settle_data();
        assert_eq!(transcript.bytes(), [PING, &[0x82, 9, 1]].concat());
        transcript.settle_control();
        assert_eq!(transcript.bytes(), [0x82, 9, 1]);
    }

    #[test]
    fn control_frames_between_fragments_go_one_by_one() {
        let fragments: [&[u8]; 3] = [&[0x02, 1, 7], &[0x00, 0], &[0x80, 1, 8]];
        let mut transcript = transcript(&[fragments[0], PING, fragments[1], PING, fragments[2], &[0x82]]);
        transcript.settle_control();
        assert_eq!(transcript.bytes(), [fragments[0], fragments[1], PING, fragments[2], &[0x82]].concat());
        transcript.settle_control();
        assert_eq!(transcript.bytes(), [fragments[0], fragments[1], fragments[2], &[0x82]].concat());
        transcript.settle_data();
        assert_eq!(transcript.bytes(), [0x82]);
    }

    #[test]
    fn masked_and_long_frames_are_measured_right() {
        let long = [&[0x82, 0xfe, 0x01, 0x00, 1, 2, 3, 4][..], &[0; 256]].concat();
        let longer = [&[0x82, 0x7f, 0, 0, 0, 0, 0, 1, 0, 0][..], &[0; 0x1_0000]].concat();
        let mut transcript = transcript(&[&long, &longer, &[0x8a, 0]]);
        transcript.settle_data();
        transcript.settle_data();
        assert_eq!(transcript.bytes(), [0x8a, 0]);
    }

    #[test]
    fn garbage_is_left_alone() {
        let mut transcript = transcript(&[&[0xff; 20]]);
        transcript.settle_data();
        transcript.settle_control();
        assert_eq!(transcript.bytes(), [0xff; 20]);
    }
}
