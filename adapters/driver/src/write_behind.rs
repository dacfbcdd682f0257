//! Small writes that leave together.

use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::{Arc, PoisonError};
use std::task::{Context, Poll, Wake, Waker, ready};

use futures::task::AtomicWaker;
use futures::{AsyncRead, AsyncWrite};

use crate::runtime::Background;
use crate::socket::Io;
use crate::sync::atomic::{AtomicBool, Ordering};
use crate::sync::{Mutex, MutexGuard};

/// How much waits at most.
const TOGETHER: usize = 16 * 1024;

/// Holds back what is written while it is on, and has a task send it: when that gets its turn, the writer has either
/// written more, which leaves by the same system call, or has nothing more to write.
///
/// So nothing stays behind, whatever the writer does next, if the runtime goes on. Whoever wants it sent at once turns it
/// off and flushes.
pub(crate) struct WriteBehind {
    shared: Arc<Shared>,
    waker: Waker,
    is_on: bool,
}

struct Shared {
    /// `None` once its owner is gone.
    line: Mutex<Option<Line>>,
    bell: Arc<Bell>,
}

struct Line {
    stream: Box<dyn Io>,
    held: Vec<u8>,
    /// Whether the sender has been called and has not come yet.
    is_called: bool,
    /// Whether there is a sender. Its runtime may have ended, or the stream may have panicked in it.
    is_served: bool,
}

/// What the stream wakes when it can take more.
#[derive(Default)]
struct Bell {
    writer: AtomicWaker,
    sender: AtomicWaker,
    is_sender_blocked: AtomicBool,
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.writer.wake();
        if self.is_sender_blocked.swap(false, Ordering::AcqRel) {
            self.sender.wake();
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Option<Line>> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends what waits whenever it is called, as long as there is an owner.
    fn poll_serve(&self, cx: &mut Context<'_>, bell: &Waker) -> Poll<()> {
        self.bell.sender.register(cx.waker());
        let mut line = self.lock();
        let Some(line) = &mut *line else { return Poll::Ready(()) };
        line.is_called = false;
        self.bell.is_sender_blocked.store(true, Ordering::Release);
        // What fails is tried again by whoever sends next, who fails with it.
        if line.poll_flush(&mut Context::from_waker(bell)).is_ready() {
            self.bell.is_sender_blocked.store(false, Ordering::Release);
        }
        Poll::Pending
    }
}

impl Line {
    /// Until nothing waits.
    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut sent = 0;
        let polled = loop {
            let Some(rest) = self.held.get(sent..).filter(|rest| !rest.is_empty()) else { break Poll::Ready(Ok(())) };
            match Pin::new(&mut *self.stream).poll_write(cx, rest) {
                Poll::Ready(Ok(0)) => break Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Poll::Ready(Ok(n)) => sent += n,
                Poll::Ready(Err(error)) => break Poll::Ready(Err(error)),
                Poll::Pending => break Poll::Pending,
            }
        };
        if sent == self.held.len() {
            self.held = Vec::new();
        } else {
            self.held.drain(..sent);
        }
        polled
    }

    /// The stream may have a buffer of its own.
    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_send(cx))?;
        Pin::new(&mut *self.stream).poll_flush(cx)
    }

    /// Says whether the sender is to be called.
    fn hold(&mut self, bufs: &[IoSlice<'_>]) -> bool {
        if self.held.capacity() == 0 {
            self.held.reserve_exact(TOGETHER);
        }
        bufs.iter().for_each(|buf| self.held.extend_from_slice(buf));
        !std::mem::replace(&mut self.is_called, true)
    }
}

/// What the task of a sender owns.
struct Sender(Arc<Shared>);

impl Drop for Sender {
    fn drop(&mut self) {
        if let Some(line) = &mut *self.0.lock() {
            line.is_served = false;
        }
    }
}

impl WriteBehind {
    /// It is off. Its task runs on `background` as long as there is an owner.
    pub(crate) fn new(stream: Box<dyn Io>, background: &dyn Background) -> Self {
        let bell = Arc::<Bell>::default();
        let waker = Waker::from(Arc::clone(&bell));
        let line = Mutex::new(Some(Line { stream, held: Vec::new(), is_called: false, is_served: true }));
        let shared = Arc::new(Shared { line, bell });
        let (sender, bell) = (Sender(Arc::clone(&shared)), waker.clone());
        background.spawn(Box::pin(async move { poll_fn(|cx| sender.0.poll_serve(cx, &bell)).await }));
        Self { shared, waker, is_on: false }
    }

