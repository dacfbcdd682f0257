//! What the two ends say to each other on the control connection, one word a line.

use std::fmt;

use npws::ConnectionId;

/// The longest line that is a word; a longer one ends the control connection.
pub(crate) const MAX_LENGTH: usize = 64;

/// A line on the control connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Word {
    /// Server: take this connection and join it to the target. The ID alone, as the original's host writes it.
    Take(ConnectionId),
    /// Client: it is joined to the target. Said before any byte is passed on to the target.
    Joined(ConnectionId),
    /// Client: that connection is not to be had. Nothing was passed on to the target.
    Gone(ConnectionId),
    /// Client: the target cannot be reached. Nothing was passed on to it.
    Refused(ConnectionId),
    /// Either: I am there.
    Ping,
    /// Client: give me no more to take. Server: I will not.
    Bye,
}

impl Word {
    /// Reads a line; `None` for what a newer peer may say.
    pub(crate) fn parse(line: &str) -> Option<Self> {
        let id = |text: &str| text.parse().ok();
        match line.trim_end_matches('\r').split_once(' ') {
            None if line == "ping" => Some(Self::Ping),
            None if line == "bye" => Some(Self::Bye),
            None => id(line.trim_end_matches('\r')).map(Self::Take),
            Some(("joined", rest)) => id(rest).map(Self::Joined),
            Some(("gone", rest)) => id(rest).map(Self::Gone),
            Some(("refused", rest)) => id(rest).map(Self::Refused),
            Some(_) => None,
        }
    }
}

impl fmt::Display for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Take(id) => id.fmt(f),
            Self::Joined(id) => write!(f, "joined {id}"),
            Self::Gone(id) => write!(f, "gone {id}"),
            Self::Refused(id) => write!(f, "refused {id}"),
            Self::Ping => f.write_str("ping"),
            Self::Bye => f.write_str("bye"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_writes() {
        let id = ConnectionId::from_bytes([0, 0x1b, 0xff, 7]);
        let words = [Word::Take(id), Word::Joined(id), Word::Gone(id), Word::Refused(id), Word::Ping, Word::Bye];
        for word in words {
            let line = word.to_string();
            assert!(line.len() <= MAX_LENGTH);
            assert_eq!(Word::parse(&line), Some(word));
        }
    }

    #[test]
    fn ignores_what_it_does_not_know() {
        for line in ["", "joined", "joined 12", "gone zzzzzzzz", "later 00000001", "PING", "0000000"] {
            assert_eq!(Word::parse(line), None, "{line:?}");
        }
    }
}
