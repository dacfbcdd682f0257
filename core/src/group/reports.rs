//! What the pools of a group tell of their dials.

use super::machine::Endpoint;
use super::{BreakerState, EndpointId, Group, GroupConfig, GroupOutput};
use crate::random::Jitter;
use crate::{DialFailure, Instant};

impl Group {
    /// A dial of the endpoint's pool succeeded.
    ///
    /// ```
    /// # use npws_core::{BreakerState, DialFailure, Group, GroupConfig, Instant};
    /// # let now = Instant::ZERO;
    /// # let mut group = Group::new(GroupConfig::default(), 42)?;
    /// let endpoint = group.add(1..=1)?;
    /// group.handle_dial_failed(now, endpoint, DialFailure::Connect, 0);
    /// group.handle_dialed(endpoint);
    /// assert_eq!(group.breaker(endpoint), Some(BreakerState::Closed));
    /// # Ok::<(), npws_core::ConfigError>(())
    /// ```
    pub fn handle_dialed(&mut self, endpoint: EndpointId) {
        self.step(endpoint, |entry, _, _| entry.breaker.handle_success());
    }

    /// A dial of the endpoint's pool failed, which has `idle` connections left. A server that is full, by its own word,
    /// does not go out while there are any; one that is out stays out.
    ///
    /// ```
    /// # use npws_core::{BreakerState, DialFailure, Group, GroupConfig, Instant};
    /// # let now = Instant::ZERO;
    /// # let mut group = Group::new(GroupConfig::default(), 42)?;
    /// let endpoint = group.add(1..=1)?;
    /// group.handle_dial_failed(now, endpoint, DialFailure::Connect, 5);
    /// assert_eq!(group.breaker(endpoint), Some(BreakerState::Closed), "it has some left");
    /// group.handle_dial_failed(now, endpoint, DialFailure::Connect, 0);
    /// assert_eq!(group.breaker(endpoint), Some(BreakerState::Open));
    /// # Ok::<(), npws_core::ConfigError>(())
    /// ```
    pub fn handle_dial_failed(&mut self, now: Instant, endpoint: EndpointId, failure: DialFailure, idle: usize) {
        let was_up = self.endpoints.get(&endpoint).is_some_and(Endpoint::is_up);
        // Of one that is out it is the answer to the probe, which wants another one.
        if was_up && idle > 0 && matches!(failure, DialFailure::Rejected(429 | 503)) {
            return;
        }
        self.step(endpoint, |entry, config, jitter| {
            let breaks = if idle == 0 { 1 } else { config.break_after };
            entry.breaker.handle_failure(now, breaks, jitter);
        });
        self.suspect(now, endpoint, was_up);
    }

    /// The server of the endpoint asked for an idle connection back, as one does that is being drained: it is out.
    ///
    /// ```
    /// # use npws_core::{BreakerState, Group, GroupConfig, Instant};
    /// # let now = Instant::ZERO;
    /// # let mut group = Group::new(GroupConfig::default(), 42)?;
    /// let endpoint = group.add(1..=1)?;
    /// group.handle_asked_back(now, endpoint);
    /// assert_eq!(group.breaker(endpoint), Some(BreakerState::Open));
    /// # Ok::<(), npws_core::ConfigError>(())
    /// ```
    pub fn handle_asked_back(&mut self, now: Instant, endpoint: EndpointId) {
        let was_up = self.endpoints.get(&endpoint).is_some_and(Endpoint::is_up);
        self.step(endpoint, |entry, _, jitter| {
            if entry.breaker.state() == BreakerState::Closed {
                entry.breaker.open(now, jitter);
            }
        });
        self.suspect(now, endpoint, was_up);
    }

    /// Tells the pool, and those of the others, what a change of the breaker means for them.
    fn step(&mut self, endpoint: EndpointId, change: impl FnOnce(&mut Endpoint, &GroupConfig, &mut Jitter)) {
        let Some(entry) = self.endpoints.get_mut(&endpoint).filter(|entry| !entry.is_leaving) else { return };
        let before = entry.breaker.state();
        change(entry, &self.config, &mut self.jitter);
        match (before, entry.breaker.state()) {
            (BreakerState::Closed, BreakerState::Open) => self.outputs.push_back(GroupOutput::Hold(endpoint)),
            (BreakerState::Open | BreakerState::HalfOpen, BreakerState::Closed) => {
                mutation!(ResumeForgotten => return self.share_out());
                self.outputs.push_back(GroupOutput::Resume(endpoint));
            }
            _ => return,
        }
        self.share_out();
    }

    fn suspect(&mut self, now: Instant, endpoint: EndpointId, was_up: bool) {
        let Some(entry) = self.endpoints.get(&endpoint).filter(|entry| was_up && !entry.is_up()) else { return };
        if let Some((name, _)) = entry.origin
            && let Some(name) = self.names.get_mut(name.0)
        {
            name.suspect(now, self.config.resolve_interval);
        }
        self.handle_timeout(now);
    }
}
