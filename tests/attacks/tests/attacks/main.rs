//! Attacks, each on a server in a process of its own. `cargo test -p npws-attacks -- --nocapture` prints the table:
//! attack, what was sent, what good peers saw, memory.
//!
//! What an attack costs is read from `/proc`, which Linux has.
#![cfg(target_os = "linux")]
#![allow(clippy::expect_used, reason = "all of this is tests")]

mod crowds;
mod floods;
mod frames;
mod garbage;
mod half_open_tls;
mod idle;
mod scanners;
mod slowloris;

use std::future::Future;

use npws::tokio::Tokio;
use npws_attacks::victim::Victim;

/// Runs an attack on a server with these settings.
fn attack<F: Future<Output = ()>>(arguments: &str, attack: impl FnOnce(Victim) -> F) {
    let victim = Victim::start(env!("CARGO_BIN_EXE_npws-attacked"), arguments);
    npws_tests::testbed::run::<Tokio, _>(|| attack(victim));
}
