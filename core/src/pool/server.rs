//! The side that accepts.

use core::net::IpAddr;
use core::time::Duration;

use super::accept::{Accept, AcceptId, Accepts, Phase};
use super::door::Door;
use super::exchange::Exchange;
use super::ids::Ids;
use super::registry::ConnectionKey;
use super::{Admitted, Output, Pool, RequestHead, ServerPool, Side, Stats, Steps};
use crate::backoff::Backoff;
use crate::random::Jitter;
use crate::{CloseReason, ConfigError, ConnectionId, IdSource, Instant, PeerHeader, Rejection, Role, ServerConfig};

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
    pub(super) door: Door,
    capacity: usize,
    max_claimed: usize,
    pub(super) handshake_timeout: Duration,
    ids: Ids<I>,
    jitter: Jitter,
    backoff: Backoff,
    pub(super) accepts: Accepts,
    is_listening: bool,
    pub(super) turned_away: u64,
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
        let exchange = Exchange::new(Role::Server, config.pool.clone(), seed);
        let side = Accepting {
            ids: Ids::new(ids, config.control_id),
            jitter: Jitter::new(seed),
            backoff: Backoff::new(config.backoff.clone()),
            accepts: Accepts::default(),
            is_listening: true,
            turned_away: 0,
            accept_failures: 0,
            rejected: 0,
            listener_failures: 0,
            capacity: config.capacity,
            max_claimed: config.max_claimed,
            handshake_timeout: config.handshake_timeout,
            door: Door::new(config)?,
        };
        Ok(Pool::assemble(exchange, side))
    }

    /// A peer opened a socket, from this address if it has one.
    ///
    /// The first phase begins: the PROXY header where [`proxy_rule`](Self::proxy_rule) says so, then TLS where there is
    /// TLS, the request head otherwise.
    ///
    /// # Errors
    /// When the pool takes no more, or too many handshakes are under way, in total or from this address: what to answer
    /// where an answer can be read, which is not so before TLS. There is nothing to report about it.
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
    pub fn handle_incoming(&mut self, now: Instant, address: Option<IpAddr>) -> Result<AcceptId, Rejection> {
        if !self.exchange.is_open() {
            return Err(Rejection::Full);
        }
        self.side.backoff.succeed();
        let entered = self.side.door.enter(now, address);
        let deadline = now + self.side.handshake_timeout;
        let accept = entered.map(|counted| self.side.accepts.begin(address, counted, deadline));
        self.side.turned_away += u64::from(accept.is_err());
        self.settle(now);
        accept
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
            self.side.accepts.enter(accept, Phase::Request, now + self.side.handshake_timeout);
        }
        self.settle(now);
    }

    /// The request head is complete, or can not be read: reserves a slot and an ID, or says what to answer instead.
    ///
    /// What is looked at, in this order: the address (behind proxies the forwarded one, which must be readable) and its
    /// limits, the path, the token, the origin, the upgrade, the capacity. So a peer learns nothing of the pool that is for
    /// others, and guesses tokens no faster than its address may ask. Where both ends open connections, the last bit of the ID says whose it is to take next, and
    /// each end gets its share.
    ///
    /// # Errors
    /// The rejection to answer; the handshake ends with
    /// [`handle_accept_failed`](Self::handle_accept_failed) once it is written.
    ///
    /// ```
    /// # use npws_core::{Instant, Rejection, RequestHead, ServerConfig, ServerPool, Tokens};
    /// # let now = Instant::ZERO;
    /// let tokens = Some(Tokens::new(["secret"])?);
    /// let config = ServerConfig { path: Some("/pool".into()), tokens, ..ServerConfig::default() };
    /// let mut pool = ServerPool::<(), _>::new(config, || [0, 0, 0, 1], 7)?;
    /// let mut ask = |head: RequestHead<'_>| {
    ///     let accept = pool.handle_incoming(now, None).expect("the pool is open");
    ///     pool.handle_request(now, accept, head).map(|admitted| admitted.id.to_string())
    /// };
    /// assert_eq!(ask("/other".into()), Err(Rejection::NotFound));
    /// assert_eq!(ask("/pool".into()), Err(Rejection::Unauthorized));
    /// let fields = [("Authorization", &b"Bearer secret"[..])];
    /// assert_eq!(ask(RequestHead::from("/pool").with_fields(&fields)), Ok("00000000".to_owned()));
    /// # Ok::<(), npws_core::ConfigError>(())
    /// ```
    pub fn handle_request<'h>(
        &mut self,
        now: Instant,
        accept: AcceptId,
        head: impl Into<RequestHead<'h>>,
    ) -> Result<Admitted, Rejection> {
        if self.side.accepts.phase(accept) != Some(Phase::Request) {
            // It was given up meanwhile, or answered before: whatever is said now is not sent.
            return Err(Rejection::Full);
        }
        let admitted = self.side.admit(&mut self.exchange, now, accept, &head.into());
        let phase = match admitted {
            Ok(Admitted { id, .. }) => Phase::Answering(id),
            Err(_) => {
                self.side.rejected += 1;
                Phase::Rejecting
            }
        };
        self.side.accepts.enter(accept, phase, now + self.side.handshake_timeout);
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
    /// let id = pool.handle_request(now, accept, "/").expect("there is room").id;
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
        let ended = self.side.accepts.end(accept);
        let key = if let Some(Accept { counted, guest, phase: Phase::Answering(id), .. }) = ended {
            self.side.door.stay(counted, guest);
            let address = guest.and_then(|guest| guest.address);
            Some(self.exchange.register(now, id, peer.into(), address, connection))
        } else {
            if let Some(Accept { counted, guest, .. }) = ended {
                self.side.door.leave(counted, guest);
            }
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
        exchange: &mut Exchange<C>,
        now: Instant,
        accept: AcceptId,
        head: &RequestHead<'_>,
    ) -> Result<Admitted, Rejection> {
        let guest = self.door.ask(now, self.accepts.address(accept), head)?;
        let Some(id) = self.find_room(exchange, head.peer) else {
            self.door.turn_away(guest);
            return Err(Rejection::Full);
        };
        exchange.tombstones.forget(id);
        self.accepts.reserve(accept, guest, id, exchange.lane(head.peer, id));
        Ok(Admitted { id, subprotocol: guest.subprotocol })
    }

    /// The ID for one more connection, if there is room for it.
    fn find_room<C>(&mut self, exchange: &Exchange<C>, peer: PeerHeader) -> Option<ConnectionId> {
        if exchange.registry.waiting_here() >= self.max_claimed {
            return None;
        }
        let there = exchange.registry.idle.sizes() + self.accepts.reserved();
        // A waiter takes a connection off the idle ones as it arrives.
        let room = self.capacity + exchange.waiters.waiting_next();
        let both_open = exchange.both_open(peer);
        // A full pool lets one more in rather than leave one end without any to take.
        if there.total() >= room && !(both_open && there.lack_a_half()) {
            return None;
        }
        let owner = if both_open { there.smaller_half() } else { None };
        let (ids, accepts) = (&mut self.ids, &self.accepts);
        ids.new_id(owner, |id| {
            let is_alive = exchange.registry.registered(id).is_some() || exchange.registry.is_taken(id);
            is_alive || accepts.is_reserved(id) || exchange.is_spent(id)
        })
    }
}

