//! Reading certificates and keys.

use std::path::Path;

use futures_rustls::pki_types::pem::{self, PemObject};
use futures_rustls::pki_types::{CertificateDer, PrivateKeyDer};
use futures_rustls::rustls::RootCertStore;

use crate::tls::{TlsConfigError, TlsInput};

pub(crate) fn read(path: &Path) -> Result<Vec<u8>, TlsConfigError> {
    std::fs::read(path).map_err(|source| TlsConfigError::ReadFile { path: path.to_owned(), source })
}

/// The certificates in `pem`, in order. Sections of other kinds are skipped: files often hold the key as well.
pub(crate) fn certificates(pem: &[u8], input: TlsInput) -> Result<Vec<CertificateDer<'static>>, TlsConfigError> {
    CertificateDer::pem_slice_iter(pem)
        .map(|certificate| certificate.map_err(|source| TlsConfigError::Pem { input, source }))
        .collect()
}

pub(crate) fn private_key(pem: &[u8]) -> Result<PrivateKeyDer<'static>, TlsConfigError> {
    PrivateKeyDer::from_pem_slice(pem).map_err(|error| match error {
        pem::Error::NoItemsFound => TlsConfigError::NoPrivateKey,
        source => TlsConfigError::Pem { input: TlsInput::PrivateKey, source },
    })
}

/// A store of roots that holds at least one: an empty store would refuse every peer.
pub(crate) fn roots(
    certificates: impl IntoIterator<Item = CertificateDer<'static>>,
    input: TlsInput,
) -> Result<RootCertStore, TlsConfigError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates {
        roots.add(certificate).map_err(|source| TlsConfigError::BadCertificate { input, source })?;
    }
    if roots.is_empty() { Err(TlsConfigError::NoCertificate(input)) } else { Ok(roots) }
}
