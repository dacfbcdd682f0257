//! From a builder's settings to a pool: everything is checked here.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use futures_rustls::pki_types::ServerName;
use npws_core::{ClientPool as Machine, ConfigError, Tokens};
use tungstenite::http::header::AUTHORIZATION;
use tungstenite::http::{HeaderMap, HeaderName, HeaderValue};

use super::dial::{Plan, look_up};
use super::observer::BoxObserver;
use super::{ClientPool, ClientPoolBuilder, DialTarget, Dials};
use crate::address;
use crate::clock::Clock;
use crate::descriptors;
use crate::early_data::EarlyData;
use crate::error::BuildError;
use crate::pool::Pool;
use crate::proxy::Route;
use crate::runtime::{Background, Runtime};
use crate::shared::Shared;
use crate::timer;
use crate::upgrade::client::UpgradeRequest;
use crate::upgrade::websocket_config;

/// What a pool that belongs to a group has beyond its own settings.
pub(crate) struct Part {
    pub(crate) observer: BoxObserver,
    /// Where to dial, instead of looking the name up.
    pub(crate) address: Option<SocketAddr>,
}

/// A pool of which nothing runs yet.
pub(crate) struct Prepared<R: Runtime> {
    pool: ClientPool<R>,
    runtime: R,
}

impl<R: Runtime> Prepared<R> {
    pub(crate) fn pool(&self) -> &ClientPool<R> {
        &self.pool
    }

    pub(crate) fn start(self) -> ClientPool<R> {
        self.runtime.spawn(timer::run(self.pool.shared.clone()));
        self.pool
    }
}

impl<R: Runtime> ClientPoolBuilder<R> {
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
        Ok(self.prepare(None)?.start())
    }

    /// Checks everything. `part` makes the pool one of a group's.
    pub(crate) fn prepare(mut self, part: Option<Part>) -> Result<Prepared<R>, BuildError> {
        self.settings.validate(&self.config.pool)?;
        let mut target = address::parse(&self.address)?;
        let connections = *self.config.capacity.end();
        let tls = match self.tls.build(connections)? {
            None => None,
            Some(config) => Some((config, self.tls_name(&target.host)?)),
        };
        let request = self.upgrade_request()?;
        let (observer, address) = part.map_or((None, None), |part| (Some(part.observer), part.address));
        if let Some(address) = address {
            // TLS and HTTP go on using the name.
            target = DialTarget { host: address.ip().to_string(), port: address.port() };
        }
        let route = self.proxy.take().map(|proxy| Route::new(proxy, &target, connections)).transpose()?;
        let runtime = match self.runtime {
            Some(runtime) => runtime,
            None => R::current().map_err(BuildError::NoRuntime)?,
        };
        let background: Arc<dyn Background> = Arc::new(runtime.clone());
        let clock = Clock::new(background.clone());
        let plan = Plan {
            runtime: runtime.clone(),
            target,
            route,
            dialer: self.dialer,
            resolver: self.resolver,
            tcp: self.settings.tcp,
            tls,
            request,
            websocket: websocket_config(self.settings.max_message, self.settings.max_frame),
            link: self.config.pool.link.clone(),
            early_data: EarlyData::new(self.config.pool.early_data_total),
            dial_timeout: self.config.dial_timeout,
            attempt_delay: self.config.attempt_delay,
        };
        let max_staleness = self.config.pool.max_staleness;
        let capacity = *self.config.capacity.end();
        let machine = Machine::new(self.config, rand::random(), clock.now())?;
        descriptors::make_room(capacity);
        let dials = Dials::new(plan, observer);
        let shared = Shared::new(machine, clock, background, self.settings.close_timeout, max_staleness, dials);
        Ok(Prepared { pool: Pool::new(shared), runtime })
    }

    /// The addresses of the server's name.
    pub(crate) async fn look_up(&self, runtime: &R) -> io::Result<Vec<SocketAddr>> {
        let target = address::parse(&self.address).map_err(io::Error::other)?;
        look_up(runtime, self.resolver.as_ref(), &target).await
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
