//! All that was measured.

use std::collections::HashMap;

use crate::figures::{Sample, Summary};
use crate::row::{Bound, Figure, Row, peer_of};

#[derive(Debug, Default)]
pub(crate) struct Results {
    samples: HashMap<(&'static str, &'static str, String), Vec<Sample>>,
}

impl Results {
    pub(crate) fn add(&mut self, row: &'static str, player: &'static str, sample: Sample) {
        self.samples.entry((row, player, sample.figure.clone())).or_default().push(sample);
    }

    fn of(&self, row: &Row, player: &str, figure: &str, pick: fn(&Sample) -> f64) -> Option<Vec<f64>> {
        let player = row.players().into_iter().find(|other| *other == player)?;
        let samples = self.samples.get(&(row.name, player, figure.to_owned()))?;
        Some(samples.iter().map(pick).collect())
    }

    pub(crate) fn values(&self, row: &Row, player: &str, figure: &str) -> Option<Vec<f64>> {
        self.of(row, player, figure, |sample| sample.value)
    }

    pub(crate) fn cpu(&self, row: &Row, player: &str, figure: &str) -> Option<Vec<f64>> {
        self.of(row, player, figure, |sample| sample.cpu)
    }

    /// How many times better `ours` is than `peer`.
    pub(crate) fn times_better(&self, row: &Row, figure: &Figure, ours: &str, peer: &str) -> Option<Summary> {
        let (ours, peer) = (self.values(row, ours, figure.name)?, self.values(row, peer, figure.name)?);
        Some(if figure.more_is_better { Summary::of_ratios(&ours, &peer) } else { Summary::of_ratios(&peer, &ours) })
    }

    /// The CPU time of `ours` in that of `peer`.
    pub(crate) fn cpu_share(&self, row: &Row, figure: &Figure, ours: &str, peer: &str) -> Option<f64> {
        let (ours, peer) = (self.cpu(row, ours, figure.name)?, self.cpu(row, peer, figure.name)?);
        Some(Summary::of_ratios(&ours, &peer).median).filter(|share| share.is_finite())
    }

    /// Whether the median reaches `bound`; `None` if that was not measured.
    pub(crate) fn reaches(&self, row: &Row, figure: &Figure, ours: &str, bound: Bound) -> Option<bool> {
        match peer_of(bound.against, ours) {
            Some(peer) => Some(self.times_better(row, figure, ours, &peer)?.median >= bound.limit),
            None => {
                let median = Summary::of(&self.values(row, ours, figure.name)?).median;
                Some(if figure.more_is_better { median >= bound.limit } else { median <= bound.limit })
            }
        }
    }
}
