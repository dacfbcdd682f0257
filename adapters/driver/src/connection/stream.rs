//! A connection as a byte stream.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures::{AsyncBufRead, AsyncRead, AsyncWrite};
use npws_core::CloseReason;
use tungstenite::Error;

use super::burst::Departure;
use super::{Connection, StreamError};
use crate::wire::close_message;

/// How much is read at once: for a user with a large buffer, and for one who only writes, so that the peer's pings are
/// answered.
pub(super) const READ_AT_ONCE: usize = 64 * 1024;

impl Connection {
    /// Ends with whether there are bytes to read; there are none at the end of the stream.
    fn poll_readable(&mut self, cx: &mut Context<'_>, want: usize) -> Poll<io::Result<bool>> {
        self.begin();
        self.signal.register_reader(cx);
        let _ = self.drive(want.min(READ_AT_ONCE));
        if self.wire.chunk().is_some() {
            self.signal.forget_reader();
            return Poll::Ready(Ok(true));
        }
        match self.wire.end() {
            Some(reason @ CloseReason::Violation(_)) => Poll::Ready(Err(self.stream_error(reason).into_read_error())),
            // All of it is here, whatever became of the other direction.
            _ if self.wire.is_finished_by_peer() => Poll::Ready(Ok(false)),
            Some(reason) if reason.is_end_of_stream() => Poll::Ready(Ok(false)),
            // Who has said goodbye is owed none.
            Some(CloseReason::TransportEnded) if self.is_closing => Poll::Ready(Ok(false)),
            Some(reason) => Poll::Ready(Err(self.stream_error(reason).into_read_error())),
            None => Poll::Pending,
        }
    }

    /// Ends with how many bytes were read; none at the end of the stream.
    pub(super) fn poll_read_into(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        let polled = self.poll_read_once(cx, buf);
        if polled.is_pending() {
            self.send_burst();
        }
        polled
    }

    fn poll_read_once(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        self.begin();
        self.signal.register_reader(cx);
        let n = ready!(self.poll_read_direct(buf));
        if n > 0 {
            self.signal.forget_reader();
            return Poll::Ready(Ok(n));
        }
        let is_readable = ready!(self.poll_readable(cx, buf.len()))?;
        Poll::Ready(Ok(if is_readable { self.read_buffered(buf) } else { 0 }))
    }

    /// Reads what goes straight into `buf`, without a copy of it in between. With 0 there may be more to read otherwise.
    fn poll_read_direct(&mut self, buf: &mut [u8]) -> Poll<usize> {
        if self.wire.end().is_some() || !self.signal.lower() {
            return Poll::Ready(0);
        }
        let waker = self.signal.waker();
        let mut cx = Context::from_waker(&waker);
        let polled = self.wire.poll_direct(&mut cx, || self.clock.now(), buf);
        let _ = self.wire.poll_flush(&mut cx);
        let n = ready!(polled);
        self.signal.raise();
        self.is_drained = n > 0 && !self.wire.has_more();
        Poll::Ready(n)
    }

    /// Copies as much as is there.
    fn read_buffered(&mut self, buf: &mut [u8]) -> usize {
        let mut filled = 0;
        while let Some(chunk) = self.wire.chunk() {
            let n = chunk.len().min(buf.len() - filled);
            if n == 0 {
                break;
            }
            buf[filled..filled + n].copy_from_slice(&chunk[..n]);
            self.wire.consume(n);
            filled += n;
        }
        filled
    }

    /// Ends with how many bytes of `bufs` have left, or will with the next flush.
    pub(super) fn poll_send(&mut self, cx: &mut Context<'_>, bufs: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let length = bufs.iter().fold(0, |sum: usize, buf| sum.saturating_add(buf.len()));
        if length == 0 {
            return Poll::Ready(Ok(0));
        }
        self.begin();
        let departure = self.burst.write(length, || self.clock.now());
        self.depart(departure);
        // At most one message waits in this process.
        // Who answers what was just read does so before the socket is asked for more.
        let is_drained = std::mem::take(&mut self.is_drained);
        let Poll::Ready(sent) = self.poll_all_sent(cx, !is_drained) else {
            self.burst.wait();
            return Poll::Pending;
        };
        sent?;
        self.has_looked = true;
        if let Some(reason) = self.write_end() {
            return Poll::Ready(Err(self.stream_error(reason).into_write_error()));
        }
        let waker = self.signal.waker();
        let sent = self.wire.send_data(&mut Context::from_waker(&waker), bufs);
        let length = sent.map_err(|error| self.write_failed(error))?;
        // A user who copies from an idle reader does not flush; the data must leave all the same.
        match self.poll_flush_wire() {
            Poll::Ready(Err(error)) => Poll::Ready(Err(self.write_failed(error))),
            _ => Poll::Ready(Ok(length)),
        }
    }

