//! What a pool says of itself.

use core::time::Duration;

use super::{Pool, Side, Stats};

impl<C, S: Side<C>> Pool<C, S> {
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
        self.exchange.registry.idle.available()
    }

    /// The number of idle connections that the pool aims for at the moment (client) or accepts (server) (Go:
    /// `Capacity`).
    ///
    /// ```
    /// # use npws_core::{ClientConfig, ClientPool, Instant};
    /// # let config = ClientConfig { capacity: 5..=20, ..ClientConfig::default() };
    /// # let pool = ClientPool::<()>::new(config, 1, Instant::ZERO)?;
    /// assert_eq!(pool.capacity(), 5, "a client begins with the least");
    /// # Ok::<(), npws_core::ConfigError>(())
    /// ```
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.side.capacity()
    }

    /// The number of connections that were taken and have not ended yet.
    ///
    /// ```
    /// # use npws_core::{ClientConfig, ClientPool, Instant};
    /// # let pool = ClientPool::<()>::new(ClientConfig::default(), 1, Instant::ZERO)?;
    /// assert_eq!(pool.taken(), 0);
    /// # Ok::<(), npws_core::ConfigError>(())
    /// ```
    #[must_use]
    pub fn taken(&self) -> usize {
        self.exchange.registry.counts().taken
    }

    /// The smoothed time from a ping to its pong; `None` before the first.
    ///
    /// ```
    /// # use npws_core::{ClientConfig, ClientPool, Instant};
    /// # let pool = ClientPool::<()>::new(ClientConfig::default(), 1, Instant::ZERO)?;
    /// assert_eq!(pool.round_trip(), None);
    /// # Ok::<(), npws_core::ConfigError>(())
    /// ```
    #[must_use]
    pub fn round_trip(&self) -> Option<Duration> {
        self.round_trip.smoothed()
    }

    /// The time between rounds at the moment; zero on a server, which has none (Go: `Interval`).
    ///
    /// ```
    /// # use core::time::Duration;
    /// # use npws_core::{ClientConfig, ClientPool, Instant};
    /// # let pool = ClientPool::<()>::new(ClientConfig::default(), 1, Instant::ZERO)?;
    /// assert_eq!(pool.interval(), Duration::from_secs(1));
    /// # Ok::<(), npws_core::ConfigError>(())
    /// ```
    #[must_use]
    pub fn interval(&self) -> Duration {
        self.side.interval()
    }

    /// A snapshot of everything that the pool counts.
    ///
    /// ```
    /// # use npws_core::{ClientConfig, ClientPool, Instant};
    /// # let pool = ClientPool::<()>::new(ClientConfig::default(), 1, Instant::ZERO)?;
    /// assert_eq!(pool.stats().registered_total, 0);
    /// # Ok::<(), npws_core::ConfigError>(())
    /// ```
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
            capacity: self.side.capacity(),
            interval: self.side.interval(),
            registered_total: counts.registered_total,
            taken_total: counts.taken_total,
            closed_total: counts.closed_total,
            closed_by: self.exchange.registry.closed_by().iter().map(|(reason, count)| (*reason, *count)).collect(),
            errors: self.errors,
            dead_on_take: self.dead_on_take,
            round_trip: self.round_trip.smoothed(),
            ..Stats::default()
        };
        self.side.report(&mut stats);
        stats
    }

    #[cfg(debug_assertions)]
    pub(super) fn assert_conserved(&self) {
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
    /// ```
    /// # use npws_core::{ClientConfig, ClientPool, Instant};
    /// # let pool = ClientPool::<()>::new(ClientConfig::default(), 1, Instant::ZERO)?;
    /// pool.assert_consistent();
    /// # Ok::<(), npws_core::ConfigError>(())
    /// ```
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
