//! TLS of a pool that accepts.

use std::path::Path;
use std::sync::Arc;

use futures_rustls::pki_types::{CertificateDer, PrivateKeyDer};
use futures_rustls::rustls::crypto::CryptoProvider;
use futures_rustls::rustls::server::{NoServerSessionStorage, ServerSessionMemoryCache, WebPkiClientVerifier};
use futures_rustls::rustls::version::TLS13;
use futures_rustls::rustls::{RootCertStore, ServerConfig};

use crate::tls::identity::Identity;
use crate::tls::{Fingerprint, TlsConfigError, TlsInput, pem, provider, self_signed};

/// For cryptography without tickets. Each handshake leaves two sessions; the 256 of rustls would last for 128 connections.
const SESSIONS: usize = 1024;

/// How a server pool speaks TLS, and whether its clients must present a certificate.
///
/// The configuration itself is made when the pool is: a key that does not fit its certificate is reported then.
///
/// ```
/// # #[cfg(any(feature = "ring", feature = "aws-lc-rs"))] {
/// use npws_driver::ServerTls;
///
/// let tls = ServerTls::self_signed(["localhost", "127.0.0.1"])?;
/// assert!(tls.fingerprint().is_some());
/// # }
/// # Ok::<(), npws_driver::TlsConfigError>(())
/// ```
#[derive(Clone, Debug)]
pub struct ServerTls {
    mode: Mode,
    client_ca: Option<Arc<RootCertStore>>,
    provider: Option<Arc<CryptoProvider>>,
}

#[derive(Clone, Debug)]
enum Mode {
    Plain,
    SelfSigned { identity: Identity, pem: Arc<str> },
    Identity(Identity),
    Config(Arc<ServerConfig>),
}

impl ServerTls {
    fn new(mode: Mode) -> Self {
        Self { mode, client_ca: None, provider: None }
    }

    /// No TLS: `ws://`, for instance behind a proxy that ends TLS.
    ///
    /// ```
    /// use npws_driver::ServerTls;
    ///
    /// assert_eq!(ServerTls::plain().fingerprint(), None);
    /// ```
    #[must_use]
    pub fn plain() -> Self {
        Self::new(Mode::Plain)
    }

    pub(crate) fn is_plain(&self) -> bool {
        matches!(self.mode, Mode::Plain)
    }

    /// A new key on P-256 and a certificate for these DNS names and IP addresses that it signs itself. It does not
    /// expire, and lives as long as this value and its clones.
    ///
    /// Clients trust it by its [fingerprint](Self::fingerprint) or by [itself as a root](Self::certificate_pem). In the
    /// first case the names do not matter, and there may be none.
    ///
    /// ```
    /// # #[cfg(any(feature = "ring", feature = "aws-lc-rs"))] {
    /// use npws_driver::ServerTls;
    ///
    /// let tls = ServerTls::self_signed(["relay.example", "*.relay.example", "::1"])?;
    /// assert!(ServerTls::self_signed(["not a name"]).is_err());
    /// # }
    /// # Ok::<(), npws_driver::TlsConfigError>(())
    /// ```
    ///
    /// # Errors
    /// When a name is neither a DNS name nor an IP address, or neither `aws-lc-rs` nor `ring` is enabled.
    pub fn self_signed(names: impl IntoIterator<Item = impl Into<String>>) -> Result<Self, TlsConfigError> {
        let (identity, pem) = self_signed::generate(names.into_iter().map(Into::into).collect())?;
        Ok(Self::new(Mode::SelfSigned { identity, pem: pem.into() }))
    }

    /// The server's certificate chain, its own first, and its private key, both in PEM.
    ///
    /// ```
    /// use npws_driver::{ServerTls, TlsConfigError};
    ///
    /// fn with(chain: &[u8], key: &[u8]) -> Result<ServerTls, TlsConfigError> {
    ///     ServerTls::from_pem(chain, key)
    /// }
    /// ```
    ///
    /// # Errors
    /// When one of the two is malformed or empty, or the certificate cannot be parsed.
    pub fn from_pem(chain: &[u8], key: &[u8]) -> Result<Self, TlsConfigError> {
        Ok(Self::new(Mode::Identity(Identity::from_pem(chain, key)?)))
    }

