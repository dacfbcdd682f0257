//! Servers that ask clients for a certificate.

use npws::{ClientTls, DialError, TlsError, UpgradeError};

use crate::certificates::{Authority, Identity};
use crate::pools::{NEVER, bind, client, filled, server, take_pair, talk};
use crate::testbed::{Testbed, until};

/// A client that presents this.
fn presenting(authority: &Authority, identity: &Identity) -> ClientTls {
    let (certificate, key) = (identity.certificate.as_bytes(), identity.key.as_bytes());
    authority.trusting_client().client_certificate_pem(certificate, key).unwrap()
}

pub async fn a_client_with_the_right_certificate_is_let_in_and_known<R: Testbed>() {
    let authority = Authority::default();
    let identity = authority.client();
    let tls = authority.server("127.0.0.1").server_tls().client_ca_pem(authority.pem()).unwrap();
    let (server, address) = bind(server::<R>().tls(tls)).await;
    let client = client::<R>(address, 3).tls(presenting(&authority, &identity)).connect().unwrap();
    filled(&server, &client, 3).await;
    for _ in 0..6 {
        let (mut accepted, mut dialed) = take_pair(&server, &client).await;
        talk(&mut accepted, &mut dialed).await;
        assert_eq!(accepted.tls().unwrap().peer_fingerprint(), Some(identity.fingerprint()));
    }
}

pub async fn a_client_without_a_certificate_learns_that_it_needs_one<R: Testbed>() {
    let authority = Authority::default();
    let error = refused::<R>(&authority, authority.trusting_client()).await;
    assert_eq!(error, TlsError::ClientCertificateRequired);
}

pub async fn a_client_with_a_strangers_certificate_is_refused<R: Testbed>() {
    let (authority, stranger) = (Authority::default(), Authority::default());
    let error = refused::<R>(&authority, presenting(&authority, &stranger.client())).await;
    assert!(matches!(error, TlsError::Alert(_)), "{error}");
}

/// Dials a server that asks for certificates of `authority`, and gives the reason why that failed.
async fn refused<R: Testbed>(authority: &Authority, tls: ClientTls) -> TlsError {
    let server_tls = authority.server("127.0.0.1").server_tls().client_ca_pem(authority.pem()).unwrap();
    let (server, address) = bind(server::<R>().tls(server_tls)).await;
    let client = client::<R>(address, 1).tls(tls).backoff(NEVER..=NEVER).connect().unwrap();
    until::<R>("the dial has failed", || client.stats().dial_failures.total() == 1).await;
    until::<R>("the server knows", || server.stats().accept_failures == 1).await;
    assert_eq!((server.active(), server.stats().registered_total), (0, 0));
    // In TLS 1.3 a client is done before the server has looked at its certificate: the answer to the upgrade, or rather
    // what comes in its place, is where it learns of the refusal.
    match &*client.last_dial_error().unwrap() {
        DialError::Tls(cause) => cause.clone(),
        DialError::Upgrade(UpgradeError::Io(error)) => {
            TlsError::from_io(error).unwrap_or_else(|| panic!("{error:?} does not tell of the refusal"))
        }
        other => panic!("{other:?} does not tell of the refusal"),
    }
}
