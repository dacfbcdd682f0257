//! What whoever has several pools tells one of them: to dial or not, and how much to hold.

use core::ops::RangeInclusive;

use super::super::ClientPool;
use crate::config::{COUNT, both_within};
use crate::{ConfigError, Instant};

impl<C> ClientPool<C> {
    /// Begins no more dials until [`resume_dials`](Self::resume_dials), but those asked for by [`probe`](Self::probe).
    /// Dials under way go on, and so does everything else.
    ///
    /// ```
    /// # use npws_core::{ClientConfig, ClientPool, Instant};
    /// # let mut pool = ClientPool::<()>::new(ClientConfig::default(), 1, Instant::ZERO)?;
    /// pool.hold_dials(Instant::ZERO);
    /// pool.handle_timeout(Instant::ZERO);
    /// assert_eq!(pool.stats().dials_total, 0);
    /// # Ok::<(), npws_core::ConfigError>(())
    /// ```
    pub fn hold_dials(&mut self, now: Instant) {
        mutation!(HoldIgnored => return);
        self.side.is_held = true;
        self.side.owed = 0;
        self.settle(now);
    }

    /// Begins one dial, to learn whether the server is back, unless one is under way, which will tell as well.
    ///
    /// ```
    /// # use npws_core::{ClientConfig, ClientPool, Instant};
    /// # let mut pool = ClientPool::<()>::new(ClientConfig::default(), 1, Instant::ZERO)?;
    /// pool.hold_dials(Instant::ZERO);
    /// pool.probe(Instant::ZERO);
    /// pool.probe(Instant::ZERO);
    /// assert_eq!(pool.stats().dials_total, 1);
    /// # Ok::<(), npws_core::ConfigError>(())
    /// ```
    pub fn probe(&mut self, now: Instant) {
        if self.exchange.is_open() && self.side.dials.is_empty() {
            // It counts among the dials of its rate, but whoever asks for it sets its pace.
            let _ = self.side.pace.take_one(now);
            self.side.dial(&mut self.exchange, now);
        }
        self.settle(now);
    }

    /// Dials by itself again, what is missing at once.
    ///
    /// ```
    /// # use npws_core::{ClientConfig, ClientPool, Instant};
    /// # let mut pool = ClientPool::<()>::new(ClientConfig::default(), 1, Instant::ZERO)?;
    /// pool.hold_dials(Instant::ZERO);
    /// pool.resume_dials(Instant::ZERO);
    /// assert_eq!(pool.stats().dials_total, 1);
    /// # Ok::<(), npws_core::ConfigError>(())
    /// ```
    pub fn resume_dials(&mut self, now: Instant) {
        self.side.is_held = false;
        self.dial_for_what_is_missing(now);
    }

    /// Changes the least and the greatest number of idle connections to aim for, each 1 to 65,536. What is missing now
    /// is dialed at once; what is too much goes as any surplus does.
    ///
    /// ```
    /// # use npws_core::{ClientConfig, ClientPool, Instant};
    /// # let mut pool = ClientPool::<()>::new(ClientConfig::default(), 1, Instant::ZERO)?;
    /// pool.resize(Instant::ZERO, 5..=20)?;
    /// assert_eq!((pool.capacity(), pool.stats().dials_total), (5, 5));
    /// assert_eq!(pool.resize(Instant::ZERO, 0..=5).unwrap_err().field(), "capacity");
    /// # Ok::<(), npws_core::ConfigError>(())
    /// ```
    ///
    /// # Errors
    /// When `capacity` is outside its range. Then nothing changes.
    pub fn resize(&mut self, now: Instant, capacity: RangeInclusive<usize>) -> Result<(), ConfigError> {
        both_within("capacity", &capacity, COUNT)?;
        self.side.controller.resize(capacity);
        self.dial_for_what_is_missing(now);
        Ok(())
    }

    fn dial_for_what_is_missing(&mut self, now: Instant) {
        if self.exchange.is_open() {
            self.side.owed = self.side.missing(&self.exchange);
        }
        self.settle(now);
    }
}
