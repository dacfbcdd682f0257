//! TCP sockets: what is set on each, and how they are closed.

use std::io::{self, IoSlice, Read};
use std::net::Shutdown;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures::{AsyncRead, AsyncWrite};
use npws_core::ConnectionId;
use socket2::{SockRef, TcpKeepalive};

use crate::runtime::Runtime;
use crate::sentinel::Sentinel;
use crate::socket::Tcp;

/// TCP options of a pool's sockets.
///
/// Towards a v1 peer they are the only way to learn that the path is cut: it answers no ping while idle. The kernel
/// suspends keep-alive while data waits for an acknowledgement, so a user timeout belongs to it.
///
/// ```
/// use std::time::Duration;
/// use npws_driver::TcpOptions;
///
/// let options = TcpOptions { user_timeout: Some(Duration::from_secs(5)), ..TcpOptions::default() };
/// assert!(options.nodelay);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TcpOptions {
    /// Send small writes at once (`TCP_NODELAY`). On unless told.
    pub nodelay: bool,
    /// How long a socket is idle before the kernel asks the peer, and how long it waits between three askings.
    /// 15 s unless told; `None` leaves the system's setting.
    pub keepalive: Option<Duration>,
    /// How long sent data may stay unacknowledged (`TCP_USER_TIMEOUT`, Linux, Android and Fuchsia). 30 s unless told;
    /// `None` leaves the system's setting.
    pub user_timeout: Option<Duration>,
}

impl Default for TcpOptions {
    fn default() -> Self {
        Self { nodelay: true, keepalive: Some(Duration::from_secs(15)), user_timeout: Some(Duration::from_secs(30)) }
    }
}

impl TcpOptions {
    pub(crate) fn apply(&self, socket: SockRef<'_>) -> io::Result<()> {
        socket.set_tcp_nodelay(self.nodelay)?;
        if let Some(time) = self.keepalive {
            let keepalive = TcpKeepalive::new().with_time(time);
            #[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple", windows))]
            let keepalive = keepalive.with_interval(time);
            #[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
            let keepalive = keepalive.with_retries(3);
            socket.set_tcp_keepalive(&keepalive)?;
        }
        #[cfg(any(target_os = "linux", target_os = "android", target_os = "fuchsia"))]
        socket.set_tcp_user_timeout(self.user_timeout)?;
        Ok(())
    }
}

/// A runtime's TCP socket that says at its close that no more bytes come. Those of async-io and async-std only flush,
/// and a peer that was promised the end of the connection would wait for it.
pub(crate) struct TcpSocket<R: Runtime> {
    stream: R::Stream,
    /// Whether to read what the runtime may not have come to yet.
    asks_kernel: bool,
}

impl<R: Runtime> TcpSocket<R> {
    pub(crate) fn new(stream: R::Stream) -> Self {
        Self { stream, asks_kernel: false }
    }
}

impl<R: Runtime> Tcp for TcpSocket<R> {
    fn post(&self, sentinel: &Sentinel, id: ConnectionId, is_known: bool) -> bool {
        sentinel.post(&R::socket(&self.stream), id, is_known)
    }

    fn ask_kernel(&mut self) {
        self.asks_kernel = !R::READS_ASK_KERNEL;
    }
}

impl<R: Runtime> AsyncRead for TcpSocket<R> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        if self.asks_kernel {
            match (&*R::socket(&self.stream)).read(buf) {
                Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {}
                read => return Poll::Ready(read),
            }
            self.asks_kernel = false;
        }
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl<R: Runtime> AsyncWrite for TcpSocket<R> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.stream).poll_flush(cx))?;
        match R::socket(&self.stream).shutdown(Shutdown::Write) {
            // The peer has ended it already.
            Err(error) if error.kind() == io::ErrorKind::NotConnected => Poll::Ready(Ok(())),
            closed => Poll::Ready(closed),
        }
    }
}