    /// Looks first for what the peer sends, or else only if what is to be sent has to wait.
    fn poll_all_sent(&mut self, cx: &mut Context<'_>, looks_first: bool) -> Poll<io::Result<()>> {
        let mut flushed = if looks_first { Poll::Pending } else { self.poll_flush_wire() };
        if flushed.is_pending() {
            self.signal.register_writer(cx);
            // A reader that waits has been woken by what made the signal rise.
            let _ = self.drive(READ_AT_ONCE);
            flushed = self.poll_flush_wire();
            if flushed.is_ready() {
                self.signal.forget_writer();
            }
        }
        flushed.map(|sent| sent.map_err(|error| self.write_failed(error)))
    }

    fn depart(&mut self, departure: Departure) {
        match departure {
            Departure::Unchanged => {}
            Departure::Together => self.wire.write_behind(self.clock.background()),
            Departure::AtOnce => self.wire.write_at_once(),
        }
    }

    /// What is still to leave does with the next flush.
    pub(super) fn end_burst(&mut self) {
        let departure = self.burst.end();
        self.depart(departure);
    }

    /// Who waits for the peer has nothing more to write.
    fn send_burst(&mut self) {
        let departure = self.burst.end();
        self.depart(departure);
        if departure == Departure::AtOnce {
            // Whoever writes or flushes next gets the error.
            let _ = self.poll_flush_wire();
        }
    }

    pub(super) fn poll_flush_all(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.begin();
        self.end_burst();
        let has_looked = std::mem::take(&mut self.has_looked);
        self.poll_all_sent(cx, !has_looked)
    }

    pub(super) fn poll_goodbye(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.begin();
        self.end_burst();
        ready!(self.poll_all_sent(cx, true))?;
        if self.write_end().is_none() {
            self.is_finished = true;
            if !self.wire.finish(self.clock.now()) {
                self.is_closing = true;
                if let Err(error) = self.wire.start_send(close_message(1000)) {
                    return Poll::Ready(Err(self.write_failed(error)));
                }
            }
            ready!(self.poll_all_sent(cx, false))?;
        }
        Poll::Ready(Ok(()))
    }

    /// Does what reading and writing share: reads until `want` bytes are there, which answers pings, and sends what was
    /// written and did not fit into the socket at once.
    fn drive(&mut self, want: usize) -> Poll<()> {
        if self.wire.end().is_some() || self.wire.buffered() >= want {
            return Poll::Ready(());
        }
        if !self.signal.lower() {
            return Poll::Pending;
        }
        let waker = self.signal.waker();
        let mut cx = Context::from_waker(&waker);
        let filled = self.wire.poll_fill(&mut cx, self.clock.now(), want);
        // Whoever writes next gets the error. Reading goes on: what came before it is still to be read.
        let _ = self.wire.poll_flush(&mut cx);
        if filled.is_ready() {
            self.signal.raise();
        }
        filled
    }

    fn poll_flush_wire(&mut self) -> Poll<Result<(), Error>> {
        let waker = self.signal.waker();
        self.wire.poll_flush(&mut Context::from_waker(&waker))
    }

    /// Why nothing can be written any more.
    fn write_end(&self) -> Option<CloseReason> {
        self.wire.end().or(self.is_finished.then_some(CloseReason::ClosedLocally))
    }

    fn stream_error(&self, reason: CloseReason) -> StreamError {
        StreamError::new(reason, self.wire.failure().cloned())
    }

    /// Does not end the link: what the peer sent before may still be read, and tell more.
    fn write_failed(&self, error: Error) -> io::Error {
        let reason = self.write_end().unwrap_or(CloseReason::TransportFailed);
        StreamError::new(reason, Some(error.into())).into_write_error()
    }
}

impl AsyncRead for Connection {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        if buf.is_empty() { Poll::Ready(Ok(0)) } else { self.poll_read_into(cx, buf) }
    }
}

impl AsyncBufRead for Connection {
    fn poll_fill_buf(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        let this = self.get_mut();
        let Poll::Ready(readable) = this.poll_readable(cx, 1) else {
            this.send_burst();
            return Poll::Pending;
        };
        readable?;
        Poll::Ready(Ok(this.wire.chunk().unwrap_or_default()))
    }

    fn consume(mut self: Pin<&mut Self>, amt: usize) {
        self.wire.consume(amt);
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_send(cx, &[IoSlice::new(buf)])
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.poll_send(cx, bufs)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_flush_all(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_goodbye(cx)
    }
}
