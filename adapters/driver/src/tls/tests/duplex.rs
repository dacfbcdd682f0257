//! Two ends of a connection in memory.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use futures::{AsyncRead, AsyncWrite};

#[derive(Debug, Default)]
struct Pipe {
    bytes: VecDeque<u8>,
    closed: bool,
    reader: Option<Waker>,
}

/// One end. Dropping it closes both directions.
#[derive(Debug)]
pub(crate) struct Duplex {
    incoming: Arc<Mutex<Pipe>>,
    outgoing: Arc<Mutex<Pipe>>,
}

pub(crate) fn duplex() -> (Duplex, Duplex) {
    let (left, right) = (Arc::default(), Arc::default());
    let near = Duplex { incoming: Arc::clone(&left), outgoing: Arc::clone(&right) };
    (near, Duplex { incoming: right, outgoing: left })
}

fn close(pipe: &Mutex<Pipe>) {
    let mut pipe = pipe.lock().unwrap();
    pipe.closed = true;
    if let Some(reader) = pipe.reader.take() {
        reader.wake();
    }
}

impl AsyncRead for Duplex {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut pipe = self.incoming.lock().unwrap();
        if pipe.bytes.is_empty() && !pipe.closed {
            pipe.reader = Some(cx.waker().clone());
            return Poll::Pending;
        }
        let len = buf.len().min(pipe.bytes.len());
        for (to, from) in buf.iter_mut().zip(pipe.bytes.drain(..len)) {
            *to = from;
        }
        Poll::Ready(Ok(len))
    }
}

impl AsyncWrite for Duplex {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(buf)])
    }

    // rustls has one attempt at sending an alert, which may lie behind other records: without vectored writes it is lost.
    fn poll_write_vectored(self: Pin<&mut Self>, _: &mut Context<'_>, bufs: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let mut pipe = self.outgoing.lock().unwrap();
        if pipe.closed {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        let before = pipe.bytes.len();
        for buf in bufs {
            pipe.bytes.extend(buf.iter());
        }
        if let Some(reader) = pipe.reader.take() {
            reader.wake();
        }
        Poll::Ready(Ok(pipe.bytes.len() - before))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        close(&self.outgoing);
        Poll::Ready(Ok(()))
    }
}

impl Drop for Duplex {
    fn drop(&mut self) {
        close(&self.incoming);
        close(&self.outgoing);
    }
}
