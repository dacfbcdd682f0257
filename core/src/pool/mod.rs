//! The pools: connections that come and go, and those who want them.

mod accept;
mod backoff;
mod client;
mod controller;
mod dial;
mod exchange;
mod output;
mod registry;
mod server;
mod stats;
#[cfg(test)]
mod tests;
mod waiters;

use core::time::Duration;

pub use accept::AcceptId;
pub use client::Dialing;
pub use controller::Policy;
pub use dial::{DialFailure, DialFailures, DialId};
use exchange::{Exchange, Life};
pub use output::{Output, Taken};
pub use registry::ConnectionKey;
pub use server::Accepting;
pub use stats::Stats;
pub use waiters::WaiterId;
use waiters::Want;

use crate::{CloseReason, ConnectionId, Instant, TakeError};

/// A pool that dials: [`Pool`] on the client's side.
pub type ClientPool<C> = Pool<C, Dialing>;

/// A pool that accepts: [`Pool`] on the server's side, with `I` as its source of IDs.
pub type ServerPool<C, I> = Pool<C, Accepting<I>>;

/// The side of the connection that a pool is on: [`Dialing`] or [`Accepting`]. Sealed.
///
/// ```
/// use npws_core::{Pool, Side};
///
/// fn is_idle<C, S: Side<C>>(pool: &Pool<C, S>) -> bool {
///     pool.active() > 0
/// }
/// ```
#[expect(private_bounds, reason = "this is what seals it")]
pub trait Side<C>: Steps<C> {}

/// What differs between a client and a server pool.
pub(crate) trait Steps<C> {
    /// Acts on what the last mutation changed.
    fn settle(&mut self, exchange: &mut Exchange<C>, now: Instant);
    /// Gives up every handshake under way, on the way to a drained or closed pool.
    fn stop(&mut self, exchange: &mut Exchange<C>, now: Instant);
    fn poll_timeout(&self, exchange: &Exchange<C>) -> Option<Instant>;
    fn handle_timeout(&mut self, exchange: &mut Exchange<C>, now: Instant);
    fn report(&self, stats: &mut Stats);
    fn assert_consistent(&self, exchange: &Exchange<C>);
}

/// A pool of connections `C`, which are opaque to it, as a machine without IO.
///
/// Inputs are called `handle_…`, commands are verbs, outputs are polled. After each call that takes `now`, drain
/// [`poll_output`](Self::poll_output) until it is empty, and call [`handle_timeout`](Self::handle_timeout) when
/// [`poll_timeout`](Self::poll_timeout) has come. Time must not run backwards.
///
/// The two kinds are [`ClientPool`] and [`ServerPool`].
///
/// ```
/// use core::time::Duration;
/// use npws_core::{ClientConfig, ClientPool, ConnectionId, Instant, Output, PeerGeneration};
///
/// let now = Instant::ZERO;
/// let mut pool = ClientPool::new(ClientConfig::default(), 1, now)?;
/// pool.handle_timeout(now);
/// let Some(Output::Dial(dial)) = pool.poll_output() else { panic!("the first round dials") };
///
/// // The driver dials, reads the ID and hands over whatever stands for the connection.
/// let id = ConnectionId::from_bytes([0, 0, 0, 1]);
/// pool.handle_dialed(now, dial, id, PeerGeneration::V1, "socket");
///
/// let waiter = pool.take(now, id, Duration::ZERO);
/// let taken = pool.complete(now, waiter).expect("it has an outcome").expect("it is there");
/// assert_eq!(taken.connection, "socket");
/// # Ok::<(), npws_core::ConfigError>(())
/// ```
#[derive(Debug)]
pub struct Pool<C, S> {
    exchange: Exchange<C>,
    side: S,
    errors: u64,
}

impl<C, S: Side<C>> Pool<C, S> {
    fn assemble(exchange: Exchange<C>, side: S) -> Self {
        Self { exchange, side, errors: 0 }
    }

