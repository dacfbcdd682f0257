//! What a seed draws before its story begins: who there is, how they are configured, and what goes wrong.

use std::time::Duration;

use npws_core::{
    AddressLimitsConfig, ClientConfig, GroupConfig, HandshakeRate, LinkConfig, PeerGeneration, Policy, PoolConfig,
    ServerConfig, Strategy,
};

use crate::world::{Fault, Network, Rng};

/// What users and operators do, each with a weight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Deed {
    TakeNext,
    Accept,
    TakeKnown,
    TakeUnknown,
    Cancel,
    Write,
    Read,
    Finish,
    Close,
    Drop,
    Flush,
    Drain,
    ClosePool,
    Restart,
    Strike,
    Leap,
    Stall,
    /// It stalls, and its network goes meanwhile.
    Suspend,
    Weather,
    HoldDials,
    ResumeDials,
    Resize,
    Limit,
    Group(GroupDeed),
}

/// What is done to a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum GroupDeed {
    TakeNext,
    Accept,
    TakeKnown,
    Renumber,
    Refresh,
    Drain,
    Close,
    Restart,
    Leap,
    Stall,
}

#[derive(Debug, Clone)]
pub(super) struct Client {
    pub(super) config: ClientConfig,
    pub(super) generation: PeerGeneration,
    pub(super) watches: bool,
    pub(super) server: usize,
}

#[derive(Debug, Clone)]
pub(super) struct Server {
    pub(super) config: ServerConfig,
    pub(super) generation: PeerGeneration,
    pub(super) watches: bool,
    /// From how many IDs it draws: few of them come again soon.
    pub(super) ids: u32,
}

/// Several client pools as one. Its servers are numbered.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) config: GroupConfig,
    pub(super) client: Client,
    /// Those that it is told of.
    pub(super) servers: Vec<usize>,
    /// Those that a name has, if it is told of one.
    pub(super) named: Vec<usize>,
}

#[derive(Debug)]
pub(super) struct Mix {
    pub(super) network: Network,
    pub(super) servers: Vec<Server>,
    pub(super) clients: Vec<Client>,
    pub(super) group: Option<Group>,
    pub(super) deeds: Vec<(Deed, u32)>,
    pub(super) faults: Vec<Fault>,
    /// How many deeds there are, and the longest time between two.
    pub(super) length: usize,
    pub(super) pace: Duration,
    /// The largest message.
    pub(super) message: usize,
    /// How many of a thousand users tell the other end what they took.
    pub(super) telling: u32,
    /// How many of a thousand read as soon as there is something.
    pub(super) eager: u32,
    /// How long all is well at the beginning.
    pub(super) calm: Option<Duration>,
    /// How long nothing answers at all at the beginning.
    pub(super) blackout: Option<Duration>,
}

pub(super) fn ms(milliseconds: usize) -> Duration {
    Duration::from_millis(milliseconds as u64)
}

/// A value drawn from a range of milliseconds, small ones as often as large ones.
fn time(rng: &mut Rng, low: usize, high: usize) -> Duration {
    let doublings = (high / low.max(1)).max(1).ilog2() as usize;
    let most = (low << rng.within(0..=doublings)).min(high);
    ms(rng.within(low..=most))
}

/// One fault in two stories, with a rate of its own.
fn rate(rng: &mut Rng, most: usize) -> u32 {
    if rng.chance(500) { 0 } else { u32::try_from(rng.within(1..=most)).unwrap_or(1) }
}

