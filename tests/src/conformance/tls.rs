//! TLS: whom a client trusts, and how it says that it does not.

use std::sync::Arc;

use npws::{ClientTls, DialError, Fingerprint, ServerTls, TlsError, rustls};

use crate::certificates::Authority;
use crate::pools::{NEVER, bind, client, filled, server, take_pair, talk};
use crate::testbed::{Testbed, until};

/// Lets a client with `tls` dial a server with `identity` for `name`; gives its error, or none if they work together.
async fn dial<R: Testbed>(server_tls: ServerTls, tls: ClientTls, name: Option<&str>) -> Option<Arc<DialError>> {
    let (server, address) = bind(server::<R>().tls(server_tls)).await;
    let mut builder = client::<R>(address, 1).tls(tls).backoff(NEVER..=NEVER);
    if let Some(name) = name {
        builder = builder.server_name(name);
    }
    let client = builder.connect().unwrap();
    until::<R>("the dial is over", || client.stats().dial_failures.total() == 1 || client.active() == 1).await;
    if let Some(error) = client.last_dial_error() {
        assert_eq!((client.stats().dial_failures.tls, client.active()), (1, 0), "{error}");
        until::<R>("the server knows", || server.stats().accept_failures == 1).await;
        return Some(error);
    }
    let (mut accepted, mut dialed) = take_pair(&server, &client).await;
    talk(&mut accepted, &mut dialed).await;
    for info in [accepted.tls().unwrap(), dialed.tls().unwrap()] {
        assert_eq!(info.version(), rustls::ProtocolVersion::TLSv1_3);
    }
    None
}

/// The error inside a dial that failed in TLS.
fn cause(error: Option<Arc<DialError>>) -> TlsError {
    match &*error.expect("it must not be trusted") {
        DialError::Tls(cause) => cause.clone(),
        other => panic!("{other:?} is no error of TLS"),
    }
}

pub async fn a_certificate_of_a_trusted_issuer_for_the_right_name_is_accepted<R: Testbed>() {
    let authority = Authority::default();
    let by_address = authority.server("127.0.0.1").server_tls();
    assert!(dial::<R>(by_address, authority.trusting_client(), None).await.is_none());
    let by_name = authority.server("relay.example").server_tls();
    assert!(dial::<R>(by_name, authority.trusting_client(), Some("relay.example")).await.is_none());
}

pub async fn a_certificate_for_another_name_is_refused_as_such<R: Testbed>() {
    let authority = Authority::default();
    let tls = authority.server("relay.example").server_tls();
    let error = cause(dial::<R>(tls, authority.trusting_client(), Some("other.example")).await);
    assert!(matches!(error, TlsError::WrongName(_)), "{error}");
    assert!(error.to_string().contains("relay.example"), "{error}");
}

pub async fn an_expired_certificate_is_refused_as_such<R: Testbed>() {
    let authority = Authority::default();
    let tls = authority.expired("127.0.0.1").server_tls();
    let error = cause(dial::<R>(tls, authority.trusting_client(), None).await);
    assert!(matches!(error, TlsError::Expired(_)), "{error}");
}

pub async fn a_certificate_of_the_future_is_refused_as_such<R: Testbed>() {
    let authority = Authority::default();
    let tls = authority.not_yet_valid("127.0.0.1").server_tls();
    let error = cause(dial::<R>(tls, authority.trusting_client(), None).await);
    assert!(matches!(error, TlsError::NotYetValid(_)), "{error}");
}

pub async fn a_certificate_of_an_unknown_issuer_is_refused_as_such<R: Testbed>() {
    let tls = Authority::default().server("127.0.0.1").server_tls();
    let error = cause(dial::<R>(tls, Authority::default().trusting_client(), None).await);
    assert_eq!(error, TlsError::UntrustedIssuer);
}

pub async fn accept_any_accepts_any<R: Testbed>() {
    let authority = Authority::default();
    for identity in [authority.expired("relay.example"), authority.server("other.example")] {
        assert!(dial::<R>(identity.server_tls(), ClientTls::dangerous_accept_any(), None).await.is_none());
    }
    let mode_one = ClientTls::from_code("1").unwrap();
    assert!(dial::<R>(ServerTls::self_signed(["x.example"]).unwrap(), mode_one, None).await.is_none());
}

pub async fn a_pin_accepts_exactly_one_certificate<R: Testbed>() {
    let tls = Authority::default().expired("relay.example").server_tls();
    let pin = tls.fingerprint().unwrap();
    assert!(dial::<R>(tls.clone(), ClientTls::pinned(pin), None).await.is_none());
    let wrong: Fingerprint = "5f".repeat(32).parse().unwrap();
    let error = cause(dial::<R>(tls, ClientTls::pinned(wrong), None).await);
    assert_eq!(error, TlsError::WrongFingerprint { expected: wrong, presented: pin });
}

pub async fn both_ends_know_what_tls_agreed_on<R: Testbed>() {
    let tls = ServerTls::self_signed(["127.0.0.1"]).unwrap();
    let (server, address) = bind(server::<R>().tls(tls.clone())).await;
    let client = client::<R>(address, 6).tls(ClientTls::pinned(tls.fingerprint().unwrap())).connect().unwrap();
    filled(&server, &client, 6).await;
    // Later ones resume a session, and know the certificate all the same.
    for _ in 0..12 {
        let (accepted, dialed) = take_pair(&server, &client).await;
        let (at_server, at_client) = (accepted.tls().unwrap(), dialed.tls().unwrap());
        assert_eq!(at_server.cipher_suite(), at_client.cipher_suite());
        assert_eq!(at_client.peer_fingerprint(), tls.fingerprint());
        assert!(at_server.peer_certificates().is_empty(), "the client showed none");
    }
}

pub async fn plain_and_tls_do_not_mix<R: Testbed>() {
    let (server, address) = bind(server::<R>()).await;
    let tls = client::<R>(address, 1).backoff(NEVER..=NEVER).tls(ClientTls::dangerous_accept_any()).connect().unwrap();
    until::<R>("the dial has failed", || tls.stats().dial_failures.tls == 1).await;
    let (secured, address) = bind(self::server::<R>().tls(ServerTls::self_signed(["x.example"]).unwrap())).await;
    let plain = client::<R>(address, 1).backoff(NEVER..=NEVER).connect().unwrap();
    until::<R>("the dial has failed", || plain.stats().dial_failures.upgrade == 1).await;
    assert_eq!((server.active(), secured.active()), (0, 0));
}
