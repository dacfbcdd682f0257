//! The token that a request presents.

use core::fmt;

use super::tokens::is_bearer;
use super::trim;

/// What a request presents to be let in: at most one token, from either of two places.
///
/// - `Authorization: Bearer <token>` (RFC 6750), the scheme in any case. Other schemes are none of our business: a
///   browser adds the credentials that it has for a site on its own.
/// - For browsers, whose scripts cannot set fields: `new WebSocket(url, ["npws", "npws.bearer." + token])`, which sends
///   `Sec-WebSocket-Protocol: npws, npws.bearer.<token>`. The server answers with the subprotocol `npws`, never with
///   the other one, so that the token is not sent back. Here a token consists of letters, digits and `-._~`, which
///   includes base64url without padding and JWTs; what else a token may hold is not allowed in a subprotocol.
///
/// A request with several tokens, or with one that is not written as it has to be, presents none: which of them a
/// component in front of the pool looked at cannot be known. `Debug` does not show the token.
///
/// ```
/// use npws_core::{Credentials, Tokens};
///
/// let tokens = Tokens::new(["sesame"])?;
/// let admits = |credentials: &Credentials| credentials.token().is_some_and(|token| tokens.accepts(token));
///
/// let program = Credentials::of([("Authorization", "Bearer sesame")]);
/// assert!(admits(&program));
/// assert_eq!(program.subprotocol(), None);
///
/// let browser = Credentials::of([("Sec-WebSocket-Protocol", "npws, npws.bearer.sesame")]);
/// assert!(admits(&browser));
/// assert_eq!(browser.subprotocol(), Some("npws"));
///
/// assert!(!admits(&Credentials::of([("Authorization", "Bearer guess")])));
/// # Ok::<(), npws_core::ConfigError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Credentials<'f> {
    presented: Presented<'f>,
    offers_subprotocol: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Presented<'f> {
    Nothing,
    Token(&'f [u8]),
    Unusable,
}

impl<'f> Presented<'f> {
    /// `token` is `None` when it is not written as it has to be.
    fn and(self, token: Option<&'f [u8]>) -> Self {
        match (self, token) {
            (Self::Nothing, Some(token)) => Self::Token(token),
            _ => Self::Unusable,
        }
    }
}

impl<'f> Credentials<'f> {
    /// The subprotocol that a browser offers next to the token, and that the server answers with.
    ///
    /// ```
    /// assert_eq!(npws_core::Credentials::SUBPROTOCOL, "npws");
    /// ```
    pub const SUBPROTOCOL: &'static str = "npws";

    /// What stands before the token in the other subprotocol that a browser offers.
    ///
    /// ```
    /// # use npws_core::Credentials;
    /// let offer = format!("{}, {}{}", Credentials::SUBPROTOCOL, Credentials::BEARER_PREFIX, "sesame");
    /// assert_eq!(Credentials::of([("Sec-WebSocket-Protocol", offer.as_str())]).token(), Some(b"sesame".as_slice()));
    /// ```
    pub const BEARER_PREFIX: &'static str = "npws.bearer.";

    /// Reads the header fields of a request.
    ///
    /// ```
    /// # use npws_core::Credentials;
    /// let fields = [("authorization", "bearer one"), ("authorization", "bearer two")];
    /// assert_eq!(Credentials::of(fields).token(), None, "which of them?");
    /// ```
    #[must_use]
    pub fn of<V>(fields: impl IntoIterator<Item = (&'f str, &'f V)>) -> Self
    where
        V: AsRef<[u8]> + ?Sized + 'f,
    {
        let mut found = Self { presented: Presented::Nothing, offers_subprotocol: false };
        for (name, value) in fields {
            if name.eq_ignore_ascii_case("Authorization") {
                found.read_authorization(trim(value.as_ref()));
            } else if name.eq_ignore_ascii_case("Sec-WebSocket-Protocol") {
                value.as_ref().split(|byte| *byte == b',').for_each(|entry| found.read_subprotocol(trim(entry)));
            }
        }
        found
    }

    /// The token, if exactly one was presented.
    ///
    /// ```
    /// # use npws_core::Credentials;
    /// assert_eq!(Credentials::of([("Authorization", "Bearer sesame")]).token(), Some(b"sesame".as_slice()));
    /// assert_eq!(Credentials::of([("Authorization", "Basic c2VzYW1l")]).token(), None);
    /// ```
    #[must_use]
    pub fn token(&self) -> Option<&'f [u8]> {
        match self.presented {
            Presented::Token(token) => Some(token),
            Presented::Nothing | Presented::Unusable => None,
        }
    }

    /// The value of `Sec-WebSocket-Protocol` to answer with, if any. A browser that offered subprotocols fails the
    /// connection when the answer names none of them, so a script has to offer `npws` too.
    ///
    /// ```
    /// # use npws_core::Credentials;
    /// assert_eq!(Credentials::of([("Sec-WebSocket-Protocol", "npws")]).subprotocol(), Some("npws"));
    /// assert_eq!(Credentials::of([("Sec-WebSocket-Protocol", "chat")]).subprotocol(), None);
    /// ```
    #[must_use]
    pub fn subprotocol(&self) -> Option<&'static str> {
        self.offers_subprotocol.then_some(Self::SUBPROTOCOL)
    }

    fn read_authorization(&mut self, value: &'f [u8]) {
        let (scheme, rest) = value.split_at(value.iter().take_while(|byte| **byte != b' ').count());
        if scheme.eq_ignore_ascii_case(b"Bearer") {
            self.presented = self.presented.and(Some(trim(rest)).filter(|token| is_bearer(token)));
        }
    }

    fn read_subprotocol(&mut self, entry: &'f [u8]) {
        if entry == Self::SUBPROTOCOL.as_bytes() {
            self.offers_subprotocol = true;
        } else if let Some(token) = entry.strip_prefix(Self::BEARER_PREFIX.as_bytes()) {
            let is_written_well =
                !token.is_empty() && token.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(byte));
            self.presented = self.presented.and(is_written_well.then_some(token));
        }
    }
}

impl fmt::Debug for Credentials<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let presented = match self.presented {
            Presented::Nothing => "nothing",
            Presented::Token(_) => "a token",
            Presented::Unusable => "nothing usable",
        };
        write!(f, "Credentials({presented}, subprotocol {:?})", self.subprotocol())
    }
}

#[cfg(test)]
mod tests;
