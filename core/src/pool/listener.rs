//! One listener for several pools.

use alloc::collections::{BTreeMap, VecDeque};
use alloc::string::String;
use core::net::IpAddr;
use core::time::Duration;

use super::accept::{Accept, AcceptId, Accepts, Phase};
use super::backoff::Backoff;
use super::listener_config::ListenerConfig;
use super::{Output, RequestHead};
use crate::random::Jitter;
use crate::{AddressLimits, AddressLimitsConfig, AllowList, ConfigError, Instant, Rejection};

/// What several server pools share: the handshakes whose path is not known yet, and which path belongs to which pool.
///
/// What is decided before the head of a request is read is decided here, and the rest by the pool that has the path. `P`
/// stands for a pool and is opaque. After each call that takes `now`, drain [`poll_output`](Self::poll_output), and call
/// [`handle_timeout`](Self::handle_timeout) when [`poll_timeout`](Self::poll_timeout) has come.
///
/// ```
/// use npws_core::{Instant, Listener, ListenerConfig, Rejection, ServerConfig, ServerPool};
///
/// let now = Instant::ZERO;
/// let mut blue = ServerPool::<(), _>::new(ServerConfig::default(), || [0, 0, 0, 1], 7)?;
/// let mut listener = Listener::new(ListenerConfig::default(), 7)?;
/// listener.add(Some("/blue"), "blue")?;
///
/// let accept = listener.handle_incoming(now, None).expect("it listens");
/// assert_eq!(listener.pool_for(&"/blue".into()), Ok(&"blue"));
/// // The pool counts the handshake from here on, so it can turn it away too.
/// let of_pool = blue.handle_incoming(now, None);
/// listener.handle_routed(now, accept, of_pool.map(|_| ()));
/// assert_eq!((listener.stats().handshakes, blue.stats().handshakes), (0, 1));
///
/// assert_eq!(listener.pool_for(&"/green".into()), Err(Rejection::NotFound));
/// # Ok::<(), npws_core::ConfigError>(())
/// ```
#[derive(Debug)]
pub struct Listener<P> {
    pools: BTreeMap<Option<String>, P>,
    limits: AddressLimits,
    trusted: AllowList,
    handshake_timeout: Duration,
    jitter: Jitter,
    backoff: Backoff,
    accepts: Accepts,
    is_open: bool,
    outputs: VecDeque<Output<P>>,
    stats: ListenerStats,
}

/// A snapshot of a listener, taken at one moment. What became of the handshakes that it passed on, the pools tell.
///
/// ```
/// # use npws_core::{Listener, ListenerConfig};
/// let listener = Listener::<()>::new(ListenerConfig::default(), 7)?;
/// assert_eq!(listener.stats().accepted_total, 0);
/// # Ok::<(), npws_core::ConfigError>(())
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ListenerStats {
    /// Handshakes that no pool has yet, or that none has and which are being told so.
    pub handshakes: usize,
    /// Sockets ever accepted.
    pub accepted_total: u64,
    /// Handshakes ever passed on to a pool.
    pub passed_on_total: u64,
    /// Sockets dropped at once, because too many handshakes were under way, in total or from one address.
    pub turned_away_total: u64,
    /// Handshakes that ended before a pool had them, without an answer.
    pub accept_failures: u64,
    /// Requests turned away with an HTTP status before a pool had them.
    pub rejected_total: u64,
    /// Failures of the listener.
    pub listener_failures: u64,
}

impl<P> Listener<P> {
    /// A listener without pools. `seed` is where its jitter comes from.
    ///
    /// # Errors
    /// When a value of `config` is outside its range.
    ///
    /// ```
    /// # use npws_core::{Listener, ListenerConfig};
    /// let config = ListenerConfig { max_handshakes: Some(0), ..ListenerConfig::default() };
    /// assert_eq!(Listener::<()>::new(config, 7).unwrap_err().field(), "max_handshakes");
    /// ```
    pub fn new(config: ListenerConfig, seed: u64) -> Result<Self, ConfigError> {
        config.validate()?;
        let limits = AddressLimitsConfig {
            max_handshakes: config.max_handshakes,
            max_handshakes_per_address: config.max_handshakes_per_address,
            ..AddressLimitsConfig::default()
        };
        Ok(Self {
            pools: BTreeMap::new(),
            limits: AddressLimits::new(limits)?,
            trusted: config.trusted,
            handshake_timeout: config.handshake_timeout,
            jitter: Jitter::new(seed),
            backoff: Backoff::new(config.backoff),
            accepts: Accepts::default(),
            is_open: true,
            outputs: VecDeque::new(),
            stats: ListenerStats::default(),
        })
    }