    fn settle(&mut self, now: Instant) {
        if !self.exchange.is_open() {
            self.exchange.close_if_drained(now);
            self.side.stop(&mut self.exchange, now);
            self.exchange.announce_closed();
        }
        self.side.settle(&mut self.exchange, now);
        #[cfg(debug_assertions)]
        self.assert_conserved();
    }

    /// Asks for the connection with this ID (Go: `OutgoingGet`), for at most `timeout`.
    ///
    /// The outcome is there once [`Output::Wake`] names the waiter, which may be at once. A timeout of zero only tries.
    ///
    /// ```
    /// # use core::time::Duration;
    /// # use npws_core::{ClientConfig, ClientPool, ConnectionId, Instant, TakeError};
    /// # let mut pool = ClientPool::<()>::new(ClientConfig::default(), 1, Instant::ZERO)?;
    /// let waiter = pool.take(Instant::ZERO, ConnectionId::CONTROL, Duration::ZERO);
    /// assert!(matches!(pool.complete(Instant::ZERO, waiter), Some(Err(TakeError::Timeout))));
    /// # Ok::<(), npws_core::ConfigError>(())
    /// ```
    pub fn take(&mut self, now: Instant, id: ConnectionId, timeout: Duration) -> WaiterId {
        self.take_wanted(now, Want::Id(id), timeout)
    }

    /// Asks for the next idle connection (Go: `IncomingGet`), for at most `timeout`: the newest on a client, the oldest
    /// on a server. Waiters are served in the order in which they came.
    ///
    /// ```
    /// # use core::time::Duration;
    /// # use npws_core::{ClientConfig, ClientPool, Instant};
    /// # let mut pool = ClientPool::<()>::new(ClientConfig::default(), 1, Instant::ZERO)?;
    /// let waiter = pool.take_next(Instant::ZERO, Duration::from_secs(5));
    /// assert!(pool.complete(Instant::ZERO, waiter).is_none(), "still waiting");
    /// # Ok::<(), npws_core::ConfigError>(())
    /// ```
    pub fn take_next(&mut self, now: Instant, timeout: Duration) -> WaiterId {
        self.take_wanted(now, Want::Next, timeout)
    }

    fn take_wanted(&mut self, now: Instant, want: Want, timeout: Duration) -> WaiterId {
        let waiter = self.exchange.take(now, want, timeout);
        self.settle(now);
        waiter
    }

    /// The connection that a waiter is offered, to be looked at before it is [`complete`](Self::complete)d.
    ///
    /// A driver that finds it dead reports [`handle_closed`](Self::handle_closed): the waiter is then offered another.
    ///
    /// ```
    /// # use core::time::Duration;
    /// # use npws_core::{ClientConfig, ClientPool, Instant};
    /// # let mut pool = ClientPool::<()>::new(ClientConfig::default(), 1, Instant::ZERO)?;
    /// let waiter = pool.take_next(Instant::ZERO, Duration::from_secs(5));
    /// assert!(pool.offered(waiter).is_none());
    /// # Ok::<(), npws_core::ConfigError>(())
    /// ```
    #[must_use]
    pub fn offered(&self, waiter: WaiterId) -> Option<(ConnectionKey, &C)> {
        self.exchange.offered(waiter)
    }

    /// Fetches a waiter's outcome, which ends the waiter; `None` while it waits and after it ended.
    ///
    /// # Errors
    /// The [`TakeError`] that the take ended with.
    ///
    /// ```
    /// # use core::time::Duration;
    /// # use npws_core::{ClientConfig, ClientPool, Instant, TakeError};
    /// # let mut pool = ClientPool::<()>::new(ClientConfig::default(), 1, Instant::ZERO)?;
    /// pool.close(Instant::ZERO);
    /// let waiter = pool.take_next(Instant::ZERO, Duration::MAX);
    /// assert!(matches!(pool.complete(Instant::ZERO, waiter), Some(Err(TakeError::Closed))));
    /// # Ok::<(), npws_core::ConfigError>(())
    /// ```
    pub fn complete(&mut self, now: Instant, waiter: WaiterId) -> Option<Result<Taken<C>, TakeError>> {
        let outcome = self.exchange.complete(now, waiter);
        self.settle(now);
        outcome
    }

