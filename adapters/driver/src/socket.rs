//! The byte stream below TLS and WebSocket, whatever it is made of.

use std::fmt;
use std::io::{self, IoSlice, IoSliceMut};
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures::io::Cursor;
use futures::{AsyncRead, AsyncWrite};
use npws_core::ConnectionId;

use crate::runtime::Background;
use crate::sentinel::Sentinel;
use crate::write_behind::WriteBehind;

/// A byte stream that a connection can run over. Every type with these traits is one.
///
/// ```
/// use npws_driver::Io;
///
/// fn is_io<T: Io>(_: &T) {}
/// # let stream = futures::io::Cursor::new(Vec::new());
/// is_io(&stream);
/// ```
pub trait Io: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin + ?Sized> Io for T {}

/// A socket of the runtime's, whose kernel can be asked what the runtime has not come to yet.
pub(crate) trait Tcp: Io {
    /// Has `sentinel`, which may know the socket already, tell once, as `id`, that something has come. Says whether it will.
    fn post(&self, sentinel: &Sentinel, id: ConnectionId, is_known: bool) -> bool;
    /// The next read asks the kernel.
    fn ask_kernel(&mut self);
}

enum Stream {
    Tcp(Box<dyn Tcp>),
    Other(Box<dyn Io>),
    Behind(WriteBehind),
}

impl Stream {
    fn into_io(self) -> Box<dyn Io> {
        match self {
            Self::Tcp(tcp) => tcp,
            Self::Other(io) => io,
            Self::Behind(stream) => Box::new(stream),
        }
    }
}

/// A byte stream and, where it has some, its addresses.
///
/// ```
/// use npws_driver::Socket;
///
/// # let stream = futures::io::Cursor::new(Vec::new());
/// let socket = Socket::new(stream).with_addrs(None, Some(([192, 0, 2, 1], 8443).into()));
/// assert_eq!(socket.peer_addr(), Some(([192, 0, 2, 1], 8443).into()));
/// ```
pub struct Socket {
    stream: Stream,
    local: Option<SocketAddr>,
    peer: Option<SocketAddr>,
    /// What was read and is to be read again.
    unread: Vec<u8>,
    /// What was written and is to leave together with what comes next.
    held: Vec<u8>,
    holds: bool,
}

impl Socket {
    /// A stream without addresses.
    ///
    /// ```
    /// # use npws_driver::Socket;
    /// # let stream = futures::io::Cursor::new(Vec::new());
    /// assert_eq!(Socket::new(stream).peer_addr(), None);
    /// ```
    #[must_use]
    pub fn new(io: impl Io + 'static) -> Self {
        Self::over(Stream::Other(Box::new(io)))
    }

    pub(crate) fn tcp(socket: impl Tcp + 'static) -> Self {
        Self::over(Stream::Tcp(Box::new(socket)))
    }

    fn over(stream: Stream) -> Self {
        Self { stream, local: None, peer: None, unread: Vec::new(), held: Vec::new(), holds: false }
    }

    /// The same stream with these addresses, which [`Connection`](crate::Connection) then tells.
    ///
    /// ```
    /// # use npws_driver::Socket;
    /// # let stream = futures::io::Cursor::new(Vec::new());
    /// let local = ([127, 0, 0, 1], 8443).into();
    /// assert_eq!(Socket::new(stream).with_addrs(Some(local), None).local_addr(), Some(local));
    /// ```
    #[must_use]
    pub fn with_addrs(self, local: Option<SocketAddr>, peer: Option<SocketAddr>) -> Self {
        Self { local, peer, ..self }
    }

    /// The address of this end, if known.
    ///
    /// ```
    /// # use npws_driver::Socket;
    /// # let stream = futures::io::Cursor::new(Vec::new());
    /// assert_eq!(Socket::new(stream).local_addr(), None);
    /// ```
    #[must_use]
    pub fn local_addr(&self) -> Option<SocketAddr> {
        self.local
    }

    /// The address of the other end, if known.
    ///
    /// ```
    /// # use npws_driver::Socket;
    /// # let stream = futures::io::Cursor::new(Vec::new());
    /// assert_eq!(Socket::new(stream).peer_addr(), None);
    /// ```
    #[must_use]
    pub fn peer_addr(&self) -> Option<SocketAddr> {
        self.peer
    }

    /// A proxy in front says that the other end is there.
    pub(crate) fn set_peer_addr(&mut self, peer: SocketAddr) {
        self.peer = Some(peer);
    }

    /// Has `sentinel`, which may know the socket already, tell once, as `id`, that something has come. Says whether it will.
    pub(crate) fn post(&self, sentinel: &Sentinel, id: ConnectionId, is_known: bool) -> bool {
        matches!(&self.stream, Stream::Tcp(tcp) if tcp.post(sentinel, id, is_known))
    }

    /// The next read gives what the kernel has, even if the runtime does not know yet.
    pub(crate) fn ask_kernel(&mut self) {
        if let Stream::Tcp(tcp) = &mut self.stream {
            tcp.ask_kernel();
        }
    }

    fn io(&mut self) -> Pin<&mut dyn Io> {
        match &mut self.stream {
            Stream::Tcp(tcp) => Pin::new(&mut **tcp),
            Stream::Other(io) => Pin::new(&mut **io),
            Stream::Behind(stream) => Pin::new(stream),
        }
    }