    /// From now on passes requests for `path` on to this pool; with `None` those for every path that is no other pool's.
    /// Gives the pool that had the path before: it keeps what it has.
    ///
    /// # Errors
    /// When the path does not begin with `/`.
    ///
    /// ```
    /// # use npws_core::{Listener, ListenerConfig};
    /// # let mut listener = Listener::new(ListenerConfig::default(), 7)?;
    /// assert_eq!(listener.add(Some("/blue"), 1)?, None);
    /// assert_eq!(listener.add(Some("/blue"), 2)?, Some(1));
    /// assert!(listener.add(Some("blue"), 3).is_err());
    /// # Ok::<(), npws_core::ConfigError>(())
    /// ```
    pub fn add(&mut self, path: Option<&str>, pool: P) -> Result<Option<P>, ConfigError> {
        if let Some(path) = path.filter(|path| !path.starts_with('/')) {
            return Err(ConfigError::new("path", path, "a path that begins with /"));
        }
        Ok(self.pools.insert(path.map(String::from), pool))
    }

    /// Forgets the pools of which this holds. Their paths are unknown from now on.
    ///
    /// ```
    /// # use npws_core::{Listener, ListenerConfig, Rejection};
    /// # let mut listener = Listener::new(ListenerConfig::default(), 7)?;
    /// listener.add(Some("/blue"), "blue")?;
    /// listener.remove(|pool| *pool == "blue");
    /// assert_eq!(listener.pool_for(&"/blue".into()), Err(Rejection::NotFound));
    /// # Ok::<(), npws_core::ConfigError>(())
    /// ```
    pub fn remove(&mut self, mut is_meant: impl FnMut(&P) -> bool) {
        self.pools.retain(|_, pool| !is_meant(pool));
    }

    /// A peer opened a socket, from this address if it has one. `None` when the listener is closed, or when too many
    /// handshakes are under way, in total or from this address: drop it.
    ///
    /// The first phase begins: TLS where there is TLS, the request head otherwise.
    ///
    /// ```
    /// # use npws_core::{Instant, Listener, ListenerConfig};
    /// # let mut listener = Listener::<()>::new(ListenerConfig::default(), 7)?;
    /// let accept = listener.handle_incoming(Instant::ZERO, "192.0.2.1".parse().ok());
    /// assert!(accept.is_some());
    /// assert_eq!(listener.stats().handshakes, 1);
    /// # Ok::<(), npws_core::ConfigError>(())
    /// ```
    pub fn handle_incoming(&mut self, now: Instant, address: Option<IpAddr>) -> Option<AcceptId> {
        if !self.is_open {
            return None;
        }
        self.backoff.succeed();
        let address = address.filter(|_| !self.trusted.allows(address));
        if self.limits.begin(now, address).is_err() {
            self.stats.turned_away_total += 1;
            return None;
        }
        Some(self.accepts.begin(address, None, now + self.handshake_timeout))
    }

    /// The TLS handshake is done, the phase of the request head begins.
    ///
    /// ```
    /// # use npws_core::{Instant, Listener, ListenerConfig};
    /// # let mut listener = Listener::<()>::new(ListenerConfig::default(), 7)?;
    /// let accept = listener.handle_incoming(Instant::ZERO, None).expect("it listens");
    /// listener.handle_secured(Instant::ZERO, accept);
    /// # Ok::<(), npws_core::ConfigError>(())
    /// ```
    pub fn handle_secured(&mut self, now: Instant, accept: AcceptId) {
        if self.accepts.phase(accept) == Some(Phase::Request) {
            self.accepts.enter(accept, Phase::Request, now + self.handshake_timeout);
        }
    }

