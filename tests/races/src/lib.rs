//! What the driver's tests under a random scheduler share: a runtime whose tasks the scheduler interleaves, with time
//! that stands still until it is moved, and a network in memory.
//!
//! ```sh
//! RUSTFLAGS="--cfg shuttle" cargo test -p npws-races --target-dir target/races
//! ```
#![cfg(shuttle)]
#![allow(clippy::unwrap_used, reason = "all of this is tests")]

mod explore;
mod pipe;
mod runtime;
mod world;

pub use self::explore::explore;
pub use self::pipe::{Cable, Pipe, pipe};
pub use self::runtime::Scheduled;
pub use self::world::World;
