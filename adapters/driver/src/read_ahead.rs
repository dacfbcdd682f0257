//! A read buffer that exists only while data flows.

use std::cell::RefCell;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures::{AsyncRead, AsyncWrite};

/// What is read at once while data flows.
const BURST: usize = 32 * 1024;
/// What is read at once otherwise: most messages, whole.
const MESSAGE: usize = 4 * 1024;

thread_local! {
    /// Every reader of a thread reads into it first, so that none owns one.
    static SCRATCH: RefCell<[u8; MESSAGE]> = const { RefCell::new([0; MESSAGE]) };
}

/// Reads more than it is asked for, once a read has filled what it went into above all, since more is then likely to wait.
///
/// The readers above ask for little at a time, so that they own little while idle; each of their reads would be a system
/// call. What they did not ask for is kept here, and nothing is as soon as none is left.
#[derive(Debug)]
pub(crate) struct ReadAhead<S> {
    inner: S,
    buffer: Option<Box<[u8]>>,
    start: usize,
    end: usize,
    /// The last read filled what it went into.
    more_likely: bool,
    is_on: bool,
}

impl<S> ReadAhead<S> {
    pub(crate) fn new(inner: S) -> Self {
        Self { inner, buffer: None, start: 0, end: 0, more_likely: false, is_on: true }
    }

    /// One that `read` was read from already, and which gives that first.
    pub(crate) fn with_read(inner: S, read: Vec<u8>) -> Self {
        Self {
            inner,
            end: read.len(),
            buffer: Some(read.into_boxed_slice()),
            start: 0,
            more_likely: false,
            is_on: true,
        }
    }

    pub(crate) fn get_ref(&self) -> &S {
        &self.inner
    }

    pub(crate) fn get_mut(&mut self) -> &mut S {
        &mut self.inner
    }

    /// Whether to read ahead from now on. Whoever reads no more than a limit wants nothing held beyond it.
    pub(crate) fn set_on(&mut self, is_on: bool) {
        self.is_on = is_on;
    }

    /// Whether to expect that a read finds something.
    pub(crate) fn has_more(&self) -> bool {
        self.start < self.end || self.more_likely
    }

    fn take_buffered(&mut self, buf: &mut [u8]) -> usize {
        let Some(waiting) = self.buffer.as_deref().and_then(|buffer| buffer.get(self.start..self.end)) else {
            return 0;
        };
        let n = waiting.len().min(buf.len());
        buf[..n].copy_from_slice(&waiting[..n]);
        self.start += n;
        if self.start == self.end && !self.more_likely {
            self.buffer = None;
        }
        n
    }
}

impl<S: AsyncRead + Unpin> ReadAhead<S> {
    fn poll_message(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        SCRATCH.with(|scratch| {
            // Below may be another of these, which reads into it at the moment.
            let Ok(mut scratch) = scratch.try_borrow_mut() else {
                return Pin::new(&mut self.inner).poll_read(cx, buf);
            };
            let n = ready!(Pin::new(&mut self.inner).poll_read(cx, &mut scratch[..]))?;
            self.more_likely = n == scratch.len();
            let (asked, rest) = scratch[..n].split_at(n.min(buf.len()));
            buf[..asked.len()].copy_from_slice(asked);
            if !rest.is_empty() {
                self.buffer = Some(rest.into());
                (self.start, self.end) = (0, rest.len());
            }
            Poll::Ready(Ok(asked.len()))
        })
    }

