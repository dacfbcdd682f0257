//! What can be configured, and what is wrong with the rest.

use std::error::Error as _;
use std::path::Path;
use std::sync::Arc;

use rustls_native_certs::CertificateResult;

use super::authority::Authority;
use super::{NAME, client_config, server_config};
use crate::tls::client::native_roots;
use crate::tls::{ClientTls, Fingerprint, ServerTls, TlsConfigError, TlsInput, provider};

fn pem(label: &str, body: &str) -> Vec<u8> {
    format!("-----BEGIN {label}-----\n{body}\n-----END {label}-----\n").into_bytes()
}

#[test]
fn codes_of_the_original_parse() {
    assert!(ClientTls::from_code("0").unwrap().build(1).unwrap().is_none());
    assert!(ClientTls::from_code("1").unwrap().build(1).unwrap().is_some());
    // Whether the system has roots to build it with is another matter.
    assert!(ClientTls::from_code("2").is_ok());
    for code in ["", "3", "01", "true"] {
        let error = ClientTls::from_code(code).unwrap_err();
        assert!(matches!(&error, TlsConfigError::UnknownCode(found) if found == code), "{error:?}");
    }
}

#[test]
fn plain_builds_nothing() {
    assert!(ClientTls::plain().build(1).unwrap().is_none());
    assert!(ServerTls::plain().build().unwrap().is_none());
}

#[test]
fn what_is_built_offers_no_alpn() {
    assert!(client_config(&ClientTls::dangerous_accept_any()).alpn_protocols.is_empty());
    assert!(server_config(&ServerTls::self_signed([NAME]).unwrap()).alpn_protocols.is_empty());
}

#[test]
fn a_configuration_of_the_user_is_used_as_it_is() {
    let client = client_config(&ClientTls::dangerous_accept_any());
    assert!(Arc::ptr_eq(&client_config(&ClientTls::from_config(Arc::clone(&client))), &client));
    let server = server_config(&ServerTls::self_signed([NAME]).unwrap());
    assert!(Arc::ptr_eq(&server_config(&ServerTls::from_config(Arc::clone(&server))), &server));
}

#[test]
fn settings_without_effect_are_errors() {
    let authority = Authority::new("A");
    let own = authority.issue(NAME, |_| {});
    let config = client_config(&ClientTls::dangerous_accept_any());
    for client in [ClientTls::plain(), ClientTls::from_config(config)] {
        let client = client.client_certificate_pem(own.certificate.as_bytes(), own.key.as_bytes()).unwrap();
        let error = client.build(1).unwrap_err();
        assert!(matches!(error, TlsConfigError::NotApplicable(TlsInput::CertificateChain)), "{error:?}");
    }
    let config = server_config(&own.server());
    for server in [ServerTls::plain(), ServerTls::from_config(config)] {
        let error = server.client_ca_pem(authority.pem().as_bytes()).unwrap().build().unwrap_err();
        assert!(matches!(error, TlsConfigError::NotApplicable(TlsInput::ClientCa)), "{error:?}");
    }
}

#[test]
fn bad_pem_is_reported_with_the_input_it_is_in() {
    let good = Authority::new("A").issue(NAME, |_| {});
    let (certificate, key) = (good.certificate.as_bytes(), good.key.as_bytes());

    let error = ServerTls::from_pem(key, key).unwrap_err();
    assert!(matches!(error, TlsConfigError::NoCertificate(TlsInput::CertificateChain)), "{error:?}");
    let error = ServerTls::from_pem(certificate, certificate).unwrap_err();
    assert!(matches!(error, TlsConfigError::NoPrivateKey), "{error:?}");
    let error = ServerTls::from_pem(certificate, &pem("ENCRYPTED PRIVATE KEY", "MA==")).unwrap_err();
    assert!(matches!(error, TlsConfigError::NoPrivateKey), "{error:?}");

    let cut = &certificate[..certificate.len() / 2];
    let error = ServerTls::from_pem(cut, key).unwrap_err();
    assert!(matches!(error, TlsConfigError::Pem { input: TlsInput::CertificateChain, .. }), "{error:?}");
    assert!(error.source().is_some());
    let error = ServerTls::from_pem(certificate, &pem("PRIVATE KEY", "?")).unwrap_err();
    assert!(matches!(error, TlsConfigError::Pem { input: TlsInput::PrivateKey, .. }), "{error:?}");
    let error = ClientTls::with_roots_pem(cut).unwrap_err();
    assert!(matches!(error, TlsConfigError::Pem { input: TlsInput::Roots, .. }), "{error:?}");
    let error = ServerTls::plain().client_ca_pem(cut).unwrap_err();
    assert!(matches!(error, TlsConfigError::Pem { input: TlsInput::ClientCa, .. }), "{error:?}");

    let not_der = pem("CERTIFICATE", "MA==");
    let error = ServerTls::from_pem(&not_der, key).unwrap_err();
    assert!(matches!(error, TlsConfigError::BadCertificate { input: TlsInput::CertificateChain, .. }), "{error:?}");
    let error = ClientTls::with_roots_pem(&not_der).unwrap_err();
    assert!(matches!(error, TlsConfigError::BadCertificate { input: TlsInput::Roots, .. }), "{error:?}");
    let error = ClientTls::with_roots_pem(b"").unwrap_err();
    assert!(matches!(error, TlsConfigError::NoCertificate(TlsInput::Roots)), "{error:?}");
    let error = ServerTls::plain().client_ca_pem(b"").unwrap_err();
    assert!(matches!(error, TlsConfigError::NoCertificate(TlsInput::ClientCa)), "{error:?}");
    let error = ServerTls::from_der([], super::super::pem::private_key(key).unwrap()).unwrap_err();
    assert!(matches!(error, TlsConfigError::NoCertificate(TlsInput::CertificateChain)), "{error:?}");
}

