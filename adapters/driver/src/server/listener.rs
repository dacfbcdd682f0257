//! One listener for several pools.

mod builder;
mod entrance;
mod timer;

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use npws_core::{ConfigError, HeadLimits, ListenerStats, ProxyProtocol};

pub use self::builder::ListenerBuilder;
use self::entrance::Entrance;
use super::{ServerPool, ServerPoolBuilder};
use crate::error::BuildError;
use crate::runtime::Runtime;
use crate::tls::{ServerTls, TlsConfigError};

/// One address on which several [`ServerPool`]s accept, each on a path of its own.
///
/// What happens before the head of a request is read is the listener's: TLS, the TCP options, the deadlines until then,
/// and how many handshakes may be in flight. The rest is for the pool that has the path: capacity, tokens, allow list,
/// origins, and its own limits. A path that no pool has gets 404, and the path of a pool that is draining, closed or
/// dropped 503, while the others go on. After a dropped one it gets 404 as well once another pool has been
/// [added](Self::add). Pools come and go at any time.
///
/// The path is looked at first. So whoever can connect can find out which paths there are, by 404 as against what a pool
/// answers, also from addresses that none of the pools allows, and at no rate but that of its handshakes in flight: rates
/// are those of pools. A path is no secret; tokens are.
///
/// Cloning gives another handle to the same listener. It listens until it is [closed](Self::close), or until the last
/// handle is dropped and all of its pools have ended.
///
/// ```
/// use npws_driver::{BuildError, Listener, Runtime, ServerPool, Tokens};
///
/// async fn serve<R: Runtime>() -> Result<[ServerPool<R>; 2], BuildError> {
///     let listener = Listener::builder().bind("[::]:8443").await?;
///     let tokens = Tokens::new(["secret"])?;
///     let blue = listener.add(ServerPool::builder().path("/blue").capacity(100))?;
///     let green = listener.add(ServerPool::builder().path("/green").capacity(20).tokens(tokens))?;
///     Ok([blue, green])
/// }
/// ```
pub struct Listener<R: Runtime> {
    hold: Hold<R>,
}

/// Keeps a listener listening. Its tasks share the entrance as well, so the holds count themselves.
pub(super) type Hold<R> = Arc<CloseOnDrop<R>>;

#[derive(Debug)]
pub(super) struct CloseOnDrop<R: Runtime>(Arc<Entrance<R>>);

impl<R: Runtime> Drop for CloseOnDrop<R> {
    fn drop(&mut self) {
        self.0.with(|state, _| state.machine.close());
    }
}

impl<R: Runtime> Listener<R> {
    /// Begins a listener without pools.
    ///
    /// ```
    /// # use npws_driver::{BuildError, Runtime};
    /// use npws_driver::Listener;
    ///
    /// async fn listen<R: Runtime>() -> Result<Listener<R>, BuildError> {
    ///     Listener::builder().max_handshakes_per_address(64).bind("127.0.0.1:0").await
    /// }
    /// ```
    pub fn builder() -> ListenerBuilder<R> {
        ListenerBuilder::new()
    }

    fn new(entrance: Arc<Entrance<R>>) -> Self {
        Self { hold: Arc::new(CloseOnDrop(entrance)) }
    }

    fn entrance(&self) -> &Arc<Entrance<R>> {
        &self.hold.0
    }

    /// Makes a pool for the requests to [its path](ServerPoolBuilder::path); one without a path is for the requests that
    /// are for no other pool. A pool that had the path before keeps what it has and gets nothing new. The paths of pools
    /// that are gone by now are forgotten. On a [closed](Self::close) listener the new one gets nothing either.
    ///
    /// It runs on the listener's runtime unless told otherwise. Its `handshake_timeout` counts from the complete head on.
    ///
    /// ```
    /// # use npws_driver::{BuildError, Listener, Runtime};
    /// use npws_driver::ServerPool;
    ///
    /// fn add<R: Runtime>(listener: &Listener<R>) -> Result<ServerPool<R>, BuildError> {
    ///     listener.add(ServerPool::builder().path("/blue").capacity(100))
    /// }
    /// ```
    ///
    /// # Errors
    /// [`BuildError::Config`] names the first value outside its range, or one that is for the listener to set: `tls`,
    /// `tcp`, `head_limits`, `proxy_protocol` and `backoff`.
    pub fn add(&self, builder: ServerPoolBuilder<R>) -> Result<ServerPool<R>, BuildError> {
        let entrance = self.entrance();
        let path = builder.config.path.clone();
        let runtime = builder.runtime.clone().unwrap_or_else(|| entrance.runtime.clone());
        let pool = builder.share(runtime, entrance.front.clone(), entrance.local_addr, self.hold.clone())?;
        let shared = Arc::downgrade(&pool.shared);
        entrance.with(|state, _| {
            // Nobody may ever take the paths of those that were dropped away, and each new pool may have one of its own.
            state.machine.remove(|pool| pool.strong_count() == 0);
            state.machine.add(path.as_deref(), shared)
        })?;
        Ok(pool)
    }