impl Mix {
    pub(super) fn draw(rng: &mut Rng) -> Self {
        let is_herd = rng.chance(120);
        let has_group = !is_herd && rng.chance(200);
        let count = if has_group { rng.within(2..=4) } else { rng.pick(&[1, 1, 1, 1, 2]) };
        let servers: Vec<_> = (0..count).map(|_| server(rng)).collect();
        let group = has_group.then(|| group(rng, servers.len()));
        let count = if is_herd {
            rng.within(2..=4)
        } else if has_group {
            rng.below(2)
        } else {
            rng.pick(&[1, 1, 2, 3])
        };
        let mut clients: Vec<_> = (0..count).map(|_| client(rng, servers.len())).collect();
        let mut network = network(rng);
        let mut blackout = None;
        if is_herd {
            let first = &mut clients[0];
            let end = *first.config.backoff.end();
            first.config.backoff = end.max(ms(400))..=end.max(ms(800));
            let first = first.clone();
            clients.fill(first.clone());
            blackout = Some(first.config.dial_timeout + ms(rng.within(1..=3000)));
            network.black_hole = 1000;
        }
        Self {
            network,
            servers,
            clients,
            deeds: deeds(rng, group.is_some()),
            group,
            faults: Fault::ALL.into_iter().filter(|_| rng.chance(600)).collect(),
            length: rng.within(20..=300),
            pace: time(rng, 4, 600),
            message: rng.pick(&[4, 40, 400, 3000]),
            telling: rng.pick(&[0, 500, 900, 1000]),
            eager: rng.pick(&[0, 500, 1000]),
            calm: rng.chance(600).then(|| ms(rng.within(50..=1000))),
            blackout,
        }
    }
}

fn network(rng: &mut Rng) -> Network {
    let slow = time(rng, 1, 300);
    Network {
        latency: slow / rng.pick(&[1, 4, 20])..=slow,
        scheduling: Duration::ZERO..=rng.pick(&[Duration::ZERO, Duration::from_micros(300), ms(20)]),
        split: rate(rng, 700),
        merge: rate(rng, 700),
        refuse: rate(rng, 300),
        black_hole: rate(rng, 200),
        stall: rate(rng, 200),
        late: rate(rng, 1000),
        twice: rate(rng, 500),
        tcp_timeout: time(rng, 2000, 20_000),
        close_timeout: time(rng, 50, 2000),
    }
}

fn pool(rng: &mut Rng) -> PoolConfig {
    PoolConfig {
        retention: time(rng, 20, 5000),
        tombstone: time(rng, 1, 5000),
        control_channel: rng.chance(400),
        max_staleness: rng.chance(300).then(|| time(rng, 1, 2000)),
        opens: rng.chance(500),
        link: LinkConfig {
            keepalive: rng.chance(800).then(|| time(rng, 400, 8000)),
            pong_timeout: time(rng, 100, 3000),
            early_data_limit: rng.pick(&[1, 30, 300, 64 * 1024]),
            max_v1_pings: rng.pick(&[0, 3, 1000]),
            max_idle_age: rng.chance(250).then(|| time(rng, 3000, 20_000)),
        },
        ..PoolConfig::default()
    }
}

/// What a program speaks, and whether it reads its idle connections.
fn speech(rng: &mut Rng) -> (PeerGeneration, bool) {
    match rng.below(10) {
        0 => (PeerGeneration::V1, false),
        1 | 2 => (PeerGeneration::V1, true),
        _ => (PeerGeneration::V2, true),
    }
}

fn server(rng: &mut Rng) -> Server {
    let (generation, watches) = speech(rng);
    let pool = pool(rng);
    // Without pings nobody finds out that who claimed a connection, and filled it with early data, is gone.
    let has_pings = pool.link.keepalive.is_some() && pool.link.max_v1_pings >= 1000;
    let max_claimed = if has_pings { rng.pick(&[1, 3, 4096]) } else { 4096 };
    let config = ServerConfig {
        capacity: rng.within(1..=10),
        control_id: pool.control_channel || rng.chance(800),
        handshake_timeout: time(rng, 100, 1000),
        limits: limits(rng),
        max_claimed,
        pool,
        ..ServerConfig::default()
    };
    Server { config, generation, watches, ids: rng.pick(&[200, 1000, u32::MAX]) }
}

