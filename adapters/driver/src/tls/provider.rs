//! The choice of a crypto provider.

use std::sync::Arc;

use futures_rustls::rustls::crypto::CryptoProvider;

use crate::tls::TlsConfigError;

/// The given provider, or else the one that was compiled in. Neither reads nor installs the process-wide default.
pub(crate) fn or_compiled_in(given: Option<&Arc<CryptoProvider>>) -> Result<Arc<CryptoProvider>, TlsConfigError> {
    given.cloned().or_else(compiled_in).ok_or(TlsConfigError::NoCryptoProvider)
}

#[cfg(feature = "aws-lc-rs")]
fn compiled_in() -> Option<Arc<CryptoProvider>> {
    Some(Arc::new(futures_rustls::rustls::crypto::aws_lc_rs::default_provider()))
}

#[cfg(all(feature = "ring", not(feature = "aws-lc-rs")))]
fn compiled_in() -> Option<Arc<CryptoProvider>> {
    Some(Arc::new(futures_rustls::rustls::crypto::ring::default_provider()))
}

#[cfg(not(any(feature = "ring", feature = "aws-lc-rs")))]
fn compiled_in() -> Option<Arc<CryptoProvider>> {
    None
}
