//! Small worlds without faults.

use std::time::Duration;

use npws_core::{BreakerState, ClientConfig, GroupConfig, PeerGeneration, ServerConfig};

use super::*;

const SECOND: Duration = Duration::from_secs(1);

/// Everything that happens until so long after the beginning.
fn all(world: &mut World, until: Duration) -> Vec<Happening> {
    core::iter::from_fn(|| world.next(until)).collect()
}

fn pair(generation: PeerGeneration) -> (World, PoolId, PoolId) {
    let mut world = World::new(1);
    let server = world.add_server(ServerConfig { capacity: 4, ..ServerConfig::default() }, generation).unwrap();
    let config = ClientConfig { capacity: 3..=3, ..ClientConfig::default() };
    let client = world.add_client(config, generation, server).unwrap();
    assert_eq!(all(&mut world, SECOND), []);
    (world, client, server)
}

#[test]
fn both_ends_fill_up_with_the_same_connections() {
    for generation in [PeerGeneration::V1, PeerGeneration::V2] {
        let (world, client, server) = pair(generation);
        assert_eq!(world.ids(client).len(), 3);
        assert_eq!(world.ids(client), world.ids(server));
    }
}

#[test]
fn what_one_user_writes_the_other_reads_to_its_end() {
    for generation in [PeerGeneration::V1, PeerGeneration::V2] {
        let (mut world, _, server) = pair(generation);
        let far = world.take_next(server, SECOND);
        let Some(Happening::Taken { take, stream, .. }) = world.next(2 * SECOND) else { panic!("nothing") };
        assert_eq!(take, far);
        world.write(stream, b"early").unwrap();
        world.finish(stream);
        let (peer, Some(id)) = world.counterpart(stream) else { panic!("no ID") };
        let near = world.take(peer, id, SECOND);
        let found = all(&mut world, 3 * SECOND);
        let Some(Happening::Taken { stream: other, .. }) =
            found.iter().find(|happening| matches!(happening, Happening::Taken { take, .. } if *take == near))
        else {
            panic!("{found:?}")
        };
        assert_eq!(world.read(*other, 100), Read::Data(b"early".to_vec()));
        assert_eq!(world.read(*other, 100), Read::End);
    }
}

#[test]
fn a_pool_that_wakes_up_hands_out_nothing_that_died_in_its_sleep() {
    let (mut world, client, server) = pair(PeerGeneration::V2);
    world.network.tcp_timeout = 3600 * SECOND;
    let before = world.ids(client);
    world.stall(client, 100 * SECOND);
    assert_eq!(all(&mut world, 35 * SECOND), [], "it is pinged, and does not look");
    world.unplug(client);
    assert_eq!(all(&mut world, 90 * SECOND), []);
    assert_eq!(world.stats(server).idle, 0, "the server has given up what does not answer");
    let take = world.take_next(client, 60 * SECOND);
    let Some(Happening::Taken { take: taken, id, .. }) = world.next(200 * SECOND) else { panic!("nothing") };
    assert_eq!((taken, before.contains(&id) && !id.is_control()), (take, false), "an old ping proves nothing now");
}

/// A group of pools of two each, in front of three servers.
fn group(is_named: bool) -> (World, GroupId, Vec<PoolId>) {
    let mut world = World::new(1);
    let config = || ServerConfig { capacity: 20, ..ServerConfig::default() };
    let servers: Vec<_> = (0..3).map(|_| world.add_server(config(), PeerGeneration::V2).unwrap()).collect();
    let (told, named) = if is_named { (vec![], servers.clone()) } else { (servers.clone(), vec![]) };
    let plan = GroupPlan {
        config: GroupConfig { resolve_interval: SECOND, ..GroupConfig::default() },
        own: PeerGeneration::V2,
        watches: true,
        client: ClientConfig { capacity: 2..=2, ..ClientConfig::default() },
        servers: told,
        named,
    };
    let group = world.add_group(plan).unwrap();
    assert_eq!(all(&mut world, SECOND), []);
    (world, group, servers)
}

fn idle(world: &World, pools: &[PoolId]) -> Vec<usize> {
    pools.iter().map(|pool| world.stats(*pool).idle).collect()
}

#[test]
fn endpoints_that_are_up_make_up_for_one_that_is_out_until_it_is_back() {
    let (mut world, group, servers) = group(false);
    assert_eq!(idle(&world, &servers), [2, 2, 2]);
    world.close_pool(servers[0]);
    assert_eq!(all(&mut world, 3 * SECOND), []);
    assert_eq!(idle(&world, &servers), [0, 3, 3]);
    let breakers = |world: &World| {
        let process = &world.groups.all[group.0];
        let of = |endpoint| process.machine.breaker(endpoint) == Some(BreakerState::Closed);
        process.members.keys().map(|endpoint| of(*endpoint)).collect::<Vec<_>>()
    };
    assert_eq!(breakers(&world), [false, true, true]);
    world.restart(servers[0], false);
    let end = world.now().since_epoch() + 30 * SECOND;
    assert_eq!(all(&mut world, end), [Happening::Restarted(servers[0])]);
    assert_eq!((breakers(&world), idle(&world, &servers)[0]), (vec![true; 3], 2));
}

#[test]
fn a_take_from_a_group_goes_to_whichever_has_a_connection() {
    let (mut world, group, servers) = group(false);
    let mut peers = Vec::new();
    for _ in 0..3 {
        let mine = world.take_from_group(group, Want::Next, SECOND);
        let end = world.now().since_epoch() + SECOND;
        for happening in all(&mut world, end) {
            if let Happening::Taken { take, stream, .. } = happening {
                assert_eq!(take, mine);
                peers.push(world.counterpart(stream).0);
            }
        }
    }
    peers.sort_unstable();
    assert_eq!(peers, servers, "they take turns");
    // Nobody has what was never there, and it is waited for to the end.
    let unknown = npws_core::ConnectionId::from_bytes([9; 4]);
    let take = world.take_from_group(group, Want::Id(unknown), SECOND);
    let error = npws_core::TakeError::Timeout;
    assert_eq!(all(&mut world, 10 * SECOND), [Happening::Failed { take, error }]);
}

#[test]
fn a_group_follows_its_name_and_ends_with_all_its_pools() {
    let (mut world, group, servers) = group(true);
    assert_eq!(idle(&world, &servers), [2, 2, 2]);
    world.renumber(group, servers[1..].to_vec());
    assert_eq!(all(&mut world, 5 * SECOND), []);
    assert_eq!(idle(&world, &servers), [0, 2, 2]);
    let members = world.members(group);
    assert_eq!(members.len(), 2);
    let waiting = world.take_from_group(group, Want::Claimed, Duration::MAX);
    world.close_group(group);
    let error = npws_core::TakeError::Closed;
    assert_eq!(all(&mut world, 10 * SECOND), [Happening::Failed { take: waiting, error }]);
    assert!(world.members(group).is_empty() && members.iter().all(|pool| world.is_closed(*pool)));
}
