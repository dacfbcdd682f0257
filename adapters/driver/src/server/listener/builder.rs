//! What a listener for several pools can be told.

use std::fmt;
use std::future::Future;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use futures::future::{AbortHandle, Abortable};
use futures::stream::{BoxStream, Stream, StreamExt};
use npws_core::{AllowList, HeadLimits, ListenerConfig, ProxyProtocol};

use super::entrance::Entrance;
use super::{Listener, timer};
use crate::address;
use crate::error::BuildError;
use crate::runtime::Runtime;
use crate::server::front::Front;
use crate::server::listen;
use crate::socket::Socket;
use crate::tcp::TcpOptions;
use crate::tls::ServerTls;

/// Builds a [`Listener`]. Everything is checked once, in [`bind`](Self::bind), [`listen`](Self::listen) or
/// [`serve`](Self::serve).
///
/// ```
/// use npws_driver::{ListenerBuilder, Runtime};
/// use std::time::Duration;
///
/// fn configure<R: Runtime>(builder: ListenerBuilder<R>) -> ListenerBuilder<R> {
///     builder.handshake_timeout(Duration::from_secs(3)).max_handshakes(1000)
/// }
/// ```
#[must_use]
pub struct ListenerBuilder<R: Runtime> {
    config: ListenerConfig,
    tcp: TcpOptions,
    tls: ServerTls,
    head_limits: HeadLimits,
    runtime: Option<R>,
}

impl<R: Runtime> ListenerBuilder<R> {
    pub(super) fn new() -> Self {
        Self {
            config: ListenerConfig::default(),
            tcp: TcpOptions::default(),
            tls: ServerTls::plain(),
            head_limits: HeadLimits::default(),
            runtime: None,
        }
    }

    /// The deadline of each phase of a handshake before a pool has it, which are TLS and the request head: 1 ms to 1 h,
    /// 10 s unless told.
    ///
    /// ```
    /// # use npws_driver::{ListenerBuilder, Runtime};
    /// use std::time::Duration;
    ///
    /// fn configure<R: Runtime>(builder: ListenerBuilder<R>) -> ListenerBuilder<R> {
    ///     builder.handshake_timeout(Duration::from_secs(3))
    /// }
    /// ```
    pub fn handshake_timeout(mut self, timeout: Duration) -> Self {
        self.config.handshake_timeout = timeout;
        self
    }

    /// The first and the longest pause after failures to accept, for want of file descriptors for instance, which doubles
    /// from one to the next: each 1 ms to 1 h, `10 ms..=1 s` unless told.
    ///
    /// ```
    /// # use npws_driver::{ListenerBuilder, Runtime};
    /// use std::time::Duration;
    ///
    /// fn configure<R: Runtime>(builder: ListenerBuilder<R>) -> ListenerBuilder<R> {
    ///     builder.backoff(Duration::from_millis(50)..=Duration::from_secs(5))
    /// }
    /// ```
    pub fn backoff(mut self, range: RangeInclusive<Duration>) -> Self {
        self.config.backoff = range;
        self
    }

    /// How many handshakes that no pool has yet may be in flight: 1 to 1,048,576, 4,096 unless told. Sockets beyond get
    /// 503, those beyond [the limit of an address](Self::max_handshakes_per_address) 429, and none of them an answer
    /// where it would have to come through TLS.
    ///
    /// ```
    /// # use npws_driver::{ListenerBuilder, Runtime};
    /// fn configure<R: Runtime>(builder: ListenerBuilder<R>) -> ListenerBuilder<R> {
    ///     builder.max_handshakes(1000)
    /// }
    /// ```
    pub fn max_handshakes(mut self, handshakes: usize) -> Self {
        self.config.max_handshakes = Some(handshakes);
        self
    }

    /// How many of them from one address: 1 to 1,048,576; no limit unless told. An address stands for one IPv4 address
    /// or one IPv6 /64.
    ///
    /// ```
    /// # use npws_driver::{ListenerBuilder, Runtime};
    /// fn configure<R: Runtime>(builder: ListenerBuilder<R>) -> ListenerBuilder<R> {
    ///     builder.max_handshakes_per_address(64)
    /// }
    /// ```
    pub fn max_handshakes_per_address(mut self, handshakes: usize) -> Self {
        self.config.max_handshakes_per_address = Some(handshakes);
        self
    }

