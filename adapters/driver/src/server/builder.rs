//! What a server pool can be told.

use std::fmt;
use std::io;
use std::net::TcpListener;
use std::ops::RangeInclusive;
use std::time::Duration;

use futures::stream::{BoxStream, Stream, StreamExt};
use npws_core::{
    AddressLimitsConfig, AllowList, ForwardedHeader, HeadLimits, IpRange, OriginPolicy, ProxyProtocol, ServerConfig,
    Tokens,
};

use super::{ServerPool, listen};
use crate::address;
use crate::error::BuildError;
use crate::runtime::Runtime;
use crate::settings::{Settings, common_setters};
use crate::socket::Socket;
use crate::tls::ServerTls;

/// Builds a [`ServerPool`]. Everything is checked once, in [`bind`](Self::bind), [`listen`](Self::listen) or
/// [`serve`](Self::serve).
///
/// ```
/// use npws_driver::{Runtime, ServerPoolBuilder};
///
/// fn configure<R: Runtime>(builder: ServerPoolBuilder<R>) -> ServerPoolBuilder<R> {
///     builder.capacity(100).path("/tunnel")
/// }
/// ```
#[must_use]
pub struct ServerPoolBuilder<R: Runtime> {
    pub(super) config: ServerConfig,
    pub(super) settings: Settings,
    pub(super) tls: ServerTls,
    pub(super) head_limits: HeadLimits,
    pub(super) runtime: Option<R>,
}

impl<R: Runtime> ServerPoolBuilder<R> {
    pub(super) fn new() -> Self {
        Self {
            config: ServerConfig::default(),
            settings: Settings::default(),
            tls: ServerTls::plain(),
            head_limits: HeadLimits::default(),
            runtime: None,
        }
    }

    /// How many idle connections to accept, beyond which peers get 503: 1 to 65,536, 1 unless told.
    ///
    /// ```
    /// # use npws_driver::{Runtime, ServerPoolBuilder};
    /// fn configure<R: Runtime>(builder: ServerPoolBuilder<R>) -> ServerPoolBuilder<R> {
    ///     builder.capacity(100)
    /// }
    /// ```
    pub fn capacity(mut self, connections: usize) -> Self {
        self.config.capacity = connections;
        self
    }

    /// How many connections that the peer took, and this side has not, may wait at once, beyond which peers get 503: 1 to
    /// 65,536, 4,096 unless told. They do not count towards [`capacity`](Self::capacity).
    ///
    /// ```
    /// # use npws_driver::{Runtime, ServerPoolBuilder};
    /// fn configure<R: Runtime>(builder: ServerPoolBuilder<R>) -> ServerPoolBuilder<R> {
    ///     builder.capacity(100).max_claimed(500)
    /// }
    /// ```
    pub fn max_claimed(mut self, connections: usize) -> Self {
        self.config.max_claimed = connections;
        self
    }

    /// The deadline of each phase of a handshake, which are TLS, the request head, and the answer with the ID: 1 ms to
    /// 1 h, 10 s unless told.
    ///
    /// ```
    /// # use npws_driver::{Runtime, ServerPoolBuilder};
    /// use std::time::Duration;
    ///
    /// fn configure<R: Runtime>(builder: ServerPoolBuilder<R>) -> ServerPoolBuilder<R> {
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
    /// # use npws_driver::{Runtime, ServerPoolBuilder};
    /// use std::time::Duration;
    ///
    /// fn configure<R: Runtime>(builder: ServerPoolBuilder<R>) -> ServerPoolBuilder<R> {
    ///     builder.backoff(Duration::from_millis(50)..=Duration::from_secs(5))
    /// }
    /// ```
    pub fn backoff(mut self, range: RangeInclusive<Duration>) -> Self {
        self.config.backoff = range;
        self
    }

    /// The path to answer on; others get 404. Any path unless told.
    ///
    /// ```
    /// # use npws_driver::{Runtime, ServerPoolBuilder};
    /// fn configure<R: Runtime>(builder: ServerPoolBuilder<R>) -> ServerPoolBuilder<R> {
    ///     builder.path("/tunnel")
    /// }
    /// ```
    pub fn path(mut self, path: impl Into<String>) -> Self {
        self.config.path = Some(path.into());
        self
    }

    /// Serves this address or block of addresses and those allowed so far; others get 403. Any address unless told. An
    /// IPv4-mapped IPv6 address counts as IPv4. [`ServerPool::set_allow`] changes it later.
    ///
    /// ```
    /// # use npws_driver::{Runtime, ServerPoolBuilder};
    /// use npws_driver::{IpRange, ParseRangeError};
    /// use std::net::Ipv4Addr;
    ///
    /// fn configure<R: Runtime>(builder: ServerPoolBuilder<R>) -> Result<ServerPoolBuilder<R>, ParseRangeError> {
    ///     Ok(builder.allow(Ipv4Addr::new(192, 0, 2, 7)).allow("10.0.0.0/8".parse::<IpRange>()?))
    /// }
    /// ```
    pub fn allow(mut self, range: impl Into<IpRange>) -> Self {
        self.config.allow.get_or_insert_with(AllowList::default).extend([range]);
        self
    }