    /// Gives a take up. A connection that the waiter was offered returns to its old place in the order.
    ///
    /// ```
    /// # use core::time::Duration;
    /// # use npws_core::{ClientConfig, ClientPool, Instant};
    /// # let mut pool = ClientPool::<()>::new(ClientConfig::default(), 1, Instant::ZERO)?;
    /// let waiter = pool.take_next(Instant::ZERO, Duration::MAX);
    /// pool.cancel(Instant::ZERO, waiter);
    /// assert_eq!(pool.stats().waiters, 0);
    /// # Ok::<(), npws_core::ConfigError>(())
    /// ```
    pub fn cancel(&mut self, now: Instant, waiter: WaiterId) {
        self.exchange.cancel(now, waiter);
        self.settle(now);
    }

    /// A registered connection ended before it was taken. It is handed back as [`Output::Close`].
    pub fn handle_closed(&mut self, now: Instant, key: ConnectionKey, reason: CloseReason) {
        self.exchange.close_connection(now, key, reason);
        self.settle(now);
    }

    /// The peer of a registered connection took it: `take_next` will not, and it no longer fills the capacity.
    pub fn handle_claimed(&mut self, now: Instant, key: ConnectionKey) {
        self.exchange.claim(key);
        self.settle(now);
    }

    /// The peer of a registered connection sent data and closed: it can be taken by its ID for a while.
    pub fn handle_retained(&mut self, now: Instant, key: ConnectionKey) {
        self.exchange.retain(now, key);
        self.settle(now);
    }

    /// A taken connection ended, so its ID may be used again.
    pub fn handle_released(&mut self, now: Instant, key: ConnectionKey) {
        self.exchange.release(now, key);
        self.settle(now);
    }

    /// Closes every connection that nobody has taken yet (Go: `Flush`). The pool goes on.
    ///
    /// ```
    /// # use npws_core::{ClientConfig, ClientPool, Instant};
    /// # let mut pool = ClientPool::<()>::new(ClientConfig::default(), 1, Instant::ZERO)?;
    /// pool.flush(Instant::ZERO);
    /// assert!(!pool.is_closed());
    /// # Ok::<(), npws_core::ConfigError>(())
    /// ```
    pub fn flush(&mut self, now: Instant) {
        self.exchange.close_all(now, CloseReason::Flushed);
        self.settle(now);
    }

    /// Ends the pool gently: nothing new is dialed, accepted or handed out as next; what peers may already have taken
    /// can be taken by ID until the pool is empty or `timeout` has passed. Then it is closed. A take that could only be
    /// served by a connection to come fails with [`TakeError::Draining`].
    ///
    /// ```
    /// # use core::time::Duration;
    /// # use npws_core::{ClientConfig, ClientPool, Instant};
    /// # let mut pool = ClientPool::<()>::new(ClientConfig::default(), 1, Instant::ZERO)?;
    /// pool.drain(Instant::ZERO, Duration::from_secs(5));
    /// assert!(pool.is_closed(), "an empty pool has nothing to wait for");
    /// # Ok::<(), npws_core::ConfigError>(())
    /// ```
    pub fn drain(&mut self, now: Instant, timeout: Duration) {
        self.exchange.drain(now, now + timeout);
        self.settle(now);
    }

    /// Closes the pool at once and for good. Connections already taken live on.
    ///
    /// ```
    /// # use npws_core::{ClientConfig, ClientPool, Instant};
    /// # let mut pool = ClientPool::<()>::new(ClientConfig::default(), 1, Instant::ZERO)?;
    /// pool.close(Instant::ZERO);
    /// assert!(pool.is_closed());
    /// # Ok::<(), npws_core::ConfigError>(())
    /// ```
    pub fn close(&mut self, now: Instant) {
        self.exchange.close();
        self.settle(now);
    }

