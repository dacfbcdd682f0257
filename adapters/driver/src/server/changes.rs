//! What a server pool can be told while it runs. Connections that are there already stay, whatever it is.

use npws_core::{
    AddressLimitsConfig, AllowList, ConfigError, ForwardedHeader, HeadLimits, OriginPolicy, ProxyProtocol, Tokens,
};

use super::ServerPool;
use crate::runtime::Runtime;
use crate::tls::{ServerTls, TlsConfigError};

impl<R: Runtime> ServerPool<R> {
    /// Presents this certificate from the next handshake on, as after a renewal. Connections that are there live on.
    /// TLS sessions from before are not resumed. On a [`Listener`](crate::Listener) this holds for all of its pools.
    ///
    /// ```
    /// # use npws_driver::{Runtime, ServerPool, ServerTls, TlsConfigError};
    /// fn renew<R: Runtime>(pool: &ServerPool<R>) -> Result<(), TlsConfigError> {
    ///     pool.set_tls(ServerTls::from_pem_files("chain.pem", "key.pem")?)
    /// }
    /// ```
    ///
    /// # Errors
    /// When the settings do not work. The pool then goes on with those that it has.
    pub fn set_tls(&self, tls: ServerTls) -> Result<(), TlsConfigError> {
        self.shared.driven.plan.front.set_tls(&tls)
    }

    /// From now on serves these addresses, or any if `None`. Connections that are there already stay.
    ///
    /// ```
    /// # use npws_driver::{Runtime, ServerPool};
    /// use npws_driver::{AllowList, IpRange, ParseRangeError};
    ///
    /// fn restrict<R: Runtime>(pool: &ServerPool<R>) -> Result<(), ParseRangeError> {
    ///     pool.set_allow(Some(AllowList::from(["10.0.0.0/8".parse::<IpRange>()?])));
    ///     Ok(())
    /// }
    /// ```
    pub fn set_allow(&self, allow: Option<AllowList>) {
        self.shared.with(|state, _| state.machine.set_allow(allow));
    }

    /// From now on asks for one of these tokens, or for none if `None`. Connections that are there already stay.
    ///
    /// ```
    /// # use npws_driver::{ConfigError, Runtime, ServerPool};
    /// use npws_driver::Tokens;
    ///
    /// /// Once all clients have the new one, the old one is left out.
    /// fn rotate<R: Runtime>(pool: &ServerPool<R>, old: &str, new: &str) -> Result<(), ConfigError> {
    ///     pool.set_tokens(Some(Tokens::new([old, new])?));
    ///     Ok(())
    /// }
    /// ```
    pub fn set_tokens(&self, tokens: Option<Tokens>) {
        self.shared.with(|state, _| state.machine.set_tokens(tokens));
    }

    /// From now on lets browsers connect from these web pages only. Connections that are there already stay.
    ///
    /// ```
    /// # use npws_driver::{OriginPolicy, Runtime, ServerPool};
    /// fn shut_browsers_out<R: Runtime>(pool: &ServerPool<R>) {
    ///     pool.set_origins(OriginPolicy::NoBrowsers);
    /// }
    /// ```
    pub fn set_origins(&self, policy: OriginPolicy) {
        self.shared.with(|state, _| state.machine.set_origins(policy));
    }

    /// From now on keeps to these limits. Connections and handshakes that are there count; those that are too many stay
    /// all the same.
    ///
    /// ```
    /// # use npws_driver::{AddressLimitsConfig, ConfigError, Runtime, ServerPool};
    /// fn tighten<R: Runtime>(pool: &ServerPool<R>) -> Result<(), ConfigError> {
    ///     let max = Some(20);
    ///     pool.set_limits(AddressLimitsConfig { max_connections_per_address: max, ..AddressLimitsConfig::default() })
    /// }
    /// ```
    ///
    /// # Errors
    /// Names the first value outside its range. The pool then goes on with the limits that it has.
    pub fn set_limits(&self, limits: AddressLimitsConfig) -> Result<(), ConfigError> {
        self.shared.with(|state, now| state.machine.set_limits(now, limits))
    }

    /// From now on holds the heads of requests to these limits. On a [`Listener`](crate::Listener) this holds for all of
    /// its pools.
    ///
    /// ```
    /// # use npws_driver::{ConfigError, HeadLimits, Runtime, ServerPool};
    /// fn tighten<R: Runtime>(pool: &ServerPool<R>) -> Result<(), ConfigError> {
    ///     pool.set_head_limits(HeadLimits { max_fields: 32, ..HeadLimits::default() })
    /// }
    /// ```
    ///
    /// # Errors
    /// Names the first value outside its range. The pool then goes on with the limits that it has.
    pub fn set_head_limits(&self, limits: HeadLimits) -> Result<(), ConfigError> {
        limits.validate()?;
        self.shared.driven.plan.front.set_head_limits(limits);
        Ok(())
    }

    /// From now on believes what these proxies say in this header, or nobody if `None`. Connections that are there
    /// already stay.
    ///
    /// ```
    /// # use npws_driver::{ConfigError, ForwardedHeader, Runtime, ServerPool};
    /// use std::net::Ipv4Addr;
    ///
    /// fn behind<R: Runtime>(pool: &ServerPool<R>, proxy: Ipv4Addr) -> Result<(), ConfigError> {
    ///     pool.set_proxies(Some(([proxy].into(), ForwardedHeader::XForwardedFor)))
    /// }
    /// ```
    ///
    /// # Errors
    /// When there is no proxy among them. The pool then goes on believing whom it did.
    pub fn set_proxies(&self, proxies: Option<(AllowList, ForwardedHeader)>) -> Result<(), ConfigError> {
        self.shared.with(|state, _| state.machine.set_proxies(proxies))
    }

    /// From now on believes these proxies, or none if `None`, when they say in front of a connection where it comes from.
    /// Connections that are there already stay, and so do handshakes that have begun.
    ///
    /// ```
    /// # use npws_driver::{ConfigError, IpRange, ProxyProtocol, Runtime, ServerPool};
    /// fn behind<R: Runtime>(pool: &ServerPool<R>, balancers: IpRange) -> Result<(), ConfigError> {
    ///     pool.set_proxy_protocol(Some(ProxyProtocol::required([balancers])))
    /// }
    /// ```
    ///
    /// # Errors
    /// When there is no proxy among them, and on a [`Listener`](crate::Listener), which is to be told itself. The pool then
    /// goes on believing whom it did.
    pub fn set_proxy_protocol(&self, proxies: Option<ProxyProtocol>) -> Result<(), ConfigError> {
        if self.shared.driven.is_sharing() {
            return Err(ConfigError::new("proxy_protocol", "set on the pool", "the listener's"));
        }
        self.shared.with(|state, _| state.machine.set_proxy_protocol(proxies))
    }
}
