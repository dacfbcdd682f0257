//! What a client pool can be told.

use std::fmt;
use std::future::Future;
use std::io;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use futures_rustls::pki_types::ServerName;
use npws_core::{ClientConfig, ClientPool as Machine, ConfigError, Policy, Tokens};
use tungstenite::http::header::AUTHORIZATION;
use tungstenite::http::{HeaderMap, HeaderName, HeaderValue};

use super::dial::{Dialer, Plan};
use super::{ClientPool, DialTarget, Dials};
use crate::address;
use crate::clock::Clock;
use crate::error::BuildError;
use crate::pool::Pool;
use crate::runtime::{Background, Runtime};
use crate::settings::{Settings, common_setters};
use crate::shared::Shared;
use crate::socket::Socket;
use crate::timer;
use crate::tls::ClientTls;
use crate::upgrade::client::UpgradeRequest;
use crate::upgrade::websocket_config;

/// Builds a [`ClientPool`]. Everything is checked once, in [`connect`](Self::connect).
///
/// ```
/// use npws_driver::{ClientPoolBuilder, Runtime};
///
/// fn configure<R: Runtime>(builder: ClientPoolBuilder<R>) -> ClientPoolBuilder<R> {
///     builder.capacity(5..=20).path("/tunnel")
/// }
/// ```
#[must_use]
pub struct ClientPoolBuilder<R: Runtime> {
    address: String,
    config: ClientConfig,
    settings: Settings,
    tls: ClientTls,
    server_name: Option<String>,
    host: Option<String>,
    path: String,
    headers: Vec<(String, String)>,
    bearer_token: Option<String>,
    dialer: Option<Dialer>,
    runtime: Option<R>,
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
            dialer: None,
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

    /// Opens the byte stream under TLS and WebSocket by `dial` rather than by TCP: through a proxy, over a Unix socket,
    /// from memory. TCP options do not apply to it.
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

    common_setters!();

    /// Checks everything and begins to dial in the background. Errors of dials are not errors of this call: the pool
    /// goes on trying, and [`ClientPool::last_dial_error`] tells why it fails.
    ///
    /// ```
    /// # use npws_driver::{ClientPool, Runtime};
    /// fn dial<R: Runtime>() {
    ///     match ClientPool::<R>::builder("no port").connect() {
    ///         Ok(pool) => println!("{} connections are ready", pool.active()),
    ///         Err(error) => eprintln!("{error}"),
    ///     }
    /// }
    /// ```
    ///
    /// # Errors
    /// [`BuildError::Config`] names the first value outside its range, [`BuildError::Tls`] what is wrong with the TLS
    /// settings. [`BuildError::NoRuntime`] when called outside a runtime that needs one.
    pub fn connect(self) -> Result<ClientPool<R>, BuildError> {
        self.settings.validate(&self.config.pool)?;
        let target = address::parse(&self.address)?;
        let tls = match self.tls.build()? {
            None => None,
            Some(config) => Some((config, self.tls_name(&target.host)?)),
        };
        let request = self.upgrade_request()?;
        let runtime = match self.runtime {
            Some(runtime) => runtime,
            None => R::current().map_err(BuildError::NoRuntime)?,
        };
        let background: Arc<dyn Background> = Arc::new(runtime.clone());
        let clock = Clock::new(background.clone());
        let plan = Plan {
            runtime: runtime.clone(),
            target,
            dialer: self.dialer,
            tcp: self.settings.tcp,
            tls,
            request,
            websocket: websocket_config(self.settings.max_message),
            link: self.config.pool.link.clone(),
            dial_timeout: self.config.dial_timeout,
        };
        let max_staleness = self.config.pool.max_staleness;
        let machine = Machine::new(self.config, rand::random(), clock.now())?;
        let shared =
            Shared::new(machine, clock, background, self.settings.close_timeout, max_staleness, Dials::new(plan));
        runtime.spawn(timer::run(shared.clone()));
        Ok(Pool::new(shared))
    }

    fn tls_name(&self, host: &str) -> Result<ServerName<'static>, ConfigError> {
        let name = self.server_name.as_deref().unwrap_or(host);
        ServerName::try_from(name.to_owned())
            .map_err(|_| ConfigError::new("server_name", name, "a DNS name or an IP address"))
    }

    fn upgrade_request(&self) -> Result<UpgradeRequest, ConfigError> {
        let mut headers = HeaderMap::new();
        for (name, value) in &self.headers {
            let invalid =
                |_| ConfigError::new("header", format!("{name:?}"), "a name and a value as RFC 9110 has them");
            let parsed = HeaderName::from_bytes(name.as_bytes()).map_err(|_| invalid(()))?;
            headers.append(parsed, HeaderValue::from_str(value).map_err(|_| invalid(()))?);
        }
        if let Some(token) = &self.bearer_token {
            let invalid = || {
                let found = format!("a text of {} bytes", token.len());
                ConfigError::new("bearer_token", found, "1 to 512 letters, digits and -._~+/, with = at the end only")
            };
            Tokens::new([token]).map_err(|_| invalid())?;
            headers.insert(AUTHORIZATION, HeaderValue::from_str(&format!("Bearer {token}")).map_err(|_| invalid())?);
        }
        if let Some(credentials) = headers.get_mut(AUTHORIZATION) {
            credentials.set_sensitive(true);
        }
        let host = self.host.as_deref().unwrap_or(&self.address);
        UpgradeRequest::new(host, &self.path, headers, self.settings.header(&self.config.pool)).map_err(|_| {
            ConfigError::new("path", format!("{:?} at host {host:?}", self.path), "an absolute path and a valid host")
        })
    }
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
