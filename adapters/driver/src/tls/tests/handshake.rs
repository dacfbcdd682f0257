//! Which servers a client accepts.

use std::error::Error as _;
use std::io;
use std::sync::Arc;

use futures_rustls::rustls::sign::{CertifiedKey, SingleCertAndKey};
use futures_rustls::rustls::version::TLS13;
use futures_rustls::rustls::{AlertDescription, CertificateError, Error, ProtocolVersion, ServerConfig};
use rcgen::date_time_ymd;

use super::authority::Authority;
use super::{NAME, failure, handshake};
use crate::tls::{ClientTls, Fingerprint, ServerTls, TlsError, TlsInfo, TlsInput, pem, provider};

#[test]
fn a_certificate_from_a_given_root_is_accepted() {
    let authority = Authority::new("A");
    let server = authority.server(NAME);
    let (near, far) = handshake(&authority.client(), &server, NAME);

    let info = TlsInfo::of(&near.unwrap()).unwrap();
    assert_eq!(info.version(), ProtocolVersion::TLSv1_3);
    assert_eq!(info.peer_fingerprint(), server.fingerprint());
    assert!(!info.is_resumed());
    let info = TlsInfo::of(&far.unwrap()).unwrap();
    assert_eq!(info.peer_certificates(), []);
    assert_eq!(info.peer_fingerprint(), None);
}

#[test]
fn a_self_signed_certificate_is_its_own_root_for_each_of_its_names() {
    let server = ServerTls::self_signed([NAME, "*.wild.example", "127.0.0.1", "::1"]).unwrap();
    let client = ClientTls::with_roots_pem(server.certificate_pem().unwrap().as_bytes()).unwrap();
    for name in [NAME, "a.wild.example", "127.0.0.1", "::1"] {
        handshake(&client, &server, name).0.unwrap();
    }
    for name in ["wild.example", "127.0.0.2", "::2"] {
        assert!(matches!(failure(&client, &server, name).0, TlsError::WrongName(_)), "{name}");
    }
}

#[test]
fn a_certificate_for_another_name_is_refused() {
    let authority = Authority::new("A");
    let (near, far) = failure(&authority.client(), &authority.server("other.example"), NAME);
    assert!(matches!(near, TlsError::WrongName(_)), "{near:?}");
    assert!(near.to_string().contains("other.example"), "{near}");
    assert_eq!(far, TlsError::Alert(AlertDescription::BadCertificate));
}

#[test]
fn an_expired_certificate_is_refused() {
    let authority = Authority::new("A");
    let issued = authority.issue(NAME, |params| params.not_after = date_time_ymd(2020, 1, 1));
    let (near, far) = failure(&authority.client(), &issued.server(), NAME);
    assert!(matches!(near, TlsError::Expired(_)), "{near:?}");
    assert_eq!(far, TlsError::Alert(AlertDescription::CertificateExpired));
}

#[test]
fn a_certificate_that_is_not_yet_valid_is_refused() {
    let authority = Authority::new("A");
    let issued = authority.issue(NAME, |params| params.not_before = date_time_ymd(3000, 1, 1));
    let (near, _) = failure(&authority.client(), &issued.server(), NAME);
    assert!(matches!(near, TlsError::NotYetValid(_)), "{near:?}");
}

#[test]
fn an_untrusted_issuer_is_refused() {
    let (near, far) = failure(&Authority::new("A").client(), &Authority::new("B").server(NAME), NAME);
    assert_eq!(near, TlsError::UntrustedIssuer);
    assert_eq!(far, TlsError::Alert(AlertDescription::UnknownCA));
}

#[test]
fn the_root_of_an_earlier_self_signed_server_is_an_untrusted_issuer() {
    let earlier = ServerTls::self_signed([NAME]).unwrap();
    let client = ClientTls::with_roots_pem(earlier.certificate_pem().unwrap().as_bytes()).unwrap();
    let (near, _) = failure(&client, &ServerTls::self_signed([NAME]).unwrap(), NAME);
    assert_eq!(near, TlsError::UntrustedIssuer);
}

