//! Storms: a seed draws who there is and what goes wrong, users do what they like for a while, and then the network is
//! healed and everything has to come right again.
//!
//! [`run`] plays one seed; it panics where a pool breaks a promise. `cargo run -p npws-sim --bin replay -- SEED` prints
//! what happened, event by event.

mod heal;
mod mix;
mod swarm;
mod users;

use std::collections::BTreeSet;
use std::time::Duration;

use npws_core::CloseReason;

use self::mix::Mix;
pub use self::swarm::{Failure, swarm};
use self::users::Users;
use crate::world::{GroupId, GroupPlan, Network, Plan, PoolId, Rng, World};

/// What a seed came to.
///
/// ```
/// let story = npws_sim::storm::run(1, false);
/// assert!(story.steps > 0);
/// assert_eq!(story.trace, "", "nobody asked for it");
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Story {
    /// How many events there were.
    pub steps: u64,
    /// How many takes got a connection.
    pub taken: u64,
    /// How long it took in virtual time.
    pub time: Duration,
    /// Everything that connections were closed for.
    pub reasons: BTreeSet<CloseReason>,
    /// What happened, a line for each event, if it was recorded.
    pub trace: String,
}

/// Plays one seed to its end, and writes down what happens if `is_recorded`.
///
/// # Panics
/// When a pool breaks a promise.
///
/// ```
/// use npws_sim::storm::run;
///
/// assert_eq!(run(7, true).trace, run(7, true).trace);
/// ```
#[must_use]
pub fn run(seed: u64, is_recorded: bool) -> Story {
    let mut story = Story::default();
    play(seed, is_recorded, &mut |world, taken| {
        story = Story {
            steps: world.steps(),
            taken,
            time: world.now().since_epoch(),
            reasons: world.reasons().clone(),
            trace: world.trace().to_owned(),
        };
    });
    story
}

/// Plays one seed and prints what happens up to its end, be it a broken promise.
///
/// ```no_run
/// npws_sim::storm::replay(7);
/// ```
pub fn replay(seed: u64) {
    /// Prints what there is when it goes, which may be for a panic.
    struct Print(World);
    impl Drop for Print {
        fn drop(&mut self) {
            print!("{}", self.0.trace());
        }
    }
    let mut rng = Rng::new(seed);
    let mut world = Print(World::new(rng.next_u64()));
    world.0.record();
    story(&mut world.0, rng);
}

fn play(seed: u64, is_recorded: bool, end: &mut dyn FnMut(&World, u64)) {
    let mut rng = Rng::new(seed);
    let mut world = World::new(rng.next_u64());
    if is_recorded {
        world.record();
    }
    let taken = story(&mut world, rng);
    end(&world, taken);
}

fn story(world: &mut World, mut rng: Rng) -> u64 {
    let mix = Mix::draw(&mut rng);
    world.network = mix.network.clone();
    let pools = populate(world, &mix);
    let group = gather(world, &mix, &pools);
    if let (Some(calm), None) = (mix.calm, mix.blackout) {
        world.network = Network::default();
        while world.next(calm).is_some() {}
        world.network = mix.network.clone();
    }
    if let Some(blackout) = mix.blackout {
        while world.next(blackout).is_some() {}
        world.network.black_hole = 0;
    }
    let mut users = Users::new(rng, mix, pools.clone(), group);
    users.live(world);
    users.go(world);
    heal::heal(world, &pools, group);
    users.taken
}

/// Sets the pools up; a configuration that is refused is a mistake in the mix.
fn populate(world: &mut World, mix: &Mix) -> Vec<PoolId> {
    let mut pools = Vec::new();
    for server in &mix.servers {
        let plan = Plan::Server { config: server.config.clone(), ids: server.ids };
        pools.extend(world.add(plan, server.generation, server.watches));
    }
    for client in &mix.clients {
        let plan = Plan::Client { config: client.config.clone(), server: pools[client.server] };
        pools.extend(world.add(plan, client.generation, client.watches));
    }
    assert_eq!(pools.len(), mix.servers.len() + mix.clients.len(), "a configuration is out of its range");
    pools
}

/// Sets the group up, if there is one, in front of the servers.
fn gather(world: &mut World, mix: &Mix, pools: &[PoolId]) -> Option<GroupId> {
    let group = mix.group.as_ref()?;
    let plan = GroupPlan {
        config: group.config.clone(),
        own: group.client.generation,
        watches: group.client.watches,
        client: group.client.config.clone(),
        servers: group.servers.iter().map(|server| pools[*server]).collect(),
        named: group.named.iter().map(|server| pools[*server]).collect(),
    };
    let group = world.add_group(plan);
    assert!(group.is_ok(), "a configuration is out of its range: {group:?}");
    group.ok()
}