    /// Serves who presents one of these tokens, as `Authorization: Bearer` or, from a browser, as a subprotocol
    /// `npws.bearer.` and the token besides `npws`; others get 401. No token is asked for unless told. Without TLS,
    /// everybody on the way can read them. [`ServerPool::set_tokens`] changes them later.
    ///
    /// ```
    /// # use npws_driver::{ConfigError, Runtime, ServerPoolBuilder};
    /// use npws_driver::Tokens;
    ///
    /// fn configure<R: Runtime>(builder: ServerPoolBuilder<R>) -> Result<ServerPoolBuilder<R>, ConfigError> {
    ///     Ok(builder.tokens(Tokens::new(["the-old-one", "the-new-one"])?))
    /// }
    /// ```
    pub fn tokens(mut self, tokens: Tokens) -> Self {
        self.config.tokens = Some(tokens);
        self
    }

    /// From which web pages a browser may connect; others get 403. Any unless told. [`ServerPool::set_origins`] changes it
    /// later.
    ///
    /// ```
    /// # use npws_driver::{Runtime, ServerPoolBuilder};
    /// use npws_driver::OriginPolicy;
    ///
    /// fn configure<R: Runtime>(builder: ServerPoolBuilder<R>) -> ServerPoolBuilder<R> {
    ///     builder.origins(OriginPolicy::NoBrowsers)
    /// }
    /// ```
    pub fn origins(mut self, policy: OriginPolicy) -> Self {
        self.config.origins = policy;
        self
    }

    /// How many handshakes and connections there may be in total and per address, and how fast they may come. An address
    /// that has too many connections, or comes too fast, gets 429, whatever token it presents. Sockets beyond the
    /// handshakes that may be in flight get 503, or 429 where they are too many of one address, if they are plain; under
    /// TLS, and where even those are too many, they are closed at once. [`ServerPool::set_limits`] changes it later.
    ///
    /// ```
    /// # use npws_driver::{Runtime, ServerPoolBuilder};
    /// use npws_driver::AddressLimitsConfig;
    ///
    /// fn configure<R: Runtime>(builder: ServerPoolBuilder<R>) -> ServerPoolBuilder<R> {
    ///     let max = Some(200);
    ///     builder.limits(AddressLimitsConfig { max_connections_per_address: max, ..AddressLimitsConfig::default() })
    /// }
    /// ```
    pub fn limits(mut self, limits: AddressLimitsConfig) -> Self {
        self.config.limits = limits;
        self
    }

    /// What these proxies say in `header` is where a request comes from, for the allow list and the limits. What anybody
    /// else says there is ignored, and a trusted proxy that says what cannot be read gets 400. Every request comes from
    /// where its socket does unless told. [`ServerPool::set_proxies`] changes it later.
    ///
    /// ```
    /// # use npws_driver::{Runtime, ServerPoolBuilder};
    /// use npws_driver::ForwardedHeader;
    /// use std::net::Ipv4Addr;
    ///
    /// fn configure<R: Runtime>(builder: ServerPoolBuilder<R>) -> ServerPoolBuilder<R> {
    ///     builder.behind_proxies([Ipv4Addr::new(10, 0, 0, 1)], ForwardedHeader::XForwardedFor)
    /// }
    /// ```
    pub fn behind_proxies(mut self, trusted: impl Into<AllowList>, header: ForwardedHeader) -> Self {
        self.config.proxies = Some((trusted.into(), header));
        self
    }

    /// What these proxies say in front of a connection, before TLS, in the PROXY protocol of either version, is where it
    /// comes from: for the allow list, the limits, [`Connection::peer_addr`](crate::Connection::peer_addr) and for whom
    /// [`behind_proxies`](Self::behind_proxies) trusts. A connection whose header is missing, malformed or from somebody
    /// else is closed. [`ServerPool::set_proxy_protocol`] changes it later.
    ///
    /// ```
    /// # use npws_driver::{Runtime, ServerPoolBuilder};
    /// use npws_driver::ProxyProtocol;
    /// use std::net::Ipv4Addr;
    ///
    /// fn configure<R: Runtime>(builder: ServerPoolBuilder<R>) -> ServerPoolBuilder<R> {
    ///     builder.proxy_protocol(ProxyProtocol::required([Ipv4Addr::new(10, 0, 0, 1)]))
    /// }
    /// ```
    pub fn proxy_protocol(mut self, proxies: ProxyProtocol) -> Self {
        self.config.proxy_protocol = Some(proxies);
        self
    }

