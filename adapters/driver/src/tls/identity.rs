//! The certificate chain and private key by which one side proves who it is.

use std::path::Path;
use std::sync::Arc;

use futures_rustls::pki_types::{CertificateDer, PrivateKeyDer};
use futures_rustls::rustls::crypto::CryptoProvider;
use futures_rustls::rustls::server::ParsedCertificate;
use futures_rustls::rustls::sign::{CertifiedKey, SingleCertAndKey};
use futures_rustls::rustls::{Error, InconsistentKeys};

use crate::tls::{Fingerprint, TlsConfigError, TlsInput, pem};

/// A chain whose first certificate parses, and a key that is not looked at before a crypto provider is known.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    chain: Vec<CertificateDer<'static>>,
    /// Shared because a key does not clone by itself.
    key: Arc<PrivateKeyDer<'static>>,
    fingerprint: Fingerprint,
}

impl Identity {
    pub(crate) fn new(
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
    ) -> Result<Self, TlsConfigError> {
        let input = TlsInput::CertificateChain;
        let leaf = chain.first().ok_or(TlsConfigError::NoCertificate(input))?;
        ParsedCertificate::try_from(leaf).map_err(|source| TlsConfigError::BadCertificate { input, source })?;
        let fingerprint = Fingerprint::of(leaf);
        Ok(Self { chain, key: Arc::new(key), fingerprint })
    }

    pub(crate) fn from_pem(chain: &[u8], key: &[u8]) -> Result<Self, TlsConfigError> {
        let chain = pem::certificates(chain, TlsInput::CertificateChain)?;
        if chain.is_empty() {
            return Err(TlsConfigError::NoCertificate(TlsInput::CertificateChain));
        }
        Self::new(chain, pem::private_key(key)?)
    }

    pub(crate) fn from_pem_files(chain: &Path, key: &Path) -> Result<Self, TlsConfigError> {
        Self::from_pem(&pem::read(chain)?, &pem::read(key)?)
    }

    pub(crate) fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }

    /// What presents this identity in a handshake, on either side.
    pub(crate) fn resolver(&self, provider: &CryptoProvider) -> Result<Arc<SingleCertAndKey>, TlsConfigError> {
        let key =
            provider.key_provider.load_private_key(self.key.clone_key()).map_err(TlsConfigError::BadPrivateKey)?;
        let certified = CertifiedKey::new(self.chain.clone(), key);
        match certified.keys_match() {
            // A key in hardware may not tell its public half; the handshake will show whether it fits.
            Ok(()) | Err(Error::InconsistentKeys(InconsistentKeys::Unknown)) => {
                Ok(Arc::new(SingleCertAndKey::from(certified)))
            }
            Err(Error::InconsistentKeys(_)) => Err(TlsConfigError::KeyMismatch),
            Err(error) => Err(TlsConfigError::Rustls(error)),
        }
    }
}
