//! A byte stream between the driver and a test.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};

use futures::{AsyncRead, AsyncWrite};

#[derive(Debug, Default)]
struct State {
    to_driver: VecDeque<u8>,
    from_driver: Vec<u8>,
    /// How much the driver reads at once.
    piece: usize,
    has_remote_ended: bool,
    has_driver_ended: bool,
    reader: Option<Waker>,
}

/// The driver's end.
#[derive(Debug)]
pub struct Pipe(Arc<Mutex<State>>);

/// The test's end.
#[derive(Debug)]
pub struct Remote(Arc<Mutex<State>>);

/// A stream of which the driver reads at most `piece` bytes at once.
#[must_use]
pub fn pipe(piece: usize) -> (Pipe, Remote) {
    let state = Arc::new(Mutex::new(State { piece: piece.max(1), ..State::default() }));
    (Pipe(state.clone()), Remote(state))
}

impl Remote {
    fn change(&self, change: impl FnOnce(&mut State)) {
        let mut state = self.0.lock().unwrap();
        change(&mut state);
        let reader = state.reader.take();
        drop(state);
        if let Some(reader) = reader {
            reader.wake();
        }
    }

    /// The driver can read this.
    pub fn send(&self, bytes: &[u8]) {
        self.change(|state| state.to_driver.extend(bytes));
    }

    /// The driver reads the end of the stream after what was sent.
    pub fn end(&self) {
        self.change(|state| state.has_remote_ended = true);
    }

    /// All that the driver has written since the last look.
    #[must_use]
    pub fn received(&self) -> Vec<u8> {
        std::mem::take(&mut self.0.lock().unwrap().from_driver)
    }

    /// Whether the driver has given its end up.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.0.lock().unwrap().has_driver_ended
    }
}

impl Pipe {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }
}

impl AsyncRead for Pipe {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut state = self.lock();
        if state.to_driver.is_empty() && !state.has_remote_ended {
            state.reader = Some(cx.waker().clone());
            return Poll::Pending;
        }
        let n = state.to_driver.len().min(buf.len()).min(state.piece);
        buf.iter_mut().zip(state.to_driver.drain(..n)).for_each(|(to, from)| *to = from);
        Poll::Ready(Ok(n))
    }
}

impl AsyncWrite for Pipe {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.lock().from_driver.extend(buf);
        Poll::Ready(Ok(buf.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.lock().has_driver_ended = true;
        Poll::Ready(Ok(()))
    }
}

impl Drop for Pipe {
    fn drop(&mut self) {
        self.lock().has_driver_ended = true;
    }
}
