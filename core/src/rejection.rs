//! The HTTP answers that turn a peer away before the upgrade.

use core::fmt;

/// Why a server turned a request away before the upgrade. A rejected peer costs no ID and no slot.
///
/// ```
/// use npws_core::Rejection;
///
/// assert_eq!(Rejection::Full.status(), 503);
/// assert_eq!(Rejection::Full.to_string(), "503 Service Unavailable");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Rejection {
    /// 400: not a request, or an upgrade with a missing or malformed field.
    Malformed,
    /// 401: no valid token.
    Unauthorized,
    /// 403: the peer's address or the origin is not allowed.
    Forbidden,
    /// 404: not the path of this pool.
    NotFound,
    /// 426: a request that does not ask for WebSocket version 13.
    UpgradeRequired,
    /// 429: the peer's address asks for too much.
    TooMany,
    /// 431: the head is larger than the limit, or has too many fields.
    HeadTooLarge,
    /// 503: no slot is free, all peers together ask for too much, or the pool is closing.
    Full,
}

impl Rejection {
    /// The HTTP status code (RFC 9110 section 15, RFC 6585 section 5).
    ///
    /// ```
    /// assert_eq!(npws_core::Rejection::Forbidden.status(), 403);
    /// ```
    #[must_use]
    pub const fn status(self) -> u16 {
        self.code_and_phrase().0
    }

    /// The HTTP reason phrase that belongs to the status code.
    ///
    /// ```
    /// assert_eq!(npws_core::Rejection::NotFound.phrase(), "Not Found");
    /// ```
    #[must_use]
    pub const fn phrase(self) -> &'static str {
        self.code_and_phrase().1
    }

    const fn code_and_phrase(self) -> (u16, &'static str) {
        match self {
            Self::Malformed => (400, "Bad Request"),
            Self::Unauthorized => (401, "Unauthorized"),
            Self::Forbidden => (403, "Forbidden"),
            Self::NotFound => (404, "Not Found"),
            Self::UpgradeRequired => (426, "Upgrade Required"),
            Self::TooMany => (429, "Too Many Requests"),
            Self::HeadTooLarge => (431, "Request Header Fields Too Large"),
            Self::Full => (503, "Service Unavailable"),
        }
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.status(), self.phrase())
    }
}
