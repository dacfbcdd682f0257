//! Two ends of one stream: of the pools, or of the runtime itself.

use std::net::TcpListener;
use std::sync::Arc;

use futures::{AsyncRead, AsyncWrite};
use futures_rustls::rustls::client::Resumption;
use futures_rustls::rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
#[cfg(feature = "aws-lc-rs")]
use futures_rustls::rustls::crypto::aws_lc_rs as library;
#[cfg(not(feature = "aws-lc-rs"))]
use futures_rustls::rustls::crypto::ring as library;
use futures_rustls::rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls13_signature};
use futures_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName, UnixTime};
use futures_rustls::rustls::version::TLS13;
use futures_rustls::rustls::{ClientConfig, DigitallySignedStruct, Error, ServerConfig, SignatureScheme};
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

/// TLS 1.3 by the library that npws uses, with ECDSA on P-256, X25519, the cipher that npws prefers, and no resumption. The client checks as much as the
/// original's does in its mode "1".
pub(super) fn full_handshakes() -> (Arc<ServerConfig>, Arc<ClientConfig>) {
    let key = rcgen::KeyPair::generate().expect("P-256 is there");
    let certificate = rcgen::CertificateParams::new(["localhost".to_owned()]).expect("it is a name");
    let certificate: CertificateDer<'static> = certificate.self_signed(&key).expect("the key signs").der().clone();
    let mut provider = library::default_provider();
    provider.kx_groups = vec![library::kx_group::X25519];
    provider.cipher_suites = vec![library::cipher_suite::TLS13_AES_128_GCM_SHA256];
    let algorithms = provider.signature_verification_algorithms;
    let provider = Arc::new(provider);
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let mut server = ServerConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(&[&TLS13])
        .expect("it has TLS 1.3")
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .expect("they belong together");
    server.send_tls13_tickets = 0;
    let mut client = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13])
        .expect("it has TLS 1.3")
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(AnyIssuer(algorithms)))
        .with_no_client_auth();
    client.resumption = Resumption::disabled();
    (Arc::new(server), Arc::new(client))
}

/// Checks the handshake's signature only.
#[derive(Debug)]
struct AnyIssuer(WebPkiSupportedAlgorithms);

impl ServerCertVerifier for AnyIssuer {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(Error::General("TLS 1.2 is not spoken here".to_owned()))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signature, &self.0)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_schemes()
    }
}
