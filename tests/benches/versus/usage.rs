//! What a process costs, by the kernel's own accounts.

use std::fs;
use std::time::Duration;

use rustix::param::clock_ticks_per_second;
use rustix::time::{ClockId, clock_gettime};

/// The CPU time of all threads of this process.
pub(crate) fn cpu() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or_default())
}

/// That of another process so far, in whole ticks of the kernel, of which a second has a hundred.
pub(crate) fn cpu_of(process: u32) -> Duration {
    let text = fs::read_to_string(format!("/proc/{process}/stat")).expect("Linux has it");
    // The name in parentheses may hold anything.
    let (_, fields) = text.rsplit_once(") ").expect("the kernel names it");
    let ticks = |at: usize| fields.split(' ').nth(at)?.parse::<u64>().ok();
    let ticks = ticks(11).zip(ticks(12)).map(|(user, system)| user + system).expect("they are numbers");
    Duration::from_secs_f64(ticks as f64 / clock_ticks_per_second() as f64)
}

/// Resident memory in KiB, exact, unlike the counters in `statm`.
pub(crate) fn resident_kib() -> f64 {
    field("/proc/self/smaps_rollup", "Rss:")
}

/// The largest that it has been, in KiB.
pub(crate) fn peak_kib() -> f64 {
    field("/proc/self/status", "VmHWM:")
}

/// The largest that another process has been, in KiB.
pub(crate) fn peak_kib_of(process: u32) -> f64 {
    field(&format!("/proc/{process}/status"), "VmHWM:")
}

fn field(path: &str, name: &str) -> f64 {
    let text = fs::read_to_string(path).expect("Linux has it");
    let line = text.lines().find_map(|line| line.strip_prefix(name)).expect("the kernel names it");
    line.trim().trim_end_matches(" kB").parse().expect("it is a number")
}
