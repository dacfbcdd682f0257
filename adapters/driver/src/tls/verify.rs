//! Certificate checks that trust no issuer: any certificate, or exactly one.

use std::fmt;
use std::sync::Arc;

use futures_rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use futures_rustls::rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use futures_rustls::rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use futures_rustls::rustls::{CertificateError, DigitallySignedStruct, Error, OtherError, SignatureScheme};

use crate::tls::Fingerprint;

/// Ignores issuer, name and dates. The handshake signature is checked all the same: without it a pin would prove
/// nothing, as anybody can present somebody else's certificate.
#[derive(Debug)]
pub(crate) struct WithoutIssuer {
    pin: Option<Fingerprint>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl WithoutIssuer {
    pub(crate) fn any(algorithms: WebPkiSupportedAlgorithms) -> Self {
        Self { pin: None, algorithms }
    }

    pub(crate) fn pinned(pin: Fingerprint, algorithms: WebPkiSupportedAlgorithms) -> Self {
        Self { pin: Some(pin), algorithms }
    }
}

impl ServerCertVerifier for WithoutIssuer {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if let Some(expected) = self.pin {
            let presented = Fingerprint::of(end_entity);
            if presented != expected {
                let mismatch = FingerprintMismatch { expected, presented };
                return Err(CertificateError::Other(OtherError(Arc::new(mismatch))).into());
            }
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, dss, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, dss, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

/// How a failed pin travels through rustls, which knows no such error.
#[derive(Clone, Debug)]
pub(crate) struct FingerprintMismatch {
    pub(crate) expected: Fingerprint,
    pub(crate) presented: Fingerprint,
}

impl fmt::Display for FingerprintMismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the certificate's fingerprint is {}, not {}", self.presented, self.expected)
    }
}

impl std::error::Error for FingerprintMismatch {}
