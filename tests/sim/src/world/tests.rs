//! Small worlds without faults.

use std::time::Duration;

use npws_core::{ClientConfig, PeerGeneration, ServerConfig};

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
