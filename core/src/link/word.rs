//! The words that two v2 peers say to each other beside the byte stream.

use core::fmt;

/// A control word: one text message with exactly this text. Only v2 peers understand them; towards v1 none is ever sent.
///
/// ```
/// use npws_core::ControlWord;
///
/// assert_eq!(ControlWord::Claim.as_str(), "claim");
/// assert_eq!(ControlWord::Drain.to_string(), "drain");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ControlWord {
    /// The sender's user took the connection by `take_next`, so the receiver's `accept()` may yield it.
    Claim,
    /// The sender will send no more data. It still reads.
    Fin,
    /// The sender asks for the idle connection to be closed; it will not let a user of its own have it.
    Drain,
}

impl ControlWord {
    /// The whole text of the message.
    ///
    /// ```
    /// assert_eq!(npws_core::ControlWord::Fin.as_str(), "fin");
    /// ```
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Claim => "claim",
            Self::Fin => "fin",
            Self::Drain => "drain",
        }
    }

    /// The word that this text is, if it is one.
    pub(super) fn from_text(text: &str) -> Option<Self> {
        [Self::Claim, Self::Fin, Self::Drain].into_iter().find(|word| word.as_str() == text)
    }
}

impl fmt::Display for ControlWord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
