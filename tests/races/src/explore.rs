//! How schedules are chosen.

use std::future::Future;

use shuttle::future::block_on;
use shuttle::scheduler::{PctScheduler, RandomScheduler, Scheduler};
use shuttle::{Config, MaxSteps, Runner};

use crate::world::World;

const SCHEDULES: usize = 300;
/// How many switches at bad moments a schedule of the second kind has.
const SWITCHES: usize = 3;
const MAX_STEPS: usize = 50_000;

/// Runs `scenario` in a new world under many schedules, half of them random throughout, half with few switches at random moments.
///
/// # Panics
/// When the scenario does under one of them, or when it never ends because a wake-up was lost. The message names the
/// schedule, which `shuttle::replay` takes.
pub fn explore<F: Future<Output = World>>(scenario: impl Fn() -> F + Send + Sync + Copy + 'static) {
    let whole = move || block_on(async { scenario().await.end().await });
    run(RandomScheduler::new(SCHEDULES), whole);
    run(PctScheduler::new(SWITCHES, SCHEDULES), whole);
}

fn run(scheduler: impl Scheduler + 'static, scenario: impl Fn() + Send + Sync + 'static) {
    let mut config = Config::new();
    config.stack_size = 256 * 1024;
    config.max_steps = MaxSteps::FailAfter(MAX_STEPS);
    Runner::new(scheduler, config).run(scenario);
}
