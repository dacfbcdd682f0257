//! What is known of the peer: its generation, and the header that tells.

use core::fmt;

/// Which end of the connection this is: the client dials, the server accepts and chooses the ID.
///
/// ```
/// use npws_core::Role;
/// assert_ne!(Role::Client, Role::Server);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// The end that dialed.
    Client,
    /// The end that accepted.
    Server,
}

/// The generation of the protocol that the peer of one connection speaks.
///
/// ```
/// use npws_core::PeerGeneration;
///
/// assert_eq!(PeerGeneration::from_header(None), PeerGeneration::V1);
/// assert_eq!(PeerGeneration::from_header(Some("2")), PeerGeneration::V2);
/// assert_eq!(PeerGeneration::from_header(Some("2; open")), PeerGeneration::V2);
/// assert_eq!(PeerGeneration::from_header(Some("1")), PeerGeneration::V1);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PeerGeneration {
    /// Any peer that speaks the original protocol. It does not read its idle connections, so no answer can be expected.
    V1,
    /// A peer that sent or answered `Npws-Version: 2`. It reads its idle connections and answers pings.
    V2,
}

impl PeerGeneration {
    /// The name of the HTTP header by which both ends say what they speak.
    ///
    /// ```
    /// assert_eq!(npws_core::PeerGeneration::HEADER, "Npws-Version");
    /// ```
    pub const HEADER: &'static str = "Npws-Version";

    /// What the header's value says; no header, or one that is not understood, is [`V1`](Self::V1).
    ///
    /// Parameters after a semicolon are for later versions and ignored.
    ///
    /// ```
    /// # use npws_core::PeerGeneration;
    /// assert_eq!(PeerGeneration::from_header(Some("nonsense")), PeerGeneration::V1);
    /// ```
    #[must_use]
    pub fn from_header(value: Option<&str>) -> Self {
        match value.map(|value| value.split(';').next().unwrap_or_default().trim()) {
            Some("2") => Self::V2,
            _ => Self::V1,
        }
    }
}

impl fmt::Display for PeerGeneration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::V1 => "v1",
            Self::V2 => "v2",
        })
    }
}
