//! The side that accepts.

use core::net::IpAddr;
use core::time::Duration;

use super::accept::{AcceptId, Accepts, Phase};
use super::backoff::Backoff;
use super::exchange::Exchange;
use super::ids::Ids;
use super::registry::ConnectionKey;
use super::{Output, Pool, ServerPool, Side, Stats, Steps};
use crate::random::Jitter;
use crate::{
    CloseReason, ConfigError, ConnectionId, IdSource, Instant, PeerGeneration, PeerHeader, Rejection, Role,
    ServerConfig,
};

/// What a server pool has beyond the connections: handshakes, IDs and admission.
///
/// ```
/// use npws_core::{Accepting, IdSource, Pool};
///
/// fn is_full<C, I: IdSource>(pool: &Pool<C, Accepting<I>>) -> bool {
///     pool.active() >= pool.capacity()
/// }
/// ```
#[derive(Debug)]
pub struct Accepting<I> {
    config: ServerConfig,
    ids: Ids<I>,
    jitter: Jitter,
    backoff: Backoff,
    accepts: Accepts,
    is_listening: bool,
    accept_failures: u64,
    rejected: u64,
    listener_failures: u64,
}

impl<C, I: IdSource> ServerPool<C, I> {
    /// A server pool. `ids` names its connections, `seed` is where its jitter comes from.
    ///
    /// # Errors
    /// When a value of `config` is outside its range.
    ///
    /// ```
    /// use npws_core::{ServerConfig, ServerPool};
    ///
    /// let mut last = 0_u32;
    /// let ids = move || {
    ///     last += 1;
    ///     last.to_be_bytes()
    /// };
    /// let pool = ServerPool::<(), _>::new(ServerConfig::default(), ids, 42)?;
    /// assert_eq!(pool.capacity(), 1);
    /// # Ok::<(), npws_core::ConfigError>(())
    /// ```
    pub fn new(config: ServerConfig, ids: I, seed: u64) -> Result<Self, ConfigError> {
        config.validate()?;
        let exchange = Exchange::new(Role::Server, config.pool.clone());
        let side = Accepting {
            ids: Ids::new(ids),
            jitter: Jitter::new(seed),
            backoff: Backoff::new(config.backoff.clone()),
            accepts: Accepts::default(),
            is_listening: true,
            accept_failures: 0,
            rejected: 0,
            listener_failures: 0,
            config,
        };
        Ok(Pool::assemble(exchange, side))
    }

    /// A peer opened a socket. `None` when the pool takes no more: drop it.
    ///
    /// The first phase begins: TLS where there is TLS, the request head otherwise.
    ///
    /// ```
    /// # use npws_core::{Instant, ServerConfig, ServerPool};
    /// # let now = Instant::ZERO;
    /// # let mut pool = ServerPool::<(), _>::new(ServerConfig::default(), || [0, 0, 0, 1], 7)?;
    /// let accept = pool.handle_incoming(now, None).expect("the pool is open");
    /// assert_eq!(pool.stats().handshakes, 1);
    /// # let _ = accept;
    /// # Ok::<(), npws_core::ConfigError>(())
    /// ```
    pub fn handle_incoming(&mut self, now: Instant, address: Option<IpAddr>) -> Option<AcceptId> {
        if !self.exchange.is_open() {
            return None;
        }
        self.side.backoff.succeed();
        let accept = self.side.accepts.begin(address, now + self.side.config.handshake_timeout);
        self.settle(now);
        Some(accept)
    }

    /// The TLS handshake is done, the phase of the request head begins.
    ///
    /// ```
    /// # use npws_core::{Instant, ServerConfig, ServerPool};
    /// # let now = Instant::ZERO;
    /// # let mut pool = ServerPool::<(), _>::new(ServerConfig::default(), || [0, 0, 0, 1], 7)?;
    /// let accept = pool.handle_incoming(now, None).expect("the pool is open");
    /// pool.handle_secured(now, accept);
    /// # Ok::<(), npws_core::ConfigError>(())
    /// ```
    pub fn handle_secured(&mut self, now: Instant, accept: AcceptId) {
        if self.side.accepts.phase(accept) == Some(Phase::Request) {
            self.side.accepts.enter(accept, Phase::Request, now + self.side.config.handshake_timeout);
        }
        self.settle(now);
    }

