//! The byte stream that WebSocket runs over: plain or TLS.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

use futures::{AsyncRead, AsyncWrite};
use futures_rustls::TlsStream;

use crate::read_ahead::ReadAhead;
use crate::socket::Socket;
use crate::tls::TlsInfo;

/// Boxed where it is large: most connections of a pool are idle, and not all use TLS.
#[derive(Debug)]
pub(crate) enum Transport {
    Plain(ReadAhead<Socket>),
    Tls(Box<TlsStream<ReadAhead<Socket>>>),
}

impl Transport {
    pub(crate) fn plain(socket: Socket) -> Self {
        Self::Plain(ReadAhead::new(socket))
    }

    /// `stream` is the outcome of a handshake over [`ReadAhead::new`].
    pub(crate) fn tls(stream: impl Into<TlsStream<ReadAhead<Socket>>>) -> Self {
        Self::Tls(Box::new(stream.into()))
    }

    pub(crate) fn socket(&self) -> &Socket {
        match self {
            Self::Plain(stream) => stream.get_ref(),
            Self::Tls(stream) => stream.get_ref().0.get_ref(),
        }
    }

    pub(crate) fn socket_mut(&mut self) -> &mut Socket {
        match self {
            Self::Plain(stream) => stream.get_mut(),
            Self::Tls(stream) => stream.get_mut().0.get_mut(),
        }
    }

    /// Whether to read ahead from now on.
    pub(crate) fn set_read_ahead(&mut self, is_on: bool) {
        match self {
            Self::Plain(stream) => stream.set_on(is_on),
            Self::Tls(stream) => stream.get_mut().0.set_on(is_on),
        }
    }

    /// Whether to expect that a read finds something.
    pub(crate) fn has_more(&self) -> bool {
        match self {
            Self::Plain(stream) => stream.has_more(),
            Self::Tls(stream) => {
                let (below, has_plaintext) = match &**stream {
                    TlsStream::Client(stream) => (stream.get_ref().0, !stream.get_ref().1.wants_read()),
                    TlsStream::Server(stream) => (stream.get_ref().0, !stream.get_ref().1.wants_read()),
                };
                has_plaintext || below.has_more()
            }
        }
    }

    pub(crate) fn tls_info(&self) -> Option<TlsInfo> {
        match self {
            Self::Plain(_) => None,
            Self::Tls(stream) => TlsInfo::of(stream),
        }
    }
}

impl AsyncRead for Transport {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(cx, buf),
            Self::Tls(stream) => Pin::new(stream).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Transport {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(cx, buf),
            Self::Tls(stream) => Pin::new(stream).poll_write(cx, buf),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
            Self::Tls(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Self::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_close(cx),
            Self::Tls(stream) => Pin::new(stream).poll_close(cx),
        }
    }
}
