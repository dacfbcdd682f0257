//! A byte stream with two ends, and a scheduling point at every touch.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use futures::{AsyncRead, AsyncWrite};
use shuttle::sync::Mutex;

#[derive(Debug, Default)]
struct Half {
    bytes: VecDeque<u8>,
    is_closed: bool,
    is_silent: bool,
    reader: Option<Waker>,
}

impl Half {
    fn end(&mut self) {
        self.is_closed |= !self.is_silent;
    }
}

/// One end. Dropped, it ends both directions.
#[derive(Debug)]
pub struct Pipe {
    incoming: Arc<Mutex<Half>>,
    outgoing: Arc<Mutex<Half>>,
}

/// Two ends of an unbounded stream.
#[must_use]
pub fn pipe() -> (Pipe, Pipe) {
    let (there, back) = (Arc::new(Mutex::new(Half::default())), Arc::new(Mutex::new(Half::default())));
    (Pipe { incoming: there.clone(), outgoing: back.clone() }, Pipe { incoming: back, outgoing: there })
}

/// Wakes with the lock released, as a socket's reactor does.
fn change(half: &Mutex<Half>, change: impl FnOnce(&mut Half)) {
    let mut state = half.lock().unwrap();
    change(&mut state);
    let reader = state.reader.take();
    drop(state);
    if let Some(reader) = reader {
        reader.wake();
    }
}

/// What is between both ends.
#[derive(Debug)]
pub struct Cable([Arc<Mutex<Half>>; 2]);

impl Cable {
    /// Both ends read the end of the stream.
    pub fn cut(&self) {
        self.0.iter().for_each(|half| change(half, |half| half.is_closed = true));
    }

    /// What is written is lost, and nobody is told.
    pub fn silence(&self) {
        self.0.iter().for_each(|half| half.lock().unwrap().is_silent = true);
    }
}

impl Pipe {
    /// To do something to the connection from outside.
    #[must_use]
    pub fn cable(&self) -> Cable {
        Cable([self.incoming.clone(), self.outgoing.clone()])
    }
}

impl AsyncRead for Pipe {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut half = self.incoming.lock().unwrap();
        if half.bytes.is_empty() && !half.is_closed {
            half.reader = Some(cx.waker().clone());
            return Poll::Pending;
        }
        let n = half.bytes.len().min(buf.len());
        buf.iter_mut().zip(half.bytes.drain(..n)).for_each(|(to, from)| *to = from);
        Poll::Ready(Ok(n))
    }
}

impl AsyncWrite for Pipe {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        if self.outgoing.lock().unwrap().is_closed {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        change(&self.outgoing, |half| half.bytes.extend(buf.iter().filter(|_| !half.is_silent)));
        Poll::Ready(Ok(buf.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        change(&self.outgoing, Half::end);
        Poll::Ready(Ok(()))
    }
}

impl Drop for Pipe {
    fn drop(&mut self) {
        change(&self.incoming, Half::end);
        change(&self.outgoing, Half::end);
    }
}
