//! A new certificate while the pool is in use.

use npws::{ClientTls, ServerTls, TlsConfigError};

use crate::pools::{bind, client, server, take_pair, talk};
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
