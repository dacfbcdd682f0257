//! TLS of a pool that dials.

use std::path::Path;
use std::sync::Arc;

use futures_rustls::pki_types::CertificateDer;
use futures_rustls::rustls::client::Resumption;
use futures_rustls::rustls::crypto::CryptoProvider;
use futures_rustls::rustls::version::TLS13;
use futures_rustls::rustls::{ClientConfig, RootCertStore};
use rustls_native_certs::CertificateResult;

use crate::tls::identity::Identity;
use crate::tls::tickets::TicketStore;
use crate::tls::verify::WithoutIssuer;
use crate::tls::{Fingerprint, TlsConfigError, TlsInput, pem, provider};

/// How a client pool speaks TLS, and how it judges the server.
///
/// The configuration itself is made when the pool is: the system's roots are read then, and a key that does not fit its
/// certificate is reported then.
///
/// ```
/// use npws_driver::{ClientTls, Fingerprint};
///
/// let pin: Fingerprint = "5f".repeat(32).parse()?;
/// let tls = ClientTls::pinned(pin);
/// # Ok::<(), npws_driver::InvalidFingerprint>(())
/// ```
#[derive(Clone, Debug)]
pub struct ClientTls {
    mode: Mode,
    identity: Option<Identity>,
    provider: Option<Arc<CryptoProvider>>,
}

#[derive(Clone, Debug)]
enum Mode {
    Plain,
    Trusting(Trust),
    Config(Arc<ClientConfig>),
}

#[derive(Clone, Debug)]
enum Trust {
    NativeRoots,
    Roots(Arc<RootCertStore>),
    Any,
    Pinned(Fingerprint),
}

impl ClientTls {
    fn new(mode: Mode) -> Self {
        Self { mode, identity: None, provider: None }
    }

    fn trusting(trust: Trust) -> Self {
        Self::new(Mode::Trusting(trust))
    }

    /// No TLS: `ws://`.
    ///
    /// ```
    /// use npws_driver::ClientTls;
    ///
    /// let tls = ClientTls::plain();
    /// ```
    #[must_use]
    pub fn plain() -> Self {
        Self::new(Mode::Plain)
    }

    /// The server needs a certificate for the dialed name from an issuer that the operating system trusts.
    ///
    /// ```
    /// use npws_driver::ClientTls;
    ///
    /// let tls = ClientTls::verified();
    /// ```
    #[must_use]
    pub fn verified() -> Self {
        Self::trusting(Trust::NativeRoots)
    }

    /// As [`verified`](Self::verified), but only the issuers in `pem` are trusted. A self-signed certificate is its own
    /// issuer.
    ///
    /// ```
    /// # #[cfg(any(feature = "ring", feature = "aws-lc-rs"))] {
    /// use npws_driver::{ClientTls, ServerTls};
    ///
    /// let server = ServerTls::self_signed(["localhost"])?;
    /// let pem = server.certificate_pem().unwrap_or_default();
    /// let client = ClientTls::with_roots_pem(pem.as_bytes())?;
    /// # }
    /// # Ok::<(), npws_driver::TlsConfigError>(())
    /// ```
    ///
    /// # Errors
    /// When `pem` is malformed, holds no certificate or one that cannot be parsed.
    pub fn with_roots_pem(pem: &[u8]) -> Result<Self, TlsConfigError> {
        Self::with_roots_der(pem::certificates(pem, TlsInput::Roots)?)
    }

    /// As [`with_roots_pem`](Self::with_roots_pem), with the issuers in DER.
    ///
    /// ```
    /// use npws_driver::{ClientTls, TlsConfigError, TlsInput};
    ///
    /// let error = ClientTls::with_roots_der([]).unwrap_err();
    /// assert!(matches!(error, TlsConfigError::NoCertificate(TlsInput::Roots)));
    /// ```
    ///
    /// # Errors
    /// When there is no certificate or one that cannot be parsed.
    pub fn with_roots_der(
        certificates: impl IntoIterator<Item = CertificateDer<'static>>,
    ) -> Result<Self, TlsConfigError> {
        Ok(Self::trusting(Trust::Roots(Arc::new(pem::roots(certificates, TlsInput::Roots)?))))
    }

    /// Any certificate will do: whoever sits on the path can read and change everything. Use it where the certificate
    /// is checked afterwards, by its fingerprint, or where [`pinned`](Self::pinned) is not possible.
    ///
    /// ```
    /// use npws_driver::ClientTls;
    ///
    /// let tls = ClientTls::dangerous_accept_any();
    /// ```
    #[must_use]
    pub fn dangerous_accept_any() -> Self {
        Self::trusting(Trust::Any)
    }

    /// The server must prove that it is the owner of exactly this certificate, whose names, dates and issuer then do
    /// not matter.
    ///
    /// ```
    /// # #[cfg(any(feature = "ring", feature = "aws-lc-rs"))] {
    /// use npws_driver::{ClientTls, ServerTls};
    ///
    /// let server = ServerTls::self_signed(["localhost"])?;
    /// let client = server.fingerprint().map(ClientTls::pinned);
    /// assert!(client.is_some());
    /// # }
    /// # Ok::<(), npws_driver::TlsConfigError>(())
    /// ```
    #[must_use]
    pub fn pinned(certificate: Fingerprint) -> Self {
        Self::trusting(Trust::Pinned(certificate))
    }

