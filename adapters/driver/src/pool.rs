//! What both kinds of pool offer.

use std::fmt;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures::future::{self, Either};
use npws_core::{ConnectionId, Stats, TakeError};

use crate::connection::Connection;
use crate::observer::Observer;
use crate::shared::{Driven, Shared};
use crate::sync::atomic::Ordering;
use crate::take::{Kind, take};

/// A pool of WebSocket connections: [`ClientPool`](crate::ClientPool) dials them, [`ServerPool`](crate::ServerPool)
/// accepts them.
///
/// Cloning gives another handle to the same pool. When the last handle is dropped the pool is
/// [closed](Self::close). Connections already taken live on.
///
/// ```
/// use npws_driver::{ClientPool, Runtime};
///
/// /// A handle for each worker; the pool ends with the last of them.
/// fn share<R: Runtime>(pool: ClientPool<R>) -> Vec<ClientPool<R>> {
///     vec![pool.clone(), pool]
/// }
/// ```
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
    /// ```
    /// # use npws_driver::{ClientPool, Connection, ConnectionId, Runtime, TakeError};
    /// use std::time::Duration;
    ///
    /// async fn open<R: Runtime>(pool: &ClientPool<R>, id: ConnectionId) -> Result<Connection, TakeError> {
    ///     pool.take(id, Duration::from_secs(5)).await
    /// }
    /// ```
    ///
    /// # Errors
    /// [`TakeError::Timeout`] when it did not come in time; [`TakeError::Gone`] at once when it was here and is not any
    /// more; [`TakeError::Closed`] when the pool is closed.
    #[doc(alias = "OutgoingGet")]
    pub async fn take(&self, id: ConnectionId, timeout: Duration) -> Result<Connection, TakeError> {
        take(&self.shared, Kind::ById, |machine, now| machine.take(now, id, timeout)).await
    }

    /// Takes the next idle connection out of the pool (Go: `IncomingGet`), waiting for one at most `timeout`. Gives the
    /// ID as well, by which the peer takes the other end.
    ///
    /// Who waits is served in order. A server hands out its oldest connection first, a client its newest. A timeout of
    /// [`Duration::ZERO`] only tries, [`Duration::MAX`] waits without a limit. Dropping the future gives the take up; a
    /// connection that it was offered returns to its old place.
    ///
    /// ```
    /// # use npws_driver::{Connection, Runtime, ServerPool, TakeError};
    /// use std::time::Duration;
    ///
    /// async fn open<R: Runtime>(pool: &ServerPool<R>) -> Result<Connection, TakeError> {
    ///     let (id, connection) = pool.take_next(Duration::from_secs(5)).await?;
    ///     println!("the peer takes {id}");
    ///     Ok(connection)
    /// }
    /// ```
    ///
    /// # Errors
    /// [`TakeError::Timeout`] when none came in time; [`TakeError::Draining`] or [`TakeError::Closed`] when the pool
    /// hands nothing out any more.
    #[doc(alias = "IncomingGet")]
    pub async fn take_next(&self, timeout: Duration) -> Result<(ConnectionId, Connection), TakeError> {
        let connection = take(&self.shared, Kind::Next, |machine, now| machine.take_next(now, timeout)).await?;
        Ok((connection.id(), connection))
    }

    /// Takes a connection that the peer took, waiting for one at most `timeout`, without knowing its ID beforehand: no
    /// control channel need tell it. A v2 peer announces what it takes; of a v1 peer the first data tells. Who waits for
    /// that very ID with [`take`](Self::take) goes first.
    ///
    /// The timeout and dropping the future are as with [`take_next`](Self::take_next).
    ///
    /// ```
    /// # use npws_driver::{Connection, Runtime, ClientPool, TakeError};
    /// use std::time::Duration;
    ///
    /// async fn serve<R: Runtime>(pool: &ClientPool<R>) -> Result<(), TakeError> {
    ///     loop {
    ///         let (id, connection) = pool.accept(Duration::MAX).await?;
    ///         println!("the peer took {id}, from {:?}", connection.peer_addr());
    ///     }
    /// }
    /// ```
    ///
    /// # Errors
    /// [`TakeError::Timeout`] when the peer took none in time; [`TakeError::Closed`] when the pool is closed.
    pub async fn accept(&self, timeout: Duration) -> Result<(ConnectionId, Connection), TakeError> {
        let connection = take(&self.shared, Kind::Accepted, |machine, now| machine.accept(now, timeout)).await?;
        Ok((connection.id(), connection))
    }

    /// Whether a connection is idle right now (Go: `Ready`). To wait for one, see [`wait_ready`](Self::wait_ready).
    ///
    /// ```
    /// # use npws_driver::{ClientPool, Runtime};
    /// fn status<R: Runtime>(pool: &ClientPool<R>) -> &'static str {
    ///     if pool.ready() { "ready" } else { "warming up" }
    /// }
    /// ```
    #[doc(alias = "Ready")]
    #[must_use]
    pub fn ready(&self) -> bool {
        self.active() > 0
    }

    /// Waits until a connection is idle, at most `timeout`. It may be gone again by the time this returns.
    ///
    /// ```
    /// # use npws_driver::{ClientPool, Runtime, TakeError};
    /// use std::time::Duration;
    ///
    /// async fn warm_up<R: Runtime>(pool: &ClientPool<R>) -> Result<(), TakeError> {
    ///     pool.wait_ready(Duration::from_secs(5)).await
    /// }
    /// ```
    ///
    /// # Errors
    /// [`TakeError::Timeout`] when none was in time, [`TakeError::Closed`] when the pool is closed.
    pub async fn wait_ready(&self, timeout: Duration) -> Result<(), TakeError> {
        let observer = Observer::new(&self.shared);
        let ready = poll_fn(|cx| {
            observer.poll(cx, |machine| match machine.active() {
                0 => machine.is_closed().then_some(Err(TakeError::Closed)),
                _ => Some(Ok(())),
            })
        });
        let clock = &self.shared.clock;
        match future::select(ready, clock.sleep_until(clock.now() + timeout)).await {
            Either::Left((outcome, _)) => outcome,
            Either::Right(_) => Err(TakeError::Timeout),
        }
    }

    /// The number of idle connections (Go: `Active`). Each of them is watched: none is counted whose death is known.
    ///
    /// ```
    /// # use npws_driver::{ClientPool, Runtime};
    /// fn is_warm<R: Runtime>(pool: &ClientPool<R>) -> bool {
    ///     pool.active() >= pool.capacity()
    /// }
    /// ```
    #[doc(alias = "Active")]
    #[must_use]
    pub fn active(&self) -> usize {
        self.shared.gauges.active.load(Ordering::Acquire)
    }

    /// The number of idle connections that the pool aims for at the moment, on a client, or accepts, on a server (Go:
    /// `Capacity`).
    ///
    /// ```
    /// # use npws_driver::{ClientPool, Runtime};
    /// fn is_warm<R: Runtime>(pool: &ClientPool<R>) -> bool {
    ///     pool.active() >= pool.capacity()
    /// }
    /// ```
    #[doc(alias = "Capacity")]
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.shared.gauges.capacity.load(Ordering::Acquire)
    }

    /// The time between rounds at the moment; zero on a server, which has none (Go: `Interval`).
    ///
    /// ```
    /// # use npws_driver::{ClientPool, Runtime};
    /// use std::time::Duration;
    ///
    /// fn is_calm<R: Runtime>(pool: &ClientPool<R>) -> bool {
    ///     pool.interval() >= Duration::from_secs(1)
    /// }
    /// ```
    #[doc(alias = "Interval")]
    #[must_use]
    pub fn interval(&self) -> Duration {
        Duration::from_nanos(self.shared.gauges.interval_ns.load(Ordering::Acquire))
    }

    /// The address that the pool listens on; `None` on a client, and on a server that was given sockets rather than a
    /// listener.
    ///
    /// ```
    /// # use npws_driver::{Runtime, ServerPool};
    /// fn port<R: Runtime>(pool: &ServerPool<R>) -> Option<u16> {
    ///     Some(pool.local_addr()?.port())
    /// }
    /// ```
    #[must_use]
    pub fn local_addr(&self) -> Option<SocketAddr> {
        self.shared.driven.local_addr()
    }

    /// A snapshot of everything that the pool counts.
    ///
    /// ```
    /// # use npws_driver::{ClientPool, Runtime};
    /// fn failed_dials<R: Runtime>(pool: &ClientPool<R>) -> u64 {
    ///     pool.stats().dial_failures.total()
    /// }
    /// ```
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.shared.lock().machine.stats()
    }

    /// Closes every connection that nobody has taken yet (Go: `Flush`) and returns at once. The pool goes on.
    ///
    /// ```
    /// # use npws_driver::{ClientPool, Runtime};
    /// fn start_over<R: Runtime>(pool: &ClientPool<R>) {
    ///     pool.flush();
    ///     pool.reset_error();
    /// }
    /// ```
    #[doc(alias = "Flush")]
    pub fn flush(&self) {
        self.shared.with(|state, now| state.machine.flush(now));
    }

    /// Counts a failure that the user of the pool noticed (Go: `AddError`).
    ///
    /// ```
    /// # use npws_driver::{ClientPool, Connection, Runtime};
    /// use futures::AsyncWriteExt;
    ///
    /// async fn greet<R: Runtime>(pool: &ClientPool<R>, mut connection: Connection) {
    ///     if connection.write_all(b"hello").await.is_err() {
    ///         pool.add_error();
    ///     }
    /// }
    /// ```
    #[doc(alias = "AddError")]
    pub fn add_error(&self) {
        self.shared.with(|state, _| state.machine.add_error());
    }

    /// The failures counted since the last [`reset_error`](Self::reset_error) (Go: `ErrorCount`): those of
    /// [`add_error`](Self::add_error) and those of the listener. Failed dials are in [`stats`](Self::stats).
    ///
    /// ```
    /// # use npws_driver::{ClientPool, Runtime};
    /// fn is_sick<R: Runtime>(pool: &ClientPool<R>) -> bool {
    ///     pool.error_count() > pool.active() as u64 / 2
    /// }
    /// ```
    #[doc(alias = "ErrorCount")]
    #[must_use]
    pub fn error_count(&self) -> u64 {
        self.shared.gauges.errors.load(Ordering::Acquire)
    }

    /// Starts counting failures from zero (Go: `ResetError`).
    ///
    /// ```
    /// # use npws_driver::{ClientPool, Runtime};
    /// fn forgive<R: Runtime>(pool: &ClientPool<R>) {
    ///     pool.reset_error();
    ///     assert_eq!(pool.error_count(), 0);
    /// }
    /// ```
    #[doc(alias = "ResetError")]
    pub fn reset_error(&self) {
        self.shared.with(|state, _| state.machine.reset_error());
    }

    /// Ends the pool gently: nothing new is dialed, accepted or handed out as next, while what the peer may already
    /// have taken can be taken by its ID. Returns when the pool is closed, which is once it is empty, and after
    /// `timeout` at the latest. Dropping the future does not stop the drain.
    ///
    /// ```
    /// # use npws_driver::{Runtime, ServerPool};
    /// use std::time::Duration;
    ///
    /// async fn shut_down<R: Runtime>(pool: &ServerPool<R>) {
    ///     pool.drain(Duration::from_secs(30)).await;
    ///     assert!(pool.is_closed());
    /// }
    /// ```
    pub async fn drain(&self, timeout: Duration) {
        self.shared.with(|state, now| state.machine.drain(now, timeout));
        let observer = Observer::new(&self.shared);
        poll_fn(|cx| observer.poll(cx, |machine| machine.is_closed().then_some(()))).await;
    }

    /// Closes the pool at once and for good (Go: `Close`). Pending takes fail, idle connections are closed in the
    /// background, and connections already taken live on.
    ///
    /// ```
    /// # use npws_driver::{Runtime, ServerPool};
    /// fn abort<R: Runtime>(pool: &ServerPool<R>) {
    ///     pool.close();
    ///     assert!(pool.is_closed());
    /// }
    /// ```
    #[doc(alias = "Close")]
    pub fn close(&self) {
        self.shared.with(|state, now| state.machine.close(now));
    }

    /// Whether the pool is closed, which is for good.
    ///
    /// ```
    /// # use npws_driver::{ClientPool, Runtime};
    /// fn can_go_on<R: Runtime>(pool: &ClientPool<R>) -> bool {
    ///     !pool.is_closed()
    /// }
    /// ```
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