impl<I> Accepting<I> {
    fn end<C>(&mut self, exchange: &mut Exchange<C>, now: Instant, accept: AcceptId) {
        let Some(Accept { counted, guest, phase, .. }) = self.accepts.end(accept) else { return };
        self.door.leave(counted, guest);
        match phase {
            Phase::Rejecting => return,
            // The peer may have seen the ID, so somebody may ask for it.
            Phase::Answering(id) => exchange.give_up(now, id, CloseReason::HandshakeFailed),
            Phase::Request => {}
        }
        mutation!(ControlIdBurnt => exchange.control_is_spent |= phase == Phase::Answering(ConnectionId::CONTROL));
        self.accept_failures += 1;
    }
}

impl<C, I> Side<C> for Accepting<I> {}

impl<C, I> Steps<C> for Accepting<I> {
    fn settle(&mut self, exchange: &mut Exchange<C>, _now: Instant) {
        for address in exchange.registry.departed() {
            self.door.depart(address);
        }
    }

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
        self.capacity
    }

    fn interval(&self) -> Duration {
        Duration::ZERO
    }

    fn report(&self, stats: &mut Stats) {
        stats.handshakes = self.accepts.len();
        stats.accepted_total = self.accepts.total();
        stats.turned_away_total = self.turned_away;
        stats.accept_failures = self.accept_failures;
        stats.rejected_total = self.rejected;
        stats.listener_failures = self.listener_failures;
    }

    fn assert_consistent(&self, exchange: &Exchange<C>) {
        assert!(exchange.is_open() || self.accepts.len() == 0, "a handshake outlived the pool");
        assert_eq!(self.door.handshakes(), self.accepts.len(), "handshakes that the limits know");
        assert_eq!(exchange.is_open(), self.is_listening, "listening while not open, or the other way round");
    }
}
