//! What both kinds of pool offer.

use std::fmt;
use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Poll;
use std::time::Duration;

use futures::future::{self, Either};
use npws_core::{ConnectionId, Stats, TakeError};

use crate::connection::Connection;
use crate::shared::{Driven, Shared};
use crate::take::take;

/// A pool of WebSocket connections: [`ClientPool`](crate::ClientPool) dials them, [`ServerPool`](crate::ServerPool)
/// accepts them.
///
/// Cloning gives another handle to the same pool. When the last handle is dropped the pool is
/// [closed](Self::close). Connections already taken live on.
#[expect(private_bounds, reason = "only the two kinds of pool exist")]
pub struct Pool<D: Driven> {
    pub(crate) shared: Arc<Shared<D>>,
    last: Arc<CloseOnDrop<D>>,
}

/// Tasks share the pool as well, so the handles count themselves.
struct CloseOnDrop<D: Driven>(Arc<Shared<D>>);

impl<D: Driven> Drop for CloseOnDrop<D> {
    fn drop(&mut self) {
        self.0.with(|state, now| state.machine.close(now));
    }
}

#[expect(private_bounds, reason = "only the two kinds of pool exist")]
impl<D: Driven> Pool<D> {
    pub(crate) fn new(shared: Arc<Shared<D>>) -> Self {
        Self { last: Arc::new(CloseOnDrop(shared.clone())), shared }
    }

    /// Takes the connection with this ID out of the pool (Go: `OutgoingGet`), waiting for it at most `timeout`.
    ///
    /// A timeout of [`Duration::ZERO`] only tries, [`Duration::MAX`] waits without a limit. Dropping the future gives
    /// the take up and loses nothing.
    ///
    /// # Errors
    /// [`TakeError::Timeout`] when it did not come in time; [`TakeError::Gone`] at once when it was here and is not any
    /// more; [`TakeError::Closed`] when the pool is closed.
    #[doc(alias = "OutgoingGet")]
    pub async fn take(&self, id: ConnectionId, timeout: Duration) -> Result<Connection, TakeError> {
        take(&self.shared, |machine, now| machine.take(now, id, timeout)).await
    }

    /// Takes the next idle connection out of the pool (Go: `IncomingGet`), waiting for one at most `timeout`. Gives the
    /// ID as well, by which the peer takes the other end.
    ///
    /// Who waits is served in order. A server hands out its oldest connection first, a client its newest. A timeout of
    /// [`Duration::ZERO`] only tries, [`Duration::MAX`] waits without a limit. Dropping the future gives the take up; a
    /// connection that it was offered returns to its old place.
    ///
    /// # Errors
    /// [`TakeError::Timeout`] when none came in time; [`TakeError::Draining`] or [`TakeError::Closed`] when the pool
    /// hands nothing out any more.
    #[doc(alias = "IncomingGet")]
    pub async fn take_next(&self, timeout: Duration) -> Result<(ConnectionId, Connection), TakeError> {
        let connection = take(&self.shared, |machine, now| machine.take_next(now, timeout)).await?;
        Ok((connection.id(), connection))
    }

    /// Whether a connection is idle right now (Go: `Ready`). To wait for one, see [`wait_ready`](Self::wait_ready).
    #[doc(alias = "Ready")]
    #[must_use]
    pub fn ready(&self) -> bool {
        self.active() > 0
    }

    /// Waits until a connection is idle, at most `timeout`. It may be gone again by the time this returns.
    ///
    /// # Errors
    /// [`TakeError::Timeout`] when none was in time, [`TakeError::Closed`] when the pool is closed.
    pub async fn wait_ready(&self, timeout: Duration) -> Result<(), TakeError> {
        let ready = poll_fn(|cx| {
            let mut state = self.shared.lock();
            if state.machine.active() > 0 {
                return Poll::Ready(Ok(()));
            }
            if state.machine.is_closed() {
                return Poll::Ready(Err(TakeError::Closed));
            }
            state.observers.push(cx.waker().clone());
            Poll::Pending
        });
        let clock = &self.shared.clock;
        match future::select(ready, clock.sleep_until(clock.now() + timeout)).await {
            Either::Left((outcome, _)) => outcome,
            Either::Right(_) => Err(TakeError::Timeout),
        }
    }

    /// The number of idle connections (Go: `Active`). Each of them is watched: none is counted whose death is known.
    #[doc(alias = "Active")]
    #[must_use]
    pub fn active(&self) -> usize {
        self.shared.gauges.active.load(Ordering::Acquire)
    }

    /// A snapshot of everything that the pool counts.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.shared.lock().machine.stats()
    }

    /// Closes every connection that nobody has taken yet (Go: `Flush`) and returns at once. The pool goes on.
    #[doc(alias = "Flush")]
    pub fn flush(&self) {
        self.shared.with(|state, now| state.machine.flush(now));
    }

    /// Counts a failure that the user of the pool noticed (Go: `AddError`).
    #[doc(alias = "AddError")]
    pub fn add_error(&self) {
        self.shared.with(|state, _| state.machine.add_error());
    }

    /// The failures counted since the last [`reset_error`](Self::reset_error) (Go: `ErrorCount`): those of
    /// [`add_error`](Self::add_error) and those of the listener. Failed dials are in [`stats`](Self::stats).
    #[doc(alias = "ErrorCount")]
    #[must_use]
    pub fn error_count(&self) -> u64 {
        self.shared.gauges.errors.load(Ordering::Acquire)
    }

    /// Starts counting failures from zero (Go: `ResetError`).
    #[doc(alias = "ResetError")]
    pub fn reset_error(&self) {
        self.shared.with(|state, _| state.machine.reset_error());
    }

    /// Ends the pool gently: nothing new is dialed, accepted or handed out as next, while what the peer may already
    /// have taken can be taken by its ID. Returns when the pool is closed, which is once it is empty, and after
    /// `timeout` at the latest. Dropping the future does not stop the drain.
    pub async fn drain(&self, timeout: Duration) {
        self.shared.with(|state, now| state.machine.drain(now, timeout));
        poll_fn(|cx| {
            let mut state = self.shared.lock();
            if state.machine.is_closed() {
                return Poll::Ready(());
            }
            state.observers.push(cx.waker().clone());
            Poll::Pending
        })
        .await;
    }

    /// Closes the pool at once and for good (Go: `Close`). Pending takes fail, idle connections are closed in the
    /// background, and connections already taken live on.
    #[doc(alias = "Close")]
    pub fn close(&self) {
        self.shared.with(|state, now| state.machine.close(now));
    }

    /// Whether the pool is closed, which is for good.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.shared.gauges.is_closed.load(Ordering::Acquire)
    }
}

impl<D: Driven> Clone for Pool<D> {
    fn clone(&self) -> Self {
        Self { shared: self.shared.clone(), last: self.last.clone() }
    }
}

impl<D: Driven> fmt::Debug for Pool<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool").field("stats", &self.stats()).finish_non_exhaustive()
    }
}
