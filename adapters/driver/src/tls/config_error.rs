//! Why a TLS configuration cannot be made.

use std::error::Error;
use std::path::PathBuf;
use std::{fmt, io};

use futures_rustls::pki_types::pem;
use futures_rustls::rustls;

/// Why a TLS configuration cannot be made.
///
/// ```
/// use npws_driver::{ServerTls, TlsConfigError, TlsInput};
///
/// let error = ServerTls::from_pem(b"no certificate here", b"nor a key").unwrap_err();
/// assert!(matches!(error, TlsConfigError::NoCertificate(TlsInput::CertificateChain)));
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum TlsConfigError {
    /// Neither the feature `aws-lc-rs` nor `ring` is enabled, and no provider was given.
    NoCryptoProvider,
    /// The code is none of "0", "1" and "2".
    UnknownCode(String),
    /// Neither a DNS name nor an IP address.
    InvalidName(String),
    /// The input holds no certificate.
    NoCertificate(TlsInput),
    /// The input holds no private key. An encrypted key is none: decrypt it first.
    NoPrivateKey,
    /// The file cannot be read.
    ReadFile {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The input is not well-formed PEM.
    Pem {
        /// Which input.
        input: TlsInput,
        /// What is wrong with it.
        source: pem::Error,
    },
    /// The input holds a certificate that cannot be parsed or used.
    BadCertificate {
        /// Which input.
        input: TlsInput,
        /// What is wrong with it.
        source: rustls::Error,
    },
    /// The private key cannot be parsed, or is of a kind that the crypto provider does not support.
    BadPrivateKey(rustls::Error),
    /// The private key is not that of the certificate.
    KeyMismatch,
    /// The system's store of trusted roots is empty or cannot be read.
    NoNativeRoots {
        /// The first error met while reading it, if any.
        source: Option<rustls_native_certs::Error>,
    },
    /// A certificate could not be made.
    SelfSign(Box<dyn Error + Send + Sync>),
    /// The input has no effect, because TLS is off or has a complete configuration already.
    NotApplicable(TlsInput),
    /// rustls refuses the configuration, for instance a crypto provider without TLS 1.3.
    Rustls(rustls::Error),
}

/// What a [`TlsConfigError`] is about.
///
/// ```
/// use npws_driver::TlsInput;
///
/// assert_eq!(TlsInput::ClientCa.to_string(), "client CA");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TlsInput {
    /// The certificate chain that this side presents.
    CertificateChain,
    /// The private key of this side's certificate.
    PrivateKey,
    /// The roots by which a client judges servers.
    Roots,
    /// The roots by which a server judges clients.
    ClientCa,
}

impl fmt::Display for TlsInput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::CertificateChain => "certificate chain",
            Self::PrivateKey => "private key",
            Self::Roots => "trusted roots",
            Self::ClientCa => "client CA",
        })
    }
}

impl fmt::Display for TlsConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoCryptoProvider => {
                f.write_str("no crypto provider: enable the feature `aws-lc-rs` or `ring`, or give one")
            }
            Self::UnknownCode(code) => write!(f, "the TLS code is {code:?}, not \"0\", \"1\" or \"2\""),
            Self::InvalidName(name) => write!(f, "{name:?} is neither a DNS name nor an IP address"),
            Self::NoCertificate(input) => write!(f, "{input}: no certificate found"),
            Self::NoPrivateKey => f.write_str("private key: no unencrypted key found"),
            Self::ReadFile { path, .. } => write!(f, "cannot read {}", path.display()),
            Self::Pem { input, .. } => write!(f, "{input}: not well-formed PEM"),
            Self::BadCertificate { input, .. } => write!(f, "{input}: unusable certificate"),
            Self::BadPrivateKey(_) => f.write_str("private key: unusable"),
            Self::KeyMismatch => f.write_str("the private key is not that of the certificate"),
            Self::NoNativeRoots { .. } => f.write_str("the system's store has no usable trusted root"),
            Self::SelfSign(_) => f.write_str("cannot make a self-signed certificate"),
            Self::NotApplicable(input) => {
                write!(f, "{input}: has no effect, because TLS is off or has a complete configuration already")
            }
            Self::Rustls(_) => f.write_str("rustls refuses the configuration"),
        }
    }
}

impl Error for TlsConfigError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::ReadFile { source, .. } => Some(source),
            Self::Pem { source, .. } => Some(source),
            Self::BadCertificate { source, .. } | Self::BadPrivateKey(source) | Self::Rustls(source) => Some(source),
            Self::NoNativeRoots { source } => source.as_ref().map(|source| source as &(dyn Error + 'static)),
            Self::SelfSign(source) => Some(source.as_ref()),
            Self::NoCryptoProvider
            | Self::UnknownCode(_)
            | Self::InvalidName(_)
            | Self::NoCertificate(_)
            | Self::NoPrivateKey
            | Self::KeyMismatch
            | Self::NotApplicable(_) => None,
        }
    }
}
