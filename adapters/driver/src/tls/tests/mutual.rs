//! Which clients a server accepts.

use futures::AsyncReadExt as _;
use futures_rustls::rustls::AlertDescription;

use super::authority::Authority;
use super::{Handshake, NAME, handshake, tls_error};
use crate::tls::{ServerTls, TlsError, TlsInfo};

fn server(authority: &Authority) -> ServerTls {
    authority.server(NAME).client_ca_pem(authority.pem().as_bytes()).unwrap()
}

/// In TLS 1.3 the client is done before the server has looked at its certificate: it learns of a refusal by reading.
fn refusal(client: Handshake) -> TlsError {
    let mut client = client.unwrap();
    tls_error(&smol::block_on(client.read(&mut [0])).unwrap_err())
}

#[test]
fn a_client_with_a_certificate_from_the_right_issuer_is_accepted() {
    let authority = Authority::new("A");
    let own = authority.issue("client.example", |_| {});
    let client = authority.client().client_certificate_pem(own.certificate.as_bytes(), own.key.as_bytes()).unwrap();

    let (near, far) = handshake(&client, &server(&authority), NAME);
    near.unwrap();
    assert_eq!(TlsInfo::of(&far.unwrap()).unwrap().peer_fingerprint(), own.server().fingerprint());
}

#[test]
fn a_client_without_a_certificate_is_refused() {
    let authority = Authority::new("A");
    let (near, far) = handshake(&authority.client(), &server(&authority), NAME);
    assert_eq!(tls_error(&far.unwrap_err()), TlsError::ClientCertificateRequired);
    assert_eq!(refusal(near), TlsError::ClientCertificateRequired);
}

#[test]
fn a_client_with_a_certificate_from_another_issuer_is_refused() {
    let authority = Authority::new("A");
    let own = Authority::new("B").issue("client.example", |_| {});
    let client = authority.client().client_certificate_pem(own.certificate.as_bytes(), own.key.as_bytes()).unwrap();

    let (near, far) = handshake(&client, &server(&authority), NAME);
    assert_eq!(tls_error(&far.unwrap_err()), TlsError::UntrustedIssuer);
    assert_eq!(refusal(near), TlsError::Alert(AlertDescription::UnknownCA));
}

#[test]
fn a_server_that_does_not_ask_ignores_a_client_certificate() {
    let authority = Authority::new("A");
    let own = authority.issue("client.example", |_| {});
    let client = authority.client().client_certificate_pem(own.certificate.as_bytes(), own.key.as_bytes()).unwrap();
    let (_, far) = handshake(&client, &authority.server(NAME), NAME);
    assert_eq!(TlsInfo::of(&far.unwrap()).unwrap().peer_fingerprint(), None);
}
