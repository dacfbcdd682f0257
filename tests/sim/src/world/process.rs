//! A program with one pool in it: the machine, its clock, and what its driver remembers.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use npws_core::{
    AcceptId, ClientConfig, ClientPool, ConfigError, ConnectionId, ConnectionKey, DialId, EndpointId, IdSource,
    Instant, Output, PeerHeader, PoolConfig, ServerConfig, ServerPool, Stats, TakeError, Taken, WaiterId,
};

use super::path::EndId;
use super::rng::Rng;
use super::{GroupId, PoolId, TakeId};

/// Where a simulated server takes its IDs from.
#[derive(Debug)]
pub(super) struct Ids {
    rng: Rng,
    from: u32,
}

impl IdSource for Ids {
    fn next_id(&mut self) -> ConnectionId {
        let id = self.rng.below(self.from as usize);
        ConnectionId::from_bytes(u32::try_from(id).unwrap_or(0).to_be_bytes())
    }
}

/// Either kind of pool.
#[derive(Debug)]
pub(super) enum Machine {
    Client(ClientPool<EndId>),
    Server(ServerPool<EndId, Ids>),
}

/// The same call on either kind.
macro_rules! either {
    ($machine:expr, $pool:ident => $call:expr) => {
        match $machine {
            $crate::world::process::Machine::Client($pool) => $call,
            $crate::world::process::Machine::Server($pool) => $call,
        }
    };
}
pub(super) use either;

/// How a pool begins, and begins again.
#[derive(Debug, Clone)]
pub(crate) enum Plan {
    Client {
        config: ClientConfig,
        server: PoolId,
    },
    /// IDs are drawn from so many.
    Server {
        config: ServerConfig,
        ids: u32,
    },
}

impl Plan {
    pub(super) fn pool(&self) -> &PoolConfig {
        match self {
            Self::Client { config, .. } => &config.pool,
            Self::Server { config, .. } => &config.pool,
        }
    }

    pub(super) fn machine(&self, seed: u64, now: Instant) -> Result<Machine, ConfigError> {
        Ok(match self {
            Self::Client { config, .. } => Machine::Client(ClientPool::new(config.clone(), seed, now)?),
            Self::Server { config, ids } => {
                let source = Ids { rng: Rng::new(seed), from: *ids };
                Machine::Server(ServerPool::new(config.clone(), source, seed)?)
            }
        })
    }
}

/// What a user waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Want {
    Id(ConnectionId),
    Next,
    Claimed,
}

/// What has become of a waiter, as far as can be seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Progress {
    Waiting,
    Offered(ConnectionKey),
}

#[derive(Debug)]
pub(super) struct Waiter {
    pub(super) take: TakeId,
    pub(super) want: Want,
    pub(super) deadline: Instant,
    pub(super) progress: Progress,
    /// Whether its task was woken and has not looked since.
    pub(super) is_woken: bool,
}

#[derive(Debug)]
pub(super) struct Process {
    pub(super) id: PoolId,
    pub(super) plan: Plan,
    /// The group that it is in.
    pub(super) group: Option<(GroupId, EndpointId)>,
    pub(super) machine: Machine,
    /// What this end says of itself.
    pub(super) own: PeerHeader,
    /// Whether idle connections are read. The original does not.
    pub(super) watches: bool,
    /// How far its clock is ahead.
    pub(super) ahead: Duration,
    /// How often it has begun again.
    pub(super) life: u32,
    /// Nothing of it runs before this.
    pub(super) stalled: Instant,
    /// When the timer of the machine fires, on the world's clock.
    pub(super) armed: Option<Instant>,
    pub(super) waiters: BTreeMap<WaiterId, Waiter>,
    pub(super) dials: BTreeMap<DialId, usize>,
    pub(super) accepts: BTreeMap<AcceptId, usize>,
    /// The connections that have not gone.
    pub(super) ends: BTreeSet<EndId>,
    pub(super) is_draining: bool,
    pub(super) is_closed: bool,
    /// Whether somebody had the control ID, here or at the other end.
    pub(super) control_was_had: bool,
    /// The instant of the last failure of a dial while no success was between, and of the retry after it.
    pub(super) failed_at: Option<Instant>,
}

impl Process {
    pub(super) fn new(
        id: PoolId,
        plan: Plan,
        own: PeerHeader,
        watches: bool,
        seed: u64,
        now: Instant,
    ) -> Result<Self, ConfigError> {
        Ok(Self {
            id,
            machine: plan.machine(seed, now)?,
            plan,
            group: None,
            own,
            watches,
            ahead: Duration::ZERO,
            life: 0,
            stalled: now,
            armed: None,
            waiters: BTreeMap::new(),
            dials: BTreeMap::new(),
            accepts: BTreeMap::new(),
            ends: BTreeSet::new(),
            is_draining: false,
            is_closed: false,
            control_was_had: false,
            failed_at: None,
        })
    }

    pub(super) fn is_open(&self) -> bool {
        !self.is_draining && !self.is_closed
    }

    /// The waiter behind this take.
    pub(super) fn waiter(&self, take: TakeId) -> Option<WaiterId> {
        self.waiters.iter().find(|(_, waiter)| waiter.take == take).map(|(id, _)| *id)
    }
}

impl Machine {
    pub(super) fn poll_outputs(&mut self) -> Vec<Output<EndId>> {
        either!(self, pool => core::iter::from_fn(|| pool.poll_output()).collect())
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        either!(self, pool => pool.poll_timeout())
    }

    pub(super) fn offered(&self, waiter: WaiterId) -> Option<(ConnectionKey, EndId)> {
        either!(self, pool => pool.offered(waiter)).map(|(key, end)| (key, *end))
    }

    pub(super) fn complete(&mut self, now: Instant, waiter: WaiterId) -> Option<Result<Taken<EndId>, TakeError>> {
        either!(self, pool => pool.complete(now, waiter))
    }

    pub(super) fn connection(&self, key: ConnectionKey) -> Option<EndId> {
        either!(self, pool => pool.connection(key)).copied()
    }

    pub(super) fn active(&self) -> usize {
        either!(self, pool => pool.active())
    }

    pub(super) fn is_closed(&self) -> bool {
        either!(self, pool => pool.is_closed())
    }

    pub(super) fn stats(&self) -> Stats {
        either!(self, pool => pool.stats())
    }

    pub(super) fn assert_consistent(&self) {
        either!(self, pool => pool.assert_consistent());
    }
}
