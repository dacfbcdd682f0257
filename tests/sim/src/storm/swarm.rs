//! Many seeds on all processors.

use std::panic::{self, AssertUnwindSafe};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use super::{Story, run};

/// A seed in whose story a promise was broken.
///
/// ```
/// use npws_sim::storm::Failure;
///
/// fn command(failure: &Failure) -> String {
///     format!("cargo run -p npws-sim --bin replay -- {}", failure.seed)
/// }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Failure {
    /// The seed.
    pub seed: u64,
    /// What the panic said.
    pub message: String,
}

/// Plays these seeds until one fails; gives the number of events, or the failure with the least seed of those that
/// were found.
///
/// # Errors
/// The failure.
///
/// ```
/// let steps = npws_sim::storm::swarm(0..10)?;
/// assert!(steps > 0);
/// # Ok::<(), npws_sim::storm::Failure>(())
/// ```
pub fn swarm(seeds: core::ops::Range<u64>) -> Result<u64, Failure> {
    let (next, steps) = (AtomicU64::new(seeds.start), AtomicU64::new(0));
    let failure = Mutex::new(None::<Failure>);
    let work = || {
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= seeds.end {
                return;
            }
            match attempt(seed) {
                Ok(story) => {
                    steps.fetch_add(story.steps, Ordering::Relaxed);
                }
                Err(found) => {
                    next.store(seeds.end, Ordering::Relaxed);
                    let mut failure = failure.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                    if failure.as_ref().is_none_or(|former| found.seed < former.seed) {
                        *failure = Some(found);
                    }
                }
            }
        }
    };
    let workers = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(work);
        }
    });
    match failure.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner) {
        Some(failure) => Err(failure),
        None => Ok(steps.into_inner()),
    }
}

fn attempt(seed: u64) -> Result<Story, Failure> {
    panic::catch_unwind(AssertUnwindSafe(|| run(seed, false))).map_err(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        Failure { seed, message: text.unwrap_or_default() }
    })
}

impl core::fmt::Display for Failure {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        writeln!(f, "seed {} fails: {}", self.seed, self.message)?;
        write!(f, "replay it with: cargo run -p npws-sim --bin replay -- {}", self.seed)
    }
}

impl std::error::Error for Failure {}