    /// The request head is complete: reserves a slot and an ID, or says what to answer instead.
    ///
    /// `path` is `None` when the head could not be read so far. `upgrade` is what the head says beyond the path: whether
    /// it asks for an upgrade in good form.
    ///
    /// # Errors
    /// The rejection to answer; the handshake ends with
    /// [`handle_accept_failed`](Self::handle_accept_failed) once it is written.
    ///
    /// ```
    /// # use npws_core::{Instant, Rejection, ServerConfig, ServerPool};
    /// # let now = Instant::ZERO;
    /// # let config = ServerConfig { path: Some("/pool".into()), ..ServerConfig::default() };
    /// # let mut pool = ServerPool::<(), _>::new(config, || [0, 0, 0, 1], 7)?;
    /// let accept = pool.handle_incoming(now, None).expect("open");
    /// assert_eq!(pool.handle_request(now, accept, "/other", Ok(())), Err(Rejection::NotFound));
    /// # Ok::<(), npws_core::ConfigError>(())
    /// ```
    pub fn handle_request<'p>(
        &mut self,
        now: Instant,
        accept: AcceptId,
        path: impl Into<Option<&'p str>>,
        upgrade: Result<(), Rejection>,
    ) -> Result<ConnectionId, Rejection> {
        self.handle_request_from(now, accept, path, upgrade, PeerGeneration::V1)
    }

    /// [`handle_request`](Self::handle_request), told what the head says of the peer. Where both ends open connections,
    /// the last bit of the ID says whose it is to take next, and each end gets its share.
    ///
    /// # Errors
    /// Those of [`handle_request`](Self::handle_request).
    ///
    /// ```
    /// # use npws_core::{ConnectionId, Instant, PeerHeader, PoolConfig, ServerConfig, ServerPool};
    /// # let now = Instant::ZERO;
    /// let pool = PoolConfig { opens: true, ..PoolConfig::default() };
    /// let config = ServerConfig { capacity: 2, pool, ..ServerConfig::default() };
    /// let mut pool = ServerPool::<(), _>::new(config, || [0, 0, 0, 6], 7)?;
    /// let peer = PeerHeader::from_header(Some("2; open"));
    /// let ids = [(); 2].map(|()| {
    ///     let accept = pool.handle_incoming(now, None).expect("the pool is open");
    ///     pool.handle_request_from(now, accept, "/", Ok(()), peer).expect("there is room")
    /// });
    /// assert_eq!(ids, [ConnectionId::CONTROL, ConnectionId::from_bytes([0, 0, 0, 7])], "one for each end");
    /// # Ok::<(), npws_core::ConfigError>(())
    /// ```
    pub fn handle_request_from<'p>(
        &mut self,
        now: Instant,
        accept: AcceptId,
        path: impl Into<Option<&'p str>>,
        upgrade: Result<(), Rejection>,
        peer: impl Into<PeerHeader>,
    ) -> Result<ConnectionId, Rejection> {
        let peer = peer.into();
        if self.side.accepts.phase(accept) != Some(Phase::Request) {
            // It was given up meanwhile, or answered before: whatever is said now is not sent.
            return Err(Rejection::Full);
        }
        let admitted = self.side.admit(&self.exchange, accept, path.into(), upgrade, peer);
        let phase = match admitted {
            Ok(id) => {
                self.exchange.tombstones.forget(id);
                self.side.accepts.reserve(id, self.exchange.lane(peer, id));
                Phase::Answering(id)
            }
            Err(_) => {
                self.side.rejected += 1;
                Phase::Rejecting
            }
        };
        self.side.accepts.enter(accept, phase, now + self.side.config.handshake_timeout);
        self.settle(now);
        admitted
    }

    /// Answer and ID are written: the connection becomes idle. `None` when the handshake had been given up: the
    /// connection comes back as [`Output::Close`].
    ///
    /// `peer` is what the request's header says; its generation alone stands for one that does not open connections.
    ///
    /// ```
    /// # use npws_core::{Instant, PeerGeneration, ServerConfig, ServerPool};
    /// # let now = Instant::ZERO;
    /// # let mut pool = ServerPool::<(), _>::new(ServerConfig::default(), || [0, 0, 0, 1], 7)?;
    /// let accept = pool.handle_incoming(now, None).expect("the pool is open");
    /// let id = pool.handle_request(now, accept, "/", Ok(())).expect("there is room");
    /// let key = pool.handle_accepted(now, accept, PeerGeneration::V1, ());
    /// assert_eq!(key.map(|key| key.id()), Some(id));
    /// # Ok::<(), npws_core::ConfigError>(())
    /// ```
    pub fn handle_accepted(
        &mut self,
        now: Instant,
        accept: AcceptId,
        peer: impl Into<PeerHeader>,
        connection: C,
    ) -> Option<ConnectionKey> {
        let key = if let Some(Phase::Answering(id)) = self.side.accepts.end(accept) {
            Some(self.exchange.register(now, id, peer.into(), connection))
        } else {
            self.exchange.emit(Output::Close { connection, reason: CloseReason::HandshakeFailed });
            None
        };
        self.settle(now);
        key
    }

    /// A handshake ended without a connection; its slot and its ID are free again.
    ///
    /// ```
    /// # use npws_core::{Instant, ServerConfig, ServerPool};
    /// # let now = Instant::ZERO;
    /// # let mut pool = ServerPool::<(), _>::new(ServerConfig::default(), || [0, 0, 0, 1], 7)?;
    /// let accept = pool.handle_incoming(now, None).expect("the pool is open");
    /// pool.handle_accept_failed(now, accept);
    /// assert_eq!(pool.stats().handshakes, 0);
    /// # Ok::<(), npws_core::ConfigError>(())
    /// ```
    pub fn handle_accept_failed(&mut self, now: Instant, accept: AcceptId) {
        self.side.end(&mut self.exchange, now, accept);
        self.settle(now);
    }

    /// The listener failed to accept. Wait this long before asking it again.
    ///
    /// ```
    /// # use npws_core::{Instant, ServerConfig, ServerPool};
    /// # let now = Instant::ZERO;
    /// # let mut pool = ServerPool::<(), _>::new(ServerConfig::default(), || [0, 0, 0, 1], 7)?;
    /// let pause = pool.handle_listener_failure(now);
    /// assert!(!pause.is_zero());
    /// assert_eq!(pool.error_count(), 1);
    /// # Ok::<(), npws_core::ConfigError>(())
    /// ```
    pub fn handle_listener_failure(&mut self, now: Instant) -> Duration {
        self.side.listener_failures += 1;
        self.add_error();
        self.side.backoff.fail(now, &mut self.side.jitter);
        self.settle(now);
        self.side.backoff.until().map_or(Duration::ZERO, |until| until - now)
    }
}

