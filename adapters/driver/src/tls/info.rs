//! What TLS agreed on for one connection.

use std::fmt;

use futures_rustls::TlsStream;
use futures_rustls::pki_types::CertificateDer;
use futures_rustls::rustls::{CipherSuite, CommonState, HandshakeKind, ProtocolVersion};

use crate::tls::Fingerprint;

/// What TLS agreed on for one connection.
///
/// ```
/// use npws_driver::TlsInfo;
///
/// fn describe(tls: &TlsInfo) -> String {
///     format!("{:?} with {:?}", tls.version(), tls.cipher_suite())
/// }
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct TlsInfo {
    version: ProtocolVersion,
    cipher_suite: CipherSuite,
    resumed: bool,
    peer_certificates: Vec<CertificateDer<'static>>,
}

impl TlsInfo {
    /// `None` before the end of the handshake. Copies the peer's certificates: not for every idle connection.
    pub(crate) fn of<S>(stream: &TlsStream<S>) -> Option<Self> {
        Self::of_state(stream.get_ref().1)
    }

    fn of_state(state: &CommonState) -> Option<Self> {
        Some(Self {
            version: state.protocol_version()?,
            cipher_suite: state.negotiated_cipher_suite()?.suite(),
            resumed: state.handshake_kind()? == HandshakeKind::Resumed,
            peer_certificates: state.peer_certificates().unwrap_or_default().to_vec(),
        })
    }

    /// The version of TLS. Anything but 1.3 is possible only with a configuration that the user brought.
    ///
    /// ```
    /// use npws_driver::{TlsInfo, rustls::ProtocolVersion};
    ///
    /// fn is_current(tls: &TlsInfo) -> bool {
    ///     tls.version() == ProtocolVersion::TLSv1_3
    /// }
    /// ```
    #[must_use]
    pub fn version(&self) -> ProtocolVersion {
        self.version
    }

    /// The cipher suite.
    ///
    /// ```
    /// use npws_driver::{TlsInfo, rustls::CipherSuite};
    ///
    /// fn is_chacha(tls: &TlsInfo) -> bool {
    ///     tls.cipher_suite() == CipherSuite::TLS13_CHACHA20_POLY1305_SHA256
    /// }
    /// ```
    #[must_use]
    pub fn cipher_suite(&self) -> CipherSuite {
        self.cipher_suite
    }

    /// Whether an earlier session was resumed. The certificates are then those that the earlier handshake checked.
    ///
    /// ```
    /// use npws_driver::TlsInfo;
    ///
    /// fn resumed(all: &[TlsInfo]) -> usize {
    ///     all.iter().filter(|tls| tls.is_resumed()).count()
    /// }
    /// ```
    #[must_use]
    pub fn is_resumed(&self) -> bool {
        self.resumed
    }

    /// The peer's certificates, its own first. Empty if it presented none, as most clients do.
    ///
    /// ```
    /// use npws_driver::TlsInfo;
    ///
    /// fn has_shown_itself(tls: &TlsInfo) -> bool {
    ///     !tls.peer_certificates().is_empty()
    /// }
    /// ```
    #[must_use]
    pub fn peer_certificates(&self) -> &[CertificateDer<'static>] {
        &self.peer_certificates
    }

    /// The fingerprint of the peer's own certificate, if it presented one.
    ///
    /// ```
    /// use npws_driver::{Fingerprint, TlsInfo};
    ///
    /// fn is_expected(tls: &TlsInfo, expected: Fingerprint) -> bool {
    ///     tls.peer_fingerprint() == Some(expected)
    /// }
    /// ```
    #[must_use]
    pub fn peer_fingerprint(&self) -> Option<Fingerprint> {
        self.peer_certificates.first().map(Fingerprint::of)
    }
}

impl fmt::Debug for TlsInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsInfo")
            .field("version", &self.version)
            .field("cipher_suite", &self.cipher_suite)
            .field("resumed", &self.resumed)
            .field("peer_fingerprint", &self.peer_fingerprint())
            .finish_non_exhaustive()
    }
}
