//! Which endpoint to take the next connection from.

use alloc::vec::Vec;
use core::cmp::{Ordering, Reverse};
use core::time::Duration;

use super::EndpointId;
use crate::random::Jitter;

/// How a group chooses among the endpoints that have a connection ready.
///
/// ```
/// use npws_core::Strategy;
/// assert_eq!(Strategy::default(), Strategy::RoundRobin);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Strategy {
    /// They take turns.
    #[default]
    RoundRobin,
    /// The one with the fewest connections in use, as this end counts them; of several, the one with the most idle.
    LeastLoaded,
    /// Two are drawn at random, and the healthier of them is chosen: the one that promises the shorter wait by its
    /// round-trip time, connections in use, share of idle connections, and failed dials in a row. Many clients that
    /// choose like this do not all run to the same endpoint.
    PowerOfTwo,
}

/// What is known of an endpoint's pool at the moment.
///
/// ```
/// use npws_core::Load;
/// assert_eq!(Load::default().idle, 0);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Load {
    /// Idle connections.
    pub idle: usize,
    /// The number of idle connections that it aims for.
    pub capacity: usize,
    /// Connections taken and not ended yet.
    pub in_use: usize,
    /// The smoothed round-trip time, if it is known.
    pub round_trip: Option<Duration>,
}

/// An endpoint that may be chosen.
#[derive(Debug, Clone, Copy)]
pub(super) struct Candidate {
    pub(super) endpoint: EndpointId,
    pub(super) load: Load,
    /// Failed dials in a row.
    pub(super) failures: u32,
}

impl Candidate {
    /// Less is healthier. Times under a millisecond say little and are drowned in the one that is added.
    fn cost(&self, with_round_trip: bool) -> u128 {
        let rtt = self.load.round_trip.filter(|_| with_round_trip).map_or(0, |rtt| rtt.as_micros());
        let count = |number: usize| number as u128 + 1;
        let busy = count(self.load.in_use).saturating_mul(count(self.load.capacity));
        (1000 + rtt)
            .saturating_mul(busy)
            .saturating_mul(u128::from(self.failures) + 1)
            .saturating_div(count(self.load.idle))
    }

    /// Round trips count only where both know theirs: an original peer answers no ping.
    pub(super) fn compare_health(&self, other: &Self) -> Ordering {
        let both_know = self.load.round_trip.is_some() && other.load.round_trip.is_some();
        self.cost(both_know).cmp(&other.cost(both_know))
    }
}

#[derive(Debug)]
pub(super) struct Selector {
    strategy: Strategy,
    /// The endpoint that was chosen last.
    last: Option<EndpointId>,
}

impl Selector {
    pub(super) fn new(strategy: Strategy) -> Self {
        Self { strategy, last: None }
    }

    /// The order in which to try `candidates`, which come sorted by their endpoint.
    pub(super) fn order(&mut self, mut candidates: Vec<Candidate>, jitter: &mut Jitter) -> Vec<EndpointId> {
        let turn = candidates.iter().position(|candidate| Some(candidate.endpoint) > self.last).unwrap_or(0);
        candidates.rotate_left(turn);
        match self.strategy {
            Strategy::RoundRobin => {}
            // A stable sort: equals keep their turns.
            Strategy::LeastLoaded => {
                candidates.sort_by_key(|candidate| (candidate.load.in_use, Reverse(candidate.load.idle)));
            }
            Strategy::PowerOfTwo => draw_two(&mut candidates, jitter),
        }
        mutation!(TurnsForgotten => return candidates.into_iter().map(|candidate| candidate.endpoint).collect());
        self.last = candidates.first().map(|candidate| candidate.endpoint).or(self.last);
        candidates.into_iter().map(|candidate| candidate.endpoint).collect()
    }
}

/// Moves two candidates drawn at random to the front, the healthier first.
fn draw_two(candidates: &mut [Candidate], jitter: &mut Jitter) {
    for place in 0..candidates.len().min(2) {
        candidates.swap(place, place + jitter.below(candidates.len() - place));
    }
    if let [first, second, ..] = candidates
        && first.compare_health(second) == Ordering::Greater
    {
        core::mem::swap(first, second);
    }
}
