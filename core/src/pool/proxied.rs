//! Handshakes that a proxy carries, which says so in front of them.

use core::net::IpAddr;

use super::ServerPool;
use super::accept::{Accept, AcceptId, Phase};
use crate::{IdSource, Instant, ProxyRule, Rejection};

impl<C, I: IdSource> ServerPool<C, I> {
    /// Whether what comes from this socket begins with a PROXY header. Ask it once, at the beginning of the handshake:
    /// the answer changes with [`set_proxy_protocol`](Self::set_proxy_protocol).
    ///
    /// ```
    /// # use npws_core::{Instant, ProxyRule, ServerConfig, ServerPool};
    /// # let now = Instant::ZERO;
    /// # let mut pool = ServerPool::<(), _>::new(ServerConfig::default(), || [0, 0, 0, 1], 7)?;
    /// let accept = pool.handle_incoming(now, None).expect("the pool is open");
    /// assert_eq!(pool.proxy_rule(accept), ProxyRule::Ignored, "nobody asked for it");
    /// # Ok::<(), npws_core::ConfigError>(())
    /// ```
    #[must_use]
    pub fn proxy_rule(&self, accept: AcceptId) -> ProxyRule {
        self.side.door.proxy_rule(self.side.accepts.address(accept))
    }

    /// A PROXY header says that a handshake comes from `source`, which is its peer's address from now on, for all that
    /// asks for one. The deadline stays what it is.
    ///
    /// # Errors
    /// When too many handshakes from there are under way: what to answer where an answer can be read. The handshake ends
    /// with [`handle_accept_failed`](Self::handle_accept_failed).
    ///
    /// ```
    /// # use npws_core::{Instant, IpRange, ProxyProtocol, Rejection, ServerConfig, ServerPool};
    /// # let now = Instant::ZERO;
    /// let proxy = "10.0.0.1".parse().expect("it is one");
    /// let config = ServerConfig {
    ///     allow: Some(["192.0.2.0/24".parse::<IpRange>().expect("it is one")].into()),
    ///     proxy_protocol: Some(ProxyProtocol::required([proxy])),
    ///     ..ServerConfig::default()
    /// };
    /// let mut pool = ServerPool::<(), _>::new(config, || [0, 0, 0, 1], 7)?;
    /// let accept = pool.handle_incoming(now, Some(proxy)).expect("the pool is open");
    /// let said = pool.proxy_rule(accept).read(b"PROXY TCP4 198.51.100.1 10.0.0.1 40000 443\r\n");
    /// let source = said.ok().flatten().and_then(|header| header.source).expect("it names one");
    /// pool.handle_proxied(now, accept, source.ip()).expect("there are not too many");
    /// assert_eq!(pool.handle_request(now, accept, "/"), Err(Rejection::Forbidden));
    /// # Ok::<(), npws_core::ConfigError>(())
    /// ```
    pub fn handle_proxied(&mut self, now: Instant, accept: AcceptId, source: IpAddr) -> Result<(), Rejection> {
        let Some(Accept { counted, phase: Phase::Request, .. }) = self.side.accepts.get(accept) else { return Ok(()) };
        let renamed = self.side.door.rename(counted, source);
        match renamed {
            Ok(counted) => self.side.accepts.rename(accept, source, counted),
            Err(_) => {
                self.side.turned_away += 1;
                self.side.accepts.enter(accept, Phase::Rejecting, now + self.side.handshake_timeout);
            }
        }
        self.settle(now);
        renamed.map(|_| ())
    }
}
