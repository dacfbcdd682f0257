//! Plays the storms of many seeds: `cargo run -p npws-sim --bin swarm -- COUNT [COMMIT]`, those from 0 on and one that
//! is taken from a commit's hash.

use std::process::ExitCode;
use std::time::Instant;

use npws_sim::storm::{Failure, swarm};

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let Some(count) = arguments.next().and_then(|count| count.parse().ok()) else {
        eprintln!("usage: swarm COUNT [COMMIT]");
        return ExitCode::FAILURE;
    };
    // The first broken promise is told at the end, with the command that replays it.
    std::panic::set_hook(Box::new(|_| {}));
    let begun = Instant::now();
    match play(count, arguments.next().as_deref()) {
        Ok(steps) => {
            let seconds = begun.elapsed().as_secs_f64();
            println!("{count} seeds, {steps} events in {seconds:.1} s, {:.0} seeds/s", count as f64 / seconds);
            ExitCode::SUCCESS
        }
        Err(failure) => {
            eprintln!("{failure}");
            ExitCode::FAILURE
        }
    }
}

fn play(count: u64, commit: Option<&str>) -> Result<u64, Failure> {
    let mut steps = swarm(0..count)?;
    if let Some(seed) = commit.and_then(|hash| hash.get(..12)).and_then(|hash| u64::from_str_radix(hash, 16).ok()) {
        println!("the commit's seed is {seed}");
        steps += swarm(seed..seed + 1)?;
    }
    Ok(steps)
}
