//! The bytes that the peer sent and nobody has read yet.

use alloc::collections::VecDeque;
use core::fmt;

/// Payloads in the order of their arrival, read as one byte stream without copying them together.
#[cfg_attr(test, derive(Clone))]
pub(super) struct Stream<B> {
    payloads: VecDeque<B>,
    /// How much of the first payload is not, or no longer, part of the stream.
    skipped: usize,
    buffered: usize,
}

impl<B> Stream<B> {
    pub(super) const fn new() -> Self {
        Self { payloads: VecDeque::new(), skipped: 0, buffered: 0 }
    }

    /// Drops all that waits to be read.
    pub(super) fn clear(&mut self) {
        *self = Self::new();
    }

    /// How many bytes wait to be read.
    pub(super) fn buffered(&self) -> usize {
        self.buffered
    }

    /// What waiting costs in memory, as far as the link can see it.
    pub(super) fn cost(&self) -> usize {
        self.buffered.saturating_add(self.payloads.len().saturating_mul(size_of::<B>()))
    }
}

impl<B: AsRef<[u8]>> Stream<B> {
    /// Appends a payload. Empty ones are dropped, so that `chunk` is never empty.
    pub(super) fn push(&mut self, payload: B) {
        let length = payload.as_ref().len();
        if length > 0 {
            self.buffered = self.buffered.saturating_add(length);
            self.payloads.push_back(payload);
        }
    }

    /// The bytes that can be read without a copy: never empty.
    pub(super) fn chunk(&self) -> Option<&[u8]> {
        self.payloads.front()?.as_ref().get(self.skipped..)
    }

    /// Drops the next `count` bytes, or all if there are fewer.
    pub(super) fn consume(&mut self, count: usize) {
        let mut left = count;
        while left > 0
            && let Some(chunk) = self.chunk().map(<[u8]>::len)
        {
            let used = left.min(chunk);
            left -= used;
            self.buffered = self.buffered.saturating_sub(used);
            if used == chunk {
                self.payloads.pop_front();
                self.skipped = 0;
            } else {
                self.skipped += used;
            }
        }
    }
}

/// Without payload bytes: they are the user's secret.
impl<B> fmt::Debug for Stream<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stream").field("buffered", &self.buffered).finish_non_exhaustive()
    }
}
