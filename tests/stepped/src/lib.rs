//! The driver without threads, sockets or a clock: a runtime that a test steps through, a network in memory, and on them
//! the bodies of fuzz targets.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "all of this is tests")]

pub mod frames;
pub mod fuzz;
mod pipe;
mod runtime;

pub use self::pipe::{Pipe, Remote, pipe};
pub use self::runtime::Stepped;
