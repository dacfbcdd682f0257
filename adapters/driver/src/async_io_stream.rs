//! async-io's TCP socket, with one system call less whenever it has to wait.

use std::io::{self, IoSlice, Read};
use std::net::TcpStream;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use async_io::Async;
use futures::{AsyncRead, AsyncWrite};

/// A TCP socket of async-io's.
///
/// Its own reads ask the kernel a second time before they wait, for it takes the event that woke the task for a new one.
///
/// ```
/// use npws_driver::AsyncIoStream;
///
/// fn peer(stream: &AsyncIoStream) -> std::io::Result<std::net::SocketAddr> {
///     stream.0.get_ref().peer_addr()
/// }
/// ```
#[derive(Debug)]
pub struct AsyncIoStream(pub Async<TcpStream>);

impl AsyncRead for AsyncIoStream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        loop {
            match self.0.get_ref().read(buf) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                read => return Poll::Ready(read),
            }
            // Ready once for what has been read already. Asked again it arms the socket, which tells of what is there.
            ready!(self.0.poll_readable(cx))?;
            ready!(self.0.poll_readable(cx))?;
        }
    }
}

impl AsyncWrite for AsyncIoStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write_vectored(cx, bufs)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_close(cx)
    }
}