    /// Turned off, it still has what it holds back: that leaves with the next write or flush.
    pub(crate) fn set_on(&mut self, is_on: bool) {
        self.is_on = is_on;
    }

    /// Does what may have to wait, for whoever writes.
    fn with_line<T>(
        &mut self,
        cx: &mut Context<'_>,
        poll: impl FnOnce(&mut Line, &mut Context<'_>) -> Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        self.shared.bell.writer.register(cx.waker());
        match &mut *self.shared.lock() {
            Some(line) => poll(line, &mut Context::from_waker(&self.waker)),
            None => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    }
}

impl AsyncRead for WriteBehind {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        match &mut *self.shared.lock() {
            Some(line) => Pin::new(&mut *line.stream).poll_read(cx, buf),
            None => Poll::Ready(Ok(0)),
        }
    }
}

impl AsyncWrite for WriteBehind {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(buf)])
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let length = bufs.iter().fold(0, |sum: usize, buf| sum.saturating_add(buf.len()));
        let (is_small, mut calls) = (self.is_on && length <= TOGETHER, false);
        let written = self.with_line(cx, |line, cx| {
            let is_held = is_small && line.is_served;
            if !is_held || line.held.len() + length > TOGETHER {
                ready!(line.poll_send(cx))?;
            }
            if is_held {
                calls = line.hold(bufs);
                return Poll::Ready(Ok(length));
            }
            Pin::new(&mut *line.stream).poll_write_vectored(cx, bufs)
        });
        if calls {
            self.shared.bell.sender.wake();
        }
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.is_on {
            return Poll::Ready(Ok(()));
        }
        self.with_line(cx, Line::poll_flush)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.with_line(cx, |line, cx| {
            ready!(line.poll_send(cx))?;
            Pin::new(&mut *line.stream).poll_close(cx)
        })
    }
}

