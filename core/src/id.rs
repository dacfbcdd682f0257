//! The name of a connection, known to both ends.

use core::fmt;
use core::str::FromStr;

/// The 4 bytes that name one connection at both ends, shown as 8 lower-case hexadecimal digits.
///
/// The server chooses it and sends it as the first 4 bytes of the connection. `00000000` is the
/// [control ID](Self::CONTROL).
///
/// ```
/// use npws_core::ConnectionId;
///
/// let id: ConnectionId = "0a1b2c3d".parse()?;
/// assert_eq!(id.to_bytes(), [0x0a, 0x1b, 0x2c, 0x3d]);
/// assert_eq!(id.to_string(), "0a1b2c3d");
/// # Ok::<(), npws_core::ParseIdError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId(u32);

impl ConnectionId {
    /// `00000000`, given to the first connection that a server pool registers, and only to one at a time.
    ///
    /// ```
    /// # use npws_core::ConnectionId;
    /// assert_eq!(ConnectionId::CONTROL.to_string(), "00000000");
    /// ```
    pub const CONTROL: Self = Self(0);

    /// The ID with these bytes, in the order in which they travel.
    ///
    /// ```
    /// # use npws_core::ConnectionId;
    /// assert_eq!(ConnectionId::from_bytes([1, 2, 3, 4]).to_string(), "01020304");
    /// ```
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 4]) -> Self {
        Self(u32::from_be_bytes(bytes))
    }

    /// The bytes in the order in which they travel.
    ///
    /// ```
    /// # use npws_core::ConnectionId;
    /// assert_eq!(ConnectionId::CONTROL.to_bytes(), [0; 4]);
    /// ```
    #[must_use]
    pub const fn to_bytes(self) -> [u8; 4] {
        self.0.to_be_bytes()
    }

    /// Whether this is the [control ID](Self::CONTROL).
    ///
    /// ```
    /// # use npws_core::ConnectionId;
    /// assert!(ConnectionId::CONTROL.is_control());
    /// assert!(!ConnectionId::from_bytes([0, 0, 0, 1]).is_control());
    /// ```
    #[must_use]
    pub fn is_control(self) -> bool {
        self == Self::CONTROL
    }
}

impl fmt::Display for ConnectionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", self.0)
    }
}

impl fmt::Debug for ConnectionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ConnectionId({self})")
    }
}

impl FromStr for ConnectionId {
    type Err = ParseIdError;

    fn from_str(text: &str) -> Result<Self, ParseIdError> {
        if text.len() != 8 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(ParseIdError(()));
        }
        u32::from_str_radix(text, 16).map(Self).map_err(|_| ParseIdError(()))
    }
}

/// A text is not a connection ID: it must be exactly 8 hexadecimal digits.
///
/// ```
/// use npws_core::ConnectionId;
///
/// let error = "12345".parse::<ConnectionId>().unwrap_err();
/// assert_eq!(error.to_string(), "a connection ID is exactly 8 hexadecimal digits");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ParseIdError(());

impl fmt::Display for ParseIdError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a connection ID is exactly 8 hexadecimal digits")
    }
}

impl core::error::Error for ParseIdError {}

/// Where a server pool takes new connection IDs from.
///
/// Anything goes for a test; on a network the source must be cryptographic, because whoever guesses an ID can ask for
/// the connection. A repeated or zero value is asked for again by the pool, at most a bounded number of times.
///
/// Every `FnMut() -> [u8; 4]` is one:
///
/// ```
/// use npws_core::{ConnectionId, IdSource};
///
/// let mut last = 0_u32;
/// let mut source = move || {
///     last += 1;
///     last.to_be_bytes()
/// };
/// assert_eq!(source.next_id(), ConnectionId::from_bytes([0, 0, 0, 1]));
/// ```
pub trait IdSource {
    /// The next candidate.
    fn next_id(&mut self) -> ConnectionId;
}

impl<F: FnMut() -> [u8; 4]> IdSource for F {
    fn next_id(&mut self) -> ConnectionId {
        ConnectionId::from_bytes(self())
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;

    #[test]
    fn rejects_what_is_not_eight_hex_digits() {
        for text in ["", "0", "0000000", "000000000", "0000000g", "+0000000", "0x000000", "০০"] {
            assert!(text.parse::<ConnectionId>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn parses_upper_case_and_prints_lower_case() {
        let id: ConnectionId = "DEADBEEF".parse().unwrap();
        assert_eq!(id.to_string(), "deadbeef");
    }
}
