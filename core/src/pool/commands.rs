//! What the user of a pool asks of it.

use core::time::Duration;

use super::exchange::Life;
use super::waiters::Want;
use super::{ConnectionKey, Pool, Side, Taken, WaiterId};
use crate::{CloseReason, ConnectionId, Instant, TakeError};

impl<C, S: Side<C>> Pool<C, S> {
    /// Asks for the connection with this ID (Go: `OutgoingGet`), for at most `timeout`.
    ///
    /// The outcome is there once [`Output::Wake`](super::Output::Wake) names the waiter, which may be at once. A
    /// timeout of zero only tries.
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

    /// Asks for the next idle connection (Go: `IncomingGet`), for at most `timeout`: the newest on a client, the
    /// oldest on a server. Waiters are served in the order in which they came. Where the peer does the same
    /// ([`opens`](crate::PoolConfig::opens)), the client gets only IDs whose last bit is 1, and the server those with
    /// 0.
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

    /// Asks for a connection that the peer took, for at most `timeout`: a v2 peer announces that, of a v1 peer the
    /// first data tells. Who waits for its ID goes first. What the peer took first is accepted first.
    ///
    /// ```
    /// # use core::time::Duration;
    /// # use npws_core::{ClientConfig, ClientPool, ConnectionId, Instant, Output, PeerGeneration};
    /// # let now = Instant::ZERO;
    /// # let mut pool = ClientPool::<()>::new(ClientConfig::default(), 1, now)?;
    /// # pool.handle_timeout(now);
    /// # let Some(Output::Dial(dial)) = pool.poll_output() else { panic!() };
    /// let id = ConnectionId::from_bytes([0, 0, 0, 7]);
    /// let key = pool.handle_dialed(now, dial, id, PeerGeneration::V2, ()).expect("the dial is under way");
    /// let waiter = pool.accept(now, Duration::from_secs(5));
    /// assert!(pool.offered(waiter).is_none(), "nobody took it yet");
    /// pool.handle_claimed(now, key);
    /// assert!(pool.offered(waiter).is_some());
    /// # Ok::<(), npws_core::ConfigError>(())
    /// ```
    pub fn accept(&mut self, now: Instant, timeout: Duration) -> WaiterId {
        self.take_wanted(now, Want::Claimed, timeout)
    }

    fn take_wanted(&mut self, now: Instant, want: Want, timeout: Duration) -> WaiterId {
        let waiter = self.exchange.take(now, want, timeout);
        self.settle(now);
        waiter
    }

    /// The connection that a waiter is offered, to be looked at before it is [`complete`](Self::complete)d.
    ///
    /// A driver that finds it dead reports [`handle_dead_on_take`](Self::handle_dead_on_take), one that finds it too
    /// long silent [`handle_stale`](Self::handle_stale): the waiter is then offered another.
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
        let outcome = self.exchange.complete(waiter);
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
        self.exchange.cancel(waiter);
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
    /// can be taken by ID until the pool is empty or `timeout` has passed. Then it is closed. Idle connections of v2
    /// peers are asked back ([`Output::AskBack`](super::Output::AskBack)) and not handed out any more. A take that
    /// could only be served by one of these or by a connection to come fails with [`TakeError::Draining`].
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
    ///
    /// ```
    /// # use npws_core::{ClientConfig, ClientPool, Instant};
    /// # let mut pool = ClientPool::<()>::new(ClientConfig::default(), 1, Instant::ZERO)?;
    /// assert!(!pool.is_closed());
    /// pool.close(Instant::ZERO);
    /// assert!(pool.is_closed());
    /// # Ok::<(), npws_core::ConfigError>(())
    /// ```
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.exchange.life == Life::Closed
    }

    /// Counts a failure that the user of the pool noticed (Go: `AddError`).
    ///
    /// ```
    /// # use npws_core::{ClientConfig, ClientPool, Instant};
    /// # let mut pool = ClientPool::<()>::new(ClientConfig::default(), 1, Instant::ZERO)?;
    /// pool.add_error();
    /// assert_eq!(pool.error_count(), 1);
    /// # Ok::<(), npws_core::ConfigError>(())
    /// ```
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
    ///
    /// ```
    /// # use npws_core::{ClientConfig, ClientPool, Instant};
    /// # let mut pool = ClientPool::<()>::new(ClientConfig::default(), 1, Instant::ZERO)?;
    /// pool.add_error();
    /// pool.reset_error();
    /// assert_eq!(pool.error_count(), 0);
    /// # Ok::<(), npws_core::ConfigError>(())
    /// ```
    pub fn reset_error(&mut self) {
        self.errors = 0;
    }
}