impl<I: IdSource> Accepting<I> {
    fn admit<C>(
        &mut self,
        exchange: &Exchange<C>,
        accept: AcceptId,
        path: Option<&str>,
        upgrade: Result<(), Rejection>,
        peer: PeerHeader,
    ) -> Result<ConnectionId, Rejection> {
        let address = self.accepts.address(accept);
        if let Some(allow) = &self.config.allow
            && !address.is_some_and(|address| allow.iter().any(|ip| ip.to_canonical() == address.to_canonical()))
        {
            return Err(Rejection::Forbidden);
        }
        if let (Some(own), Some(path)) = (&self.config.path, path)
            && own != path
        {
            return Err(Rejection::NotFound);
        }
        upgrade?;
        let there = exchange.registry.idle.sizes() + self.accepts.reserved();
        // A waiter takes a connection off the idle ones as it arrives.
        let room = self.config.capacity + exchange.waiters.waiting_next();
        let both_open = exchange.both_open(peer);
        // A full pool lets one more in rather than leave one end without any to take.
        if there.total() >= room && !(both_open && there.lack_a_half()) {
            return Err(Rejection::Full);
        }
        let owner = if both_open { there.smaller_half() } else { None };
        let (ids, accepts) = (&mut self.ids, &self.accepts);
        ids.new_id(owner, |id| {
            exchange.registry.registered(id).is_some() || exchange.registry.is_taken(id) || accepts.is_reserved(id)
        })
        .ok_or(Rejection::Full)
    }
}

impl<I> Accepting<I> {
    fn end<C>(&mut self, exchange: &mut Exchange<C>, now: Instant, accept: AcceptId) {
        match self.accepts.end(accept) {
            None | Some(Phase::Rejecting) => return,
            // The peer may have seen the ID, so somebody may ask for it.
            Some(Phase::Answering(id)) => exchange.give_up(now, id, CloseReason::HandshakeFailed),
            Some(Phase::Request) => {}
        }
        self.accept_failures += 1;
    }
}

impl<C, I> Side<C> for Accepting<I> {}

impl<C, I> Steps<C> for Accepting<I> {
    fn settle(&mut self, _exchange: &mut Exchange<C>, _now: Instant) {}

    fn stop(&mut self, exchange: &mut Exchange<C>, now: Instant) {
        if core::mem::take(&mut self.is_listening) {
            exchange.emit(Output::StopListening);
        }
        while let Some(accept) = self.accepts.first() {
            exchange.emit(Output::AbortAccept(accept));
            self.end(exchange, now, accept);
        }
    }

    fn poll_timeout(&self, _exchange: &Exchange<C>) -> Option<Instant> {
        self.accepts.next_deadline().map(|(deadline, _)| deadline)
    }

    fn handle_timeout(&mut self, exchange: &mut Exchange<C>, now: Instant) {
        while let Some((deadline, accept)) = self.accepts.next_deadline()
            && deadline <= now
        {
            exchange.emit(Output::AbortAccept(accept));
            self.end(exchange, now, accept);
        }
    }

    fn capacity(&self) -> usize {
        self.config.capacity
    }

    fn interval(&self) -> Duration {
        Duration::ZERO
    }

    fn report(&self, stats: &mut Stats) {
        stats.handshakes = self.accepts.len();
        stats.accepted_total = self.accepts.total();
        stats.accept_failures = self.accept_failures;
        stats.rejected_total = self.rejected;
        stats.listener_failures = self.listener_failures;
    }

    fn assert_consistent(&self, exchange: &Exchange<C>) {
        assert!(exchange.is_open() || self.accepts.len() == 0, "a handshake outlived the pool");
        assert_eq!(exchange.is_open(), self.is_listening, "listening while not open, or the other way round");
    }
}