#[test]
fn a_key_that_does_not_fit_is_reported_on_both_sides() {
    let authority = Authority::new("A");
    let (one, other) = (authority.issue(NAME, |_| {}), authority.issue(NAME, |_| {}));
    let certificate = one.certificate.as_bytes();

    let mismatched = ServerTls::from_pem(certificate, other.key.as_bytes()).unwrap();
    assert!(matches!(mismatched.build(), Err(TlsConfigError::KeyMismatch)));
    let mismatched = authority.client().client_certificate_pem(certificate, other.key.as_bytes()).unwrap();
    assert!(matches!(mismatched.build(1), Err(TlsConfigError::KeyMismatch)));
    let garbage = ServerTls::from_pem(certificate, &pem("PRIVATE KEY", "MA==")).unwrap();
    assert!(matches!(garbage.build(), Err(TlsConfigError::BadPrivateKey(_))));
}

#[test]
fn a_missing_file_is_named() {
    let missing = Path::new("no-such-directory/chain.pem");
    let error = ServerTls::from_pem_files(missing, missing).unwrap_err();
    assert!(matches!(&error, TlsConfigError::ReadFile { path, .. } if path == missing), "{error:?}");
    assert!(error.to_string().contains("chain.pem"), "{error}");
}

#[test]
fn bad_names_are_refused_without_a_panic() {
    for bad in ["", " ", "a b", "a..b", "*", "a.*.b", "host:443", "[::1]", "höst", "host.", "a\0b", &"a".repeat(300)] {
        let error = ServerTls::self_signed([NAME, bad]).unwrap_err();
        assert!(matches!(&error, TlsConfigError::InvalidName(found) if found == bad), "{bad:?}: {error:?}");
    }
}

#[test]
fn an_empty_system_store_is_an_error() {
    let error = native_roots(CertificateResult::default()).unwrap_err();
    assert!(matches!(error, TlsConfigError::NoNativeRoots { source: None }), "{error:?}");

    let mut found = CertificateResult::default();
    found.errors = rustls_native_certs::load_certs_from_paths(Some(Path::new("no-such-file.pem")), None).errors;
    assert!(native_roots(found).unwrap_err().source().is_some());
}

#[test]
fn the_given_crypto_provider_is_the_one_used() {
    let mut provider = (*provider::or_compiled_in(None).unwrap()).clone();
    provider.cipher_suites.truncate(1);
    let provider = Arc::new(provider);
    let client = client_config(&ClientTls::dangerous_accept_any().crypto_provider(Arc::clone(&provider)));
    assert!(Arc::ptr_eq(client.crypto_provider(), &provider));
    let server = ServerTls::self_signed([NAME]).unwrap().crypto_provider(Arc::clone(&provider));
    assert!(Arc::ptr_eq(server_config(&server).crypto_provider(), &provider));

    let mut useless = (*provider).clone();
    useless.cipher_suites.clear();
    let error = ClientTls::dangerous_accept_any().crypto_provider(Arc::new(useless)).build(1).unwrap_err();
    assert!(matches!(error, TlsConfigError::Rustls(_)), "{error:?}");
}

#[test]
fn keys_stay_out_of_debug_output() {
    let server = Authority::new("A").issue(NAME, |_| {}).server();
    assert!(format!("{server:?}").contains("[secret key elided]"));
}

#[test]
fn fingerprints_are_sha_256_and_read_in_both_spellings() {
    let empty = "E3:B0:C4:42:98:FC:1C:14:9A:FB:F4:C8:99:6F:B9:24:27:AE:41:E4:64:9B:93:4C:A4:95:99:1B:78:52:B8:55";
    let fingerprint = Fingerprint::of(&Vec::new().into());
    assert_eq!(fingerprint.to_string(), empty);
    assert_eq!(empty.parse(), Ok(fingerprint));
    assert_eq!(empty.replace(':', "").to_lowercase().parse(), Ok(fingerprint));

    let bare = empty.replace(':', "");
    let misplaced = format!("E3B:0{}", &empty[5..]);
    for bad in ["", "E3", &bare[..63], &format!("{bare}0"), &format!("{empty}:"), &misplaced, &empty.replace(':', "-")]
    {
        assert!(bad.parse::<Fingerprint>().is_err(), "{bad}");
    }
    assert!("+1".repeat(32).parse::<Fingerprint>().is_err());
    assert!("é".repeat(32).parse::<Fingerprint>().is_err());
}
