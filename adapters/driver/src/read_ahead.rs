//! A read buffer that exists only while data flows.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures::{AsyncRead, AsyncWrite};

const SIZE: usize = 32 * 1024;

/// Reads ahead once a read has filled its target, since more is then likely to wait.
///
/// The readers above ask for little at a time, so that they own little while idle; each of their reads would be a system
/// call. This buffer is lent to them while data flows and given back as soon as none is left.
#[derive(Debug)]
pub(crate) struct ReadAhead<S> {
    inner: S,
    buffer: Option<Box<[u8]>>,
    start: usize,
    end: usize,
    /// The last read filled its target.
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

    /// Whether to read ahead from now on. Whoever reads no more than a limit wants nothing held beyond it.
    pub(crate) fn set_on(&mut self, is_on: bool) {
        self.is_on = is_on;
    }

    fn take_buffered(&mut self, buf: &mut [u8]) -> usize {
        let Some(waiting) = self.buffer.as_deref().and_then(|buffer| buffer.get(self.start..self.end)) else {
            return 0;
        };
        let n = waiting.len().min(buf.len());
        buf[..n].copy_from_slice(&waiting[..n]);
        self.start += n;
        n
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for ReadAhead<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        if this.start < this.end {
            return Poll::Ready(Ok(this.take_buffered(buf)));
        }
        if !(this.is_on && this.more_likely) || buf.len() >= SIZE {
            let read = Pin::new(&mut this.inner).poll_read(cx, buf);
            this.more_likely = matches!(&read, Poll::Ready(Ok(n)) if *n == buf.len());
            if !this.more_likely {
                this.buffer = None;
            }
            return read;
        }
        let buffer = this.buffer.get_or_insert_with(|| vec![0; SIZE].into_boxed_slice());
        match Pin::new(&mut this.inner).poll_read(cx, buffer) {
            Poll::Ready(Ok(n)) if n > 0 => {
                (this.start, this.end) = (0, n);
                Poll::Ready(Ok(this.take_buffered(buf)))
            }
            nothing => {
                this.buffer = None;
                this.more_likely = false;
                Poll::Ready(Ok(ready!(nothing)?))
            }
        }
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
