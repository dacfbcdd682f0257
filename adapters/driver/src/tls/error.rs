//! Why TLS failed on one connection.

use std::error::Error;
use std::{fmt, io};

use futures_rustls::rustls::{self, AlertDescription, CertificateError, PeerIncompatible};

use crate::tls::Fingerprint;
use crate::tls::verify::FingerprintMismatch;

/// Why TLS failed on one connection.
///
/// Where rustls knows more, such as the names for which a certificate is valid, the text says it too.
///
/// ```
/// use npws_driver::TlsError;
///
/// fn is_configuration(error: &TlsError) -> bool {
///     matches!(error, TlsError::WrongName(_) | TlsError::UntrustedIssuer | TlsError::WrongFingerprint { .. })
/// }
/// assert!(is_configuration(&TlsError::UntrustedIssuer));
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum TlsError {
    /// A certificate of the peer's chain has expired.
    Expired(CertificateError),
    /// A certificate of the peer's chain is not valid yet.
    NotYetValid(CertificateError),
    /// The server's certificate does not name the host that was dialed.
    WrongName(CertificateError),
    /// No trusted root issued the peer's certificate.
    UntrustedIssuer,
    /// The server's certificate is not the pinned one.
    WrongFingerprint {
        /// The pinned fingerprint.
        expected: Fingerprint,
        /// The fingerprint of the certificate that the server presented.
        presented: Fingerprint,
    },
    /// The peer's certificate has been revoked.
    Revoked,
    /// The peer's certificate is unusable for another reason.
    BadCertificate(CertificateError),
    /// The server requires a client certificate, and the client presented none. Both ends report this.
    ClientCertificateRequired,
    /// The two ends have no version of TLS in common.
    UnsupportedVersion,
    /// The peer ended TLS with this alert.
    Alert(AlertDescription),
    /// Any other failure.
    Other(rustls::Error),
}

impl TlsError {
    /// The TLS failure inside an I/O error, however deep; `None` if it has another cause, such as a lost connection.
    ///
    /// ```
    /// use npws_driver::{TlsError, rustls};
    /// use std::io;
    ///
    /// let failure = rustls::Error::InvalidCertificate(rustls::CertificateError::UnknownIssuer);
    /// assert_eq!(TlsError::from_io(&io::Error::other(failure)), Some(TlsError::UntrustedIssuer));
    /// assert_eq!(TlsError::from_io(&io::ErrorKind::ConnectionReset.into()), None);
    /// ```
    #[must_use]
    pub fn from_io(error: &io::Error) -> Option<Self> {
        let mut next: Option<&(dyn Error + 'static)> = Some(error);
        while let Some(error) = next {
            if let Some(failure) = error.downcast_ref::<Self>() {
                return Some(failure.clone());
            }
            if let Some(failure) = error.downcast_ref::<rustls::Error>() {
                return Some(failure.clone().into());
            }
            // The source of an I/O error is the source of what it wraps, which would skip the wrapped error itself.
            next = match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
                Some(wrapped) => Some(wrapped),
                None => error.source(),
            };
        }
        None
    }
}

impl From<rustls::Error> for TlsError {
    fn from(error: rustls::Error) -> Self {
        match error {
            rustls::Error::InvalidCertificate(error) => error.into(),
            rustls::Error::NoCertificatesPresented
            | rustls::Error::AlertReceived(AlertDescription::CertificateRequired) => Self::ClientCertificateRequired,
            rustls::Error::PeerIncompatible(
                PeerIncompatible::ServerDoesNotSupportTls12Or13
                | PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig
                | PeerIncompatible::SupportedVersionsExtensionRequired
                | PeerIncompatible::Tls12NotOffered
                | PeerIncompatible::Tls12NotOfferedOrEnabled,
            )
            | rustls::Error::AlertReceived(AlertDescription::ProtocolVersion) => Self::UnsupportedVersion,
            rustls::Error::AlertReceived(alert) => Self::Alert(alert),
            other => Self::Other(other),
        }
    }
}

impl From<CertificateError> for TlsError {
    fn from(error: CertificateError) -> Self {
        use CertificateError as C;
        match &error {
            C::Expired | C::ExpiredContext { .. } => Self::Expired(error),
            C::NotValidYet | C::NotValidYetContext { .. } => Self::NotYetValid(error),
            C::NotValidForName | C::NotValidForNameContext { .. } => Self::WrongName(error),
            C::UnknownIssuer => Self::UntrustedIssuer,
            C::Revoked => Self::Revoked,
            C::Other(other) => match other.0.downcast_ref::<FingerprintMismatch>() {
                Some(&FingerprintMismatch { expected, presented }) => Self::WrongFingerprint { expected, presented },
                None => Self::BadCertificate(error),
            },
            _ => Self::BadCertificate(error),
        }
    }
}

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Expired(detail) => write!(f, "the peer's certificate has expired: {detail}"),
            Self::NotYetValid(detail) => write!(f, "the peer's certificate is not valid yet: {detail}"),
            Self::WrongName(detail) => write!(f, "the server's certificate does not name the host: {detail}"),
            Self::UntrustedIssuer => f.write_str("no trusted root issued the peer's certificate"),
            Self::WrongFingerprint { expected, presented } => {
                write!(f, "the server's certificate has the fingerprint {presented}, pinned is {expected}")
            }
            Self::Revoked => f.write_str("the peer's certificate has been revoked"),
            Self::BadCertificate(detail) => write!(f, "the peer's certificate is unusable: {detail}"),
            Self::ClientCertificateRequired => {
                f.write_str("the server requires a client certificate and the client presented none")
            }
            Self::UnsupportedVersion => f.write_str("the two ends have no version of TLS in common"),
            Self::Alert(alert) => write!(f, "the peer ended TLS with the alert {alert:?}"),
            Self::Other(_) => f.write_str("TLS failed"),
        }
    }
}

impl Error for TlsError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Other(error) => Some(error),
            Self::Expired(_)
            | Self::NotYetValid(_)
            | Self::WrongName(_)
            | Self::BadCertificate(_)
            | Self::UntrustedIssuer
            | Self::WrongFingerprint { .. }
            | Self::Revoked
            | Self::ClientCertificateRequired
            | Self::UnsupportedVersion
            | Self::Alert(_) => None,
        }
    }
}
