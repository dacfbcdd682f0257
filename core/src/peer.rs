//! What is known of the peer: its generation, and the header that tells.

use core::fmt;

use crate::ConnectionId;

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
    /// Parameters after a semicolon do not matter to it; [`PeerHeader`] knows them.
    ///
    /// ```
    /// # use npws_core::PeerGeneration;
    /// assert_eq!(PeerGeneration::from_header(Some("nonsense")), PeerGeneration::V1);
    /// ```
    #[must_use]
    pub fn from_header(value: Option<&str>) -> Self {
        PeerHeader::from_header(value).generation
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

/// All that the header [`PeerGeneration::HEADER`] says of the end that sent it.
///
/// ```
/// use npws_core::{PeerGeneration, PeerHeader};
///
/// let header = PeerHeader::from_header(Some("2; open"));
/// assert_eq!(header, PeerHeader { generation: PeerGeneration::V2, opens: true });
/// assert_eq!(header.to_header(), Some("2; open"));
/// assert_eq!(PeerHeader::from_header(None).to_header(), None);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PeerHeader {
    /// What it speaks.
    pub generation: PeerGeneration,
    /// Whether it takes connections by `take_next`. Nobody knows of a v1 peer, and it counts as `false`.
    pub opens: bool,
}

impl PeerHeader {
    /// Reads the header's value; no header, or one that is not understood, is a v1 peer's.
    ///
    /// Parameters that are not known are for later versions and ignored.
    ///
    /// ```
    /// # use npws_core::PeerHeader;
    /// assert!(PeerHeader::from_header(Some("2;later=1 ; open")).opens);
    /// assert!(!PeerHeader::from_header(Some("1; open")).opens);
    /// ```
    #[must_use]
    pub fn from_header(value: Option<&str>) -> Self {
        let mut parts = value.unwrap_or_default().split(';').map(str::trim);
        if parts.next() != Some("2") {
            return Self { generation: PeerGeneration::V1, opens: false };
        }
        Self { generation: PeerGeneration::V2, opens: parts.any(|part| part.eq_ignore_ascii_case("open")) }
    }

    /// The value to send; `None` if the header is to be left out.
    ///
    /// ```
    /// # use npws_core::{PeerGeneration, PeerHeader};
    /// let header = PeerHeader { generation: PeerGeneration::V2, opens: false };
    /// assert_eq!(header.to_header(), Some("2"));
    /// ```
    #[must_use]
    pub const fn to_header(self) -> Option<&'static str> {
        match (self.generation, self.opens) {
            (PeerGeneration::V1, _) => None,
            (PeerGeneration::V2, false) => Some("2"),
            (PeerGeneration::V2, true) => Some("2; open"),
        }
    }
}

/// Whether the end in this role may take the connection by `take_next`. If both ends open connections, the last bit of
/// the ID decides, so that their claims never cross: the server takes those that end in 0, the client those in 1.
///
/// ```
/// use npws_core::{ConnectionId, Role, may_take};
///
/// let id = ConnectionId::from_bytes([0, 0, 0, 7]);
/// assert!(may_take(Role::Client, true, id));
/// assert!(!may_take(Role::Server, true, id));
/// assert!(may_take(Role::Server, false, id));
/// ```
#[must_use]
pub fn may_take(role: Role, both_open: bool, id: ConnectionId) -> bool {
    let [.., last] = id.to_bytes();
    let owner = if last & 1 == 0 { Role::Server } else { Role::Client };
    !both_open || role == owner
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_header_is_read_as_it_is_meant() {
        let v1 = PeerHeader { generation: PeerGeneration::V1, opens: false };
        for value in [None, Some(""), Some(";"), Some("1"), Some("1; open"), Some("3"), Some("22"), Some("; open")] {
            assert_eq!(PeerHeader::from_header(value), v1, "{value:?}");
        }
        for (value, opens) in [
            ("2", false),
            (" 2 ", false),
            ("2;", false),
            ("2; opener", false),
            ("2; open=0", false),
            ("2;open", true),
            ("2 ; later ;  OPEN ; open", true),
        ] {
            let expected = PeerHeader { generation: PeerGeneration::V2, opens };
            assert_eq!(PeerHeader::from_header(Some(value)), expected, "{value}");
            assert_eq!(PeerGeneration::from_header(Some(value)), PeerGeneration::V2, "{value}");
        }
    }

    #[test]
    fn what_is_written_is_read_back() {
        for opens in [false, true] {
            let header = PeerHeader { generation: PeerGeneration::V2, opens };
            assert_eq!(PeerHeader::from_header(header.to_header()), header);
        }
        assert_eq!(PeerHeader { generation: PeerGeneration::V1, opens: true }.to_header(), None);
    }

    #[test]
    fn of_two_ends_that_open_each_id_belongs_to_one() {
        for last in 0..=255 {
            let id = ConnectionId::from_bytes([1, 2, 3, last]);
            assert_eq!(may_take(Role::Server, true, id), last % 2 == 0);
            assert_eq!(may_take(Role::Client, true, id), last % 2 == 1);
            assert!(may_take(Role::Server, false, id) && may_take(Role::Client, false, id));
        }
    }
}
