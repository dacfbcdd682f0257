//! tokio's TCP socket with the traits that the driver reads and writes by.

use std::future::{Future, poll_fn};
use std::io::{self, IoSlice};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};

use futures_io::{AsyncRead, AsyncWrite};
use tokio::io::ReadBuf;
use tokio::task::unconstrained;

/// A TCP socket of tokio's.
///
/// tokio-util's `Compat` would do, but it takes several buffers one at a time: each record of TLS would be a system call
/// of its own.
///
/// ```
/// use npws_tokio::TcpStream;
///
/// fn peer(stream: &TcpStream) -> std::io::Result<std::net::SocketAddr> {
///     stream.0.peer_addr()
/// }
/// ```
#[derive(Debug)]
pub struct TcpStream(pub tokio::net::TcpStream);

/// Polls without the budget that tokio gives a task: it would hold back, although the socket has room, what a user has been
/// told is on its way, and a user who falls silent then would not send it.
fn poll_unconstrained<T>(cx: &mut Context<'_>, poll: impl FnMut(&mut Context<'_>) -> Poll<T>) -> Poll<T> {
    pin!(unconstrained(poll_fn(poll))).poll(cx)
}

impl AsyncRead for TcpStream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut buf = ReadBuf::new(buf);
        ready!(tokio::io::AsyncRead::poll_read(Pin::new(&mut self.0), cx, &mut buf))?;
        Poll::Ready(Ok(buf.filled().len()))
    }
}

impl AsyncWrite for TcpStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        poll_unconstrained(cx, |cx| tokio::io::AsyncWrite::poll_write(Pin::new(&mut self.0), cx, buf))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        poll_unconstrained(cx, |cx| tokio::io::AsyncWrite::poll_write_vectored(Pin::new(&mut self.0), cx, bufs))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        tokio::io::AsyncWrite::poll_flush(Pin::new(&mut self.0), cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        tokio::io::AsyncWrite::poll_shutdown(Pin::new(&mut self.0), cx)
    }
}
