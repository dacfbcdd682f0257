//! What a server pool can be told while it runs.

use super::ServerPool;
use crate::{AllowList, ProxyProtocol, Tokens};

impl<C, I> ServerPool<C, I> {
    /// From now on serves these addresses, or any if `None`. Who is in already stays, and so does who has been answered.
    ///
    /// ```
    /// # use npws_core::{AllowList, Instant, IpRange, Rejection, ServerConfig, ServerPool};
    /// # let now = Instant::ZERO;
    /// # let mut pool = ServerPool::<(), _>::new(ServerConfig::default(), || [0, 0, 0, 1], 7)?;
    /// let accept = pool.handle_incoming(now, "192.0.2.1".parse().ok()).expect("the pool is open");
    /// pool.set_allow("10.0.0.0/8".parse::<IpRange>().ok().map(|range| AllowList::from([range])));
    /// assert_eq!(pool.handle_request(now, accept, "/"), Err(Rejection::Forbidden));
    /// # Ok::<(), npws_core::ConfigError>(())
    /// ```
    pub fn set_allow(&mut self, allow: Option<AllowList>) {
        self.side.door.allow = allow;
    }

    /// From now on asks for one of these tokens, or for none if `None`. Who is in already stays, and so does who has been
    /// answered.
    ///
    /// ```
    /// # use npws_core::{Instant, Rejection, ServerConfig, ServerPool, Tokens};
    /// # let now = Instant::ZERO;
    /// # let mut pool = ServerPool::<(), _>::new(ServerConfig::default(), || [0, 0, 0, 1], 7)?;
    /// let accept = pool.handle_incoming(now, None).expect("the pool is open");
    /// pool.set_tokens(Some(Tokens::new(["old", "new"])?));
    /// assert_eq!(pool.handle_request(now, accept, "/"), Err(Rejection::Unauthorized));
    /// # Ok::<(), npws_core::ConfigError>(())
    /// ```
    pub fn set_tokens(&mut self, tokens: Option<Tokens>) {
        self.side.door.tokens = tokens;
    }

    /// From now on believes these proxies, or none if `None`, when they say in front of a connection where it comes from.
    /// Who is in already stays, and so does a handshake that has begun.
    ///
    /// ```
    /// # use core::net::Ipv4Addr;
    /// # use npws_core::{Instant, ProxyProtocol, ProxyRule, ServerConfig, ServerPool};
    /// # let now = Instant::ZERO;
    /// # let mut pool = ServerPool::<(), _>::new(ServerConfig::default(), || [0, 0, 0, 1], 7)?;
    /// pool.set_proxy_protocol(Some(ProxyProtocol::required([Ipv4Addr::LOCALHOST])));
    /// let accept = pool.handle_incoming(now, "127.0.0.1".parse().ok()).expect("the pool is open");
    /// assert_eq!(pool.proxy_rule(accept), ProxyRule::Required);
    /// # Ok::<(), npws_core::ConfigError>(())
    /// ```
    pub fn set_proxy_protocol(&mut self, proxies: Option<ProxyProtocol>) {
        self.side.door.proxy_protocol = proxies;
    }
}
