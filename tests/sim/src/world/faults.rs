//! What goes wrong, on demand.

use std::time::Duration;

use super::network::Fault;
use super::path::{EndId, Stage};
use super::queue::Event;
use super::wire::Packet;
use super::{Happening, PoolId, World, note};

impl World {
    /// Lets this happen to one of the connections, if there are any.
    ///
    /// ```
    /// # use npws_sim::world::{Fault, World};
    /// let mut world = World::new(42);
    /// world.strike(Fault::SilentCut);
    /// ```
    pub fn strike(&mut self, fault: Fault) {
        let is_alive = |path: usize| {
            [false, true].iter().any(|&is_server| self.end(EndId { path, is_server }).stage != Stage::Gone)
        };
        let alive: Vec<usize> = (0..self.paths.len()).rev().take(64).filter(|path| is_alive(*path)).collect();
        if alive.is_empty() {
            return;
        }
        let path = self.rng.pick(&alive);
        let is_server = self.rng.chance(500);
        let end = EndId { path, is_server };
        note!(self, "{fault:?} strikes {end}");
        match fault {
            Fault::Loss => self.lose(path),
            Fault::SilentCut => self.cut(&[end, end.peer()]),
            Fault::HalfOpen => self.cut(&[end]),
            Fault::Garbage => {
                // Who does not look at an idle connection would find it no sooner than when it is taken.
                if self.end(end).stage != Stage::Gone && self.processes[self.end(end).pool.0].watches {
                    self.end_mut(end).push(Packet::Garbage);
                    self.wake(end);
                }
            }
        }
    }

    /// All connections of a pool's program are cut in silence.
    ///
    /// ```
    /// # use npws_core::{PeerGeneration, ServerConfig};
    /// # use npws_sim::world::World;
    /// # let mut world = World::new(1);
    /// # let server = world.add_server(ServerConfig::default(), PeerGeneration::V2)?;
    /// world.unplug(server);
    /// # Ok::<(), npws_core::ConfigError>(())
    /// ```
    pub fn unplug(&mut self, pool: PoolId) {
        note!(self, "pool {} is unplugged", pool.0);
        for end in self.process(pool).ends.clone() {
            self.cut(&[end, end.peer()]);
        }
    }

    fn lose(&mut self, path: usize) {
        for is_server in [false, true] {
            let end = EndId { path, is_server };
            self.paths[path].towards(end).in_flight.clear();
            self.transmit(end.peer(), Packet::Failure);
        }
    }

    /// Nothing arrives at these ends any more.
    fn cut(&mut self, ends: &[EndId]) {
        for &end in ends {
            let pipe = self.paths[end.path].towards(end);
            pipe.in_flight.clear();
            pipe.is_cut = true;
        }
        let now = self.now;
        let cut_at = &mut self.paths[ends[0].path].cut_at;
        if ends.len() == 2 && cut_at.is_none() {
            *cut_at = Some(now);
        }
        for end in [ends[0], ends[0].peer()] {
            self.queue.push(now + self.network.tcp_timeout, Event::TransportDead(end));
        }
    }

    /// The clock of a pool's program leaps ahead.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use npws_core::{PeerGeneration, ServerConfig};
    /// # use npws_sim::world::World;
    /// # let mut world = World::new(1);
    /// # let server = world.add_server(ServerConfig::default(), PeerGeneration::V2)?;
    /// world.leap(server, Duration::from_secs(3600));
    /// # Ok::<(), npws_core::ConfigError>(())
    /// ```
    pub fn leap(&mut self, pool: PoolId, time: Duration) {
        note!(self, "the clock of pool {} leaps by {time:?}", pool.0);
        self.process(pool).ahead += time;
        self.queue.push(self.now, Event::PoolTimer(pool));
        for end in self.process(pool).ends.clone() {
            self.queue.push(self.now, Event::LinkTimer(end));
        }
    }

    /// A pool's program gets no processor for so long.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use npws_core::{PeerGeneration, ServerConfig};
    /// # use npws_sim::world::World;
    /// # let mut world = World::new(1);
    /// # let server = world.add_server(ServerConfig::default(), PeerGeneration::V2)?;
    /// world.stall(server, Duration::from_secs(3));
    /// # Ok::<(), npws_core::ConfigError>(())
    /// ```
    pub fn stall(&mut self, pool: PoolId, time: Duration) {
        note!(self, "pool {} stalls for {time:?}", pool.0);
        let until = self.now + time;
        let process = self.process(pool);
        process.stalled = process.stalled.max(until);
    }

    /// Ends a pool's program at once and starts it again, with a new pool. Its peers are told, unless `silently`.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use npws_core::{PeerGeneration, ServerConfig};
    /// # use npws_sim::world::{Happening, World};
    /// # let mut world = World::new(1);
    /// # let server = world.add_server(ServerConfig::default(), PeerGeneration::V2)?;
    /// world.restart(server, false);
    /// assert_eq!(world.next(Duration::MAX), Some(Happening::Restarted(server)));
    /// # Ok::<(), npws_core::ConfigError>(())
    /// ```
    pub fn restart(&mut self, pool: PoolId, silently: bool) {
        note!(self, "pool {} restarts{}", pool.0, if silently { " silently" } else { "" });
        for end in core::mem::take(&mut self.process(pool).ends) {
            self.end_mut(end).stage = Stage::Gone;
            if silently {
                // The system of the peer finds out, if its program does not.
                let at = self.now + self.network.tcp_timeout;
                self.queue.push(at, Event::TransportDead(end.peer()));
            } else {
                self.transmit(end, Packet::Failure);
            }
        }
        let (seed, now) = (self.rng.next_u64(), self.clock(pool));
        let process = self.process(pool);
        if let Ok(machine) = process.plan.machine(seed, now) {
            process.machine = machine;
        }
        let former = core::mem::take(&mut process.waiters);
        process.life += 1;
        process.dials.clear();
        process.accepts.clear();
        (process.is_draining, process.is_closed, process.control_was_had) = (false, false, false);
        (process.armed, process.failed_at) = (None, None);
        for waiter in former.into_values() {
            self.takes.remove(&waiter.take);
        }
        self.touched.push(pool);
        self.queue.push(self.now, Event::PoolTimer(pool));
        self.happenings.push_back(Happening::Restarted(pool));
    }
}
