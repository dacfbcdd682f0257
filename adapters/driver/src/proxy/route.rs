//! A proxy that was checked, and how a dial goes through it.

use std::sync::Arc;

use futures_rustls::TlsConnector;
use futures_rustls::pki_types::ServerName;
use futures_rustls::rustls::ClientConfig;
use npws_core::ConfigError;

use super::credentials::Credentials;
use super::{Protocol, Proxy, ProxyError, connect, socks5};
use crate::client::DialTarget;
use crate::error::BuildError;
use crate::read_ahead::ReadAhead;
use crate::socket::Socket;

pub(crate) struct Route {
    protocol: Protocol,
    proxy: DialTarget,
    credentials: Option<Credentials>,
    tls: Option<(Arc<ClientConfig>, ServerName<'static>)>,
}

impl Route {
    /// Checks `proxy`, and that it can be asked for `target`, by as many connections as this at once.
    pub(crate) fn new(proxy: Proxy, target: &DialTarget, connections: usize) -> Result<Self, BuildError> {
        let Proxy { protocol, address, credentials, tls } = proxy;
        if let Some(credentials) = &credentials {
            credentials.validate(protocol)?;
        }
        if target.host.len() > socks5::MAX_NAME || target.host.chars().any(|c| c.is_whitespace() || c.is_control()) {
            return Err(ConfigError::new("address", &target.host, "a host that a proxy can be asked for").into());
        }
        let tls = match tls.build(connections)? {
            None => None,
            Some(config) => {
                let name = ServerName::try_from(address.host.clone())
                    .map_err(|_| ConfigError::new("proxy", &address.host, "a DNS name or an IP address"))?;
                Some((config, name))
            }
        };
        Ok(Self { protocol, proxy: address, credentials, tls })
    }

    /// Where the proxy is.
    pub(crate) fn proxy(&self) -> &DialTarget {
        &self.proxy
    }

    /// Asks the proxy at the other end of `socket` for a way to `target`. Whoever calls sets the deadline.
    pub(crate) async fn open(&self, socket: Socket, target: &DialTarget) -> Result<Socket, ProxyError> {
        let mut socket = match &self.tls {
            None => socket,
            Some((config, name)) => {
                let (local, peer) = (socket.local_addr(), socket.peer_addr());
                let connector = TlsConnector::from(config.clone());
                let connecting = connector.connect(name.clone(), ReadAhead::new(socket));
                Socket::new(connecting.await.map_err(ProxyError::from_tls)?).with_addrs(local, peer)
            }
        };
        match self.protocol {
            Protocol::Connect => connect::open(socket, target, self.credentials.as_ref()).await,
            Protocol::Socks5 => {
                socks5::open(&mut socket, target, self.credentials.as_ref()).await?;
                Ok(socket)
            }
        }
    }
}