    /// As [`from_pem`](Self::from_pem), from two files. They may be the same.
    ///
    /// ```
    /// use npws_driver::{ServerTls, TlsConfigError};
    ///
    /// let error = ServerTls::from_pem_files("/none/chain.pem", "/none/key.pem").unwrap_err();
    /// assert!(matches!(error, TlsConfigError::ReadFile { .. }));
    /// ```
    ///
    /// # Errors
    /// As there, and when a file cannot be read.
    pub fn from_pem_files(chain: impl AsRef<Path>, key: impl AsRef<Path>) -> Result<Self, TlsConfigError> {
        Ok(Self::new(Mode::Identity(Identity::from_pem_files(chain.as_ref(), key.as_ref())?)))
    }

    /// As [`from_pem`](Self::from_pem), in DER.
    ///
    /// ```
    /// use npws_driver::rustls::pki_types::{CertificateDer, PrivateKeyDer};
    /// use npws_driver::{ServerTls, TlsConfigError};
    ///
    /// fn with(leaf: CertificateDer<'static>, key: PrivateKeyDer<'static>) -> Result<ServerTls, TlsConfigError> {
    ///     ServerTls::from_der([leaf], key)
    /// }
    /// ```
    ///
    /// # Errors
    /// When there is no certificate, or the first cannot be parsed.
    pub fn from_der(
        chain: impl IntoIterator<Item = CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
    ) -> Result<Self, TlsConfigError> {
        Ok(Self::new(Mode::Identity(Identity::new(chain.into_iter().collect(), key)?)))
    }

    /// Exactly this configuration of rustls, ALPN and versions included.
    ///
    /// ```
    /// use npws_driver::{ServerTls, rustls::ServerConfig};
    /// use std::sync::Arc;
    ///
    /// fn with(config: ServerConfig) -> ServerTls {
    ///     ServerTls::from_config(Arc::new(config))
    /// }
    /// ```
    #[must_use]
    pub fn from_config(config: Arc<ServerConfig>) -> Self {
        Self::new(Mode::Config(config))
    }

    /// Requires clients to present a certificate from one of the issuers in `pem`, in each handshake: no session is
    /// resumed, which would let in whose certificate has expired since.
    ///
    /// ```
    /// use npws_driver::{ServerTls, TlsConfigError};
    ///
    /// fn with(tls: ServerTls, issuers: &[u8]) -> Result<ServerTls, TlsConfigError> {
    ///     tls.client_ca_pem(issuers)
    /// }
    /// ```
    ///
    /// # Errors
    /// When `pem` is malformed, holds no certificate or one that cannot be parsed.
    pub fn client_ca_pem(mut self, pem: &[u8]) -> Result<Self, TlsConfigError> {
        let input = TlsInput::ClientCa;
        self.client_ca = Some(Arc::new(pem::roots(pem::certificates(pem, input)?, input)?));
        Ok(self)
    }

    /// The cryptography to use instead of the one that was compiled in. [`plain`](Self::plain) needs none, and
    /// [`from_config`](Self::from_config) keeps its own.
    ///
    /// ```
    /// use npws_driver::{ServerTls, rustls::crypto::CryptoProvider};
    /// use std::sync::Arc;
    ///
    /// fn with(tls: ServerTls, provider: CryptoProvider) -> ServerTls {
    ///     tls.crypto_provider(Arc::new(provider))
    /// }
    /// ```
    #[must_use]
    pub fn crypto_provider(mut self, provider: Arc<CryptoProvider>) -> Self {
        self.provider = Some(provider);
        self
    }

