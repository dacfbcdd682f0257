//! Names whose addresses are the endpoints: when to look them up, and what an answer changes.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;
use core::net::SocketAddr;
use core::ops::RangeInclusive;
use core::time::Duration;

use crate::Instant;
use crate::backoff::Backoff;
use crate::random::Jitter;

/// A name of a [`Group`](super::Group), all of whose addresses are endpoints.
///
/// ```
/// use npws_core::{Group, GroupConfig, GroupOutput, Instant};
///
/// let mut group = Group::new(GroupConfig::default(), 1)?;
/// let name = group.add_name(Instant::ZERO, 1..=1)?;
/// assert_eq!(group.poll_output(), Some(GroupOutput::Resolve(name)));
/// # Ok::<(), npws_core::ConfigError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NameId(pub(super) usize);

/// One name.
#[derive(Debug)]
pub(super) struct Name {
    /// What each of its endpoints is to hold.
    pub(super) capacity: RangeInclusive<usize>,
    /// When to look it up next; `None` while that is under way.
    due: Option<Instant>,
    /// After answers that tell nothing.
    backoff: Backoff,
    /// Whether to look it up once more at once.
    is_doubted: bool,
    /// When the last answer came.
    answered: Option<Instant>,
}

/// What an answer changes.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Change {
    pub(super) added: Vec<SocketAddr>,
    pub(super) vanished: Vec<SocketAddr>,
}

impl Name {
    pub(super) fn new(now: Instant, capacity: RangeInclusive<usize>, pauses: RangeInclusive<Duration>) -> Self {
        Self { capacity, due: Some(now), backoff: Backoff::new(pauses), is_doubted: false, answered: None }
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.due
    }

    /// `true` when it is to be looked up now.
    pub(super) fn handle_timeout(&mut self, now: Instant) -> bool {
        let is_due = self.due.is_some_and(|due| due <= now);
        if is_due {
            self.due = None;
        }
        is_due
    }

    /// Makes the next look-up due. One that is under way may have asked too early, so another one follows it.
    pub(super) fn doubt(&mut self, now: Instant) {
        self.is_doubted = self.due.is_none();
        self.due = self.due.map(|due| due.min(now));
    }

    /// One of its addresses is out, perhaps because the name has others now: looks it up early, but no more often than
    /// ten times in an interval.
    pub(super) fn suspect(&mut self, now: Instant, interval: Duration) {
        let earliest = self.answered.map_or(now, |answered| now.max(answered + interval / 10));
        self.due = self.due.map(|due| due.min(earliest));
    }

    pub(super) fn handle_resolved(&mut self, now: Instant, interval: Duration, jitter: &mut Jitter) {
        self.answered = Some(now);
        self.backoff.succeed();
        self.schedule(now, now + jitter.between(interval - interval / 10, interval));
    }

    pub(super) fn handle_failed(&mut self, now: Instant, interval: Duration, jitter: &mut Jitter) {
        self.backoff.fail(now, jitter);
        self.schedule(now, self.backoff.until().unwrap_or(now).min(now + interval));
    }

    fn schedule(&mut self, now: Instant, due: Instant) {
        self.due = Some(if core::mem::take(&mut self.is_doubted) { now } else { due });
    }
}

/// Compares an answer with the addresses in use. Those in use that the answer still has stay, whatever its order; new ones
/// come in the answer's order up to `most` in all.
pub(super) fn compare(current: &BTreeSet<SocketAddr>, answer: &[SocketAddr], most: usize) -> Change {
    let named: BTreeSet<_> = answer.iter().copied().collect();
    let vanished: Vec<_> = current.difference(&named).copied().collect();
    let room = most.saturating_sub(current.len() - vanished.len());
    let mut seen = BTreeSet::new();
    let is_new = |address: &&SocketAddr| !current.contains(*address) && seen.insert(**address);
    let added = answer.iter().filter(is_new).take(room).copied().collect();
    Change { added, vanished }
}
