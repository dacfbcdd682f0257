//! A new certificate while the pool is in use.

use npws::{AcceptError, ClientTls, ServerTls, TlsConfigError, TlsError};

use crate::certificates::Authority;
use crate::pools::{NEVER, bind, client, server, take_pair, talk};
use crate::testbed::{Testbed, until};

fn certificate() -> ServerTls {
    ServerTls::self_signed(["127.0.0.1"]).expect("a certificate can be made")
}

pub async fn a_new_certificate_is_presented_and_what_is_idle_lives_on<R: Testbed>() {
    let (old, new) = (certificate(), certificate());
    let (server, address) = bind(server::<R>().tls(old.clone())).await;
    let first = client::<R>(address, 1).tls(ClientTls::pinned(old.fingerprint().unwrap())).connect().unwrap();
    until::<R>("the old one is good", || server.active() == 1 && first.active() == 1).await;
    server.set_tls(new.clone()).unwrap();
    assert_eq!(server.active(), 1);
    let (mut accepted, mut dialed) = take_pair(&server, &first).await;
    talk(&mut accepted, &mut dialed).await;
    first.close();

    let second = client::<R>(address, 1).tls(ClientTls::pinned(new.fingerprint().unwrap())).connect().unwrap();
    until::<R>("the new one is good", || second.active() == 1).await;
}

pub async fn a_broken_certificate_leaves_the_old_one_in_place<R: Testbed>() {
    let old = certificate();
    let (server, address) = bind(server::<R>().tls(old.clone())).await;
    let stranger = certificate();
    let key = b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
    let broken = ServerTls::from_pem(stranger.certificate_pem().unwrap().as_bytes(), key).unwrap();
    assert!(matches!(server.set_tls(broken), Err(TlsConfigError::BadPrivateKey { .. })));
    let client = client::<R>(address, 1).tls(ClientTls::pinned(old.fingerprint().unwrap())).connect().unwrap();
    until::<R>("the old one is still good", || client.active() == 1).await;
}

pub async fn an_old_session_does_not_let_in_whose_certificate_is_asked_for_now<R: Testbed>() {
    let (authority, other) = (Authority::default(), Authority::default());
    let certificate = authority.server("127.0.0.1").server_tls();
    let (server, address) = bind(server::<R>().capacity(4).tls(certificate.clone())).await;
    let own = authority.client();
    let tls = authority.trusting_client();
    let tls = tls.client_certificate_pem(own.certificate.as_bytes(), own.key.as_bytes()).unwrap();
    let client = client::<R>(address, 1).tls(tls).backoff(NEVER..=NEVER).connect().unwrap();
    let (accepted, dialed) = take_pair(&server, &client).await;
    assert!(!dialed.tls().unwrap().is_resumed());
    let (resumed, _dialed) = take_pair(&server, &client).await;
    assert!(resumed.tls().unwrap().is_resumed(), "the client has a session to come back with");

    until::<R>("it is full again", || server.active() == 1 && client.active() == 1).await;
    let failed = server.stats().accept_failures;
    server.set_tls(certificate.client_ca_pem(other.pem()).unwrap()).unwrap();
    server.flush();
    until::<R>("the next dial has failed", || server.stats().accept_failures > failed).await;
    let error = server.last_accept_error().unwrap();
    assert!(matches!(&*error, AcceptError::Tls(TlsError::UntrustedIssuer)), "{error}");
    assert_eq!(server.active(), 0);
    drop(accepted);
}
