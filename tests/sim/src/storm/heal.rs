//! The end of a story: the network is healed, and everything has to come right.

use std::time::Duration;

use npws_core::AddressLimitsConfig;

use crate::world::{GroupId, Happening, Network, PoolId, Read, StreamId, World};

/// Within this time after the last fault both ends have found out what is dead, and have made it anew.
const BOUND: Duration = Duration::from_secs(300);

pub(super) fn heal(world: &mut World, pools: &[PoolId], group: Option<GroupId>) {
    world.network = Network {
        split: world.network.split,
        merge: world.network.merge,
        close_timeout: world.network.close_timeout,
        tcp_timeout: world.network.tcp_timeout,
        ..Network::default()
    };
    for &pool in pools {
        // A pool that is closed stays so, and one that does not look at what it has cannot know what is dead.
        if world.is_ending(pool) || !world.watches(pool) {
            world.restart(pool, false);
        }
        world.resume_dials(pool);
        world.set_limits(pool, AddressLimitsConfig::default());
    }
    if let Some(group) = group.filter(|group| world.is_group_over(*group)) {
        world.restart_group(group, false);
    }
    converge(world);
    if let Some(group) = group {
        world.check_turns(group);
    }
    take_all(world);
    if let Some(group) = group {
        world.close_group(group);
        assert!(world.members(group).is_empty(), "pools outlive their group");
    }
    for &pool in pools {
        world.close_pool(pool);
    }
    let _ = world.next((world.now() + BOUND).since_epoch());
}

/// Waits until every pool is full and every connection has its other end.
fn converge(world: &mut World) {
    let until = world.now() + BOUND;
    loop {
        let Err(what) = world.pairs() else { return };
        assert!(world.now() < until, "still not well {BOUND:?} after the last fault: {what}");
        if world.has_happened().is_none() {
            world.step();
        }
    }
}

/// Takes everything that is idle by its ID, at both ends at once, and says something over it.
fn take_all(world: &mut World) {
    world.network.scheduling = Duration::ZERO..=Duration::ZERO;
    let Ok(pairs) = world.pairs() else { unreachable!("they were all there a moment ago") };
    let mut takes = Vec::new();
    for (client, server, id) in &pairs {
        takes.push(world.take(*client, *id, Duration::ZERO));
        takes.push(world.take(*server, *id, Duration::ZERO));
    }
    let mut streams = Vec::new();
    while streams.len() < takes.len() {
        match world.next(Duration::MAX) {
            Some(Happening::Taken { take, stream, .. }) if takes.contains(&take) => streams.push(stream),
            Some(Happening::Failed { take, error }) => {
                assert!(!takes.contains(&take), "{take:?} of what was there: {error}");
            }
            Some(_) => {}
            None => unreachable!("a take has no outcome"),
        }
    }
    for stream in &streams {
        assert_eq!(world.write(*stream, b"well"), Ok(()), "it has just been taken");
    }
    let until = world.now() + Duration::from_millis(200);
    while world.next(until.since_epoch()).is_some() {}
    for &stream in &streams {
        assert_eq!(read_all(world, stream), b"well", "what came over {stream:?}");
    }
    for stream in streams {
        world.close(stream);
    }
}

fn read_all(world: &mut World, stream: StreamId) -> Vec<u8> {
    let mut all = Vec::new();
    while let Read::Data(data) = world.read(stream, 64) {
        all.extend(data);
    }
    all
}
