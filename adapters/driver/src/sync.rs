//! Locks and atomics: std's, or under `--cfg shuttle` those that a test's scheduler interleaves at will.

#[cfg(shuttle)]
pub(crate) use shuttle::sync::{Mutex, MutexGuard, atomic};
#[cfg(not(shuttle))]
pub(crate) use std::sync::{Mutex, MutexGuard, atomic};
