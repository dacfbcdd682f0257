//! Whom a client that verifies turns down.

use npws::DialError;
use npws::tokio::Tokio;
use npws_peers::original::Original;
use npws_peers::tls::Mode;
use npws_tests::pools::{bind, client, server};
use npws_tests::testbed::until;

use crate::setup::any_port;

pub(crate) async fn our_client_turns_a_stranger_down() {
    let theirs = Original::server(Mode::Trusting, any_port(), 1).await.expect("loopback has a free port");
    let tls = Mode::Verifying.client();
    let ours = client::<Tokio>(theirs.address(), 1).tls(tls).connect().expect("the settings are valid");
    until::<Tokio>("a dial has failed", || ours.stats().dial_failures.tls > 0).await;
    let error = ours.last_dial_error();
    assert!(matches!(error.as_deref(), Some(DialError::Tls(_))), "{error:?}");
    assert_eq!(ours.stats().registered_total, 0);
}

pub(crate) async fn its_client_turns_our_strange_server_down() {
    let (ours, address) = bind(server::<Tokio>().tls(Mode::Trusting.server())).await;
    let theirs = Original::client(Mode::Verifying, address, 1).await;
    until::<Tokio>("a handshake has failed", || ours.stats().accept_failures > 0).await;
    theirs.filled(0).await;
    assert_eq!(ours.stats().registered_total, 0);
}
