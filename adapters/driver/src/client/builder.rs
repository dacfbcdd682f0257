//! What a client pool can be told.

use std::fmt;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use npws_core::{ClientConfig, HandshakeRate, Policy};

use super::DialTarget;
use super::dial::{Dialer, Resolver};
use crate::proxy::Proxy;
use crate::runtime::Runtime;
use crate::settings::{Settings, common_setters};
use crate::socket::Socket;
use crate::tls::ClientTls;

/// Builds a [`ClientPool`](crate::ClientPool). Everything is checked once, in [`connect`](Self::connect).
///
/// ```
/// use npws_driver::{ClientPoolBuilder, Runtime};
///
/// fn configure<R: Runtime>(builder: ClientPoolBuilder<R>) -> ClientPoolBuilder<R> {
///     builder.capacity(5..=20).path("/tunnel")
/// }
/// ```
#[derive(Clone)]
#[must_use]
pub struct ClientPoolBuilder<R: Runtime> {
    pub(crate) address: String,
    pub(crate) config: ClientConfig,
    pub(super) settings: Settings,
    pub(super) tls: ClientTls,
    pub(super) server_name: Option<String>,
    pub(super) host: Option<String>,
    pub(super) path: String,
    pub(super) headers: Vec<(String, String)>,
    pub(super) bearer_token: Option<String>,
    pub(super) proxy: Option<Proxy>,
    pub(super) dialer: Option<Dialer>,
    pub(super) resolver: Option<Resolver>,
    pub(crate) runtime: Option<R>,
}

impl<R: Runtime> ClientPoolBuilder<R> {
    pub(super) fn new(address: String) -> Self {
        Self {
            address,
            config: ClientConfig::default(),
            settings: Settings::default(),
            tls: ClientTls::plain(),
            server_name: None,
            host: None,
            path: "/".to_owned(),
            headers: Vec::new(),
            bearer_token: None,
            proxy: None,
            dialer: None,
            resolver: None,
            runtime: None,
        }
    }

    /// The least and the greatest number of idle connections to aim for: each 1 to 65,536, `1..=1` unless told.
    ///
    /// ```
    /// # use npws_driver::{ClientPoolBuilder, Runtime};
    /// fn configure<R: Runtime>(builder: ClientPoolBuilder<R>) -> ClientPoolBuilder<R> {
    ///     builder.capacity(5..=20)
    /// }
    /// ```
    pub fn capacity(mut self, range: RangeInclusive<usize>) -> Self {
        self.config.capacity = range;
        self
    }

    /// The shortest and the longest time between rounds: each 1 ms to 1 h, `1 s..=1 s` unless told.
    ///
    /// ```
    /// # use npws_driver::{ClientPoolBuilder, Runtime};
    /// use std::time::Duration;
    ///
    /// fn configure<R: Runtime>(builder: ClientPoolBuilder<R>) -> ClientPoolBuilder<R> {
    ///     builder.interval(Duration::from_millis(100)..=Duration::from_secs(1))
    /// }
    /// ```
    pub fn interval(mut self, range: RangeInclusive<Duration>) -> Self {
        self.config.interval = range;
        self
    }

    /// The total deadline of one dial, from name resolution to the ID: 1 ms to 1 h, 10 s unless told.
    ///
    /// ```
    /// # use npws_driver::{ClientPoolBuilder, Runtime};
    /// use std::time::Duration;
    ///
    /// fn configure<R: Runtime>(builder: ClientPoolBuilder<R>) -> ClientPoolBuilder<R> {
    ///     builder.dial_timeout(Duration::from_secs(5))
    /// }
    /// ```
    pub fn dial_timeout(mut self, timeout: Duration) -> Self {
        self.config.dial_timeout = timeout;
        self
    }

    /// How long an attempt to connect to one address of a name has for itself before the next address is tried beside
    /// it, as RFC 8305 (Happy Eyeballs) describes: 100 ms to 2 s, which are the bounds it recommends, 250 ms unless
    /// told. IPv6 and IPv4 take turns, a failed attempt is followed at once, and the first to succeed wins.
    ///
    /// ```
    /// # use npws_driver::{ClientPoolBuilder, Runtime};
    /// use std::time::Duration;
    ///
    /// fn configure<R: Runtime>(builder: ClientPoolBuilder<R>) -> ClientPoolBuilder<R> {
    ///     builder.attempt_delay(Duration::from_millis(100))
    /// }
    /// ```
    pub fn attempt_delay(mut self, delay: Duration) -> Self {
        self.config.attempt_delay = delay;
        self
    }