    /// How large the head of a request may be, and how many fields it may have; more get 431.
    /// [`ServerPool::set_head_limits`] changes it later.
    ///
    /// ```
    /// # use npws_driver::{Runtime, ServerPoolBuilder};
    /// use npws_driver::HeadLimits;
    ///
    /// fn configure<R: Runtime>(builder: ServerPoolBuilder<R>) -> ServerPoolBuilder<R> {
    ///     builder.head_limits(HeadLimits { max_bytes: 16 * 1024, ..HeadLimits::default() })
    /// }
    /// ```
    pub fn head_limits(mut self, limits: HeadLimits) -> Self {
        self.head_limits = limits;
        self
    }

    /// Whether the control ID `00000000` is given at all; on unless told. Turn it off where several servers stand behind
    /// one address, since a client would take the control ID of one for that of another. Its peers must speak v2 then,
    /// and [`accept`](crate::Pool::accept) what was taken.
    ///
    /// ```
    /// # use npws_driver::{Runtime, ServerPoolBuilder};
    /// fn configure<R: Runtime>(builder: ServerPoolBuilder<R>) -> ServerPoolBuilder<R> {
    ///     builder.control_id(false)
    /// }
    /// ```
    pub fn control_id(mut self, on: bool) -> Self {
        self.config.control_id = on;
        self
    }

    /// Plain unless told.
    ///
    /// ```
    /// # use npws_driver::{Runtime, ServerPoolBuilder};
    /// use npws_driver::ServerTls;
    ///
    /// fn configure<R: Runtime>(builder: ServerPoolBuilder<R>) -> ServerPoolBuilder<R> {
    ///     builder.tls(ServerTls::plain())
    /// }
    /// ```
    pub fn tls(mut self, tls: ServerTls) -> Self {
        self.tls = tls;
        self
    }

    common_setters!();

    /// Binds `address`, a host name or IP address and a port as `[::]:8443`, and begins to accept. Port 0 lets the
    /// system choose: see [`ServerPool::local_addr`].
    ///
    /// ```
    /// # use npws_driver::{BuildError, Runtime, ServerPool};
    /// async fn serve<R: Runtime>() -> Result<ServerPool<R>, BuildError> {
    ///     ServerPool::builder().capacity(100).bind("127.0.0.1:8443").await
    /// }
    /// ```
    ///
    /// # Errors
    /// [`BuildError::Config`] names the first value outside its range, [`BuildError::Tls`] what is wrong with the TLS
    /// settings, [`BuildError::Bind`] why the address cannot be had. [`BuildError::NoRuntime`] when called outside a
    /// runtime that needs one.
    pub async fn bind(self, address: &str) -> Result<ServerPool<R>, BuildError> {
        let target = address::parse(address)?;
        let runtime = self.find_runtime()?;
        let addresses = runtime.resolve(&target.host, target.port).await.map_err(BuildError::Bind)?;
        self.listen(listen::bind(&addresses).map_err(BuildError::Bind)?)
    }

    /// Begins to accept from a listener of the user's own.
    ///
    /// ```
    /// # use npws_driver::{BuildError, Runtime, ServerPool};
    /// use std::net::TcpListener;
    ///
    /// fn serve<R: Runtime>(listener: TcpListener) -> Result<ServerPool<R>, BuildError> {
    ///     ServerPool::builder().listen(listener)
    /// }
    /// ```
    ///
    /// # Errors
    /// As [`bind`](Self::bind).
    pub fn listen(self, listener: TcpListener) -> Result<ServerPool<R>, BuildError> {
        let runtime = self.find_runtime()?;
        let local_addr = listener.local_addr().map_err(BuildError::Bind)?;
        let listener = runtime.listen(listener).map_err(BuildError::Bind)?;
        self.start(runtime, Some(local_addr), |shared| listen::serve_listener(shared, listener))
    }

    /// Takes sockets from `incoming` rather than from a listener: behind a proxy of the user's own, over Unix sockets,
    /// from memory. TCP options do not apply to them, and an allow list applies to the addresses they come with. The
    /// stream may give errors and go on; when it ends, the pool lives on without it.
    ///
    /// ```
    /// # use npws_driver::{BuildError, Runtime, ServerPool, Socket};
    /// fn serve_one<R: Runtime>(socket: Socket) -> Result<ServerPool<R>, BuildError> {
    ///     ServerPool::builder().serve(futures::stream::iter([Ok(socket)]))
    /// }
    /// ```
    ///
    /// # Errors
    /// As [`bind`](Self::bind), but for the address.
    pub fn serve(
        self,
        incoming: impl Stream<Item = io::Result<Socket>> + Send + 'static,
    ) -> Result<ServerPool<R>, BuildError> {
        let runtime = self.find_runtime()?;
        let incoming: BoxStream<'static, _> = incoming.boxed();
        self.start(runtime, None, |shared| listen::serve_incoming(shared, incoming))
    }

    fn find_runtime(&self) -> Result<R, BuildError> {
        self.runtime.clone().map_or_else(|| R::current().map_err(BuildError::NoRuntime), Ok)
    }
}

impl<R: Runtime> fmt::Debug for ServerPoolBuilder<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerPoolBuilder").field("config", &self.config).finish_non_exhaustive()
    }
}
