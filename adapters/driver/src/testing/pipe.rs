//! Two byte streams that face each other.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use futures::{AsyncRead, AsyncWrite};

/// One direction.
#[derive(Default)]
struct Half {
    bytes: VecDeque<u8>,
    capacity: usize,
    is_closed: bool,
    failure: Option<io::ErrorKind>,
    reader: Option<Waker>,
    writer: Option<Waker>,
    reads: usize,
}

impl Half {
    fn wake(&mut self) {
        self.reader.take().into_iter().chain(self.writer.take()).for_each(Waker::wake);
    }
}

/// One end. What a test does with it by `send`, `receive` and the like happens at once.
pub(crate) struct End {
    incoming: Arc<Mutex<Half>>,
    outgoing: Arc<Mutex<Half>>,
}

/// Each direction holds `capacity` bytes that nobody has read.
pub(crate) fn pipe(capacity: usize) -> (End, End) {
    let half = || Arc::new(Mutex::new(Half { capacity, ..Half::default() }));
    let (there, back) = (half(), half());
    (End { incoming: there.clone(), outgoing: back.clone() }, End { incoming: back, outgoing: there })
}

impl End {
    /// More than the capacity is fine.
    pub(crate) fn send(&mut self, bytes: &[u8]) {
        let mut half = self.outgoing.lock().unwrap();
        half.bytes.extend(bytes);
        half.wake();
    }

    /// All that is there.
    pub(crate) fn receive(&mut self) -> Vec<u8> {
        let mut half = self.incoming.lock().unwrap();
        let bytes = half.bytes.drain(..).collect();
        half.wake();
        bytes
    }

    /// How much of what was sent nobody has read.
    pub(crate) fn unread(&self) -> usize {
        self.outgoing.lock().unwrap().bytes.len()
    }

    /// How often the other end has asked for bytes.
    pub(crate) fn reads(&self) -> usize {
        self.outgoing.lock().unwrap().reads
    }

    /// The other end reads the end of the stream after what was sent.
    pub(crate) fn end(&mut self) {
        let mut half = self.outgoing.lock().unwrap();
        half.is_closed = true;
        half.wake();
    }

    /// The other end reads this failure after what was sent.
    pub(crate) fn fail(&mut self, kind: io::ErrorKind) {
        let mut half = self.outgoing.lock().unwrap();
        half.failure = Some(kind);
        half.wake();
    }
}

impl AsyncRead for End {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut half = self.incoming.lock().unwrap();
        half.reads += 1;
        if half.bytes.is_empty() {
            if let Some(kind) = half.failure {
                return Poll::Ready(Err(kind.into()));
            }
            if half.is_closed {
                return Poll::Ready(Ok(0));
            }
            half.reader = Some(cx.waker().clone());
            return Poll::Pending;
        }
        let n = half.bytes.len().min(buf.len());
        buf.iter_mut().zip(half.bytes.drain(..n)).for_each(|(to, from)| *to = from);
        if let Some(writer) = half.writer.take() {
            writer.wake();
        }
        Poll::Ready(Ok(n))
    }
}

impl AsyncWrite for End {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let mut half = self.outgoing.lock().unwrap();
        if half.is_closed {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        let n = half.capacity.saturating_sub(half.bytes.len()).min(buf.len());
        if n == 0 {
            half.writer = Some(cx.waker().clone());
            return Poll::Pending;
        }
        half.bytes.extend(&buf[..n]);
        if let Some(reader) = half.reader.take() {
            reader.wake();
        }
        Poll::Ready(Ok(n))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut half = self.outgoing.lock().unwrap();
        half.is_closed = true;
        half.wake();
        Poll::Ready(Ok(()))
    }
}

impl Drop for End {
    fn drop(&mut self) {
        for half in [&self.incoming, &self.outgoing] {
            let mut half = half.lock().unwrap();
            half.is_closed = true;
            half.wake();
        }
    }
}
