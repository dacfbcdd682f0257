//! The side that dials.

mod steering;

use alloc::collections::BTreeMap;
use core::time::Duration;

use super::controller::Controller;
use super::dial::{DialFailure, DialFailures, DialId};
use super::exchange::Exchange;
use super::pace::Pace;
use super::registry::ConnectionKey;
use super::{ClientPool, Output, Pool, Side, Stats, Steps};
use crate::backoff::Backoff;
use crate::random::Jitter;
use crate::{ClientConfig, CloseReason, ConfigError, ConnectionId, Instant, PeerHeader, Role};

/// What a client pool has beyond the connections: dials, rounds and the controller.
///
/// ```
/// use npws_core::{Dialing, Pool};
///
/// fn is_warm<C>(pool: &Pool<C, Dialing>) -> bool {
///     pool.active() >= pool.capacity()
/// }
/// ```
#[derive(Debug)]
pub struct Dialing {
    config: ClientConfig,
    controller: Controller,
    backoff: Backoff,
    pace: Pace,
    jitter: Jitter,
    /// The dials under way, each with its deadline.
    dials: BTreeMap<DialId, Instant>,
    next_round: Instant,
    /// Connections since the controller last looked.
    created: usize,
    /// The dials that began before this one have to end before the controller looks again.
    round_end: DialId,
    /// After a fresh connection died, what waiters miss is not dialed before this.
    lull: Option<Instant>,
    /// How many connections had come when a round or a lull began: those that came later are fresh.
    seasoned: u64,
    /// Dials that the last round owes because of the dial limit or the rate.
    owed: usize,
    began: u64,
    failures: DialFailures,
    last_failure: Option<(Instant, DialFailure)>,
    /// Whether dials begin only when they are asked for one by one.
    is_held: bool,
}

impl<C> ClientPool<C> {
    /// A client pool whose first round is due at once. `seed` is where its jitter comes from.
    ///
    /// # Errors
    /// When a value of `config` is outside its range.
    ///
    /// ```
    /// use npws_core::{ClientConfig, ClientPool, Instant};
    ///
    /// let pool = ClientPool::<()>::new(ClientConfig::default(), 42, Instant::ZERO)?;
    /// assert_eq!(pool.poll_timeout(), Some(Instant::ZERO));
    /// # Ok::<(), npws_core::ConfigError>(())
    /// ```
    pub fn new(config: ClientConfig, seed: u64, now: Instant) -> Result<Self, ConfigError> {
        config.validate()?;
        let exchange = Exchange::new(Role::Client, config.pool.clone(), seed);
        let side = Dialing {
            controller: Controller::new(config.policy, config.capacity.clone(), config.interval.clone()),
            backoff: Backoff::new(config.backoff.clone()),
            pace: Pace::new(config.dial_rate),
            jitter: Jitter::new(seed),
            dials: BTreeMap::new(),
            next_round: now,
            created: 0,
            round_end: DialId(0),
            lull: None,
            seasoned: 0,
            owed: 0,
            began: 0,
            failures: DialFailures::default(),
            last_failure: None,
            is_held: false,
            config,
        };
        Ok(Pool::assemble(exchange, side))
    }

    /// A dial produced a connection with this ID. `None` when the dial had been given up: the connection comes back as
    /// [`Output::Close`].
    ///
    /// An idle connection with the same ID is replaced: the server has forgotten it. `peer` is what the server's header
    /// says; its generation alone stands for one that does not open connections.
    ///
    /// ```
    /// # use npws_core::{ClientConfig, ClientPool, ConnectionId, Instant, Output, PeerGeneration};
    /// # let now = Instant::ZERO;
    /// # let mut pool = ClientPool::<()>::new(ClientConfig::default(), 1, now)?;
    /// # pool.handle_timeout(now);
    /// # let Some(Output::Dial(dial)) = pool.poll_output() else { panic!() };
    /// let key = pool.handle_dialed(now, dial, ConnectionId::CONTROL, PeerGeneration::V1, ());
    /// assert!(key.is_some());
    /// assert_eq!(pool.active(), 1);
    /// # Ok::<(), npws_core::ConfigError>(())
    /// ```
    pub fn handle_dialed(
        &mut self,
        now: Instant,
        dial: DialId,
        id: ConnectionId,
        peer: impl Into<PeerHeader>,
        connection: C,
    ) -> Option<ConnectionKey> {
        let key = if self.side.dials.remove(&dial).is_some() {
            self.side.created += 1;
            let key = self.exchange.register(now, id, peer.into(), None, connection);
            if self.side.backoff.is_failing() {
                self.side.backoff.succeed();
                self.side.owed = self.side.missing(&self.exchange);
            }
            Some(key)
        } else {
            self.exchange.emit(Output::Close { connection, reason: CloseReason::HandshakeFailed });
            None
        };
        self.settle(now);
        key
    }

