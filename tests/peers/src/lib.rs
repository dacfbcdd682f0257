//! Peers that nobody here wrote, as processes that the tests talk to.
//!
//! `tests/peers/run` installs them and runs the tests. Nothing here skips a test: a peer that is missing fails it.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "all of this is tests")]

pub mod echo;
pub mod original;
pub mod ports;
pub mod process;
pub mod tls;
pub mod tools;
pub mod tunnel;
