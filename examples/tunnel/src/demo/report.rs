//! What the demo found, as a table.

use std::fmt;
use std::time::Duration;

use super::disturbance::Disturbance;
use super::latency::Percentiles;
use super::probes::Probes;
use super::watch::Summary;
use super::workers::Outcome;
use crate::{Counts, Failure};

const MIB: f64 = 1024.0 * 1024.0;

/// Everything that was measured.
#[derive(Debug)]
pub(super) struct Report {
    pub(super) workers: Outcome,
    pub(super) took: Duration,
    pub(super) disturbance: Disturbance,
    pub(super) counts: Counts,
    pub(super) is_v1: bool,
    pub(super) takes: Summary,
    pub(super) takes_by_peer: Summary,
    pub(super) probes: Probes,
}

impl Report {
    fn long_dead(&self) -> usize {
        self.takes.long_dead + self.takes_by_peer.long_dead
    }

    /// Whether all went as it must.
    pub(super) fn verdict(&self) -> Result<(), Failure> {
        let mut wrong = Vec::new();
        if self.workers.failures > 0 {
            wrong.push(format!("{} of {} downloads failed for good", self.workers.failures, self.workers.requests));
        }
        if self.long_dead() > 0 {
            wrong.push(format!("{} connections were handed out long after they had been cut", self.long_dead()));
        }
        if self.disturbance.cut == 0 {
            wrong.push("no connection was idle when they were to be cut".to_owned());
        }
        if wrong.is_empty() { Ok(()) } else { Err(Failure::Runtime(wrong.join("; "))) }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { workers, took, disturbance, counts, is_v1, takes, takes_by_peer, probes } = self;
        let seconds = took.as_secs_f64();
        let ratio = probes.through_tunnel / probes.direct * 100.0;
        let times = probes.cold.p50.as_secs_f64() / probes.warm.p50.as_secs_f64().max(f64::EPSILON);
        let before = [
            ("requests", format!("{} in {seconds:.1} s", workers.requests)),
            ("failures", workers.failures.to_string()),
            ("retries", format!("{} by users, {} inside the tunnel", workers.retries, counts.retried)),
            (
                "bytes, every body checked",
                format!("{} at {}", bytes(workers.bytes), rate(workers.bytes as f64 / seconds)),
            ),
            ("take latency, next", percentiles(takes.waits)),
            ("take latency, next, in the restart", percentiles(takes.waits_in_restart)),
        ];
        // With v2 the client waits for users only.
        let by_id = is_v1.then(|| ("take latency, by ID", percentiles(takes_by_peer.waits)));
        let after = [
            ("time to first byte, warm", percentiles(probes.warm)),
            ("time to first byte, cold", format!("{} ({times:.1} times the warm p50)", percentiles(probes.cold))),
            ("throughput, tunnel", format!("{} ({ratio:.0} % of direct)", rate(probes.through_tunnel))),
            ("throughput, direct TCP", rate(probes.direct)),
            ("idle connections cut", format!("{} of {}", disturbance.cut, disturbance.idle)),
            ("handed out dead within 100 ms", (takes.just_cut + takes_by_peer.just_cut).to_string()),
            ("handed out dead after 100 ms", self.long_dead().to_string()),
        ];
        let rows: Vec<_> = before.into_iter().chain(by_id).chain(after).collect();
        let width = rows.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
        writeln!(f)?;
        for (name, value) in rows {
            writeln!(f, "{name:width$}  {value}")?;
        }
        Ok(())
    }
}

fn percentiles(percentiles: Percentiles) -> String {
    format!("p50 {}, p99 {}", time(percentiles.p50), time(percentiles.p99))
}

fn time(time: Duration) -> String {
    let micros = time.as_secs_f64() * 1e6;
    if micros < 1000.0 { format!("{micros:.1} µs") } else { format!("{:.2} ms", micros / 1000.0) }
}

fn rate(bytes_per_second: f64) -> String {
    format!("{:.0} MiB/s", bytes_per_second / MIB)
}

/// A number of bytes for people.
pub(super) fn bytes(count: impl TryInto<u64>) -> String {
    let count = count.try_into().unwrap_or(u64::MAX);
    match count {
        0..1024 => format!("{count} B"),
        1024..1_048_576 => format!("{} KiB", count / 1024),
        _ => format!("{:.0} MiB", count as f64 / MIB),
    }
}