    /// Proxies, for which [`max_handshakes_per_address`](Self::max_handshakes_per_address) does not hold. Whose word
    /// counts for where a request comes from is for each pool to say:
    /// [`behind_proxies`](crate::ServerPoolBuilder::behind_proxies).
    ///
    /// ```
    /// # use npws_driver::{ListenerBuilder, Runtime};
    /// use std::net::Ipv4Addr;
    ///
    /// fn configure<R: Runtime>(builder: ListenerBuilder<R>) -> ListenerBuilder<R> {
    ///     builder.max_handshakes_per_address(64).trusted([Ipv4Addr::new(10, 0, 0, 1)])
    /// }
    /// ```
    pub fn trusted(mut self, proxies: impl Into<AllowList>) -> Self {
        self.config.trusted = proxies.into();
        self
    }

    /// What these proxies say in front of a connection, before TLS, in the PROXY protocol of either version, is where it
    /// comes from, for the listener and for all of its pools. A connection whose header is missing, malformed or from
    /// somebody else is closed.
    ///
    /// ```
    /// # use npws_driver::{ListenerBuilder, Runtime};
    /// use npws_driver::ProxyProtocol;
    /// use std::net::Ipv4Addr;
    ///
    /// fn configure<R: Runtime>(builder: ListenerBuilder<R>) -> ListenerBuilder<R> {
    ///     builder.proxy_protocol(ProxyProtocol::required([Ipv4Addr::new(10, 0, 0, 1)]))
    /// }
    /// ```
    pub fn proxy_protocol(mut self, proxies: ProxyProtocol) -> Self {
        self.config.proxy_protocol = Some(proxies);
        self
    }

    /// How large the head of a request may be, and how many fields it may have; more get 431.
    ///
    /// ```
    /// # use npws_driver::{ListenerBuilder, Runtime};
    /// use npws_driver::HeadLimits;
    ///
    /// fn configure<R: Runtime>(builder: ListenerBuilder<R>) -> ListenerBuilder<R> {
    ///     builder.head_limits(HeadLimits { max_bytes: 16 * 1024, ..HeadLimits::default() })
    /// }
    /// ```
    pub fn head_limits(mut self, limits: HeadLimits) -> Self {
        self.head_limits = limits;
        self
    }

    /// Plain unless told.
    ///
    /// ```
    /// # use npws_driver::{ListenerBuilder, Runtime};
    /// use npws_driver::ServerTls;
    ///
    /// fn configure<R: Runtime>(builder: ListenerBuilder<R>) -> ListenerBuilder<R> {
    ///     builder.tls(ServerTls::plain())
    /// }
    /// ```
    pub fn tls(mut self, tls: ServerTls) -> Self {
        self.tls = tls;
        self
    }

    /// The TCP options of every socket.
    ///
    /// ```
    /// # use npws_driver::{ListenerBuilder, Runtime};
    /// use npws_driver::TcpOptions;
    ///
    /// fn configure<R: Runtime>(builder: ListenerBuilder<R>) -> ListenerBuilder<R> {
    ///     builder.tcp(TcpOptions { nodelay: false, ..TcpOptions::default() })
    /// }
    /// ```
    pub fn tcp(mut self, options: TcpOptions) -> Self {
        self.tcp = options;
        self
    }

    /// Runs the listener, and pools that are not told otherwise, on this runtime rather than on the caller's.
    ///
    /// ```
    /// # use npws_driver::{ListenerBuilder, Runtime};
    /// fn configure<R: Runtime>(builder: ListenerBuilder<R>, runtime: R) -> ListenerBuilder<R> {
    ///     builder.runtime(runtime)
    /// }
    /// ```
    pub fn runtime(mut self, runtime: R) -> Self {
        self.runtime = Some(runtime);
        self
    }

