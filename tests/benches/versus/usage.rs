//! What a process costs, by the kernel's own accounts.

use std::fs;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// The CPU time of all threads of this process.
pub(crate) fn cpu() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or_default())
}

/// Resident memory in KiB, exact, unlike the counters in `statm`.
pub(crate) fn resident_kib() -> f64 {
    field("/proc/self/smaps_rollup", "Rss:")
}

/// The largest that it has been, in KiB.
pub(crate) fn peak_kib() -> f64 {
    field("/proc/self/status", "VmHWM:")
}

fn field(path: &str, name: &str) -> f64 {
    let text = fs::read_to_string(path).expect("Linux has it");
    let line = text.lines().find_map(|line| line.strip_prefix(name)).expect("the kernel names it");
    line.trim().trim_end_matches(" kB").parse().expect("it is a number")
}