    /// A dial failed.
    ///
    /// ```
    /// # use npws_core::{ClientConfig, ClientPool, DialFailure, Instant, Output};
    /// # let now = Instant::ZERO;
    /// # let mut pool = ClientPool::<()>::new(ClientConfig::default(), 1, now)?;
    /// # pool.handle_timeout(now);
    /// # let Some(Output::Dial(dial)) = pool.poll_output() else { panic!() };
    /// pool.handle_dial_failed(now, dial, DialFailure::Connect);
    /// assert_eq!(pool.stats().dial_failures.connect, 1);
    /// # Ok::<(), npws_core::ConfigError>(())
    /// ```
    pub fn handle_dial_failed(&mut self, now: Instant, dial: DialId, failure: DialFailure) {
        self.side.fail(now, dial, failure);
        self.settle(now);
    }
}

impl Dialing {
    fn fail(&mut self, now: Instant, dial: DialId, failure: DialFailure) {
        if self.dials.remove(&dial).is_none() {
            return;
        }
        self.failures.count(failure);
        self.last_failure = Some((now, failure));
        // Of the dials that began together the first failure speaks for all; a probe lengthened the pause as it began.
        if !self.backoff.is_failing() {
            self.backoff.fail(now, &mut self.jitter);
        }
    }

    /// All dials have the same time, so the first to begin is the first to end.
    fn first_deadline(&self) -> Option<(Instant, DialId)> {
        self.dials.first_key_value().map(|(dial, deadline)| (*deadline, *dial))
    }

    /// How many connections are missing: waiters want one each on top of the capacity, and where both ends open
    /// connections neither is to be left without one.
    fn missing<C>(&self, exchange: &Exchange<C>) -> usize {
        let sizes = exchange.registry.idle.sizes();
        let (idle, capacity) = (sizes.total(), self.controller.capacity());
        let waiting = exchange.waiters.waiting_next();
        let short = capacity.saturating_sub(idle).max(usize::from(sizes.lack_a_half()));
        // A server that only ever gives what the other end may take is not dialed without end.
        let most = (2 * capacity + waiting).saturating_sub(idle);
        (short + waiting).min(most).saturating_sub(self.dials.len())
    }

    fn begin<C>(&mut self, exchange: &mut Exchange<C>, now: Instant, wanted: usize) {
        if self.is_held || self.backoff.is_paused(now) {
            // What is missing is looked at again when the pause ends, or the hold.
            self.owed = 0;
            return;
        }
        let room = self.config.max_concurrent_dials.saturating_sub(self.dials.len());
        // While the server fails, one dial at a time asks whether it is back.
        let room = if self.backoff.is_failing() { room.min(1) } else { room };
        let mut count = 0;
        while count < wanted.min(room) && self.pace.take_one(now) {
            count += 1;
            self.dial(exchange, now);
        }
        self.owed = wanted - count;
        if self.backoff.is_failing() && count > 0 {
            // A dial into a black hole must not keep the next from asking again, only less and less often.
            self.backoff.fail(now, &mut self.jitter);
        }
    }

    fn dial<C>(&mut self, exchange: &mut Exchange<C>, now: Instant) {
        let dial = DialId(self.began);
        self.began += 1;
        self.dials.insert(dial, now + self.config.dial_timeout);
        exchange.emit(Output::Dial(dial));
    }