    /// Exactly this configuration of rustls, ALPN and versions included.
    ///
    /// ```
    /// use npws_driver::{ClientTls, rustls::ClientConfig};
    /// use std::sync::Arc;
    ///
    /// fn with(config: ClientConfig) -> ClientTls {
    ///     ClientTls::from_config(Arc::new(config))
    /// }
    /// ```
    #[must_use]
    pub fn from_config(config: Arc<ClientConfig>) -> Self {
        Self::new(Mode::Config(config))
    }

    /// The TLS codes of the original: "0" is [`plain`](Self::plain), "1" accepts
    /// [any certificate](Self::dangerous_accept_any), "2" is [`verified`](Self::verified).
    ///
    /// ```
    /// use npws_driver::ClientTls;
    ///
    /// let tls = ClientTls::from_code("2")?;
    /// assert!(ClientTls::from_code("3").is_err());
    /// # Ok::<(), npws_driver::TlsConfigError>(())
    /// ```
    ///
    /// # Errors
    /// When the code is another. The original then chose by the port.
    #[doc(alias = "tlsCode")]
    pub fn from_code(code: &str) -> Result<Self, TlsConfigError> {
        match code {
            "0" => Ok(Self::plain()),
            "1" => Ok(Self::dangerous_accept_any()),
            "2" => Ok(Self::verified()),
            _ => Err(TlsConfigError::UnknownCode(code.to_owned())),
        }
    }

    /// Presents this certificate to a server that asks for one: the chain in PEM, own certificate first, and the key.
    ///
    /// ```
    /// use npws_driver::{ClientTls, TlsConfigError};
    ///
    /// fn with(chain: &[u8], key: &[u8]) -> Result<ClientTls, TlsConfigError> {
    ///     ClientTls::verified().client_certificate_pem(chain, key)
    /// }
    /// ```
    ///
    /// # Errors
    /// When one of the two is malformed or empty, or the certificate cannot be parsed.
    pub fn client_certificate_pem(mut self, chain: &[u8], key: &[u8]) -> Result<Self, TlsConfigError> {
        self.identity = Some(Identity::from_pem(chain, key)?);
        Ok(self)
    }

    /// As [`client_certificate_pem`](Self::client_certificate_pem), from two files. They may be the same.
    ///
    /// ```
    /// use npws_driver::{ClientTls, TlsConfigError};
    ///
    /// let error = ClientTls::verified().client_certificate_pem_files("/none/chain.pem", "/none/key.pem").unwrap_err();
    /// assert!(matches!(error, TlsConfigError::ReadFile { .. }));
    /// ```
    ///
    /// # Errors
    /// As there, and when a file cannot be read.
    pub fn client_certificate_pem_files(
        mut self,
        chain: impl AsRef<Path>,
        key: impl AsRef<Path>,
    ) -> Result<Self, TlsConfigError> {
        self.identity = Some(Identity::from_pem_files(chain.as_ref(), key.as_ref())?);
        Ok(self)
    }

    /// The cryptography to use instead of the one that was compiled in. [`plain`](Self::plain) needs none, and
    /// [`from_config`](Self::from_config) keeps its own.
    ///
    /// ```
    /// use npws_driver::{ClientTls, rustls::crypto::CryptoProvider};
    /// use std::sync::Arc;
    ///
    /// fn with(provider: CryptoProvider) -> ClientTls {
    ///     ClientTls::verified().crypto_provider(Arc::new(provider))
    /// }
    /// ```
    #[must_use]
    pub fn crypto_provider(mut self, provider: Arc<CryptoProvider>) -> Self {
        self.provider = Some(provider);
        self
    }

    /// `None` without TLS. Reads files, so it belongs where a pool is made. `connections` is how many a pool has at most,
    /// and may have to dial at once.
    pub(crate) fn build(&self, connections: usize) -> Result<Option<Arc<ClientConfig>>, TlsConfigError> {
        let ready = match &self.mode {
            Mode::Trusting(trust) => return self.assemble(trust, connections).map(Some),
            Mode::Config(config) => Some(Arc::clone(config)),
            Mode::Plain => None,
        };
        match self.identity {
            Some(_) => Err(TlsConfigError::NotApplicable(TlsInput::CertificateChain)),
            None => Ok(ready),
        }
    }

    fn assemble(&self, trust: &Trust, connections: usize) -> Result<Arc<ClientConfig>, TlsConfigError> {
        let provider = provider::or_compiled_in(self.provider.as_ref())?;
        let algorithms = provider.signature_verification_algorithms;
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&[&TLS13])
            .map_err(TlsConfigError::Rustls)?;
        let builder = match trust {
            Trust::NativeRoots => {
                builder.with_root_certificates(native_roots(rustls_native_certs::load_native_certs())?)
            }
            Trust::Roots(roots) => builder.with_root_certificates(Arc::clone(roots)),
            Trust::Any => {
                builder.dangerous().with_custom_certificate_verifier(Arc::new(WithoutIssuer::any(algorithms)))
            }
            Trust::Pinned(pin) => {
                builder.dangerous().with_custom_certificate_verifier(Arc::new(WithoutIssuer::pinned(*pin, algorithms)))
            }
        };
        let mut config = match &self.identity {
            Some(identity) => builder.with_client_cert_resolver(identity.resolver(&provider)?),
            None => builder.with_no_client_auth(),
        };
        config.resumption = Resumption::store(Arc::new(TicketStore::new(connections)));
        Ok(Arc::new(config))
    }
}

/// Single broken files are common in a system's store and no reason to fail; having no root at all is.
pub(crate) fn native_roots(found: CertificateResult) -> Result<RootCertStore, TlsConfigError> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(found.certs);
    if roots.is_empty() {
        return Err(TlsConfigError::NoNativeRoots { source: found.errors.into_iter().next() });
    }
    Ok(roots)
}
