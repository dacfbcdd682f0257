//! One listener for several pools.

mod config;
mod inputs;

use alloc::collections::{BTreeMap, VecDeque};
use alloc::string::String;
use core::time::Duration;

pub use self::config::ListenerConfig;
use super::accept::{Accept, AcceptId, Accepts, Phase};
use super::door::Door;
use super::{Output, RequestHead};
use crate::backoff::Backoff;
use crate::random::Jitter;
use crate::{ConfigError, Instant, ProxyProtocol, Rejection};

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
    door: Door,
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
        Ok(Self {
            pools: BTreeMap::new(),
            handshake_timeout: config.handshake_timeout,
            jitter: Jitter::new(seed),
            backoff: Backoff::new(config.backoff.clone()),
            door: Door::new(config.into_door())?,
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

    /// From now on believes these proxies, or none if `None`, when they say in front of a connection where it comes from.
    /// A handshake that has begun stays as it is.
    ///
    /// # Errors
    /// When there is no proxy among them. Nothing has changed then.
    ///
    /// ```
    /// # use core::net::Ipv4Addr;
    /// # use npws_core::{Instant, Listener, ListenerConfig, ProxyProtocol, ProxyRule};
    /// # let mut listener = Listener::<()>::new(ListenerConfig::default(), 7)?;
    /// listener.set_proxy_protocol(Some(ProxyProtocol::optional([Ipv4Addr::LOCALHOST])))?;
    /// let accept = listener.handle_incoming(Instant::ZERO, "127.0.0.1".parse().ok()).expect("it listens");
    /// assert_eq!(listener.proxy_rule(accept), ProxyRule::Optional);
    /// # Ok::<(), npws_core::ConfigError>(())
    /// ```
    pub fn set_proxy_protocol(&mut self, proxies: Option<ProxyProtocol>) -> Result<(), ConfigError> {
        self.door.set_proxy_protocol(proxies)
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

    /// When [`handle_timeout`](Self::handle_timeout) is due.
    ///
    /// ```
    /// # use npws_core::{Instant, Listener, ListenerConfig};
    /// # let mut listener = Listener::<()>::new(ListenerConfig::default(), 7)?;
    /// assert_eq!(listener.poll_timeout(), None);
    /// listener.handle_incoming(Instant::ZERO, None).expect("it listens");
    /// assert!(listener.poll_timeout().is_some());
    /// # Ok::<(), npws_core::ConfigError>(())
    /// ```
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.accepts.next_deadline().map(|(deadline, _)| deadline)
    }

    /// Takes no more sockets and gives up the handshakes that no pool has. The pools keep what they have.
    ///
    /// ```
    /// # use npws_core::{Instant, Listener, ListenerConfig, Output};
    /// # let mut listener = Listener::<()>::new(ListenerConfig::default(), 7)?;
    /// listener.close();
    /// assert!(matches!(listener.poll_output(), Some(Output::StopListening)));
    /// assert!(listener.is_closed());
    /// assert!(listener.handle_incoming(Instant::ZERO, None).is_err());
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
        let Accept { counted, phase, .. } = self.accepts.end(accept)?;
        self.door.leave(counted, None);
        Some(phase)
    }
}
