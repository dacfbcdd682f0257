//! Whether all is well in the end.

use core::ops::RangeInclusive;
use std::collections::BTreeSet;

use npws_core::{AddressLimitsConfig, CloseReason, ConnectionId, PeerHeader};

use super::path::{End, EndId, Stage};
use super::process::{Machine, Plan};
use super::{GroupId, Happening, PoolId, World, note};

impl World {
    /// Client, server and ID of every idle connection, if all pools are full and every connection has its other end; or
    /// what is missing.
    pub(crate) fn pairs(&self) -> Result<Vec<(PoolId, PoolId, ConnectionId)>, String> {
        let mut pairs = Vec::new();
        let is_stalled = self.processes.iter().any(|process| process.stalled > self.now);
        if is_stalled || self.queue.next_at().is_some_and(|at| at <= self.now) {
            return Err("something is going on".to_owned());
        }
        for group in 0..self.groups.all.len() {
            self.is_group_well(GroupId(group))?;
        }
        for process in &self.processes {
            let stats = process.machine.stats();
            if let Plan::Client { server, .. } = process.plan
                && stats.idle < stats.capacity
                && self.has_room(server)
                // Of those that are to come right only one that has left its group is.
                && !process.is_closed
            {
                return Err(format!("{:?} has {} of {} connections", process.id, stats.idle, stats.capacity));
            }
            for &id in &process.ends {
                let (end, peer) = (self.end(id), self.end(id.peer()));
                if !matches!(end.stage, Stage::Pooled(_)) || end.is_claimed {
                    continue;
                }
                let is_there =
                    matches!(peer.stage, Stage::Pooled(_)) && self.paths[id.path].is_calm() && !peer.is_woken;
                if !is_there || peer.is_claimed || end.is_held || peer.is_held {
                    if !process.watches {
                        // A ghost: who does not look at idle connections keeps what died meanwhile.
                        continue;
                    }
                    return Err(format!("{id} of {:?} has no other end", process.id));
                }
                if let (false, Some(connection)) = (id.is_server, end.id()) {
                    pairs.push((end.pool, peer.pool, connection));
                }
            }
        }
        Ok(pairs)
    }

    pub(super) fn has_room(&self, server: PoolId) -> bool {
        let stats = self.processes[server.0].machine.stats();
        stats.idle < stats.capacity
    }

    /// The server that this client dials.
    pub(super) fn server_of(&self, client: PoolId) -> PoolId {
        match self.processes[client.0].plan {
            Plan::Client { server, .. } => server,
            Plan::Server { .. } => unreachable!("{client:?} is a server"),
        }
    }

    /// A client begins no dial on its own any more.
    pub(crate) fn hold_dials(&mut self, pool: PoolId) {
        note!(self, "pool {} holds its dials", pool.0);
        self.with(pool, |machine, now| {
            if let Machine::Client(pool) = machine {
                pool.hold_dials(now);
            }
        });
    }

    pub(crate) fn resume_dials(&mut self, pool: PoolId) {
        note!(self, "pool {} dials", pool.0);
        self.with(pool, |machine, now| {
            if let Machine::Client(pool) = machine {
                pool.resume_dials(now);
            }
        });
    }

    /// A client is told to hold more or less.
    pub(crate) fn resize(&mut self, pool: PoolId, capacity: RangeInclusive<usize>) {
        note!(self, "pool {} is to hold {capacity:?}", pool.0);
        let outcome = self.with(pool, |machine, now| match machine {
            Machine::Client(pool) => pool.resize(now, capacity),
            Machine::Server(_) => Ok(()),
        });
        assert_eq!(outcome, Ok(()), "a capacity within its range");
    }

    /// A server is told how many may come in, and how fast.
    pub(crate) fn set_limits(&mut self, pool: PoolId, limits: AddressLimitsConfig) {
        note!(self, "pool {} is to let in {limits:?}", pool.0);
        let outcome = self.with(pool, |machine, now| match machine {
            Machine::Server(pool) => pool.set_limits(now, limits),
            Machine::Client(_) => Ok(()),
        });
        assert_eq!(outcome, Ok(()), "limits within their range");
    }

    /// Everything that connections were closed for.
    pub(crate) fn reasons(&self) -> &BTreeSet<CloseReason> {
        &self.reasons
    }

    /// The next happening that is there already.
    pub(crate) fn has_happened(&mut self) -> Option<Happening> {
        self.settle();
        self.happenings.pop_front()
    }

    /// Whether the pool is on its way to its end, or there.
    pub(crate) fn is_ending(&self, pool: PoolId) -> bool {
        !self.processes[pool.0].is_open()
    }

    /// Whether the pool's program reads its idle connections.
    pub(crate) fn watches(&self, pool: PoolId) -> bool {
        self.processes[pool.0].watches
    }

    /// There is room for a new connection, and it gets the control ID, unless that is another's, or was had by somebody and is no control
    /// channel's.
    pub(super) fn check_admitted(&self, pool: PoolId, peer: PeerHeader, admitted: ConnectionId) {
        let process = &self.processes[pool.0];
        let is_given = matches!(&process.plan, Plan::Server { config, .. } if config.control_id);
        let is_spent = !is_given || process.control_was_had && !process.plan.pool().control_channel;
        let has_it = |end: &End| match end.stage {
            Stage::Establishing => !end.is_given_up,
            Stage::Pooled(_) | Stage::Taken(_) | Stage::Farewell(Some(_)) => true,
            Stage::Connecting | Stage::Farewell(None) | Stage::Gone => false,
        };
        let mut ends = process.ends.iter().map(|end| self.end(*end));
        let is_anothers = ends.any(|end| end.id() == Some(ConnectionId::CONTROL) && has_it(end));
        let is_there = |end: &End| has_it(end) && matches!(end.stage, Stage::Pooled(_) | Stage::Establishing);
        let there = process.ends.iter().map(|end| self.end(*end)).filter(|end| is_there(end) && !end.is_claimed);
        let stats = process.machine.stats();
        // One more than fits comes in where one of two ends that both open connections has none to take.
        let is_needed = process.own.opens && peer.opens;
        let has_room = there.count() < stats.capacity + stats.waiters + stats.offered;
        assert!(has_room || is_needed, "{admitted} is one more than there is room for: {stats:?}");
        assert_eq!(admitted.is_control(), !is_anothers && !is_spent, "whether {admitted} is the control ID");
    }

    /// Somebody has the connection under this ID now, here or at the other end.
    pub(super) fn mark_control(&mut self, end: EndId) {
        if end.is_server && self.end(end).id() == Some(ConnectionId::CONTROL) {
            let pool = self.end(end).pool;
            self.process(pool).control_was_had = true;
        }
    }
}
