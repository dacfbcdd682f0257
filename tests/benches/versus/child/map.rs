//! What two hash tables alone take for a step of the machine: one entry moves from what is idle to what is taken.

use std::collections::HashMap;
use std::time::Duration;

use super::machine::{BATCH, BATCHES, Random, report_steps, sizes};
use crate::usage;

/// As large as the machine's.
type Entry = [u64; 8];

pub(super) fn run(player: &str) {
    let (idle_count, taken_count) = sizes(player);
    let mut random = Random::new(1);
    // Each once, in an order that means nothing.
    let mut ids = (0_u32..).map(|number| number.wrapping_mul(0x9e37_79b1));
    let mut next_id = || ids.next().expect("there are more than it takes");
    let (mut idle, mut taken) = (HashMap::<u32, Entry>::new(), HashMap::<u32, u64>::new());
    let mut idle_ids: Vec<u32> = (0..idle_count).map(|_| next_id()).collect();
    let mut taken_ids: Vec<u32> = (0..taken_count).map(|_| next_id()).collect();
    idle.extend(idle_ids.iter().map(|id| (*id, [0; 8])));
    taken.extend(taken_ids.iter().map(|id| (*id, 0)));
    let (mut takes, mut arrivals) = (Duration::ZERO, Duration::ZERO);
    let cpu = usage::cpu();
    for batch in 0..BATCHES {
        let chosen: Vec<u32> = (0..BATCH).map(|_| random.remove(&mut idle_ids)).collect();
        let begin = usage::cpu();
        for id in &chosen {
            let entry = idle.remove(id).expect("it is idle");
            taken.insert(*id, entry[0]);
        }
        let took = usage::cpu() - begin;
        taken_ids.extend(chosen);
        for _ in 0..BATCH {
            let _ = taken.remove(&random.remove(&mut taken_ids));
        }
        let came: Vec<u32> = (0..BATCH).map(|_| next_id()).collect();
        let begin = usage::cpu();
        for id in &came {
            idle.insert(*id, [0; 8]);
        }
        let arrived = usage::cpu() - begin;
        idle_ids.extend(came);
        if batch >= BATCHES / 10 {
            (takes, arrivals) = (takes + took, arrivals + arrived);
        }
    }
    report_steps(takes, arrivals, cpu);
}