    /// The pool that a request is for, which decides on the rest of it.
    ///
    /// # Errors
    /// What is wrong with a head that cannot be read, or [`Rejection::NotFound`].
    ///
    /// ```
    /// # use npws_core::{Listener, ListenerConfig, Rejection, RequestHead};
    /// # let mut listener = Listener::new(ListenerConfig::default(), 7)?;
    /// listener.add(Some("/blue"), "blue")?;
    /// assert_eq!(listener.pool_for(&"/green".into()), Err(Rejection::NotFound));
    /// let unreadable = RequestHead::unreadable(Rejection::HeadTooLarge);
    /// assert_eq!(listener.pool_for(&unreadable), Err(Rejection::HeadTooLarge));
    /// listener.add(None, "any other")?;
    /// assert_eq!(listener.pool_for(&"/green".into()), Ok(&"any other"));
    /// # Ok::<(), npws_core::ConfigError>(())
    /// ```
    pub fn pool_for(&self, head: &RequestHead<'_>) -> Result<&P, Rejection> {
        let Some(path) = head.path else { return Err(head.upgrade.err().unwrap_or(Rejection::Malformed)) };
        self.pools.get(&Some(path.into())).or_else(|| self.pools.get(&None)).ok_or(Rejection::NotFound)
    }

    /// The request is known: a pool has the handshake now, or this is to be answered, after which the handshake ends
    /// with [`handle_accept_failed`](Self::handle_accept_failed).
    ///
    /// `false` when the handshake had been given up: then the pool is not to have it either.
    ///
    /// ```
    /// # use npws_core::{Instant, Listener, ListenerConfig, Rejection};
    /// # let now = Instant::ZERO;
    /// # let mut listener = Listener::<()>::new(ListenerConfig::default(), 7)?;
    /// let accept = listener.handle_incoming(now, None).expect("it listens");
    /// assert!(listener.handle_routed(now, accept, Err(Rejection::NotFound)));
    /// listener.handle_accept_failed(accept);
    /// assert_eq!(listener.stats().rejected_total, 1);
    /// # Ok::<(), npws_core::ConfigError>(())
    /// ```
    pub fn handle_routed(&mut self, now: Instant, accept: AcceptId, outcome: Result<(), Rejection>) -> bool {
        if self.accepts.phase(accept) != Some(Phase::Request) {
            return false;
        }
        match outcome {
            Ok(()) => {
                self.stats.passed_on_total += 1;
                self.end(accept);
            }
            Err(_) => {
                self.stats.rejected_total += 1;
                self.accepts.enter(accept, Phase::Rejecting, now + self.handshake_timeout);
            }
        }
        true
    }

    /// A handshake ended that no pool had.
    ///
    /// ```
    /// # use npws_core::{Instant, Listener, ListenerConfig};
    /// # let mut listener = Listener::<()>::new(ListenerConfig::default(), 7)?;
    /// let accept = listener.handle_incoming(Instant::ZERO, None).expect("it listens");
    /// listener.handle_accept_failed(accept);
    /// assert_eq!((listener.stats().handshakes, listener.stats().accept_failures), (0, 1));
    /// # Ok::<(), npws_core::ConfigError>(())
    /// ```
    pub fn handle_accept_failed(&mut self, accept: AcceptId) {
        if self.end(accept) == Some(Phase::Request) {
            self.stats.accept_failures += 1;
        }
    }

    /// Accepting failed. Wait this long before the next attempt.
    ///
    /// ```
    /// # use npws_core::{Instant, Listener, ListenerConfig};
    /// # let mut listener = Listener::<()>::new(ListenerConfig::default(), 7)?;
    /// let pause = listener.handle_listener_failure(Instant::ZERO);
    /// assert!(!pause.is_zero());
    /// # Ok::<(), npws_core::ConfigError>(())
    /// ```
    pub fn handle_listener_failure(&mut self, now: Instant) -> Duration {
        self.stats.listener_failures += 1;
        self.backoff.fail(now, &mut self.jitter);
        self.backoff.until().map_or(Duration::ZERO, |until| until - now)
    }