    /// How many dials may be under way at once: 1 to 65,536, 64 unless told.
    ///
    /// ```
    /// # use npws_driver::{ClientPoolBuilder, Runtime};
    /// fn configure<R: Runtime>(builder: ClientPoolBuilder<R>) -> ClientPoolBuilder<R> {
    ///     builder.max_concurrent_dials(16)
    /// }
    /// ```
    pub fn max_concurrent_dials(mut self, limit: usize) -> Self {
        self.config.max_concurrent_dials = limit;
        self
    }

    /// How fast dials may begin: as fast as the other limits let them, unless told. What a server that has restarted
    /// sees of all its clients together is this, times their number. Whoever waits for a connection waits for it too.
    ///
    /// ```
    /// # use npws_driver::{ClientPoolBuilder, ConfigError, Runtime};
    /// use npws_driver::HandshakeRate;
    ///
    /// fn configure<R: Runtime>(builder: ClientPoolBuilder<R>) -> Result<ClientPoolBuilder<R>, ConfigError> {
    ///     Ok(builder.dial_rate(HandshakeRate::per_second(20, 10)?))
    /// }
    /// ```
    pub fn dial_rate(mut self, rate: HandshakeRate) -> Self {
        self.config.dial_rate = Some(rate);
        self
    }

    /// The first and the longest pause after failed dials: each 1 ms to 1 h, `100 ms..=10 s` unless told.
    ///
    /// ```
    /// # use npws_driver::{ClientPoolBuilder, Runtime};
    /// use std::time::Duration;
    ///
    /// fn configure<R: Runtime>(builder: ClientPoolBuilder<R>) -> ClientPoolBuilder<R> {
    ///     builder.backoff(Duration::from_millis(50)..=Duration::from_secs(30))
    /// }
    /// ```
    pub fn backoff(mut self, range: RangeInclusive<Duration>) -> Self {
        self.config.backoff = range;
        self
    }

    /// The rule that adapts capacity and interval. The original's unless told.
    ///
    /// ```
    /// # use npws_driver::{ClientPoolBuilder, Runtime};
    /// use npws_driver::Policy;
    ///
    /// fn configure<R: Runtime>(builder: ClientPoolBuilder<R>) -> ClientPoolBuilder<R> {
    ///     builder.policy(Policy::Fixed)
    /// }
    /// ```
    pub fn policy(mut self, policy: Policy) -> Self {
        self.config.policy = policy;
        self
    }

    /// Plain unless told.
    ///
    /// ```
    /// # use npws_driver::{ClientPoolBuilder, Runtime};
    /// use npws_driver::ClientTls;
    ///
    /// fn configure<R: Runtime>(builder: ClientPoolBuilder<R>) -> ClientPoolBuilder<R> {
    ///     builder.tls(ClientTls::verified())
    /// }
    /// ```
    pub fn tls(mut self, tls: ClientTls) -> Self {
        self.tls = tls;
        self
    }

    /// The name to ask for in TLS (SNI) and to find in the certificate. The address's host unless told.
    ///
    /// ```
    /// # use npws_driver::{ClientPoolBuilder, Runtime};
    /// fn configure<R: Runtime>(builder: ClientPoolBuilder<R>) -> ClientPoolBuilder<R> {
    ///     builder.server_name("tunnel.example")
    /// }
    /// ```
    pub fn server_name(mut self, name: impl Into<String>) -> Self {
        self.server_name = Some(name.into());
        self
    }

    /// The `Host` field of the upgrade request. The address unless told.
    ///
    /// ```
    /// # use npws_driver::{ClientPoolBuilder, Runtime};
    /// fn configure<R: Runtime>(builder: ClientPoolBuilder<R>) -> ClientPoolBuilder<R> {
    ///     builder.host("tunnel.example")
    /// }
    /// ```
    pub fn host(mut self, host: impl Into<String>) -> Self {
        self.host = Some(host.into());
        self
    }

