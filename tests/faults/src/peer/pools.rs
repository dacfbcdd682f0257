//! The pools of a peer, of whichever kind.

use std::time::Duration;

use npws::tokio::{ClientPool, ServerPool};
use npws::{Connection, ConnectionId, Stats, TakeError};

#[derive(Debug)]
pub(crate) enum Pools {
    Server(ServerPool),
    Clients(Vec<ClientPool>),
}

/// Calls a method of the pool; of the first, if there are several.
macro_rules! of_first {
    ($pools:expr, $pool:ident => $call:expr) => {
        match $pools {
            Pools::Server($pool) => $call,
            Pools::Clients(pools) => {
                let $pool = &pools[0];
                $call
            }
        }
    };
}

impl Pools {
    pub(crate) fn address(&self) -> String {
        match self {
            Self::Server(pool) => pool.local_addr().expect("it listens").to_string(),
            Self::Clients(_) => "-".to_owned(),
        }
    }

    pub(crate) async fn take_next(&self, timeout: Duration) -> Result<Connection, TakeError> {
        of_first!(self, pool => pool.take_next(timeout).await).map(|(_, connection)| connection)
    }

    pub(crate) async fn accept(&self, timeout: Duration) -> Result<Connection, TakeError> {
        of_first!(self, pool => pool.accept(timeout).await).map(|(_, connection)| connection)
    }

    pub(crate) async fn take(&self, id: ConnectionId, timeout: Duration) -> Result<Connection, TakeError> {
        of_first!(self, pool => pool.take(id, timeout).await)
    }

    pub(crate) async fn drain(&self, timeout: Duration) {
        of_first!(self, pool => pool.drain(timeout).await);
    }

    pub(crate) fn close(&self) {
        of_first!(self, pool => pool.close());
    }

    /// All counts of all pools, added up.
    pub(crate) fn report(&self) -> String {
        let all: Vec<Stats> = match self {
            Self::Server(pool) => vec![pool.stats()],
            Self::Clients(pools) => pools.iter().map(ClientPool::stats).collect(),
        };
        let sum = |count: fn(&Stats) -> u64| all.iter().map(count).sum::<u64>();
        let mut report = [
            ("idle", sum(|stats| stats.idle as u64)),
            ("taken", sum(|stats| stats.taken as u64)),
            ("handshakes", sum(|stats| stats.handshakes as u64)),
            ("waiters", sum(|stats| stats.waiters as u64)),
            ("registered", sum(|stats| stats.registered_total)),
            ("closed", sum(|stats| stats.closed_total)),
            ("dead_on_take", sum(|stats| stats.dead_on_take)),
            ("dials", sum(|stats| stats.dials_total)),
            ("refused", sum(|stats| stats.dial_failures.connect)),
            ("timed_out", sum(|stats| stats.dial_failures.timeout)),
            ("accepted", sum(|stats| stats.accepted_total)),
            ("listener_failures", sum(|stats| stats.listener_failures)),
        ]
        .map(|(name, count)| format!("{name}={count}"))
        .join(" ");
        for (reason, count) in all.iter().flat_map(|stats| &stats.closed_by) {
            // Several pools have several counts of the same; only one pool is ever asked for these.
            report += &format!(" closed_by.{reason:?}={count}");
        }
        report
    }
}