    /// Binds `address`, a host name or IP address and a port as `[::]:8443`, and begins to accept. Port 0 lets the
    /// system choose: see [`Listener::local_addr`].
    ///
    /// ```
    /// # use npws_driver::{BuildError, Listener, Runtime};
    /// async fn listen<R: Runtime>() -> Result<Listener<R>, BuildError> {
    ///     Listener::builder().bind("127.0.0.1:8443").await
    /// }
    /// ```
    ///
    /// # Errors
    /// [`BuildError::Config`] names the first value outside its range, [`BuildError::Tls`] what is wrong with the TLS
    /// settings, [`BuildError::Bind`] why the address cannot be had. [`BuildError::NoRuntime`] when called outside a
    /// runtime that needs one.
    pub async fn bind(self, address: &str) -> Result<Listener<R>, BuildError> {
        let target = address::parse(address)?;
        let addresses = self.find_runtime()?.resolve(&target.host, target.port).await.map_err(BuildError::Bind)?;
        self.listen(listen::bind(&addresses).map_err(BuildError::Bind)?)
    }

    /// Begins to accept from a socket of the user's own.
    ///
    /// ```
    /// # use npws_driver::{BuildError, Listener, Runtime};
    /// use std::net::TcpListener;
    ///
    /// fn listen<R: Runtime>(listener: TcpListener) -> Result<Listener<R>, BuildError> {
    ///     Listener::builder().listen(listener)
    /// }
    /// ```
    ///
    /// # Errors
    /// As [`bind`](Self::bind).
    pub fn listen(self, listener: TcpListener) -> Result<Listener<R>, BuildError> {
        let local_addr = listener.local_addr().map_err(BuildError::Bind)?;
        let listener = self.find_runtime()?.listen(listener).map_err(BuildError::Bind)?;
        self.start(Some(local_addr), |entrance| listen::serve_listener(entrance, listener))
    }

    /// Takes sockets from `incoming` rather than from a listener: see [`ServerPoolBuilder::serve`].
    ///
    /// [`ServerPoolBuilder::serve`]: crate::ServerPoolBuilder::serve
    ///
    /// ```
    /// # use npws_driver::{BuildError, Listener, Runtime, Socket};
    /// fn serve_one<R: Runtime>(socket: Socket) -> Result<Listener<R>, BuildError> {
    ///     Listener::builder().serve(futures::stream::iter([Ok(socket)]))
    /// }
    /// ```
    ///
    /// # Errors
    /// As [`bind`](Self::bind), but for the address.
    pub fn serve(
        self,
        incoming: impl Stream<Item = io::Result<Socket>> + Send + 'static,
    ) -> Result<Listener<R>, BuildError> {
        let incoming: BoxStream<'static, _> = incoming.boxed();
        self.start(None, |entrance| listen::serve_incoming(entrance, incoming))
    }

    fn find_runtime(&self) -> Result<R, BuildError> {
        self.runtime.clone().map_or_else(|| R::current().map_err(BuildError::NoRuntime), Ok)
    }

    fn start<F: Future<Output = ()> + Send + 'static>(
        self,
        local_addr: Option<SocketAddr>,
        serve: impl FnOnce(Arc<Entrance<R>>) -> F,
    ) -> Result<Listener<R>, BuildError> {
        let runtime = self.find_runtime()?;
        self.head_limits.validate()?;
        let front = Front::new(self.tcp, &self.tls, self.head_limits)?;
        let machine = npws_core::Listener::new(self.config, rand::random())?;
        let (handle, registration) = AbortHandle::new_pair();
        let entrance = Entrance::new(machine, runtime.clone(), front, local_addr, handle);
        runtime.spawn(timer::run(entrance.clone()));
        let serving = Abortable::new(serve(entrance.clone()), registration);
        runtime.spawn(async move {
            // Aborted when the listener is closed.
            let _ = serving.await;
        });
        Ok(Listener::new(entrance))
    }
}

impl<R: Runtime> fmt::Debug for ListenerBuilder<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ListenerBuilder").field("config", &self.config).finish_non_exhaustive()
    }
}