    /// From now on small writes that follow each other leave together, soon after the task that writes lets others have
    /// their turn: one on `background` sends them.
    pub(crate) fn write_behind(&mut self, background: &dyn Background) {
        if let Stream::Behind(stream) = &mut self.stream {
            return stream.set_on(true);
        }
        let stream = std::mem::replace(&mut self.stream, Stream::Other(Box::new(Cursor::new(Vec::new()))));
        let mut behind = WriteBehind::new(stream.into_io(), background);
        behind.set_on(true);
        self.stream = Stream::Behind(behind);
    }

    /// From now on what is written leaves at once, and what waits leaves with it or with a flush.
    pub(crate) fn write_at_once(&mut self) {
        if let Stream::Behind(stream) = &mut self.stream {
            stream.set_on(false);
        }
    }

    /// Puts `bytes`, which were read, in front of what is still to come.
    pub(crate) fn unread(&mut self, bytes: Vec<u8>) {
        self.unread = bytes;
    }

    /// From now on what is written leaves when something is to be read: each system call wakes the peer, who may be able to
    /// do nothing before all of it is there.
    pub(crate) fn hold(&mut self) {
        self.holds = true;
    }

    /// From now on what is written leaves at once, with what was held back in front of it.
    pub(crate) fn release(&mut self) {
        self.holds = false;
    }

    fn poll_held(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.held.is_empty() {
            let held = std::mem::take(&mut self.held);
            let sent = self.io().poll_write(cx, &held);
            self.held = held;
            match ready!(sent)? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                n => drop(self.held.drain(..n)),
            }
        }
        self.held = Vec::new();
        Poll::Ready(Ok(()))
    }

    /// Takes all of `bufs`, if something is held back or will be.
    fn hold_back(&mut self, cx: &mut Context<'_>, bufs: &[IoSlice<'_>]) -> Option<io::Result<usize>> {
        if !self.holds && self.held.is_empty() {
            return None;
        }
        for buf in bufs {
            self.held.extend_from_slice(buf);
        }
        let length = bufs.iter().map(|buf| buf.len()).sum();
        if !self.holds
            && let Poll::Ready(Err(error)) = self.poll_held(cx)
        {
            return Some(Err(error));
        }
        Some(Ok(length))
    }

    fn read_again(&mut self, buf: &mut [u8]) -> usize {
        let n = self.unread.len().min(buf.len());
        buf[..n].copy_from_slice(&self.unread[..n]);
        self.unread.drain(..n);
        if self.unread.is_empty() {
            self.unread = Vec::new();
        }
        n
    }
}

impl fmt::Debug for Socket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Socket").field("local", &self.local).field("peer", &self.peer).finish_non_exhaustive()
    }
}

impl AsyncRead for Socket {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        if !self.unread.is_empty() {
            return Poll::Ready(Ok(self.read_again(buf)));
        }
        ready!(self.poll_held(cx))?;
        self.io().poll_read(cx, buf)
    }

    fn poll_read_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &mut [IoSliceMut<'_>],
    ) -> Poll<io::Result<usize>> {
        if !self.unread.is_empty() {
            let first = bufs.iter_mut().find(|buf| !buf.is_empty());
            return Poll::Ready(Ok(first.map_or(0, |buf| self.read_again(buf))));
        }
        ready!(self.poll_held(cx))?;
        self.io().poll_read_vectored(cx, bufs)
    }
}

impl AsyncWrite for Socket {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match self.hold_back(cx, &[IoSlice::new(buf)]) {
            Some(taken) => Poll::Ready(taken),
            None => self.io().poll_write(cx, buf),
        }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.hold_back(cx, bufs) {
            Some(taken) => Poll::Ready(taken),
            None => self.io().poll_write_vectored(cx, bufs),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.holds {
            return Poll::Ready(Ok(()));
        }
        ready!(self.poll_held(cx))?;
        self.io().poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_held(cx))?;
        self.io().poll_close(cx)
    }
}

#[cfg(test)]
mod tests {
    use futures::{AsyncReadExt, AsyncWriteExt, FutureExt};

    use super::*;
    use crate::testing::pipe;

    #[test]
    fn what_is_held_leaves_before_a_read_and_in_front_of_what_is_written_then() {
        let (near, mut far) = pipe(100);
        let mut socket = Socket::new(near);
        socket.hold();
        assert!(socket.write_all(b"flight").now_or_never().unwrap().is_ok());
        assert!(socket.flush().now_or_never().unwrap().is_ok());
        assert_eq!(far.receive(), b"");
        assert!(socket.read(&mut [0; 10]).now_or_never().is_none());
        assert_eq!(far.receive(), b"flight");
        assert!(socket.write_all(b"tickets ").now_or_never().unwrap().is_ok());
        socket.release();
        assert_eq!(far.receive(), b"");
        assert!(socket.write_vectored(&[IoSlice::new(b"and "), IoSlice::new(b"answer")]).now_or_never().is_some());
        assert_eq!(far.receive(), b"tickets and answer");
        assert!(socket.write_all(b"data").now_or_never().unwrap().is_ok());
        assert_eq!((far.receive(), socket.held.capacity()), (b"data".to_vec(), 0));
    }

    #[test]
    fn what_is_held_is_not_lost_to_a_slow_peer_a_flush_or_the_end() {
        for ends in [false, true] {
            let (near, mut far) = pipe(5);
            let mut socket = Socket::new(near);
            socket.hold();
            assert!(socket.write_all(b"more than fits").now_or_never().unwrap().is_ok());
            socket.release();
            let mut got = Vec::new();
            loop {
                let sent = if ends { socket.close().now_or_never() } else { socket.flush().now_or_never() };
                got.extend(far.receive());
                if let Some(sent) = sent {
                    break assert!(sent.is_ok());
                }
            }
            assert_eq!(got, b"more than fits");
        }
    }
}
