//! The pools of a world.

use std::time::Duration;

use npws_core::{ClientConfig, ConfigError, ConnectionId, PeerGeneration, PeerHeader, ServerConfig, Stats};

use super::path::Stage;
use super::process::{Plan, Process, either};
use super::queue::Event;
use super::{PoolId, World, note};

/// How many IDs a server draws from, unless told otherwise.
const IDS: u32 = u32::MAX;

impl World {
    /// Adds a server pool. `own` is what it speaks.
    ///
    /// # Errors
    /// When a value of `config` is outside its range.
    ///
    /// ```
    /// # use npws_core::{PeerGeneration, ServerConfig};
    /// # use npws_sim::world::World;
    /// let mut world = World::new(1);
    /// let server = world.add_server(ServerConfig { capacity: 8, ..ServerConfig::default() }, PeerGeneration::V2)?;
    /// assert_eq!(world.stats(server).capacity, 8);
    /// # Ok::<(), npws_core::ConfigError>(())
    /// ```
    pub fn add_server(&mut self, config: ServerConfig, own: PeerGeneration) -> Result<PoolId, ConfigError> {
        self.add(Plan::Server { config, ids: IDS }, own, true)
    }

    /// Adds a client pool that dials this server.
    ///
    /// # Errors
    /// When a value of `config` is outside its range.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use npws_core::{ClientConfig, PeerGeneration, ServerConfig};
    /// # use npws_sim::world::World;
    /// let mut world = World::new(1);
    /// let server = world.add_server(ServerConfig::default(), PeerGeneration::V2)?;
    /// let client = world.add_client(ClientConfig::default(), PeerGeneration::V2, server)?;
    /// while world.next(Duration::from_secs(1)).is_some() {}
    /// assert_eq!((world.stats(client).idle, world.stats(server).idle), (1, 1));
    /// # Ok::<(), npws_core::ConfigError>(())
    /// ```
    pub fn add_client(
        &mut self,
        config: ClientConfig,
        own: PeerGeneration,
        server: PoolId,
    ) -> Result<PoolId, ConfigError> {
        self.add(Plan::Client { config, server }, own, true)
    }

    /// Adds a pool; one that does not watch its idle connections is one of the original's.
    pub(crate) fn add(&mut self, plan: Plan, own: PeerGeneration, watches: bool) -> Result<PoolId, ConfigError> {
        let id = PoolId(self.processes.len());
        note!(self, "pool {} speaks {own}: {plan:?}", id.0);
        let own = PeerHeader { generation: own, opens: plan.pool().opens };
        let (seed, now) = (self.rng.next_u64(), self.now);
        self.processes.push(Process::new(id, plan, own, watches, seed, now)?);
        self.queue.push(now, Event::PoolTimer(id));
        Ok(id)
    }

    /// How many events there were, for the log.
    ///
    /// ```
    /// # use npws_sim::world::World;
    /// assert_eq!(World::new(42).steps(), 0);
    /// ```
    #[must_use]
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// All that a pool counts.
    ///
    /// ```
    /// # use npws_core::{PeerGeneration, ServerConfig};
    /// # use npws_sim::world::World;
    /// # let mut world = World::new(1);
    /// let server = world.add_server(ServerConfig::default(), PeerGeneration::V2)?;
    /// assert_eq!(world.stats(server).registered_total, 0);
    /// # Ok::<(), npws_core::ConfigError>(())
    /// ```
    #[must_use]
    pub fn stats(&self, pool: PoolId) -> Stats {
        self.processes[pool.0].machine.stats()
    }

    /// Whether a pool is closed, which is for good, unless its program restarts.
    ///
    /// ```
    /// # use npws_core::{PeerGeneration, ServerConfig};
    /// # use npws_sim::world::World;
    /// # let mut world = World::new(1);
    /// # let server = world.add_server(ServerConfig::default(), PeerGeneration::V2)?;
    /// world.close_pool(server);
    /// assert!(world.is_closed(server));
    /// # Ok::<(), npws_core::ConfigError>(())
    /// ```
    #[must_use]
    pub fn is_closed(&self, pool: PoolId) -> bool {
        self.processes[pool.0].is_closed
    }

    /// The IDs of the connections in a pool, in their own order.
    ///
    /// ```
    /// # use npws_core::{PeerGeneration, ServerConfig};
    /// # use npws_sim::world::World;
    /// # let mut world = World::new(1);
    /// # let server = world.add_server(ServerConfig::default(), PeerGeneration::V2)?;
    /// assert!(world.ids(server).is_empty());
    /// # Ok::<(), npws_core::ConfigError>(())
    /// ```
    #[must_use]
    pub fn ids(&self, pool: PoolId) -> Vec<ConnectionId> {
        let ends = self.processes[pool.0].ends.iter().map(|end| self.end(*end));
        let mut ids: Vec<_> =
            ends.filter(|end| matches!(end.stage, Stage::Pooled(_))).filter_map(|end| end.id()).collect();
        ids.sort_unstable();
        ids
    }

    /// Closes every connection of a pool that nobody has taken.
    ///
    /// ```
    /// # use npws_core::{PeerGeneration, ServerConfig};
    /// # use npws_sim::world::World;
    /// # let mut world = World::new(1);
    /// # let server = world.add_server(ServerConfig::default(), PeerGeneration::V2)?;
    /// world.flush(server);
    /// assert_eq!(world.stats(server).idle, 0);
    /// # Ok::<(), npws_core::ConfigError>(())
    /// ```
    pub fn flush(&mut self, pool: PoolId) {
        note!(self, "pool {} is flushed", pool.0);
        self.with(pool, |machine, now| either!(machine, pool => pool.flush(now)));
    }

    /// Ends a pool gently, within this time.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use npws_core::{PeerGeneration, ServerConfig};
    /// # use npws_sim::world::World;
    /// # let mut world = World::new(1);
    /// # let server = world.add_server(ServerConfig::default(), PeerGeneration::V2)?;
    /// world.drain(server, Duration::from_secs(5));
    /// assert!(world.is_closed(server), "it was empty");
    /// # Ok::<(), npws_core::ConfigError>(())
    /// ```
    pub fn drain(&mut self, pool: PoolId, timeout: Duration) {
        note!(self, "pool {} is drained within {timeout:?}", pool.0);
        self.process(pool).is_draining = true;
        self.with(pool, |machine, now| either!(machine, pool => pool.drain(now, timeout)));
    }

    /// Closes a pool at once. What was taken out of it lives on.
    ///
    /// ```
    /// # use npws_core::{PeerGeneration, ServerConfig};
    /// # use npws_sim::world::World;
    /// # let mut world = World::new(1);
    /// # let server = world.add_server(ServerConfig::default(), PeerGeneration::V2)?;
    /// world.close_pool(server);
    /// assert!(world.is_closed(server));
    /// # Ok::<(), npws_core::ConfigError>(())
    /// ```
    pub fn close_pool(&mut self, pool: PoolId) {
        note!(self, "pool {} is closed", pool.0);
        self.with(pool, |machine, now| either!(machine, pool => pool.close(now)));
    }
}
