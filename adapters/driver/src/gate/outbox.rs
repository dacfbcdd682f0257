//! What waits to be written, so that it leaves in one piece.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures::AsyncWrite;
use tungstenite::protocol::frame::FrameHeader;
use tungstenite::protocol::frame::coding::{Data, OpCode};

/// Bytes on their way to the transport: whole frames, and what goes in front of them.
///
/// A user's data becomes a frame right here, with one copy. Through tungstenite it takes two and a buffer of its own.
#[derive(Default)]
pub(super) struct Outbox {
    bytes: Vec<u8>,
    sent: usize,
}

impl Outbox {
    /// How many bytes wait.
    pub(super) fn len(&self) -> usize {
        self.bytes.len() - self.sent
    }

    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// A binary message of the `length` bytes that `fill` appends, masked if there is a `mask`.
    pub(super) fn push_message(&mut self, mask: Option<[u8; 4]>, length: usize, fill: impl FnOnce(&mut Vec<u8>)) {
        let header = FrameHeader { opcode: OpCode::Data(Data::Binary), mask, ..FrameHeader::default() };
        self.bytes.reserve(header.len(length as u64) + length);
        // Writing to memory does not fail.
        let _ = header.format(length as u64, &mut self.bytes);
        let begin = self.bytes.len();
        fill(&mut self.bytes);
        debug_assert_eq!(self.bytes.len() - begin, length, "the header says how long the message is");
        if let Some(mask) = mask {
            apply(mask, &mut self.bytes[begin..]);
        }
    }

    /// Writes until nothing waits.
    pub(super) fn poll_send(
        &mut self,
        cx: &mut Context<'_>,
        to: &mut (impl AsyncWrite + Unpin),
    ) -> Poll<io::Result<()>> {
        while self.len() > 0 {
            match ready!(Pin::new(&mut *to).poll_write(cx, &self.bytes[self.sent..]))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                n => self.sent += n,
            }
        }
        self.bytes.clear();
        self.sent = 0;
        Poll::Ready(Ok(()))
    }

    /// Gives the memory back, if nothing waits in it.
    pub(super) fn shrink(&mut self) {
        if self.len() == 0 {
            *self = Self::default();
        }
    }
}

/// RFC 6455 section 5.3, eight bytes at a time.
fn apply(mask: [u8; 4], payload: &mut [u8]) {
    let [a, b, c, d] = mask;
    let wide = u64::from_ne_bytes([a, b, c, d, a, b, c, d]);
    let (words, rest) = payload.as_chunks_mut::<8>();
    for word in words {
        *word = (u64::from_ne_bytes(*word) ^ wide).to_ne_bytes();
    }
    for (byte, mask) in rest.iter_mut().zip(mask.iter().cycle()) {
        *byte ^= mask;
    }
}

#[cfg(test)]
mod tests {
    use futures::io::Cursor;
    use futures::task::noop_waker_ref;
    use tungstenite::Message;
    use tungstenite::protocol::{Role, WebSocket};

    use super::*;

    /// What tungstenite reads of a message that was masked with `mask`.
    fn read(mask: Option<[u8; 4]>, payload: &[u8]) -> Vec<u8> {
        let mut outbox = Outbox::default();
        outbox.push_message(mask, payload.len(), |bytes| bytes.extend_from_slice(payload));
        let role = if mask.is_some() { Role::Server } else { Role::Client };
        let mut socket = WebSocket::from_raw_socket(io::Cursor::new(outbox.bytes), role, None);
        match socket.read().unwrap() {
            Message::Binary(payload) => payload.to_vec(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn tungstenite_reads_messages_of_every_length_masked_and_not() {
        for length in (0..300).chain([65_535, 65_536, 70_001]) {
            let payload: Vec<u8> = (0..length).map(|n: u32| (n * 7) as u8).collect();
            assert_eq!(read(None, &payload), payload);
            assert_eq!(read(Some([1, 0x80, 0xff, 7]), &payload), payload);
        }
    }

    #[test]
    fn a_mask_hides_the_payload() {
        let mut outbox = Outbox::default();
        outbox.push_message(Some([9; 4]), 64, |bytes| bytes.extend_from_slice(&[0; 64]));
        assert!(outbox.bytes.ends_with(&[9; 64]));
    }

    #[test]
    fn what_waits_leaves_in_order_and_its_memory_can_be_given_back() {
        let mut outbox = Outbox::default();
        outbox.push(b"head ");
        outbox.push(b"and tail");
        outbox.shrink();
        assert_eq!(outbox.len(), 13, "what waits is kept");
        let mut sent = Cursor::new(Vec::new());
        let mut cx = Context::from_waker(noop_waker_ref());
        assert!(matches!(outbox.poll_send(&mut cx, &mut sent), Poll::Ready(Ok(()))));
        outbox.shrink();
        assert_eq!((outbox.len(), outbox.bytes.capacity()), (0, 0));
        assert_eq!(sent.into_inner(), b"head and tail");
    }
}
