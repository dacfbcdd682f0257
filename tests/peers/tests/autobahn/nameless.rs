//! Hides the ID from peers that know nothing of it.
//!
//! Behind the head of the HTTP answer stands the message with the ID. It is removed from what our server writes, and put
//! into what our client reads. What the peer sends behind the heads is held back until the test has the WebSocket, as the
//! pool would judge it as a connection's first data before.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures::channel::oneshot;
use futures::{AsyncRead, AsyncWrite, FutureExt};

/// A frame with four bytes, from a server.
const ID_FRAME: [u8; 6] = [0x82, 4, 0, 0, 0, 7];

/// Lets the peer's frames through.
#[derive(Debug)]
pub(crate) struct Opener(oneshot::Sender<()>);

impl Opener {
    pub(crate) fn open(self) {
        // The connection may have ended meanwhile.
        let _ = self.0.send(());
    }
}

/// What our server has instead of a stream to its client.
pub(crate) type NamelessClient<S> = Nameless<S, false>;

/// What our client has instead of a stream to its server.
pub(crate) type NamelessServer<S> = Nameless<S, true>;

/// A stream to a peer, which is a server or not.
#[derive(Debug)]
pub(crate) struct Nameless<S, const IS_SERVER: bool> {
    stream: S,
    read: Head,
    written: Head,
    /// What is to be read before anything else.
    pending: Vec<u8>,
    /// How much of what is written still belongs to the frame with the ID.
    hidden: usize,
    opened: Option<oneshot::Receiver<()>>,
}

impl<S, const IS_SERVER: bool> Nameless<S, IS_SERVER> {
    pub(crate) fn new(stream: S) -> (Self, Opener) {
        let (sender, receiver) = oneshot::channel();
        let hidden = if IS_SERVER { 0 } else { ID_FRAME.len() };
        let pending = if IS_SERVER { ID_FRAME.to_vec() } else { Vec::new() };
        let heads = (Head::default(), Head::default());
        let this = Self { stream, read: heads.0, written: heads.1, pending, hidden, opened: Some(receiver) };
        (this, Opener(sender))
    }
}

/// How much of a blank line has been seen.
#[derive(Debug, Clone, Default)]
struct Head(usize);

impl Head {
    fn is_over(&self) -> bool {
        self.0 == 4
    }

    /// How many of `bytes` belong to the head.
    fn count(&mut self, bytes: &[u8]) -> usize {
        for (i, byte) in bytes.iter().enumerate() {
            if self.is_over() {
                return i;
            }
            self.0 = match (self.0, byte) {
                (0 | 2, b'\r') | (1 | 3, b'\n') => self.0 + 1,
                (_, b'\r') => 1,
                _ => 0,
            };
        }
        bytes.len()
    }
}

impl<S: AsyncRead + Unpin, const IS_SERVER: bool> AsyncRead for Nameless<S, IS_SERVER> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        if !this.read.is_over() {
            // Bytewise, so that nothing behind the head is read too early.
            let Some(buf) = buf.get_mut(..1) else { return Poll::Ready(Ok(0)) };
            let n = ready!(Pin::new(&mut this.stream).poll_read(cx, buf))?;
            this.read.count(&buf[..n]);
            return Poll::Ready(Ok(n));
        }
        if !this.pending.is_empty() {
            let n = this.pending.len().min(buf.len());
            buf[..n].copy_from_slice(&this.pending[..n]);
            this.pending.drain(..n);
            return Poll::Ready(Ok(n));
        }
        if let Some(opened) = &mut this.opened {
            let _ = ready!(opened.poll_unpin(cx));
            this.opened = None;
        }
        Pin::new(&mut this.stream).poll_read(cx, buf)
    }
}

impl<S: AsyncWrite + Unpin, const IS_SERVER: bool> AsyncWrite for Nameless<S, IS_SERVER> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        if IS_SERVER {
            return Pin::new(&mut this.stream).poll_write(cx, buf);
        }
        if this.written.is_over() && this.hidden > 0 && !buf.is_empty() {
            let n = this.hidden.min(buf.len());
            this.hidden -= n;
            return Poll::Ready(Ok(n));
        }
        // The frame may come in one write with the head.
        let end = if this.written.is_over() { buf.len() } else { this.written.clone().count(buf) };
        let n = ready!(Pin::new(&mut this.stream).poll_write(cx, &buf[..end]))?;
        this.written.count(&buf[..n]);
        Poll::Ready(Ok(n))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_close(cx)
    }
}
