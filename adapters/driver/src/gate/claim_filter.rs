//! Keeps the word `claim` out of a WebSocket whose user reads whole messages.

use std::io::Cursor;

use tungstenite::protocol::frame::FrameHeader;
use tungstenite::protocol::frame::coding::{Data, OpCode};

const WORD: &[u8] = b"claim";

/// Holds back what arrives until it is known not to be the word, which comes before any other message or not at all.
#[derive(Debug, Default)]
pub(super) struct ClaimFilter {
    held: Vec<u8>,
    passed: Vec<u8>,
    is_done: bool,
}

impl ClaimFilter {
    /// Takes in what arrived.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.held.extend_from_slice(bytes);
        while !self.is_done && self.judge() {}
        if self.is_done {
            self.passed.append(&mut self.held);
        }
    }

    /// The transport has ended: what is held back is nothing whole, and whoever reads is to see that.
    pub(super) fn finish(&mut self) {
        self.is_done = true;
        self.passed.append(&mut self.held);
    }

    /// Looks at the first frame; `false` if more of it must come.
    fn judge(&mut self) -> bool {
        let mut cursor = Cursor::new(&self.held);
        let Ok(header) = FrameHeader::parse(&mut cursor) else {
            self.is_done = true;
            return true;
        };
        let Some((header, length)) = header else { return false };
        let start = usize::try_from(cursor.position()).unwrap_or(usize::MAX);
        let may_be_word = header.opcode == OpCode::Data(Data::Text) && header.is_final && length == WORD.len() as u64;
        // Longer ones are refused by whoever reads them, and not waited for here.
        let is_control = matches!(header.opcode, OpCode::Control(_)) && length <= 125;
        if !may_be_word && !is_control {
            self.is_done = true;
            return true;
        }
        let end = usize::try_from(length).ok().and_then(|length| start.checked_add(length));
        let Some(end) = end.filter(|end| *end <= self.held.len()) else { return false };
        let mask = header.mask.unwrap_or_default();
        let payload = self.held[start..end].iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask);
        let is_word = may_be_word && payload.eq(WORD.iter().copied());
        let frame = self.held.drain(..end);
        if is_word {
            drop(frame);
        } else {
            self.passed.extend(frame);
        }
        self.is_done = may_be_word;
        true
    }

    /// Moves what may pass into `buf`, and says how much that was.
    pub(super) fn read(&mut self, buf: &mut [u8]) -> usize {
        let n = self.passed.len().min(buf.len());
        buf[..n].copy_from_slice(&self.passed[..n]);
        self.passed.drain(..n);
        n
    }

    /// Whether everything further may pass, and nothing waits here.
    pub(super) fn is_over(&self) -> bool {
        self.is_done && self.passed.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What passes of `sent`, which arrives in two pieces cut at `cut`.
    fn passes(sent: &[u8], cut: usize) -> Vec<u8> {
        let mut filter = ClaimFilter::default();
        filter.push(&sent[..cut]);
        filter.push(&sent[cut..]);
        let mut passed = vec![0; sent.len()];
        let n = filter.read(&mut passed);
        passed.truncate(n);
        passed
    }

    #[test]
    fn the_word_is_dropped_wherever_it_is_cut_and_nothing_else() {
        let ping = [0x89, 0x01, b'?'];
        let masked: Vec<u8> = WORD.iter().zip([1, 2, 3, 4, 1]).map(|(byte, mask)| byte ^ mask).collect();
        let words = [[&[0x81, 0x05][..], WORD].concat(), [&[0x81, 0x85, 1, 2, 3, 4][..], &masked].concat()];
        for word in words {
            for behind in [&b""[..], &[0x82, 0x02, b'h', b'i'], &[0x81, 0x05, b'c', b'l', b'a', b'i', b'm']] {
                let sent = [&ping[..], &word, behind].concat();
                for cut in 0..=sent.len() {
                    assert_eq!(passes(&sent, cut), [&ping[..], behind].concat(), "cut at {cut}");
                }
            }
        }
    }

    #[test]
    fn another_first_message_passes_and_ends_the_search() {
        for first in [
            &[0x81, 0x05, b'C', b'l', b'a', b'i', b'm'][..],
            &[0x82, 0x05, b'c', b'l', b'a', b'i', b'm'],
            &[0x83, 0x01, b'?'],
        ] {
            let sent = [first, &[0x81, 0x05], WORD].concat();
            for cut in 0..=sent.len() {
                assert_eq!(passes(&sent, cut), sent, "cut at {cut}");
            }
        }
    }

    #[test]
    fn a_part_of_the_word_is_not_swallowed_at_the_end() {
        let mut filter = ClaimFilter::default();
        filter.push(&[0x81, 0x05, b'c', b'l']);
        let mut buf = [0; 8];
        assert_eq!(filter.read(&mut buf), 0);
        filter.finish();
        assert_eq!(filter.read(&mut buf), 4);
        assert!(filter.is_over());
    }
}
