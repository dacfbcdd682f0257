//! The tokens that let a client in.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::hint::black_box;

use crate::ConfigError;

const MAX_LENGTH: usize = 512;

/// The bearer tokens that are valid, several at once so that they can be rotated: add the new one, change the clients,
/// remove the old one. An empty set lets nobody in.
///
/// A token should come from a cryptographic source and hold at least 128 bits. `Debug` shows how many tokens there are
/// and nothing of what they are.
///
/// ```
/// use npws_core::Tokens;
///
/// let tokens = Tokens::new(["the-old-one", "the-new-one"])?;
/// assert!(tokens.accepts(b"the-old-one") && tokens.accepts(b"the-new-one"));
/// assert!(!tokens.accepts(b"another"));
/// assert_eq!(format!("{tokens:?}"), "Tokens(2)");
/// # Ok::<(), npws_core::ConfigError>(())
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Tokens(Vec<String>);

impl Tokens {
    /// The set of these tokens.
    ///
    /// ```
    /// # use npws_core::Tokens;
    /// let error = Tokens::new(["good", "se cret"]).unwrap_err();
    /// assert_eq!(error.field(), "tokens");
    /// assert!(!error.to_string().contains("cret"), "an error may end up in a log");
    /// ```
    ///
    /// # Errors
    /// When one is not 1 to 512 characters long, or holds others than a bearer token may (RFC 6750 section 2.1):
    /// letters, digits and `-._~+/`, with any number of `=` at the end.
    pub fn new<T: AsRef<str>>(tokens: impl IntoIterator<Item = T>) -> Result<Self, ConfigError> {
        let checked = tokens.into_iter().enumerate().map(|(index, token)| {
            let token = token.as_ref();
            if token.len() <= MAX_LENGTH && is_bearer(token.as_bytes()) {
                return Ok(token.to_owned());
            }
            let value = format!("a text of {} bytes as token {}", token.len(), index + 1);
            Err(ConfigError::new("tokens", value, "1 to 512 letters, digits and -._~+/, with = at the end only"))
        });
        checked.collect::<Result<_, _>>().map(Self)
    }

    /// Whether this is one of the tokens.
    ///
    /// The time depends on how many tokens there are and on lengths, never on how much of a token is right or on which
    /// one it is: all bytes of all tokens of that length are compared, always.
    ///
    /// ```
    /// # use npws_core::Tokens;
    /// assert!(!Tokens::default().accepts(b""));
    /// ```
    #[must_use]
    pub fn accepts(&self, presented: &[u8]) -> bool {
        let mut is_accepted = false;
        for token in &self.0 {
            is_accepted |= black_box(is_equal(token.as_bytes(), presented));
        }
        is_accepted
    }

    /// Whether there is no token, so that nobody is let in.
    ///
    /// ```
    /// assert!(npws_core::Tokens::default().is_empty());
    /// ```
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// In a time that depends on the lengths alone. The `black_box` keeps the compiler from seeing that it could stop early.
fn is_equal(token: &[u8], presented: &[u8]) -> bool {
    if token.len() != presented.len() {
        return false;
    }
    let mut difference = 0;
    for (a, b) in token.iter().zip(presented) {
        difference = black_box(difference | (a ^ b));
    }
    difference == 0
}

/// Whether this is a `b64token` (RFC 6750 section 2.1).
pub(super) fn is_bearer(token: &[u8]) -> bool {
    let padding = token.iter().rev().take_while(|byte| **byte == b'=').count();
    let (body, _) = token.split_at(token.len() - padding);
    !body.is_empty() && body.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-._~+/".contains(byte))
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tokens({})", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;

    #[test]
    fn every_token_is_accepted_and_nothing_else() {
        let tokens = Tokens::new(["a", "bb", "cc", "a-longer.one~with+all/of_it=="]).unwrap();
        for token in ["a", "bb", "cc", "a-longer.one~with+all/of_it=="] {
            assert!(tokens.accepts(token.as_bytes()), "{token}");
        }
        for other in ["", "b", "A", "ab", "cb", "bbb", "a-longer.one~with+all/of_it=", "a\0", "\0"] {
            assert!(!tokens.accepts(other.as_bytes()), "{other:?}");
        }
    }

    #[test]
    fn one_bit_makes_a_difference() {
        let token = b"0123456789abcdef";
        let tokens = Tokens::new([str::from_utf8(token).unwrap()]).unwrap();
        for index in 0..token.len() * 8 {
            let mut other = *token;
            other[index / 8] ^= 1 << (index % 8);
            assert!(!tokens.accepts(&other), "bit {index}");
        }
    }

    #[test]
    fn rotation_is_to_replace_the_set() {
        let old = Tokens::new(["old"]).unwrap();
        let both = Tokens::new(["old", "new"]).unwrap();
        let new = Tokens::new(["new"]).unwrap();
        let accepted = [&old, &both, &new].map(|tokens| (tokens.accepts(b"old"), tokens.accepts(b"new")));
        assert_eq!(accepted, [(true, false), (true, true), (false, true)]);
    }

    #[test]
    fn lengths_are_checked() {
        for (length, is_good) in [(0, false), (1, true), (512, true), (513, false)] {
            assert_eq!(Tokens::new(["a".repeat(length)]).is_ok(), is_good, "{length}");
        }
    }

    #[test]
    fn characters_are_checked_and_not_repeated_in_the_error() {
        for token in ["=", "==", "a=b", "a b", "a,b", "a\"b", "a\n", "täken", "a%20", "{}", "a\u{0}"] {
            let error = Tokens::new(["fine", token]).unwrap_err();
            let expected = format!(
                "tokens is a text of {} bytes as token 2, accepted is 1 to 512 letters, digits and -._~+/, with = at the \
                 end only",
                token.len()
            );
            assert_eq!(error.to_string(), expected);
        }
    }

    #[test]
    fn debug_tells_no_token() {
        let tokens = Tokens::new(["secret", "confidential"]).unwrap();
        for shown in [format!("{tokens:?}"), format!("{tokens:#?}"), format!("{:?}", Some(&tokens))] {
            assert!(!shown.contains("secret") && !shown.contains("confidential"), "{shown}");
        }
    }

    #[test]
    fn no_tokens_let_nobody_in() {
        assert!(!Tokens::default().accepts(b"") && !Tokens::new([""; 0]).unwrap().accepts(b"a"));
    }
}
