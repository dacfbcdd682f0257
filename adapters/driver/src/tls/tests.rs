//! TLS between two ends in memory.

mod authority;
mod config;
mod duplex;
mod handshake;
mod mutual;
mod old_versions;
mod resumption;

use std::io;
use std::sync::Arc;

use futures::future;
use futures_rustls::rustls::{ClientConfig, ServerConfig};
use futures_rustls::{TlsAcceptor, TlsConnector, TlsStream};

use self::duplex::{Duplex, duplex};
use crate::tls::{ClientTls, ServerTls, TlsError};

const NAME: &str = "relay.example";

type Handshake = io::Result<TlsStream<Duplex>>;

/// As many connections as a client's pool is said to have.
const CONNECTIONS: usize = 100;

fn client_config(tls: &ClientTls) -> Arc<ClientConfig> {
    tls.build(CONNECTIONS).unwrap().unwrap()
}

fn server_config(tls: &ServerTls) -> Arc<ServerConfig> {
    tls.build().unwrap().unwrap()
}

async fn connect(client: &Arc<ClientConfig>, server: &Arc<ServerConfig>, name: &str) -> (Handshake, Handshake) {
    let (near, far) = duplex();
    let connect = TlsConnector::from(Arc::clone(client)).connect(name.to_owned().try_into().unwrap(), near);
    let accept = TlsAcceptor::from(Arc::clone(server)).accept(far);
    let (client, server) = future::join(connect, accept).await;
    (client.map(TlsStream::from), server.map(TlsStream::from))
}

fn handshake(client: &ClientTls, server: &ServerTls, name: &str) -> (Handshake, Handshake) {
    smol::block_on(connect(&client_config(client), &server_config(server), name))
}

/// How the client fails, seen from each end.
fn failure(client: &ClientTls, server: &ServerTls, name: &str) -> (TlsError, TlsError) {
    let (client, server) = handshake(client, server, name);
    (tls_error(&client.unwrap_err()), tls_error(&server.unwrap_err()))
}

fn tls_error(error: &io::Error) -> TlsError {
    TlsError::from_io(error).unwrap_or_else(|| panic!("no TLS error in {error:?}"))
}
