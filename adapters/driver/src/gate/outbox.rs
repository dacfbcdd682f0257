//! What waits to be written, so that it leaves in one piece.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures::AsyncWrite;
use tungstenite::protocol::frame::FrameHeader;
use tungstenite::protocol::frame::coding::{Data, OpCode};

use super::mask::apply;
use crate::upgrade::MAX_SENT_MESSAGE;

/// From so many bytes on a payload leaves without a copy, if it needs no mask.
const UNCOPIED: usize = 4 * 1024;
/// So many bytes of payload at most then leave in one system call.
const AT_ONCE: usize = 16 * MAX_SENT_MESSAGE;

/// Of a frame.
const LONGEST_HEADER: usize = 14;

/// Bytes on their way to the transport: whole frames, and what goes in front of them.
///
/// A user's data becomes a frame right here, with one copy or none. Through tungstenite it takes two and a buffer of its
/// own.
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

    /// Sends of `bufs` what may leave at once, as binary messages, masked if there is a `mask`. Ends with how many bytes that
    /// are; at most one message waits.
    pub(super) fn send_data(
        &mut self,
        cx: &mut Context<'_>,
        to: &mut (impl AsyncWrite + Unpin),
        mask: Option<[u8; 4]>,
        bufs: &[IoSlice<'_>],
    ) -> io::Result<usize> {
        if let (None, [payload]) = (mask, bufs)
            && payload.len() >= UNCOPIED
            && self.len() == 0
        {
            return self.send_uncopied(cx, to, payload);
        }
        let total = bufs.iter().fold(0, |sum: usize, buf| sum.saturating_add(buf.len()));
        let length = total.min(MAX_SENT_MESSAGE);
        self.bytes.reserve(LONGEST_HEADER + length);
        begin_message(&mut self.bytes, mask, length);
        let begin = self.bytes.len();
        for buf in bufs {
            let left = begin + length - self.bytes.len();
            self.bytes.extend_from_slice(&buf[..buf.len().min(left)]);
        }
        if let Some(mask) = mask {
            apply(mask, &mut self.bytes[begin..]);
        }
        match self.poll_send(cx, to) {
            Poll::Ready(Err(error)) => Err(error),
            _ => Ok(length),
        }
    }

    /// Several messages in one system call. Of the one that does not leave whole the rest is copied.
    fn send_uncopied(
        &mut self,
        cx: &mut Context<'_>,
        to: &mut (impl AsyncWrite + Unpin),
        payload: &[u8],
    ) -> io::Result<usize> {
        let (whole, rest) = payload[..payload.len().min(AT_ONCE)].as_chunks::<MAX_SENT_MESSAGE>();
        let mut headers = [Vec::new(), Vec::new()];
        for (header, length) in headers.iter_mut().zip([MAX_SENT_MESSAGE, rest.len()]) {
            begin_message(header, None, length);
        }
        let whole = whole.iter().map(|message| [&headers[0], &message[..]]);
        let messages: Vec<[&[u8]; 2]> = whole.chain((!rest.is_empty()).then_some([&headers[1][..], rest])).collect();
        let bufs: Vec<_> = messages.iter().flatten().map(|bytes| IoSlice::new(bytes)).collect();
        let mut left = match Pin::new(to).poll_write_vectored(cx, &bufs) {
            Poll::Ready(sent) => sent?,
            Poll::Pending => 0,
        };
        let mut taken = 0;
        for [header, message] in messages {
            if left == 0 && taken > 0 {
                break;
            }
            taken += message.len();
            self.bytes.extend_from_slice(&header[left.min(header.len())..]);
            left = left.saturating_sub(header.len());
            self.bytes.extend_from_slice(&message[left.min(message.len())..]);
            left = left.saturating_sub(message.len());
        }
        Ok(taken)
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

/// Appends the header of a binary message.
fn begin_message(bytes: &mut Vec<u8>, mask: Option<[u8; 4]>, length: usize) {
    let header = FrameHeader { opcode: OpCode::Data(Data::Binary), mask, ..FrameHeader::default() };
    // Writing to memory does not fail.
    let _ = header.format(length as u64, bytes);
}

#[cfg(test)]
mod tests {
    use futures::io::Cursor;
    use futures::task::noop_waker_ref;
    use tungstenite::Message;
    use tungstenite::protocol::{Role, WebSocket};

    use super::*;

    /// Takes a few bytes, and every other time none.
    #[derive(Default)]
    struct Trickle {
        bytes: Vec<u8>,
        writes: usize,
    }

    impl AsyncWrite for Trickle {
        fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
            self.writes += 1;
            if self.writes.is_multiple_of(2) {
                return Poll::Pending;
            }
            let n = buf.len().min(3 + self.bytes.len());
            self.bytes.extend_from_slice(&buf[..n]);
            Poll::Ready(Ok(n))
        }

        fn poll_write_vectored(
            self: Pin<&mut Self>,
            cx: &mut Context<'_>,
            bufs: &[IoSlice<'_>],
        ) -> Poll<io::Result<usize>> {
            self.poll_write(cx, &bufs.iter().flat_map(|buf| buf.to_vec()).collect::<Vec<_>>())
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    /// Sends all of it.
    fn send(outbox: &mut Outbox, to: &mut (impl AsyncWrite + Unpin), mask: Option<[u8; 4]>, mut payload: &[u8]) {
        let mut cx = Context::from_waker(noop_waker_ref());
        while !payload.is_empty() {
            let taken = outbox.send_data(&mut cx, to, mask, &[IoSlice::new(payload)]).unwrap();
            assert!(outbox.len() <= MAX_SENT_MESSAGE + LONGEST_HEADER, "at most one message waits");
            payload = &payload[taken..];
            while outbox.poll_send(&mut cx, to).is_pending() {}
        }
    }

    /// What tungstenite reads of messages that were masked with `mask`.
    fn read(mask: Option<[u8; 4]>, payload: &[u8]) -> Vec<u8> {
        let mut sent = Trickle::default();
        send(&mut Outbox::default(), &mut sent, mask, payload);
        let role = if mask.is_some() { Role::Server } else { Role::Client };
        let mut socket = WebSocket::from_raw_socket(io::Cursor::new(sent.bytes), role, None);
        let mut read = Vec::new();
        while read.len() < payload.len() {
            match socket.read().unwrap() {
                Message::Binary(payload) => read.extend_from_slice(&payload),
                other => panic!("{other:?}"),
            }
        }
        read
    }

    #[test]
    fn tungstenite_reads_messages_of_every_length_masked_and_not() {
        for length in (1..300).chain([65_535, 65_536, 70_001, 131_072, 200_000, 1_200_000]) {
            let payload: Vec<u8> = (0..length).map(|n: u32| (n * 7) as u8).collect();
            assert_eq!(read(None, &payload), payload);
            assert_eq!(read(Some([1, 0x80, 0xff, 7]), &payload), payload);
        }
    }

    #[test]
    fn a_mask_hides_the_payload() {
        let mut outbox = Outbox::default();
        let mut sent = Cursor::new(Vec::new());
        send(&mut outbox, &mut sent, Some([9; 4]), &[0; 64]);
        assert!(sent.into_inner().ends_with(&[9; 64]));
    }

    #[test]
    fn what_leaves_at_once_without_a_mask_is_not_copied() {
        let mut outbox = Outbox::default();
        send(&mut outbox, &mut Cursor::new(Vec::new()), None, &vec![7; 900_000]);
        assert!(outbox.bytes.capacity() < 100);
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
