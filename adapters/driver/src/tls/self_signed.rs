//! Certificates that their own key signs.

use std::net::IpAddr;

use futures_rustls::pki_types::DnsName;

use crate::tls::TlsConfigError;
use crate::tls::identity::Identity;

/// A new identity with a key on P-256, and its certificate in PEM.
#[cfg(any(feature = "ring", feature = "aws-lc-rs"))]
pub(crate) fn generate(names: Vec<String>) -> Result<(Identity, String), TlsConfigError> {
    use futures_rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
    use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair, PublicKeyData};
    use sha2::{Digest, Sha256};

    fn failed(error: rcgen::Error) -> TlsConfigError {
        TlsConfigError::SelfSign(error.into())
    }

    check(&names)?;
    let key = KeyPair::generate().map_err(failed)?;
    let mut params = CertificateParams::new(names).map_err(failed)?;
    // A subject of its own for each key: a client that trusts an older certificate with the same subject would report a
    // bad signature instead of an unknown issuer.
    let digest = Sha256::digest(key.subject_public_key_info());
    let id: String = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, format!("npws {id}"));

    let certificate = params.self_signed(&key).map_err(failed)?;
    let pem = certificate.pem();
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
    Ok((Identity::new(vec![certificate.der().clone()], key)?, pem))
}

#[cfg(not(any(feature = "ring", feature = "aws-lc-rs")))]
pub(crate) fn generate(names: Vec<String>) -> Result<(Identity, String), TlsConfigError> {
    check(&names)?;
    Err(TlsConfigError::NoCryptoProvider)
}

/// The generator takes any ASCII, but no client could ever match such a name.
fn check(names: &[String]) -> Result<(), TlsConfigError> {
    match names.iter().find(|name| !is_valid(name)) {
        Some(name) => Err(TlsConfigError::InvalidName(name.clone())),
        None => Ok(()),
    }
}

fn is_valid(name: &str) -> bool {
    let host = name.strip_prefix("*.").unwrap_or(name);
    let is_name = DnsName::try_from(host).is_ok() && !host.ends_with('.');
    is_name || name.parse::<IpAddr>().is_ok()
}