    /// Takes the path of `pool` away, so that it gets nothing new and its path 404. It keeps what it has. Does nothing
    /// when another pool has the path by now.
    ///
    /// ```
    /// # use npws_driver::{Listener, Runtime, ServerPool};
    /// use std::time::Duration;
    ///
    /// async fn retire<R: Runtime>(listener: &Listener<R>, pool: &ServerPool<R>) {
    ///     listener.remove(pool);
    ///     pool.drain(Duration::from_secs(30)).await;
    /// }
    /// ```
    pub fn remove(&self, pool: &ServerPool<R>) {
        let meant = Arc::as_ptr(&pool.shared);
        self.entrance().with(|state, _| state.machine.remove(|pool| std::ptr::eq(pool.as_ptr(), meant)));
    }

    /// The address that it listens on; `None` where it was given sockets.
    ///
    /// ```
    /// # use npws_driver::{Listener, Runtime};
    /// fn port<R: Runtime>(listener: &Listener<R>) -> Option<u16> {
    ///     Some(listener.local_addr()?.port())
    /// }
    /// ```
    #[must_use]
    pub fn local_addr(&self) -> Option<SocketAddr> {
        self.entrance().local_addr
    }

    /// A snapshot of everything that the listener counts. What became of the handshakes that it passed on, the pools
    /// tell.
    ///
    /// ```
    /// # use npws_driver::{Listener, Runtime};
    /// fn lost<R: Runtime>(listener: &Listener<R>) -> u64 {
    ///     listener.stats().rejected_total
    /// }
    /// ```
    #[must_use]
    pub fn stats(&self) -> ListenerStats {
        self.entrance().with(|state, _| state.machine.stats())
    }

    /// Presents this certificate from the next handshake on, as [`ServerPool::set_tls`].
    ///
    /// ```
    /// # use npws_driver::{Listener, Runtime, ServerTls, TlsConfigError};
    /// fn renew<R: Runtime>(listener: &Listener<R>) -> Result<(), TlsConfigError> {
    ///     listener.set_tls(ServerTls::from_pem_files("chain.pem", "key.pem")?)
    /// }
    /// ```
    ///
    /// # Errors
    /// When the settings do not work. The listener then goes on with those that it has.
    pub fn set_tls(&self, tls: ServerTls) -> Result<(), TlsConfigError> {
        self.entrance().front.set_tls(&tls)
    }

    /// From now on believes these proxies, or none if `None`, when they say in front of a connection where it comes from,
    /// as [`ServerPool::set_proxy_protocol`].
    ///
    /// ```
    /// # use npws_driver::{ConfigError, IpRange, Listener, ProxyProtocol, Runtime};
    /// fn behind<R: Runtime>(listener: &Listener<R>, balancers: IpRange) -> Result<(), ConfigError> {
    ///     listener.set_proxy_protocol(Some(ProxyProtocol::required([balancers])))
    /// }
    /// ```
    ///
    /// # Errors
    /// When there is no proxy among them. The listener then goes on believing whom it did.
    pub fn set_proxy_protocol(&self, proxies: Option<ProxyProtocol>) -> Result<(), ConfigError> {
        self.entrance().with(|state, _| state.machine.set_proxy_protocol(proxies))
    }

    /// From now on holds the heads of requests to these limits.
    ///
    /// ```
    /// # use npws_driver::{ConfigError, HeadLimits, Listener, Runtime};
    /// fn tighten<R: Runtime>(listener: &Listener<R>) -> Result<(), ConfigError> {
    ///     listener.set_head_limits(HeadLimits { max_fields: 32, ..HeadLimits::default() })
    /// }
    /// ```
    ///
    /// # Errors
    /// Names the first value outside its range. The listener then goes on with the limits that it has.
    pub fn set_head_limits(&self, limits: HeadLimits) -> Result<(), ConfigError> {
        limits.validate()?;
        self.entrance().front.set_head_limits(limits);
        Ok(())
    }

    /// Stops listening at once and for good. Handshakes whose path is not known yet are given up; the pools keep what
    /// they have and get nothing new.
    ///
    /// ```
    /// # use npws_driver::{Listener, Runtime};
    /// fn stop<R: Runtime>(listener: &Listener<R>) {
    ///     listener.close();
    ///     assert!(listener.is_closed());
    /// }
    /// ```
    pub fn close(&self) {
        self.entrance().with(|state, _| state.machine.close());
    }

    /// Whether it is closed, which is for good.
    ///
    /// ```
    /// # use npws_driver::{Listener, Runtime};
    /// fn listens<R: Runtime>(listener: &Listener<R>) -> bool {
    ///     !listener.is_closed()
    /// }
    /// ```
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.entrance().with(|state, _| state.machine.is_closed())
    }
}

impl<R: Runtime> Clone for Listener<R> {
    fn clone(&self) -> Self {
        Self { hold: self.hold.clone() }
    }
}

impl<R: Runtime> fmt::Debug for Listener<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listener").field("stats", &self.stats()).finish_non_exhaustive()
    }
}