    /// Whether the pool is closed, which is for good.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.exchange.life == Life::Closed
    }

    /// The next thing to do for the pool; `None` when there is nothing more.
    #[must_use]
    pub fn poll_output(&mut self) -> Option<Output<C>> {
        self.exchange.poll_output()
    }

    /// When [`handle_timeout`](Self::handle_timeout) is due; it may lie in the past.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        [self.exchange.poll_timeout(), self.side.poll_timeout(&self.exchange)].into_iter().flatten().min()
    }

    /// Does everything that is due at `now`. Calling it early or twice does no harm.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.exchange.handle_timeout(now);
        self.side.handle_timeout(&mut self.exchange, now);
        self.settle(now);
    }

    /// The number of idle connections (Go: `Active`).
    ///
    /// ```
    /// # use npws_core::{ClientConfig, ClientPool, Instant};
    /// # let pool = ClientPool::<()>::new(ClientConfig::default(), 1, Instant::ZERO)?;
    /// assert_eq!(pool.active(), 0);
    /// # Ok::<(), npws_core::ConfigError>(())
    /// ```
    #[must_use]
    pub fn active(&self) -> usize {
        self.exchange.registry.counts().idle
    }

    /// Counts a failure that the user of the pool noticed (Go: `AddError`).
    pub fn add_error(&mut self) {
        self.errors = self.errors.saturating_add(1);
    }

    /// The failures counted since the last [`reset_error`](Self::reset_error) (Go: `ErrorCount`): those of `add_error`
    /// and those of the listener. Failed dials are in [`stats`](Self::stats).
    ///
    /// ```
    /// # use npws_core::{ClientConfig, ClientPool, Instant};
    /// # let mut pool = ClientPool::<()>::new(ClientConfig::default(), 1, Instant::ZERO)?;
    /// pool.add_error();
    /// assert_eq!(pool.error_count(), 1);
    /// pool.reset_error();
    /// assert_eq!(pool.error_count(), 0);
    /// # Ok::<(), npws_core::ConfigError>(())
    /// ```
    #[must_use]
    pub fn error_count(&self) -> u64 {
        self.errors
    }

    /// Starts counting failures from zero (Go: `ResetError`).
    pub fn reset_error(&mut self) {
        self.errors = 0;
    }

    /// A snapshot of everything that the pool counts.
    #[must_use]
    pub fn stats(&self) -> Stats {
        let counts = self.exchange.registry.counts();
        let mut stats = Stats {
            idle: counts.idle,
            offered: counts.offered,
            claimed: counts.claimed,
            retained: counts.retained,
            taken: counts.taken,
            waiters: self.exchange.waiters.waiting(),
            registered_total: counts.registered_total,
            taken_total: counts.taken_total,
            closed_total: counts.closed_total,
            closed_by: self.exchange.registry.closed_by().iter().map(|(reason, count)| (*reason, *count)).collect(),
            errors: self.errors,
            ..Stats::default()
        };
        self.side.report(&mut stats);
        stats
    }

    #[cfg(debug_assertions)]
    fn assert_conserved(&self) {
        let counts = self.exchange.registry.counts();
        let present = counts.idle + counts.offered + counts.claimed + counts.retained;
        debug_assert_eq!(
            counts.registered_total,
            present as u64 + counts.taken_total + counts.closed_total,
            "a connection was lost or doubled"
        );
    }

    /// For tests: checks every index and queue against each other, in time linear in the size of the pool.
    ///
    /// # Panics
    /// When the pool contradicts itself.
    pub fn assert_consistent(&self) {
        self.exchange.assert_consistent();
        self.side.assert_consistent(&self.exchange);
        let due = self.exchange.has_output() || self.poll_timeout().is_some();
        assert!(due || self.exchange.waiters.next_deadline().is_none(), "no timer is armed for a waiter");
    }
}
