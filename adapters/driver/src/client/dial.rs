//! One dial, from the name to the ID.

use std::fmt;
use std::io::{self, Write};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use futures_rustls::TlsConnector;
use futures_rustls::pki_types::ServerName;
use futures_rustls::rustls::{ClientConfig, ClientConnection};
use npws_core::{ConnectionId, Link, LinkConfig, PeerHeader, Role};
use tungstenite::protocol::WebSocketConfig;

use super::race::race;
use crate::clock::Clock;
use crate::early_data::EarlyData;
use crate::error::DialError;
use crate::gate::Gate;
use crate::proxy::{ProxyError, Route};
use crate::read_ahead::ReadAhead;
use crate::runtime::Runtime;
use crate::socket::Socket;
use crate::tcp::{TcpOptions, TcpSocket};
use crate::transport::Transport;
use crate::upgrade::client::{UpgradeRequest, upgrade};
use crate::wire::Wire;

/// Where a dial goes, for a [dialer](crate::ClientPoolBuilder::dialer) or a [resolver](crate::ClientPoolBuilder::resolver)
/// of the user's own: the server, or the proxy if there is one.
///
/// ```
/// use npws_driver::DialTarget;
///
/// fn to_text(target: &DialTarget) -> String {
///     format!("{} port {}", target.host, target.port)
/// }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct DialTarget {
    /// The host name, or the IP address without brackets.
    pub host: String,
    /// The TCP port.
    pub port: u16,
}

pub(super) type Dialer = Arc<dyn Fn(DialTarget) -> BoxFuture<'static, io::Result<Socket>> + Send + Sync>;
pub(super) type Resolver = Arc<dyn Fn(DialTarget) -> BoxFuture<'static, io::Result<Vec<SocketAddr>>> + Send + Sync>;

/// What every dial of a pool needs, checked once.
pub(super) struct Plan<R> {
    pub(super) runtime: R,
    pub(super) target: DialTarget,
    pub(super) route: Option<Route>,
    pub(super) dialer: Option<Dialer>,
    pub(super) resolver: Option<Resolver>,
    pub(super) tcp: TcpOptions,
    pub(super) tls: Option<(Arc<ClientConfig>, ServerName<'static>)>,
    pub(super) request: UpgradeRequest,
    pub(super) websocket: WebSocketConfig,
    pub(super) link: LinkConfig,
    pub(super) early_data: Arc<EarlyData>,
    pub(super) dial_timeout: Duration,
    pub(super) attempt_delay: Duration,
}

impl<R: Runtime> Plan<R> {
    /// The pool sets the deadline, by giving the future up.
    pub(super) async fn dial(&self, clock: &Clock) -> Result<(ConnectionId, PeerHeader, Box<Wire>), DialError> {
        let socket = self.connect(clock).await?;
        let request = self.request.with_new_key().map_err(DialError::Upgrade)?;
        let gate = match &self.tls {
            None => Gate::new(Transport::plain(socket), &[]),
            Some((config, name)) => {
                let head = request.to_bytes().map_err(DialError::Upgrade)?;
                let mut written = 0;
                // It leaves with the last message of the handshake, and saves both ends a wake-up.
                let write = |session: &mut ClientConnection| written = session.writer().write(&head).unwrap_or(0);
                let connector = TlsConnector::from(config.clone());
                let connecting = connector.connect_with(name.clone(), ReadAhead::new(socket), write);
                let mut gate = Gate::new(Transport::tls(connecting.await.map_err(DialError::from_tls)?), &[]);
                gate.skip(written);
                gate
            }
        };
        let (socket, peer) = upgrade(gate, request, self.websocket).await.map_err(DialError::Upgrade)?;
        let now = clock.now();
        let link = Link::client(self.link.clone(), peer.generation, rand::random(), now, now + self.dial_timeout);
        let wire = Wire::new(socket, link, Role::Client, self.link.early_data_limit);
        let mut wire = Box::new(wire.sharing(self.early_data.share()));
        let established = std::future::poll_fn(|cx| wire.poll_establish(cx, clock.now())).await;
        let id = established.map_err(DialError::Id)?;
        Ok((id, peer, wire))
    }

    async fn connect(&self, clock: &Clock) -> Result<Socket, DialError> {
        let Some(route) = &self.route else { return self.reach(&self.target, clock).await };
        let socket = self.reach(route.proxy(), clock).await.map_err(|error| match error {
            DialError::Resolve(error) => DialError::Proxy(ProxyError::Resolve(error)),
            DialError::Connect(error) => DialError::Proxy(ProxyError::Connect(error)),
            other => other,
        })?;
        route.open(socket, &self.target).await.map_err(DialError::Proxy)
    }

    async fn reach(&self, target: &DialTarget, clock: &Clock) -> Result<Socket, DialError> {
        if let Some(dialer) = &self.dialer {
            return dialer(target.clone()).await.map_err(|error| DialError::Connect(error.into()));
        }
        let addresses = look_up(&self.runtime, self.resolver.as_ref(), target).await.map_err(DialError::Resolve)?;
        if addresses.is_empty() {
            let nowhere = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
            return Err(DialError::Resolve(nowhere));
        }
        let connected = race(clock, addresses, self.attempt_delay, |address| self.connect_to(address));
        connected.await.map_err(DialError::Connect)
    }

    async fn connect_to(&self, address: SocketAddr) -> io::Result<Socket> {
        let stream = self.runtime.connect(address).await?;
        self.tcp.apply(R::socket(&stream))?;
        let local = R::socket(&stream).local_addr().ok().and_then(|address| address.as_socket());
        Ok(Socket::tcp(TcpSocket::<R>::new(stream)).with_addrs(local, Some(address)))
    }
}

/// The addresses of `target`, of which an IP address is its own.
pub(super) async fn look_up<R: Runtime>(
    runtime: &R,
    resolver: Option<&Resolver>,
    target: &DialTarget,
) -> io::Result<Vec<SocketAddr>> {
    match (target.host.parse::<IpAddr>(), resolver) {
        (Ok(ip), _) => Ok(vec![SocketAddr::new(ip, target.port)]),
        (Err(_), Some(resolver)) => resolver(target.clone()).await,
        (Err(_), None) => runtime.resolve(&target.host, target.port).await,
    }
}

impl<R: Runtime> fmt::Debug for Plan<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Plan").field("target", &self.target).field("tcp", &self.tcp).finish_non_exhaustive()
    }
}
