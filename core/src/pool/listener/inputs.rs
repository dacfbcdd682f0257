//! What the driver of a listener tells it.

use core::net::IpAddr;
use core::time::Duration;

use super::Listener;
use crate::pool::accept::{Accept, Phase};
use crate::{AcceptId, Instant, ProxyRule, Rejection};

impl<P> Listener<P> {
    /// A peer opened a socket, from this address if it has one.
    ///
    /// The first phase begins: the PROXY header where [`proxy_rule`](Self::proxy_rule) says so, then TLS where there is
    /// TLS, the request head otherwise.
    ///
    /// # Errors
    /// When the listener is closed, or too many handshakes are under way, in total or from this address: what to answer
    /// where an answer can be read, which is not so before TLS. There is nothing to report about it.
    ///
    /// ```
    /// # use npws_core::{Instant, Listener, ListenerConfig};
    /// # let mut listener = Listener::<()>::new(ListenerConfig::default(), 7)?;
    /// let accept = listener.handle_incoming(Instant::ZERO, "192.0.2.1".parse().ok());
    /// assert!(accept.is_ok());
    /// assert_eq!(listener.stats().handshakes, 1);
    /// # Ok::<(), npws_core::ConfigError>(())
    /// ```
    pub fn handle_incoming(&mut self, now: Instant, address: Option<IpAddr>) -> Result<AcceptId, Rejection> {
        if !self.is_open {
            return Err(Rejection::Full);
        }
        self.backoff.succeed();
        let entered = self.door.enter(now, address);
        self.stats.turned_away_total += u64::from(entered.is_err());
        entered.map(|counted| self.accepts.begin(address, counted, now + self.handshake_timeout))
    }

    /// Whether what comes from this socket begins with a PROXY header, as with
    /// [a pool](crate::Pool::proxy_rule).
    ///
    /// ```
    /// # use npws_core::{Instant, Listener, ListenerConfig, ProxyRule};
    /// # let mut listener = Listener::<()>::new(ListenerConfig::default(), 7)?;
    /// let accept = listener.handle_incoming(Instant::ZERO, None).expect("it listens");
    /// assert_eq!(listener.proxy_rule(accept), ProxyRule::Ignored, "nobody asked for it");
    /// # Ok::<(), npws_core::ConfigError>(())
    /// ```
    #[must_use]
    pub fn proxy_rule(&self, accept: AcceptId) -> ProxyRule {
        self.door.proxy_rule(self.accepts.address(accept))
    }

    /// A PROXY header says that a handshake comes from `source`, which is the address to tell the pool. The deadline
    /// stays what it is.
    ///
    /// # Errors
    /// When too many handshakes from there are under way: what to answer where an answer can be read. The handshake ends
    /// with [`handle_accept_failed`](Self::handle_accept_failed).
    ///
    /// ```
    /// # use npws_core::{Instant, Listener, ListenerConfig, Rejection};
    /// # let now = Instant::ZERO;
    /// let config = ListenerConfig { max_handshakes_per_address: Some(1), ..ListenerConfig::default() };
    /// let mut listener = Listener::<()>::new(config, 7)?;
    /// let mut accept = |address: &str| listener.handle_incoming(now, address.parse().ok()).expect("it listens");
    /// let [first, second] = ["10.0.0.1", "10.0.0.2"].map(&mut accept);
    /// let source = "192.0.2.1".parse().expect("it is one");
    /// assert_eq!(listener.handle_proxied(now, first, source), Ok(()));
    /// assert_eq!(listener.handle_proxied(now, second, source), Err(Rejection::TooMany));
    /// # Ok::<(), npws_core::ConfigError>(())
    /// ```
    pub fn handle_proxied(&mut self, now: Instant, accept: AcceptId, source: IpAddr) -> Result<(), Rejection> {
        let Some(Accept { counted, phase: Phase::Request, .. }) = self.accepts.get(accept) else { return Ok(()) };
        let counted = self.door.rename(counted, source).inspect_err(|_| {
            self.stats.turned_away_total += 1;
            self.accepts.enter(accept, Phase::Rejecting, now + self.handshake_timeout);
        })?;
        self.accepts.rename(accept, source, counted);
        Ok(())
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
}