impl Drop for WriteBehind {
    fn drop(&mut self) {
        let line = self.shared.lock().take();
        if let Some(mut line) = line {
            // As if it had left when it was written: as much as the stream takes.
            let _ = line.poll_flush(&mut Context::from_waker(Waker::noop()));
        }
        self.shared.bell.sender.wake();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures::{AsyncReadExt, AsyncWriteExt, FutureExt};

    use super::*;
    use crate::testing::{Count, End, Still, TestTime, pipe};

    /// On, over a pipe that holds `capacity` bytes.
    fn behind(capacity: usize, background: &dyn Background) -> (WriteBehind, End) {
        let (near, far) = pipe(capacity);
        let mut behind = WriteBehind::new(Box::new(near), background);
        behind.set_on(true);
        (behind, far)
    }

    fn write(behind: &mut WriteBehind, bytes: &[u8]) -> Option<io::Result<()>> {
        behind.write_all(bytes).now_or_never()
    }

    /// Gives every task its turn.
    fn turn(still: &Still) {
        still.advance(Duration::ZERO);
    }

    #[test]
    fn what_is_written_before_the_sender_has_its_turn_leaves_together() {
        let still = Still::new();
        let (mut behind, mut far) = behind(1000, &still);
        for _ in 0..2 {
            assert!(write(&mut behind, b"one ").unwrap().is_ok());
            assert!(behind.write_vectored(&[IoSlice::new(b"and "), IoSlice::new(b"another")]).now_or_never().is_some());
            assert!(behind.flush().now_or_never().unwrap().is_ok(), "nobody waits for it");
            assert_eq!(far.receive(), b"");
            turn(&still);
            assert_eq!(far.receive(), b"one and another");
        }
    }

    #[test]
    fn turned_off_all_leaves_at_once_and_in_order() {
        for writes in [false, true] {
            let still = Still::new();
            let (mut behind, mut far) = behind(1000, &still);
            assert!(write(&mut behind, b"held ").unwrap().is_ok());
            behind.set_on(false);
            assert_eq!(far.receive(), b"");
            let sent = if writes { write(&mut behind, b"rest") } else { behind.flush().now_or_never() };
            assert!(sent.unwrap().is_ok());
            assert_eq!(far.receive(), if writes { &b"held rest"[..] } else { b"held " });
        }
    }

    #[test]
    fn more_than_may_wait_leaves_at_once_and_in_order() {
        let still = Still::new();
        let (mut behind, mut far) = behind(1 << 20, &still);
        let small = vec![1; TOGETHER / 4];
        (0..4).for_each(|_| assert!(write(&mut behind, &small).unwrap().is_ok()));
        assert_eq!(far.receive().len(), 0);
        assert!(write(&mut behind, b"2").unwrap().is_ok());
        assert_eq!(far.receive(), vec![1; TOGETHER]);
        assert!(write(&mut behind, &vec![3; TOGETHER + 1]).unwrap().is_ok());
        assert_eq!(far.receive(), [&b"2"[..], &vec![3; TOGETHER + 1]].concat());
    }

    #[test]
    fn a_writer_waits_for_a_peer_that_does_not_read_and_is_woken_by_it() {
        let still = Still::new();
        let (mut behind, mut far) = behind(10, &still);
        let data = vec![0; TOGETHER];
        assert!(write(&mut behind, &data).unwrap().is_ok());
        let (count, waker) = Count::new();
        let mut cx = Context::from_waker(&waker);
        for woken in 0..3 {
            assert!(Pin::new(&mut behind).poll_write(&mut cx, &data).is_pending());
            turn(&still);
            assert_eq!((far.receive().len(), count.count()), (10, woken + 1));
        }
    }

    #[test]
    fn a_writer_that_falls_silent_leaves_nothing_behind() {
        let (mut behind, mut far) = behind(10, &TestTime::new());
        let data: Vec<u8> = (0..TOGETHER).map(|n| n as u8).collect();
        assert!(write(&mut behind, &data).unwrap().is_ok());
        let mut all = vec![0; data.len()];
        smol::block_on(far.read_exact(&mut all)).unwrap();
        assert_eq!(all, data);
        assert!(write(&mut behind, b"once more").unwrap().is_ok());
        smol::block_on(far.read_exact(&mut all[..9])).unwrap();
        assert_eq!(&all[..9], b"once more");
    }

    #[test]
    fn a_writer_that_goes_sends_what_it_wrote_and_ends_its_sender() {
        for (capacity, arrives) in [(1000, &b"last words"[..]), (4, b"last")] {
            let still = Still::new();
            let (mut behind, mut far) = behind(capacity, &still);
            let shared = Arc::downgrade(&behind.shared);
            assert!(write(&mut behind, b"last words").unwrap().is_ok());
            drop(behind);
            assert_eq!(far.receive(), arrives);
            assert_eq!(far.read(&mut [0]).now_or_never().unwrap().unwrap(), 0, "the stream is closed");
            turn(&still);
            assert_eq!(shared.strong_count(), 0);
        }
    }

    #[test]
    fn what_the_stream_itself_buffers_is_flushed() {
        for drops in [false, true] {
            let still = Still::new();
            let (near, mut far) = pipe(1000);
            let mut behind = WriteBehind::new(Box::new(futures::io::BufWriter::new(near)), &still);
            behind.set_on(true);
            assert!(write(&mut behind, b"buffered").unwrap().is_ok());
            if drops {
                drop(behind);
            } else {
                turn(&still);
            }
            assert_eq!(far.receive(), b"buffered");
        }
    }

    #[test]
    fn without_a_sender_nothing_is_held_back() {
        let still = Still::new();
        let (mut behind, mut far) = behind(1000, &still);
        assert!(write(&mut behind, b"held ").unwrap().is_ok());
        still.end();
        assert_eq!(far.receive(), b"");
        assert!(write(&mut behind, b"and more").unwrap().is_ok());
        assert_eq!(far.receive(), b"held and more");
    }

    #[test]
    fn what_fails_in_the_background_fails_for_the_next_writer() {
        let still = Still::new();
        for ends in [false, true] {
            let (mut behind, mut far) = behind(1000, &still);
            assert!(write(&mut behind, b"lost").unwrap().is_ok());
            far.end();
            drop(far);
            turn(&still);
            behind.set_on(false);
            let failed = if ends { behind.close().now_or_never() } else { behind.flush().now_or_never() };
            assert_eq!(failed.unwrap().unwrap_err().kind(), io::ErrorKind::BrokenPipe);
        }
    }
}
