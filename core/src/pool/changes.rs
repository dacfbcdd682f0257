//! What a server pool can be told while it runs.

use super::ServerPool;
use crate::config::trusting;
use crate::{
    AddressLimitsConfig, AllowList, ConfigError, ForwardedHeader, Instant, OriginPolicy, ProxyProtocol, Tokens,
};

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

    /// From now on lets browsers connect from these web pages only. Who is in already stays, and so does who has been
    /// answered.
    ///
    /// ```
    /// # use npws_core::{Instant, OriginPolicy, Rejection, RequestHead, ServerConfig, ServerPool};
    /// # let now = Instant::ZERO;
    /// # let mut pool = ServerPool::<(), _>::new(ServerConfig::default(), || [0, 0, 0, 1], 7)?;
    /// let accept = pool.handle_incoming(now, None).expect("the pool is open");
    /// pool.set_origins(OriginPolicy::NoBrowsers);
    /// let head = RequestHead::from("/").with_fields(&[("Origin", b"https://app.example")]);
    /// assert_eq!(pool.handle_request(now, accept, head), Err(Rejection::Forbidden));
    /// # Ok::<(), npws_core::ConfigError>(())
    /// ```
    pub fn set_origins(&mut self, origins: OriginPolicy) {
        self.side.door.origins = origins;
    }

    /// From now on keeps to these limits. Connections and handshakes that are there count, also those that are more than
    /// the limits have: they stay.
    ///
    /// # Errors
    /// When a value is outside its range. Nothing has changed then.
    ///
    /// ```
    /// # use npws_core::{AddressLimitsConfig, Instant, Rejection, ServerConfig, ServerPool};
    /// # let now = Instant::ZERO;
    /// # let mut pool = ServerPool::<(), _>::new(ServerConfig::default(), || [0, 0, 0, 1], 7)?;
    /// let _silent = pool.handle_incoming(now, None).expect("the pool is open");
    /// pool.set_limits(now, AddressLimitsConfig { max_handshakes: Some(1), ..AddressLimitsConfig::default() })?;
    /// assert_eq!(pool.handle_incoming(now, None), Err(Rejection::Full));
    /// # Ok::<(), npws_core::ConfigError>(())
    /// ```
    pub fn set_limits(&mut self, now: Instant, limits: AddressLimitsConfig) -> Result<(), ConfigError> {
        let (guests, connections) = (self.side.accepts.guests(), self.exchange.registry.addresses());
        self.side.door.set_limits(now, limits, guests, connections)
    }

    /// From now on believes what these proxies say in this header, or nobody if `None`. Who is in already stays.
    ///
    /// # Errors
    /// When there is no proxy among them. Nothing has changed then.
    ///
    /// ```
    /// # use npws_core::{AllowList, ForwardedHeader, ServerConfig, ServerPool};
    /// # let mut pool = ServerPool::<(), _>::new(ServerConfig::default(), || [0, 0, 0, 1], 7)?;
    /// let proxy = core::net::Ipv4Addr::new(10, 0, 0, 1);
    /// pool.set_proxies(Some(([proxy].into(), ForwardedHeader::Forwarded)))?;
    /// assert!(pool.set_proxies(Some((AllowList::default(), ForwardedHeader::Forwarded))).is_err());
    /// # Ok::<(), npws_core::ConfigError>(())
    /// ```
    pub fn set_proxies(&mut self, proxies: Option<(AllowList, ForwardedHeader)>) -> Result<(), ConfigError> {
        trusting("proxies", proxies.as_ref().map(|(trusted, _)| trusted))?;
        self.side.door.proxies = proxies;
        Ok(())
    }

    /// From now on believes these proxies, or none if `None`, when they say in front of a connection where it comes from.
    /// Who is in already stays, and so does a handshake that has begun.
    ///
    /// # Errors
    /// When there is no proxy among them. Nothing has changed then.
    ///
    /// ```
    /// # use core::net::Ipv4Addr;
    /// # use npws_core::{Instant, ProxyProtocol, ProxyRule, ServerConfig, ServerPool};
    /// # let now = Instant::ZERO;
    /// # let mut pool = ServerPool::<(), _>::new(ServerConfig::default(), || [0, 0, 0, 1], 7)?;
    /// pool.set_proxy_protocol(Some(ProxyProtocol::required([Ipv4Addr::LOCALHOST])))?;
    /// let accept = pool.handle_incoming(now, "127.0.0.1".parse().ok()).expect("the pool is open");
    /// assert_eq!(pool.proxy_rule(accept), ProxyRule::Required);
    /// # Ok::<(), npws_core::ConfigError>(())
    /// ```
    pub fn set_proxy_protocol(&mut self, proxies: Option<ProxyProtocol>) -> Result<(), ConfigError> {
        self.side.door.set_proxy_protocol(proxies)
    }
}
