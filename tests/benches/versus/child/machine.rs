//! A step of the pool's machine, without a socket.

use std::time::Duration;

use npws::PeerGeneration;
use npws::core::{AcceptId, ConnectionKey, Instant, ServerConfig, ServerPool};

use crate::figures::report;
use crate::usage;

pub(super) const BATCH: usize = 256;
pub(super) const BATCHES: usize = 400;

type Ids = Box<dyn FnMut() -> [u8; 4] + Send>;

/// A server's machine and what its driver would know of it.
pub(super) struct Bed {
    machine: ServerPool<u32, Ids>,
    idle: Vec<ConnectionKey>,
    taken: Vec<ConnectionKey>,
    random: Random,
    now: Instant,
}

/// Knuth's MMIX generator: the same choices in each run.
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// One of them.
    pub(super) fn remove<T>(&mut self, all: &mut Vec<T>) -> T {
        let at = self.next() as usize % all.len();
        all.swap_remove(at)
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 16
    }
}

impl Bed {
    pub(super) fn new(idle: usize, taken: usize) -> Self {
        let config = ServerConfig { capacity: idle + BATCH, ..ServerConfig::default() };
        let mut ids = Random::new(7);
        let ids: Ids = Box::new(move || (ids.next() as u32).to_be_bytes());
        let machine = ServerPool::new(config, ids, 7).expect("the capacity is in range");
        let mut bed = Self { machine, idle: Vec::new(), taken: Vec::new(), random: Random::new(1), now: Instant::ZERO };
        for _ in 0..taken {
            bed.arrive();
            let key = bed.choose();
            bed.take(key);
        }
        for _ in 0..idle {
            bed.arrive();
        }
        bed
    }

    fn admit(&mut self) -> AcceptId {
        self.now = self.now + Duration::from_micros(1);
        let accept = self.machine.handle_incoming(self.now, None).expect("the pool is open");
        let _ = self.machine.handle_request(self.now, accept, "/").expect("there is room");
        self.drain();
        accept
    }

    fn accepted(&mut self, accept: AcceptId) -> ConnectionKey {
        let key = self.machine.handle_accepted(self.now, accept, PeerGeneration::V2, 7);
        self.drain();
        key.expect("it was admitted")
    }

    pub(super) fn arrive(&mut self) {
        let accept = self.admit();
        let key = self.accepted(accept);
        self.idle.push(key);
    }

    /// One that is idle, which is to be taken.
    pub(super) fn choose(&mut self) -> ConnectionKey {
        let key = self.random.remove(&mut self.idle);
        self.taken.push(key);
        key
    }

    pub(super) fn take(&mut self, key: ConnectionKey) {
        let waiter = self.machine.take(self.now, key.id(), Duration::ZERO);
        self.drain();
        let taken = self.machine.complete(self.now, waiter).expect("it is idle").expect("it is idle");
        self.drain();
        assert_eq!(taken.connection, 7);
    }

    /// The end of one that was taken.
    pub(super) fn release(&mut self) {
        let key = self.random.remove(&mut self.taken);
        self.machine.handle_released(self.now, key);
        self.drain();
    }

    fn drain(&mut self) {
        while self.machine.poll_output().is_some() {}
    }
}

/// How many connections are idle and taken: six of ten are idle, since the capacity ends at 65,536.
pub(super) fn sizes(player: &str) -> (usize, usize) {
    if player.ends_with("@100,000") { (60_000, 40_000) } else { (600, 400) }
}

/// In CPU time, which a busy machine does not stretch.
pub(super) fn run(player: &str) {
    let (idle, taken) = sizes(player);
    let mut bed = Bed::new(idle, taken);
    let (mut takes, mut arrivals) = (Duration::ZERO, Duration::ZERO);
    let cpu = usage::cpu();
    for batch in 0..BATCHES {
        let chosen: Vec<ConnectionKey> = (0..BATCH).map(|_| bed.choose()).collect();
        let begin = usage::cpu();
        for key in chosen {
            bed.take(key);
        }
        let took = usage::cpu() - begin;
        for _ in 0..BATCH {
            bed.release();
        }
        let accepts: Vec<AcceptId> = (0..BATCH).map(|_| bed.admit()).collect();
        let begin = usage::cpu();
        let came: Vec<ConnectionKey> = accepts.into_iter().map(|accept| bed.accepted(accept)).collect();
        let arrived = usage::cpu() - begin;
        bed.idle.extend(came);
        if batch >= BATCHES / 10 {
            (takes, arrivals) = (takes + took, arrivals + arrived);
        }
    }
    report_steps(takes, arrivals, cpu);
}

/// Of the batches that are not for warming up.
pub(super) fn report_steps(takes: Duration, arrivals: Duration, cpu: Duration) {
    let steps = (BATCH * (BATCHES - BATCHES / 10)) as f64;
    for (name, time) in [("take", takes), ("arrive", arrivals)] {
        report(name, time.as_secs_f64() * 1e9 / steps, (usage::cpu() - cpu).as_secs_f64());
    }
}