    /// When [`handle_timeout`](Self::handle_timeout) is due.
    ///
    /// ```
    /// # use npws_core::{Instant, Listener, ListenerConfig};
    /// # let mut listener = Listener::<()>::new(ListenerConfig::default(), 7)?;
    /// assert_eq!(listener.poll_timeout(), None);
    /// listener.handle_incoming(Instant::ZERO, None);
    /// assert!(listener.poll_timeout().is_some());
    /// # Ok::<(), npws_core::ConfigError>(())
    /// ```
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.accepts.next_deadline().map(|(deadline, _)| deadline)
    }

    /// Gives up the handshakes whose deadline has come.
    ///
    /// ```
    /// # use npws_core::{Instant, Listener, ListenerConfig, Output};
    /// # let mut listener = Listener::<()>::new(ListenerConfig::default(), 7)?;
    /// let accept = listener.handle_incoming(Instant::ZERO, None).expect("it listens");
    /// let due = listener.poll_timeout().expect("a handshake is under way");
    /// listener.handle_timeout(due);
    /// assert!(matches!(listener.poll_output(), Some(Output::AbortAccept(aborted)) if aborted == accept));
    /// # Ok::<(), npws_core::ConfigError>(())
    /// ```
    pub fn handle_timeout(&mut self, now: Instant) {
        while let Some((deadline, accept)) = self.accepts.next_deadline()
            && deadline <= now
        {
            self.abort(accept);
        }
    }

    /// Takes no more sockets and gives up the handshakes that no pool has. The pools keep what they have.
    ///
    /// ```
    /// # use npws_core::{Instant, Listener, ListenerConfig, Output};
    /// # let mut listener = Listener::<()>::new(ListenerConfig::default(), 7)?;
    /// listener.close();
    /// assert!(matches!(listener.poll_output(), Some(Output::StopListening)));
    /// assert!(listener.is_closed());
    /// assert_eq!(listener.handle_incoming(Instant::ZERO, None), None);
    /// # Ok::<(), npws_core::ConfigError>(())
    /// ```
    pub fn close(&mut self) {
        if core::mem::take(&mut self.is_open) {
            self.outputs.push_back(Output::StopListening);
        }
        while let Some(accept) = self.accepts.first() {
            self.abort(accept);
        }
    }

    /// Whether it is closed, which is for good.
    ///
    /// ```
    /// # use npws_core::{Listener, ListenerConfig};
    /// assert!(!Listener::<()>::new(ListenerConfig::default(), 7)?.is_closed());
    /// # Ok::<(), npws_core::ConfigError>(())
    /// ```
    #[must_use]
    pub fn is_closed(&self) -> bool {
        !self.is_open
    }

    /// The next thing to do: [`Output::AbortAccept`] or [`Output::StopListening`].
    ///
    /// ```
    /// # use npws_core::{Listener, ListenerConfig};
    /// let mut listener = Listener::<()>::new(ListenerConfig::default(), 7)?;
    /// assert!(listener.poll_output().is_none());
    /// # Ok::<(), npws_core::ConfigError>(())
    /// ```
    #[must_use]
    pub fn poll_output(&mut self) -> Option<Output<P>> {
        self.outputs.pop_front()
    }

    /// A snapshot of everything that it counts.
    ///
    /// ```
    /// # use npws_core::{Listener, ListenerConfig};
    /// let listener = Listener::<()>::new(ListenerConfig::default(), 7)?;
    /// assert_eq!(listener.stats().passed_on_total, 0);
    /// # Ok::<(), npws_core::ConfigError>(())
    /// ```
    #[must_use]
    pub fn stats(&self) -> ListenerStats {
        ListenerStats { handshakes: self.accepts.len(), accepted_total: self.accepts.total(), ..self.stats }
    }

    fn abort(&mut self, accept: AcceptId) {
        self.outputs.push_back(Output::AbortAccept(accept));
        self.handle_accept_failed(accept);
    }

    fn end(&mut self, accept: AcceptId) -> Option<Phase> {
        let Accept { address, phase, .. } = self.accepts.end(accept)?;
        self.limits.end_handshake(address);
        Some(phase)
    }
}