    /// The fingerprint of the server's own certificate. `None` without TLS, and with a configuration that the user
    /// brought: that may choose among several.
    ///
    /// ```
    /// # #[cfg(any(feature = "ring", feature = "aws-lc-rs"))] {
    /// use npws_driver::ServerTls;
    ///
    /// let tls = ServerTls::self_signed(["localhost"])?;
    /// println!("{}", tls.fingerprint().map(|f| f.to_string()).unwrap_or_default());
    /// # }
    /// # Ok::<(), npws_driver::TlsConfigError>(())
    /// ```
    #[must_use]
    pub fn fingerprint(&self) -> Option<Fingerprint> {
        match &self.mode {
            Mode::SelfSigned { identity, .. } | Mode::Identity(identity) => Some(identity.fingerprint()),
            Mode::Plain | Mode::Config(_) => None,
        }
    }

    /// The certificate in PEM that [`self_signed`](Self::self_signed) made, for clients to trust; `None` otherwise.
    ///
    /// ```
    /// # #[cfg(any(feature = "ring", feature = "aws-lc-rs"))] {
    /// use npws_driver::ServerTls;
    ///
    /// let tls = ServerTls::self_signed(["localhost"])?;
    /// assert!(tls.certificate_pem().is_some_and(|pem| pem.starts_with("-----BEGIN CERTIFICATE-----")));
    /// # }
    /// # Ok::<(), npws_driver::TlsConfigError>(())
    /// ```
    #[must_use]
    pub fn certificate_pem(&self) -> Option<&str> {
        match &self.mode {
            Mode::SelfSigned { pem, .. } => Some(pem),
            Mode::Plain | Mode::Identity(_) | Mode::Config(_) => None,
        }
    }

    /// `None` without TLS.
    pub(crate) fn build(&self) -> Result<Option<Arc<ServerConfig>>, TlsConfigError> {
        let ready = match &self.mode {
            Mode::SelfSigned { identity, .. } | Mode::Identity(identity) => return self.assemble(identity).map(Some),
            Mode::Config(config) => Some(Arc::clone(config)),
            Mode::Plain => None,
        };
        match self.client_ca {
            // Silently admitting clients without a certificate would be worse than failing.
            Some(_) => Err(TlsConfigError::NotApplicable(TlsInput::ClientCa)),
            None => Ok(ready),
        }
    }

    fn assemble(&self, identity: &Identity) -> Result<Arc<ServerConfig>, TlsConfigError> {
        let provider = provider::or_compiled_in(self.provider.as_ref())?;
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&[&TLS13])
            .map_err(TlsConfigError::Rustls)?;
        let builder = match &self.client_ca {
            Some(roots) => {
                let verifier = WebPkiClientVerifier::builder_with_provider(Arc::clone(roots), Arc::clone(&provider));
                // Without revocation lists, having no roots is all that it can complain about.
                let none = |_| TlsConfigError::NoCertificate(TlsInput::ClientCa);
                builder.with_client_cert_verifier(verifier.build().map_err(none)?)
            }
            None => builder.with_no_client_auth(),
        };
        let mut config = builder.with_cert_resolver(identity.resolver(&provider)?);
        if self.client_ca.is_some() {
            // Whoever comes back is not asked for a certificate again, and each session leaves the tickets of the next:
            // one certificate would be good for ever.
            config.send_tls13_tickets = 0;
            config.session_storage = Arc::new(NoServerSessionStorage {});
            return Ok(Arc::new(config));
        }
        match provider::ticketer(self.provider.as_ref()).map_err(TlsConfigError::Rustls)? {
            // What a session is worth lies with the client, so any number of them can be resumed. With the next
            // configuration comes another key, and what these certificates and issuers stood for is void.
            Some(ticketer) => config.ticketer = ticketer,
            None => config.session_storage = ServerSessionMemoryCache::new(SESSIONS),
        }
        Ok(Arc::new(config))
    }
}
