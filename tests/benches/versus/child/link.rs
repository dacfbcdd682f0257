//! Two ends of one stream: of the pools, or of the runtime itself.

use std::net::TcpListener;
use std::sync::Arc;

use futures::{AsyncRead, AsyncWrite};
use futures_rustls::rustls::client::Resumption;
use futures_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName};
use futures_rustls::rustls::version::TLS13;
use futures_rustls::rustls::{ClientConfig, RootCertStore, ServerConfig, crypto};
use futures_rustls::{TlsAcceptor, TlsConnector};
use npws_tests::pools;
use npws_tests::testbed::{Testbed, current};

pub(super) trait Io: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Io for T {}

/// The accepting and the dialing end.
pub(super) type Ends = (Box<dyn Io>, Box<dyn Io>);

/// Both ends of one stream.
pub(super) async fn open<R: Testbed>(is_raw: bool, is_tls: bool) -> Ends {
    if is_raw { raw::<R>(is_tls).await } else { pooled::<R>(is_tls).await }
}

async fn pooled<R: Testbed>(is_tls: bool) -> Ends {
    let (server, client) = if is_tls { pools::tls_pair::<R>(1).await } else { pools::pair::<R>(1).await };
    let (accepted, dialed) = pools::take_pair(&server, &client).await;
    // Taken connections outlive their pools.
    (Box::new(accepted), Box::new(dialed))
}

async fn raw<R: Testbed>(is_tls: bool) -> Ends {
    let runtime = current::<R>();
    let bound = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
    let address = bound.local_addr().expect("it is bound");
    let listener = runtime.listen(bound).expect("the runtime takes it");
    let (accepted, dialed) = futures::join!(runtime.accept(&listener), runtime.connect(address));
    let (accepted, dialed) = (accepted.expect("a peer dials").0, dialed.expect("it listens"));
    R::socket(&accepted).set_tcp_nodelay(true).expect("it is TCP");
    R::socket(&dialed).set_tcp_nodelay(true).expect("it is TCP");
    if !is_tls {
        return (Box::new(accepted), Box::new(dialed));
    }
    let (server, client) = full_handshakes();
    let name = ServerName::try_from("localhost").expect("it is a name");
    let (accepted, dialed) =
        futures::join!(TlsAcceptor::from(server).accept(accepted), TlsConnector::from(client).connect(name, dialed));
    (Box::new(accepted.expect("the client is right")), Box::new(dialed.expect("the server is right")))
}

/// TLS 1.3 with ECDSA on P-256, X25519 and no resumption.
pub(super) fn full_handshakes() -> (Arc<ServerConfig>, Arc<ClientConfig>) {
    let key = rcgen::KeyPair::generate().expect("P-256 is there");
    let certificate = rcgen::CertificateParams::new(["localhost".to_owned()]).expect("it is a name");
    let certificate: CertificateDer<'static> = certificate.self_signed(&key).expect("the key signs").der().clone();
    let mut provider = crypto::ring::default_provider();
    provider.kx_groups = vec![crypto::ring::kx_group::X25519];
    let provider = Arc::new(provider);
    let mut roots = RootCertStore::empty();
    roots.add(certificate.clone()).expect("it is a certificate");
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let mut server = ServerConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(&[&TLS13])
        .expect("ring has TLS 1.3")
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .expect("they belong together");
    server.send_tls13_tickets = 0;
    let mut client = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13])
        .expect("ring has TLS 1.3")
        .with_root_certificates(roots)
        .with_no_client_auth();
    client.resumption = Resumption::disabled();
    (Arc::new(server), Arc::new(client))
}
