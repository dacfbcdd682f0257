//! TLS as attackers speak it: as far as it suits them.

use std::io;
use std::sync::Arc;

use futures_rustls::rustls::crypto::ring;
use futures_rustls::rustls::pki_types::pem::PemObject;
use futures_rustls::rustls::pki_types::{CertificateDer, ServerName};
use futures_rustls::rustls::version::TLS13;
use futures_rustls::rustls::{ClientConfig, ClientConnection, RootCertStore};
use futures_rustls::{TlsConnector, client::TlsStream};
use tokio::net::TcpStream;
use tokio_util::compat::{Compat, TokioAsyncReadCompatExt};

use crate::victim::Victim;

/// A configuration that trusts `victim`.
pub fn config(victim: &Victim) -> Arc<ClientConfig> {
    let pem = victim.certificate().expect("it speaks TLS");
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(pem.as_bytes()).expect("it is a certificate")).expect("it is one");
    // By name: with two of them there is no default.
    let provider = Arc::new(ring::default_provider());
    let builder =
        ClientConfig::builder_with_provider(provider).with_protocol_versions(&[&TLS13]).expect("ring speaks it");
    Arc::new(builder.with_root_certificates(roots).with_no_client_auth())
}

/// The name in the certificate.
fn name() -> ServerName<'static> {
    ServerName::try_from("127.0.0.1").expect("it is an address")
}

/// The bytes of a ClientHello.
pub fn hello(config: &Arc<ClientConfig>) -> Vec<u8> {
    let mut hello = Vec::new();
    let mut connection = ClientConnection::new(config.clone(), name()).expect("the settings are valid");
    connection.write_tls(&mut hello).expect("a vector takes it");
    hello
}

/// The whole handshake.
///
/// # Errors
/// When the server does not finish it.
pub async fn secure(config: Arc<ClientConfig>, stream: TcpStream) -> io::Result<TlsStream<Compat<TcpStream>>> {
    TlsConnector::from(config).connect(name(), stream.compat()).await
}