    fn round<C>(&mut self, exchange: &mut Exchange<C>, now: Instant) {
        // Judged earlier, dials slower than the interval would look like no demand at all.
        let is_over = self.dials.first_key_value().is_none_or(|(oldest, _)| *oldest >= self.round_end);
        if is_over && self.began > 0 {
            self.controller.after_round(core::mem::take(&mut self.created));
        }
        let idle = exchange.registry.counts().idle;
        self.controller.before_round(idle);
        let missing = self.missing(exchange);
        self.begin(exchange, now, missing);
        if is_over {
            self.round_end = DialId(self.began);
        }
        self.seasoned = exchange.registry.counts().registered_total;
        if idle > self.controller.capacity()
            && let Some(key) = exchange.registry.idle.oldest_closable()
        {
            exchange.close_connection(now, key, CloseReason::Surplus);
        }
        let (capacity, interval) = (self.controller.capacity(), self.controller.interval());
        exchange.emit(Output::Round { idle, dialing: self.dials.len(), capacity, interval });
        self.next_round = now + interval;
    }
}

impl<C> Side<C> for Dialing {}

impl<C> Steps<C> for Dialing {
    fn settle(&mut self, exchange: &mut Exchange<C>, now: Instant) {
        if !exchange.is_open() {
            return;
        }
        if exchange.registry.died_since(self.seasoned) {
            // A server that closes what it has just accepted must not be dialed in a tight loop.
            self.seasoned = exchange.registry.counts().registered_total;
            let longest = *self.config.backoff.start();
            self.lull = Some(now + self.jitter.between(longest / 2, longest));
        }
        self.lull = self.lull.filter(|until| *until > now);
        let missing = self.missing(exchange);
        self.owed = self.owed.min(missing);
        // Who takes at the other end cannot be seen waiting here, so what was taken there is made up for at once.
        let is_short = exchange.take_accepted() || exchange.waiters.wanting_connections() > 0;
        let wanted = if is_short && self.lull.is_none() { missing } else { self.owed };
        if wanted > 0 {
            self.begin(exchange, now, wanted);
        }
    }

    fn stop(&mut self, exchange: &mut Exchange<C>, _now: Instant) {
        for (dial, _) in core::mem::take(&mut self.dials) {
            exchange.emit(Output::AbortDial(dial));
        }
        self.owed = 0;
    }

    fn poll_timeout(&self, exchange: &Exchange<C>) -> Option<Instant> {
        if !exchange.is_open() {
            return None;
        }
        let deadline = self.first_deadline().map(|(deadline, _)| deadline);
        let has_room = self.dials.len() < self.config.max_concurrent_dials;
        let may_dial = !self.is_held && has_room && self.missing(exchange) > 0;
        let lull = self.lull.filter(|_| may_dial && exchange.waiters.wanting_connections() > 0);
        let pace = self.pace.next();
        let retry = self.backoff.until().filter(|_| may_dial).map(|until| pace.map_or(until, |pace| until.max(pace)));
        let paced = pace.filter(|_| may_dial && self.owed > 0 && !self.backoff.is_failing());
        [deadline, retry, lull, paced, Some(self.next_round)].into_iter().flatten().min()
    }

    fn handle_timeout(&mut self, exchange: &mut Exchange<C>, now: Instant) {
        if !exchange.is_open() {
            return;
        }
        while let Some((deadline, dial)) = self.first_deadline()
            && deadline <= now
        {
            exchange.emit(Output::AbortDial(dial));
            self.fail(now, dial, DialFailure::Timeout);
        }
        if self.next_round <= now {
            self.round(exchange, now);
        } else if self.backoff.until().is_some_and(|until| until <= now) {
            let missing = self.missing(exchange);
            self.begin(exchange, now, missing);
        }
    }

    fn capacity(&self) -> usize {
        self.controller.capacity()
    }

    fn interval(&self) -> Duration {
        self.controller.interval()
    }

    fn report(&self, stats: &mut Stats) {
        stats.handshakes = self.dials.len();
        stats.dials_total = self.began;
        stats.dial_failures = self.failures;
        stats.last_dial_failure = self.last_failure;
    }

    fn assert_consistent(&self, exchange: &Exchange<C>) {
        assert!(self.dials.len() <= self.config.max_concurrent_dials, "more dials than the limit");
        assert!(exchange.is_open() || self.dials.is_empty(), "a dial outlived the pool");
        assert!(self.owed <= self.missing(exchange), "more dials are owed than connections are missing");
    }
}
