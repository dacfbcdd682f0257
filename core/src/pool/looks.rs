//! What the driver finds when it looks at a connection once more before handing it out.

use core::time::Duration;

use super::{ConnectionKey, Pool, Side};
use crate::{CloseReason, ConnectionId, Instant};

impl<C, S: Side<C>> Pool<C, S> {
    /// What the driver registered under `key`, while the pool has it.
    ///
    /// ```
    /// # use npws_core::{ClientConfig, ClientPool, CloseReason, ConnectionId, ConnectionKey, Instant, Output, PeerGeneration};
    /// # let now = Instant::ZERO;
    /// # let mut pool = ClientPool::<&str>::new(ClientConfig::default(), 1, now)?;
    /// # fn dialed(pool: &mut ClientPool<&'static str>, now: Instant) -> ConnectionKey {
    /// #     pool.handle_timeout(now);
    /// #     let Some(Output::Dial(dial)) = pool.poll_output() else { panic!() };
    /// #     let id = ConnectionId::from_bytes([0, 0, 0, 7]);
    /// #     pool.handle_dialed(now, dial, id, PeerGeneration::V2, "socket").unwrap()
    /// # }
    /// let key = dialed(&mut pool, now);
    /// assert_eq!(pool.connection(key), Some(&"socket"));
    /// # Ok::<(), npws_core::ConfigError>(())
    /// ```
    #[must_use]
    pub fn connection(&self, key: ConnectionKey) -> Option<&C> {
        self.exchange.registry.connection(key)
    }

    /// What the driver registered under `id`, while the pool has it.
    ///
    /// ```
    /// # use npws_core::{ClientConfig, ClientPool, ConnectionId, Instant};
    /// let pool = ClientPool::<&str>::new(ClientConfig::default(), 1, Instant::ZERO)?;
    /// assert_eq!(pool.registered(ConnectionId::CONTROL), None);
    /// # Ok::<(), npws_core::ConfigError>(())
    /// ```
    #[must_use]
    pub fn registered(&self, id: ConnectionId) -> Option<&C> {
        self.connection(self.exchange.registry.registered(id)?)
    }

    /// An offered connection was not proved alive within [`max_staleness`](crate::PoolConfig::max_staleness): holds it
    /// back until [`handle_proved`](Self::handle_proved). Its waiter, in its old place, is offered the next one.
    ///
    /// `true` when it is held back now: ping it. `false` when it is to be handed out as it is, because it was proved
    /// alive for this very offer, was taken by its peer, or is a v1 peer's, who would not answer.
    ///
    /// ```
    /// # use core::time::Duration;
    /// # use npws_core::{ClientConfig, ClientPool, CloseReason, ConnectionId, ConnectionKey, Instant, Output, PeerGeneration};
    /// # let now = Instant::ZERO;
    /// # let mut pool = ClientPool::<&str>::new(ClientConfig::default(), 1, now)?;
    /// # fn dialed(pool: &mut ClientPool<&'static str>, now: Instant) -> ConnectionKey {
    /// #     pool.handle_timeout(now);
    /// #     let Some(Output::Dial(dial)) = pool.poll_output() else { panic!() };
    /// #     let id = ConnectionId::from_bytes([0, 0, 0, 7]);
    /// #     pool.handle_dialed(now, dial, id, PeerGeneration::V2, "socket").unwrap()
    /// # }
    /// let key = dialed(&mut pool, now);
    /// let waiter = pool.take_next(now, Duration::from_secs(5));
    /// assert!(pool.offered(waiter).is_some());
    /// if pool.handle_stale(now, key) {
    ///     // Ping it. Its pong proves it alive.
    ///     assert!(pool.offered(waiter).is_none());
    ///     pool.handle_proved(now, key);
    /// }
    /// assert!(pool.offered(waiter).is_some());
    /// # Ok::<(), npws_core::ConfigError>(())
    /// ```
    #[must_use]
    pub fn handle_stale(&mut self, now: Instant, key: ConnectionKey) -> bool {
        let is_held = self.exchange.hold(now, key);
        self.settle(now);
        is_held
    }