    /// The path of the upgrade request, with its query. `/` unless told.
    ///
    /// ```
    /// # use npws_driver::{ClientPoolBuilder, Runtime};
    /// fn configure<R: Runtime>(builder: ClientPoolBuilder<R>) -> ClientPoolBuilder<R> {
    ///     builder.path("/tunnel?region=eu")
    /// }
    /// ```
    pub fn path(mut self, path: impl Into<String>) -> Self {
        self.path = path.into();
        self
    }

    /// Adds a field to the upgrade request.
    ///
    /// ```
    /// # use npws_driver::{ClientPoolBuilder, Runtime};
    /// fn configure<R: Runtime>(builder: ClientPoolBuilder<R>) -> ClientPoolBuilder<R> {
    ///     builder.header("X-Region", "eu")
    /// }
    /// ```
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Presents this token to the server, as `Authorization: Bearer`. Without TLS, everybody on the way can read it.
    ///
    /// ```
    /// # use npws_driver::{ClientPoolBuilder, Runtime};
    /// fn configure<R: Runtime>(builder: ClientPoolBuilder<R>, token: &str) -> ClientPoolBuilder<R> {
    ///     builder.bearer_token(token)
    /// }
    /// ```
    pub fn bearer_token(mut self, token: impl Into<String>) -> Self {
        self.bearer_token = Some(token.into());
        self
    }

    /// Dials through this proxy. A connection's [`peer_addr`](crate::Connection::peer_addr) is then the proxy's.
    ///
    /// ```
    /// # use npws_driver::{ClientPoolBuilder, ConfigError, Runtime};
    /// use npws_driver::Proxy;
    ///
    /// fn configure<R: Runtime>(builder: ClientPoolBuilder<R>) -> Result<ClientPoolBuilder<R>, ConfigError> {
    ///     Ok(builder.proxy(Proxy::from_url("http://proxy.example:3128")?))
    /// }
    /// ```
    pub fn proxy(mut self, proxy: Proxy) -> Self {
        self.proxy = Some(proxy);
        self
    }

    /// Opens the byte stream under TLS and WebSocket by `dial` rather than by TCP: over a Unix socket, from memory,
    /// through a proxy that [`proxy`](Self::proxy) does not know. TCP options do not apply to it.
    ///
    /// ```
    /// # use npws_driver::{ClientPoolBuilder, Runtime, Socket};
    /// fn configure<R: Runtime>(builder: ClientPoolBuilder<R>) -> ClientPoolBuilder<R> {
    ///     builder.dialer(|target| async move {
    ///         println!("dialing {} port {}", target.host, target.port);
    ///         Ok(Socket::new(futures::io::Cursor::new(Vec::new())))
    ///     })
    /// }
    /// ```
    pub fn dialer<F, Fut>(mut self, dial: F) -> Self
    where
        F: Fn(DialTarget) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = io::Result<Socket>> + Send + 'static,
    {
        self.dialer = Some(Arc::new(move |target| Box::pin(dial(target))));
        self
    }

    /// Looks names up by `resolve` rather than by the runtime: every dial asks it anew, within its deadline. The order
    /// of the addresses within a family counts. It is not asked about an IP address, nor about a server that a
    /// [proxy](Self::proxy) looks up. A [dialer](Self::dialer) of one's own looks up by itself.
    ///
    /// ```
    /// # use npws_driver::{ClientPoolBuilder, Runtime};
    /// fn configure<R: Runtime>(builder: ClientPoolBuilder<R>) -> ClientPoolBuilder<R> {
    ///     builder.resolver(|target| async move { Ok(vec![([127, 0, 0, 1], target.port).into()]) })
    /// }
    /// ```
    pub fn resolver<F, Fut>(mut self, resolve: F) -> Self
    where
        F: Fn(DialTarget) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = io::Result<Vec<SocketAddr>>> + Send + 'static,
    {
        self.resolver = Some(Arc::new(move |target| Box::pin(resolve(target))));
        self
    }

    common_setters!();
}

impl<R: Runtime> fmt::Debug for ClientPoolBuilder<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The fields of the request may hold credentials.
        f.debug_struct("ClientPoolBuilder")
            .field("address", &self.address)
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}