/// How many may come in, and how fast.
pub(super) fn limits(rng: &mut Rng) -> AddressLimitsConfig {
    AddressLimitsConfig {
        max_handshakes: rng.chance(200).then(|| rng.within(1..=4)),
        max_handshakes_per_address: rng.chance(200).then(|| rng.within(1..=3)),
        max_connections_per_address: rng.chance(200).then(|| rng.within(1..=6)),
        handshake_rate: rng.chance(100).then(|| HandshakeRate { burst: 2, refill: time(rng, 10, 500) }),
        ..AddressLimitsConfig::default()
    }
}

fn client(rng: &mut Rng, servers: usize) -> Client {
    let (generation, watches) = speech(rng);
    let (least, shortest) = (rng.within(1..=4), time(rng, 100, 1000));
    let first = time(rng, 50, 500);
    let config = ClientConfig {
        capacity: least..=least + rng.below(5),
        interval: shortest..=shortest + time(rng, 1, 500),
        dial_timeout: time(rng, 200, 3000),
        max_concurrent_dials: rng.pick(&[1, 2, 64]),
        backoff: first..=first + time(rng, 100, 2000),
        policy: rng.pick(&[Policy::Adaptive, Policy::Fixed]),
        dial_rate: rng.chance(200).then(|| HandshakeRate { burst: rng.pick(&[1, 5]), refill: time(rng, 10, 500) }),
        pool: pool(rng),
        ..ClientConfig::default()
    };
    Client { config, generation, watches, server: rng.below(servers) }
}

fn group(rng: &mut Rng, servers: usize) -> Group {
    let mut client = client(rng, servers);
    client.config.capacity = *client.config.capacity.start()..=rng.within(*client.config.capacity.start()..=5);
    let first = time(rng, 20, 500);
    let config = GroupConfig {
        strategy: rng.pick(&[Strategy::RoundRobin, Strategy::LeastLoaded, Strategy::PowerOfTwo]),
        break_after: u32::try_from(rng.within(1..=4)).unwrap_or(1),
        probe_backoff: first..=first + time(rng, 10, 5000),
        resolve_interval: time(rng, 300, 10_000),
        max_addresses: rng.pick(&[1, 2, 64]),
        drain_timeout: time(rng, 10, 5000),
    };
    let told = rng.below(servers + 1);
    Group { config, client, servers: (0..told).collect(), named: (told..servers).collect() }
}

fn deeds(rng: &mut Rng, has_group: bool) -> Vec<(Deed, u32)> {
    let mut deeds = vec![(Deed::TakeNext, 10)];
    let common = [
        (Deed::Accept, 6),
        (Deed::TakeKnown, 5),
        (Deed::TakeUnknown, 2),
        (Deed::Cancel, 5),
        (Deed::Write, 12),
        (Deed::Read, 8),
        (Deed::Finish, 4),
        (Deed::Close, 4),
        (Deed::Drop, 2),
        (Deed::Strike, 6),
    ];
    deeds.extend(common.into_iter().filter(|_| rng.chance(800)));
    let rare = [
        (Deed::Flush, 1),
        (Deed::Drain, 1),
        (Deed::ClosePool, 1),
        (Deed::Restart, 1),
        (Deed::Leap, 1),
        (Deed::Stall, 1),
        (Deed::Suspend, 1),
        (Deed::Weather, 1),
        (Deed::HoldDials, 1),
        (Deed::ResumeDials, 1),
        (Deed::Resize, 1),
        (Deed::Limit, 1),
    ];
    deeds.extend(rare.into_iter().filter(|_| rng.chance(400)));
    if has_group {
        let common = [(GroupDeed::TakeNext, 12), (GroupDeed::Accept, 6), (GroupDeed::TakeKnown, 5)];
        let rare = [
            (GroupDeed::Renumber, 2),
            (GroupDeed::Refresh, 1),
            (GroupDeed::Drain, 1),
            (GroupDeed::Close, 1),
            (GroupDeed::Restart, 1),
            (GroupDeed::Leap, 1),
            (GroupDeed::Stall, 1),
        ];
        let chosen = common.into_iter().chain(rare.into_iter().filter(|_| rng.chance(400)));
        deeds.extend(chosen.map(|(deed, weight)| (Deed::Group(deed), weight)));
    }
    deeds
}