    fn poll_burst(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut buffer = match self.buffer.take() {
            Some(buffer) if buffer.len() == BURST => buffer,
            _ => vec![0; BURST].into_boxed_slice(),
        };
        match Pin::new(&mut self.inner).poll_read(cx, &mut buffer) {
            Poll::Ready(Ok(n)) if n > 0 => {
                (self.start, self.end) = (0, n);
                self.more_likely = n == BURST;
                self.buffer = Some(buffer);
                Poll::Ready(Ok(self.take_buffered(buf)))
            }
            nothing => {
                self.more_likely = false;
                nothing
            }
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for ReadAhead<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        if this.start < this.end {
            return Poll::Ready(Ok(this.take_buffered(buf)));
        }
        let size = if this.more_likely { BURST } else { MESSAGE };
        if !this.is_on || buf.len() >= size {
            let read = Pin::new(&mut this.inner).poll_read(cx, buf);
            this.more_likely = matches!(&read, Poll::Ready(Ok(n)) if *n == buf.len());
            if !this.more_likely {
                this.buffer = None;
            }
            return read;
        }
        if this.more_likely { this.poll_burst(cx, buf) } else { this.poll_message(cx, buf) }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for ReadAhead<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write_vectored(cx, bufs)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_close(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use futures::task::noop_waker_ref;

    use super::*;

    /// Gives out one prepared piece a read, as a socket would, and counts the reads.
    struct Pieces(VecDeque<Vec<u8>>, usize);

    impl AsyncRead for Pieces {
        fn poll_read(mut self: Pin<&mut Self>, _: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
            self.1 += 1;
            let Some(mut piece) = self.0.pop_front() else { return Poll::Pending };
            let n = piece.len().min(buf.len());
            buf[..n].copy_from_slice(&piece[..n]);
            let rest = piece.split_off(n);
            if !rest.is_empty() {
                self.0.push_front(rest);
            }
            Poll::Ready(Ok(n))
        }
    }

    fn read_all(reader: &mut ReadAhead<Pieces>, step: usize) -> Vec<u8> {
        let (mut all, mut buf) = (Vec::new(), vec![0; step]);
        let mut cx = Context::from_waker(noop_waker_ref());
        while let Poll::Ready(n) = Pin::new(&mut *reader).poll_read(&mut cx, &mut buf) {
            all.extend_from_slice(&buf[..n.unwrap()]);
        }
        all
    }

    #[test]
    fn a_burst_costs_few_reads_and_leaves_no_buffer() {
        let burst: Vec<u8> = (0..20_000_u32).map(|n| n as u8).collect();
        let mut reader = ReadAhead::new(Pieces([burst.clone()].into(), 0));
        assert_eq!(read_all(&mut reader, 1024), burst);
        assert!(reader.inner.1 <= 4, "{} reads", reader.inner.1);
        assert!(reader.buffer.is_none());
    }

    #[test]
    fn nothing_is_read_ahead_while_that_is_off() {
        let burst: Vec<u8> = (0..20_000_u32).map(|n| n as u8).collect();
        let mut reader = ReadAhead::new(Pieces([burst.clone()].into(), 0));
        reader.set_on(false);
        let mut buf = [0; 1000];
        let mut cx = Context::from_waker(noop_waker_ref());
        for piece in burst.chunks(1000).take(3) {
            assert!(matches!(Pin::new(&mut reader).poll_read(&mut cx, &mut buf), Poll::Ready(Ok(1000))));
            assert_eq!(buf, piece);
            assert!(reader.buffer.is_none());
        }
        reader.set_on(true);
        assert_eq!(read_all(&mut reader, 1000), burst[3000..]);
    }

    #[test]
    fn a_message_that_is_larger_than_asked_for_is_one_read_and_leaves_no_buffer() {
        let mut reader = ReadAhead::new(Pieces([vec![1; 1030], vec![2; 3000]].into(), 0));
        let mut cx = Context::from_waker(noop_waker_ref());
        let mut buf = [0; 1024];
        for (reads, length) in [(1, 1024), (1, 6), (2, 1024), (2, 1024), (2, 952)] {
            assert!(matches!(Pin::new(&mut reader).poll_read(&mut cx, &mut buf), Poll::Ready(Ok(n)) if n == length));
            assert_eq!(reader.inner.1, reads);
        }
        assert!(reader.buffer.is_none());
    }

    #[test]
    fn small_messages_never_allocate() {
        let mut reader = ReadAhead::new(Pieces([vec![1; 100], vec![2; 100]].into(), 0));
        let mut buf = [0; 1024];
        let mut cx = Context::from_waker(noop_waker_ref());
        for _ in 0..2 {
            assert!(matches!(Pin::new(&mut reader).poll_read(&mut cx, &mut buf), Poll::Ready(Ok(100))));
            assert!(reader.buffer.is_none());
        }
    }

    #[test]
    fn the_end_of_the_stream_comes_through() {
        let mut reader = ReadAhead::new(Pieces([vec![1; 8], vec![]].into(), 0));
        let mut cx = Context::from_waker(noop_waker_ref());
        let mut buf = [0; 8];
        assert!(matches!(Pin::new(&mut reader).poll_read(&mut cx, &mut buf), Poll::Ready(Ok(8))));
        assert!(matches!(Pin::new(&mut reader).poll_read(&mut cx, &mut buf), Poll::Ready(Ok(0))));
        assert!(reader.buffer.is_none());
    }
}
