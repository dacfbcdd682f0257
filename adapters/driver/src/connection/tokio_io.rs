//! tokio's traits. They are here because only the crate that owns the type may implement them.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncBufRead, AsyncRead, AsyncWrite, ReadBuf};

use super::Connection;
use super::stream::{gather, total};

impl AsyncRead for Connection {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if buf.remaining() == 0 || !ready!(self.poll_readable(cx, buf.remaining()))? {
            return Poll::Ready(Ok(()));
        }
        while let Some(chunk) = self.wire.chunk() {
            let n = chunk.len().min(buf.remaining());
            if n == 0 {
                break;
            }
            buf.put_slice(&chunk[..n]);
            self.wire.consume(n);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncBufRead for Connection {
    fn poll_fill_buf(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        futures::AsyncBufRead::poll_fill_buf(self, cx)
    }

    fn consume(mut self: Pin<&mut Self>, amt: usize) {
        self.wire.consume(amt);
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_send(cx, buf.len(), |payload, length| payload.extend_from_slice(&buf[..length]))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.poll_send(cx, total(bufs), |payload, length| gather(bufs, payload, length))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_all_sent(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_goodbye(cx)
    }
}