    /// A connection that was held back is alive: it is idle again, at its old place in the order, and offered to who
    /// waits. While the pool is being drained it stays held back. The proof counts for this offer, for as long as a peer
    /// has for its answer: [`pong_timeout`](crate::LinkConfig::pong_timeout).
    ///
    /// ```
    /// # use npws_core::{ClientConfig, ClientPool, CloseReason, ConnectionId, ConnectionKey, Instant, Output, PeerGeneration};
    /// # let now = Instant::ZERO;
    /// # let mut pool = ClientPool::<&str>::new(ClientConfig::default(), 1, now)?;
    /// # fn dialed(pool: &mut ClientPool<&'static str>, now: Instant) -> ConnectionKey {
    /// #     pool.handle_timeout(now);
    /// #     let Some(Output::Dial(dial)) = pool.poll_output() else { panic!() };
    /// #     let id = ConnectionId::from_bytes([0, 0, 0, 7]);
    /// #     pool.handle_dialed(now, dial, id, PeerGeneration::V2, "socket").unwrap()
    /// # }
    /// let key = dialed(&mut pool, now);
    /// assert!(pool.handle_stale(now, key));
    /// assert_eq!((pool.active(), pool.stats().idle), (0, 1));
    /// pool.handle_proved(now, key);
    /// assert_eq!((pool.active(), pool.stats().idle), (1, 1));
    /// # Ok::<(), npws_core::ConfigError>(())
    /// ```
    pub fn handle_proved(&mut self, now: Instant, key: ConnectionKey) {
        self.exchange.prove(now, key);
        self.settle(now);
    }

    /// An offered connection was found dead at the last look: [`handle_closed`](Self::handle_closed), counted in
    /// [`dead_on_take`](super::Stats::dead_on_take). Its waiter, in its old place, is offered the next one even if its
    /// time is over, so that a take that only tries is not failed by the dead while there are others.
    ///
    /// ```
    /// # use core::time::Duration;
    /// # use npws_core::{ClientConfig, ClientPool, CloseReason, ConnectionId, ConnectionKey, Instant, Output, PeerGeneration};
    /// # let now = Instant::ZERO;
    /// # let mut pool = ClientPool::<&str>::new(ClientConfig::default(), 1, now)?;
    /// # fn dialed(pool: &mut ClientPool<&'static str>, now: Instant) -> ConnectionKey {
    /// #     pool.handle_timeout(now);
    /// #     let Some(Output::Dial(dial)) = pool.poll_output() else { panic!() };
    /// #     let id = ConnectionId::from_bytes([0, 0, 0, 7]);
    /// #     pool.handle_dialed(now, dial, id, PeerGeneration::V2, "socket").unwrap()
    /// # }
    /// let key = dialed(&mut pool, now);
    /// let waiter = pool.take_next(now, Duration::from_secs(5));
    /// pool.handle_dead_on_take(now, key, CloseReason::TransportFailed);
    /// assert!(pool.offered(waiter).is_none());
    /// assert_eq!(pool.stats().dead_on_take, 1);
    /// # Ok::<(), npws_core::ConfigError>(())
    /// ```
    pub fn handle_dead_on_take(&mut self, now: Instant, key: ConnectionKey, reason: CloseReason) {
        self.dead_on_take += u64::from(self.exchange.bury_offered(now, key, reason));
        self.settle(now);
    }

    /// A ping of one of the connections was answered after this time. [`Stats`](super::Stats::round_trip) tells the
    /// smoothed time (RFC 6298 section 2: each new one counts for an eighth).
    ///
    /// ```
    /// # use core::time::Duration;
    /// # use npws_core::{ClientConfig, ClientPool, Instant};
    /// # let mut pool = ClientPool::<()>::new(ClientConfig::default(), 1, Instant::ZERO)?;
    /// pool.handle_round_trip(Duration::from_millis(8));
    /// pool.handle_round_trip(Duration::from_millis(16));
    /// assert_eq!(pool.stats().round_trip, Some(Duration::from_millis(9)));
    /// # Ok::<(), npws_core::ConfigError>(())
    /// ```
    pub fn handle_round_trip(&mut self, rtt: Duration) {
        self.round_trip.measure(rtt);
    }
}
