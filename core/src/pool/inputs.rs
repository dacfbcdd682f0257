//! What the driver of a pool tells it and gets from it.

use super::{ConnectionKey, Output, Pool, Side};
use crate::{CloseReason, Instant};

impl<C, S: Side<C>> Pool<C, S> {
    /// A registered connection ended before it was taken. It is handed back as [`Output::Close`].
    ///
    /// ```
    /// # use npws_core::{ClientConfig, ClientPool, CloseReason, ConnectionId, ConnectionKey, Instant, Output, PeerGeneration};
    /// # let now = Instant::ZERO;
    /// # let mut pool = ClientPool::<()>::new(ClientConfig::default(), 1, now)?;
    /// # fn dialed(pool: &mut ClientPool<()>, now: Instant) -> ConnectionKey {
    /// #     pool.handle_timeout(now);
    /// #     let Some(Output::Dial(dial)) = pool.poll_output() else { panic!() };
    /// #     let id = ConnectionId::from_bytes([0, 0, 0, 7]);
    /// #     pool.handle_dialed(now, dial, id, PeerGeneration::V1, ()).unwrap()
    /// # }
    /// let key = dialed(&mut pool, now);
    /// pool.handle_closed(now, key, CloseReason::TransportEnded);
    /// assert_eq!((pool.active(), pool.stats().closed_total), (0, 1));
    /// # Ok::<(), npws_core::ConfigError>(())
    /// ```
    pub fn handle_closed(&mut self, now: Instant, key: ConnectionKey, reason: CloseReason) {
        self.exchange.close_connection(now, key, reason);
        self.settle(now);
    }

    /// The peer of a registered connection took it: `take_next` will not, and it no longer fills the capacity.
    ///
    /// ```
    /// # use npws_core::{ClientConfig, ClientPool, ConnectionId, ConnectionKey, Instant, Output, PeerGeneration};
    /// # let now = Instant::ZERO;
    /// # let mut pool = ClientPool::<()>::new(ClientConfig::default(), 1, now)?;
    /// # fn dialed(pool: &mut ClientPool<()>, now: Instant) -> ConnectionKey {
    /// #     pool.handle_timeout(now);
    /// #     let Some(Output::Dial(dial)) = pool.poll_output() else { panic!() };
    /// #     let id = ConnectionId::from_bytes([0, 0, 0, 7]);
    /// #     pool.handle_dialed(now, dial, id, PeerGeneration::V1, ()).unwrap()
    /// # }
    /// let key = dialed(&mut pool, now);
    /// pool.handle_claimed(now, key);
    /// assert_eq!((pool.active(), pool.stats().claimed), (0, 1));
    /// # Ok::<(), npws_core::ConfigError>(())
    /// ```
    pub fn handle_claimed(&mut self, now: Instant, key: ConnectionKey) {
        self.exchange.claim(now, key);
        self.settle(now);
    }

    /// The peer of a registered connection sent data and closed: it can be taken by its ID for a while.
    ///
    /// ```
    /// # use npws_core::{ClientConfig, ClientPool, ConnectionId, ConnectionKey, Instant, Output, PeerGeneration};
    /// # let now = Instant::ZERO;
    /// # let mut pool = ClientPool::<()>::new(ClientConfig::default(), 1, now)?;
    /// # fn dialed(pool: &mut ClientPool<()>, now: Instant) -> ConnectionKey {
    /// #     pool.handle_timeout(now);
    /// #     let Some(Output::Dial(dial)) = pool.poll_output() else { panic!() };
    /// #     let id = ConnectionId::from_bytes([0, 0, 0, 7]);
    /// #     pool.handle_dialed(now, dial, id, PeerGeneration::V1, ()).unwrap()
    /// # }
    /// let key = dialed(&mut pool, now);
    /// pool.handle_retained(now, key);
    /// assert_eq!((pool.active(), pool.stats().retained), (0, 1));
    /// # Ok::<(), npws_core::ConfigError>(())
    /// ```
    pub fn handle_retained(&mut self, now: Instant, key: ConnectionKey) {
        self.exchange.retain(now, key);
        self.settle(now);
    }

    /// A taken connection ended, so its ID may be used again.
    ///
    /// ```
    /// # use npws_core::{ClientConfig, ClientPool, ConnectionId, ConnectionKey, Instant, Output, PeerGeneration};
    /// # let now = Instant::ZERO;
    /// # let mut pool = ClientPool::<()>::new(ClientConfig::default(), 1, now)?;
    /// # fn dialed(pool: &mut ClientPool<()>, now: Instant) -> ConnectionKey {
    /// #     pool.handle_timeout(now);
    /// #     let Some(Output::Dial(dial)) = pool.poll_output() else { panic!() };
    /// #     let id = ConnectionId::from_bytes([0, 0, 0, 7]);
    /// #     pool.handle_dialed(now, dial, id, PeerGeneration::V1, ()).unwrap()
    /// # }
    /// let key = dialed(&mut pool, now);
    /// let waiter = pool.take_next(now, core::time::Duration::ZERO);
    /// pool.complete(now, waiter);
    /// pool.handle_released(now, key);
    /// assert_eq!(pool.stats().taken, 0);
    /// # Ok::<(), npws_core::ConfigError>(())
    /// ```
    pub fn handle_released(&mut self, now: Instant, key: ConnectionKey) {
        self.exchange.release(now, key);
        self.settle(now);
    }

    /// The next thing to do for the pool; `None` when there is nothing more.
    ///
    /// ```
    /// # use npws_core::{ClientConfig, ClientPool, Instant};
    /// # let mut pool = ClientPool::<()>::new(ClientConfig::default(), 1, Instant::ZERO)?;
    /// pool.handle_timeout(Instant::ZERO);
    /// while let Some(output) = pool.poll_output() {
    ///     println!("{output:?}");
    /// }
    /// # Ok::<(), npws_core::ConfigError>(())
    /// ```
    #[must_use]
    pub fn poll_output(&mut self) -> Option<Output<C>> {
        self.exchange.poll_output()
    }

    /// When [`handle_timeout`](Self::handle_timeout) is due; it may lie in the past.
    ///
    /// ```
    /// # use npws_core::{ClientConfig, ClientPool, Instant};
    /// # let pool = ClientPool::<()>::new(ClientConfig::default(), 1, Instant::ZERO)?;
    /// assert_eq!(pool.poll_timeout(), Some(Instant::ZERO), "the first round is due at once");
    /// # Ok::<(), npws_core::ConfigError>(())
    /// ```
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        [self.exchange.poll_timeout(), self.side.poll_timeout(&self.exchange)].into_iter().flatten().min()
    }

    /// Does everything that is due at `now`. Calling it early or twice does no harm.
    ///
    /// ```
    /// # use npws_core::{ClientConfig, ClientPool, Instant};
    /// # let mut pool = ClientPool::<()>::new(ClientConfig::default(), 1, Instant::ZERO)?;
    /// pool.handle_timeout(Instant::ZERO);
    /// assert!(pool.poll_timeout() > Some(Instant::ZERO), "the next round is due later");
    /// # Ok::<(), npws_core::ConfigError>(())
    /// ```
    pub fn handle_timeout(&mut self, now: Instant) {
        self.exchange.handle_timeout(now);
        self.side.handle_timeout(&mut self.exchange, now);
        self.settle(now);
    }
}
