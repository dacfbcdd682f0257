//! Plays the storm of one seed and prints what happens: `cargo run -p npws-sim --bin replay -- SEED`.

use std::process::ExitCode;

fn main() -> ExitCode {
    let Some(seed) = std::env::args().nth(1).and_then(|seed| seed.parse().ok()) else {
        eprintln!("usage: replay SEED");
        return ExitCode::FAILURE;
    };
    npws_sim::storm::replay(seed);
    println!("seed {seed}: every promise was kept");
    ExitCode::SUCCESS
}