#[test]
fn a_pin_accepts_that_certificate_alone_whatever_else_is_wrong_with_it() {
    let expired = Authority::new("A").issue("other.example", |params| params.not_after = date_time_ymd(2020, 1, 1));
    let server = expired.server();
    let presented = server.fingerprint().unwrap();
    let (near, _) = handshake(&ClientTls::pinned(presented), &server, NAME);
    assert_eq!(TlsInfo::of(&near.unwrap()).unwrap().peer_fingerprint(), Some(presented));

    let expected = Fingerprint::new([0; 32]);
    let (near, far) = failure(&ClientTls::pinned(expected), &server, NAME);
    assert_eq!(near, TlsError::WrongFingerprint { expected, presented });
    assert!(near.to_string().contains(&presented.to_string()), "{near}");
    assert_eq!(far, TlsError::Alert(AlertDescription::CertificateUnknown));
}

#[test]
fn accepting_any_accepts_a_certificate_with_everything_wrong() {
    let expired = Authority::new("A").issue("other.example", |params| params.not_after = date_time_ymd(2020, 1, 1));
    let server = expired.server();
    let (near, _) = handshake(&ClientTls::dangerous_accept_any(), &server, NAME);
    assert_eq!(TlsInfo::of(&near.unwrap()).unwrap().peer_fingerprint(), server.fingerprint());
    // Nor need there be a name at all.
    let nameless = ServerTls::self_signed([""; 0]).unwrap();
    handshake(&ClientTls::dangerous_accept_any(), &nameless, NAME).0.unwrap();
}

#[test]
fn somebody_elses_certificate_without_its_key_is_refused_in_every_mode() {
    let authority = Authority::new("A");
    let (owner, thief) = (authority.issue(NAME, |_| {}), authority.issue(NAME, |_| {}));
    let provider = provider::or_compiled_in(None).unwrap();
    let chain = pem::certificates(owner.certificate.as_bytes(), TlsInput::CertificateChain).unwrap();
    let key = provider.key_provider.load_private_key(pem::private_key(thief.key.as_bytes()).unwrap()).unwrap();
    let config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13])
        .unwrap()
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(SingleCertAndKey::from(CertifiedKey::new(chain, key))));
    let server = ServerTls::from_config(Arc::new(config));

    let pin = owner.server().fingerprint().unwrap();
    for client in [authority.client(), ClientTls::pinned(pin), ClientTls::dangerous_accept_any()] {
        let (near, _) = failure(&client, &server, NAME);
        assert_eq!(near, TlsError::BadCertificate(CertificateError::BadSignature), "{client:?}");
    }
}

#[test]
fn a_tls_failure_is_found_however_deep_it_sits() {
    let failure = Error::InvalidCertificate(CertificateError::Revoked);
    let nested = io::Error::other(io::Error::new(io::ErrorKind::InvalidData, failure.clone()));
    assert_eq!(TlsError::from_io(&nested), Some(TlsError::Revoked));
    assert_eq!(TlsError::from_io(&io::Error::other(TlsError::Revoked)), Some(TlsError::Revoked));
    // Behind the source of some other error.
    let behind = io::Error::other(TlsError::Other(Error::DecryptError));
    assert_eq!(TlsError::from_io(&behind), Some(TlsError::Other(Error::DecryptError)));

    assert_eq!(TlsError::from_io(&io::Error::other("lost")), None);
    assert_eq!(TlsError::from_io(&io::Error::from_raw_os_error(104)), None);
}

#[test]
fn an_unnamed_failure_keeps_its_source() {
    let error = TlsError::from(Error::DecryptError);
    assert_eq!(error.source().unwrap().to_string(), Error::DecryptError.to_string());
}
