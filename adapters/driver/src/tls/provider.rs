//! The choice of a crypto provider.

use std::sync::Arc;

use futures_rustls::rustls::crypto::CryptoProvider;
use futures_rustls::rustls::server::ProducesTickets;
use futures_rustls::rustls::{self, CipherSuite};

use crate::tls::TlsConfigError;

/// The given provider, or else the one that was compiled in. Neither reads nor installs the process-wide default.
pub(crate) fn or_compiled_in(given: Option<&Arc<CryptoProvider>>) -> Result<Arc<CryptoProvider>, TlsConfigError> {
    given.cloned().or_else(compiled_in).ok_or(TlsConfigError::NoCryptoProvider)
}

fn compiled_in() -> Option<Arc<CryptoProvider>> {
    let mut provider = library()?;
    // Its hash is what costs: processors compute SHA-256 themselves and SHA-384, which goes with AES-256, they do not.
    provider.cipher_suites.sort_by_key(|suite| suite.suite() != CipherSuite::TLS13_AES_128_GCM_SHA256);
    Some(Arc::new(provider))
}

#[cfg(feature = "aws-lc-rs")]
fn library() -> Option<CryptoProvider> {
    Some(rustls::crypto::aws_lc_rs::default_provider())
}

#[cfg(all(feature = "ring", not(feature = "aws-lc-rs")))]
fn library() -> Option<CryptoProvider> {
    Some(rustls::crypto::ring::default_provider())
}

#[cfg(not(any(feature = "ring", feature = "aws-lc-rs")))]
fn library() -> Option<CryptoProvider> {
    None
}

/// What encrypts tickets under a key of its own, which nothing else knows and which it changes from time to time. `None`
/// beside a given provider: who brings cryptography of their own may want no other, and a provider has none for tickets.
pub(crate) fn ticketer(given: Option<&Arc<CryptoProvider>>) -> Result<Option<Arc<dyn ProducesTickets>>, rustls::Error> {
    if given.is_some() { Ok(None) } else { compiled_in_ticketer() }
}

#[cfg(feature = "aws-lc-rs")]
fn compiled_in_ticketer() -> Result<Option<Arc<dyn ProducesTickets>>, rustls::Error> {
    rustls::crypto::aws_lc_rs::Ticketer::new().map(Some)
}

#[cfg(all(feature = "ring", not(feature = "aws-lc-rs")))]
fn compiled_in_ticketer() -> Result<Option<Arc<dyn ProducesTickets>>, rustls::Error> {
    rustls::crypto::ring::Ticketer::new().map(Some)
}

#[cfg(not(any(feature = "ring", feature = "aws-lc-rs")))]
fn compiled_in_ticketer() -> Result<Option<Arc<dyn ProducesTickets>>, rustls::Error> {
    Ok(None)
}
