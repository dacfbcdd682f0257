//! Whether the storms find what is broken on purpose in npws-core itself:
//!
//! ```sh
//! RUSTFLAGS="--cfg npws_mutations" cargo test -p npws-sim --test mutations --target-dir target/mutations -- --nocapture
//! ```
#![cfg(npws_mutations)]

use npws_core::Mutation;
use npws_sim::storm::swarm;

/// Within so many seeds each of them has to be found.
const SEEDS: u64 = 2000;

#[test]
fn every_deliberate_breakage_of_the_core_is_found() {
    // One at a time: the choice counts for the whole process. Panics are what is hoped for here.
    std::panic::set_hook(Box::new(|_| {}));
    Mutation::choose(None);
    let unbroken = swarm(0..SEEDS);
    let mut missed = Vec::new();
    for mutation in Mutation::ALL {
        Mutation::choose(Some(mutation));
        match swarm(0..SEEDS) {
            Err(failure) => {
                let what = failure.message.lines().next().unwrap_or_default();
                println!("{:24} found by seed {:4}: {what}", format!("{mutation:?}"), failure.seed);
            }
            Ok(_) => missed.push(mutation),
        }
    }
    let _ = std::panic::take_hook();
    assert!(unbroken.is_ok(), "without a mutation: {unbroken:?}");
    assert!(missed.is_empty(), "not found within {SEEDS} seeds: {missed:?}");
}
