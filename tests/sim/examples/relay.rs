//! A relay's own logic on simulated pools: `cargo run -p npws-sim --example relay -- 1000`.
//!
//! The relay takes the next connection of its server pool for each request, and the agent behind the client pool echoes
//! what it accepts. The network loses connections, cuts others without a word, splits messages and refuses dials, and
//! the agent restarts. What is to be shown: every request is answered, however often it has to be sent again, and no
//! answer is another request's. Copy this file, put your program's logic in its place, and let it loose on thousands of
//! seeds.

use std::collections::BTreeMap;
use std::time::Duration;

use npws_core::{ClientConfig, ConfigError, LinkConfig, PeerGeneration, PoolConfig, ServerConfig};
use npws_sim::world::{Fault, Happening, Network, PoolId, Read, Rng, StreamId, TakeId, World};

const REQUESTS: u64 = 20;
/// The reminder that the network does harm; smaller numbers are requests to be looked at once more.
const HARM: u64 = u64::MAX;
const PATIENCE: Duration = Duration::from_secs(2);

/// What the relay knows of its requests.
struct Relay {
    server: PoolId,
    agent: PoolId,
    waiting: BTreeMap<TakeId, u64>,
    open: BTreeMap<StreamId, (u64, Vec<u8>)>,
    answered: Vec<bool>,
}

impl Relay {
    fn send(&mut self, world: &mut World, request: u64) {
        let take = world.take_next(self.server, Duration::MAX);
        self.waiting.insert(take, request);
    }

    fn hear(&mut self, world: &mut World, happening: Happening) {
        match happening {
            Happening::Taken { take, stream, .. } => {
                if let Some(request) = self.waiting.remove(&take) {
                    let _ = world.write(stream, &request.to_be_bytes());
                    self.open.insert(stream, (request, Vec::new()));
                    world.remind(PATIENCE, request);
                } else {
                    world.accept(self.agent, Duration::MAX);
                }
            }
            Happening::Readable(stream) if world.pool_of(stream) == self.agent => echo(world, stream),
            Happening::Readable(stream) => self.read(world, stream),
            // Nobody answered in time, or it has been answered long since.
            Happening::Reminder(request) if !self.answered[index(request)] => {
                self.open.retain(|_, (other, _)| *other != request);
                self.send(world, request);
            }
            Happening::Restarted(_) => drop(world.accept(self.agent, Duration::MAX)),
            _ => {}
        }
    }

    fn read(&mut self, world: &mut World, stream: StreamId) {
        let Some((request, answer)) = self.open.get_mut(&stream) else { return };
        while let Read::Data(data) = world.read(stream, 64) {
            answer.extend(data);
        }
        if answer.len() == 8 {
            assert_eq!(*answer, request.to_be_bytes(), "another request's answer");
            self.answered[index(*request)] = true;
            world.close(stream);
        }
    }
}

fn index(request: u64) -> usize {
    usize::try_from(request).unwrap_or(usize::MAX)
}

fn echo(world: &mut World, stream: StreamId) {
    while let Read::Data(data) = world.read(stream, 64) {
        let _ = world.write(stream, &data);
    }
}

/// One story; the number of dials that it took.
fn play(seed: u64) -> Result<u64, ConfigError> {
    let link = LinkConfig { keepalive: Some(Duration::from_secs(1)), ..LinkConfig::default() };
    let pool = PoolConfig { link, ..PoolConfig::default() };
    let mut world = World::new(seed);
    let config = ServerConfig { capacity: 10, pool: pool.clone(), ..ServerConfig::default() };
    let server = world.add_server(config, PeerGeneration::V2)?;
    let config = ClientConfig { capacity: 3..=6, pool, ..ClientConfig::default() };
    let agent = world.add_client(config, PeerGeneration::V2, server)?;
    world.network = Network { split: 300, refuse: 200, ..Network::default() };

    let mut rng = Rng::new(seed);
    let answered = vec![false; index(REQUESTS)];
    let mut relay = Relay { server, agent, waiting: BTreeMap::new(), open: BTreeMap::new(), answered };
    world.accept(agent, Duration::MAX);
    world.remind(Duration::ZERO, HARM);
    for request in 0..REQUESTS {
        relay.send(&mut world, request);
    }
    let end = Duration::from_secs(600);
    while relay.answered.contains(&false) {
        match world.next(end) {
            Some(Happening::Reminder(HARM)) if rng.chance(50) => world.restart(agent, rng.chance(500)),
            Some(Happening::Reminder(HARM)) => world.strike(rng.pick(&Fault::ALL)),
            Some(happening) => relay.hear(&mut world, happening),
            None => unreachable!("seed {seed}: not all requests are answered after {end:?}"),
        }
        // The network does harm for a minute, and then lets them be.
        if world.now().since_epoch() < Duration::from_secs(60) && rng.chance(200) {
            world.remind(Duration::from_millis(500), HARM);
        }
    }
    Ok(world.stats(agent).dials_total)
}

fn main() -> Result<(), ConfigError> {
    let seeds = std::env::args().nth(1).and_then(|count| count.parse().ok()).unwrap_or(100);
    for seed in 0..seeds {
        let dials = play(seed)?;
        if seed < 3 {
            println!("seed {seed}: {REQUESTS} requests answered, {dials} dials since the agent's last start");
        }
    }
    println!("{seeds} stories, and every request was answered");
    Ok(())
}
