//! Looks at every connection that is handed out: how long it took, and whether it had been cut.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use npws::Connection;

use super::cutter::Cutter;
use super::latency::Percentiles;
use crate::Observer;

/// How long a cut may stay unnoticed.
const GRACE: Duration = Duration::from_millis(100);

/// Which end is looked at.
#[derive(Debug, Clone, Copy)]
pub(super) enum End {
    Server,
    Client,
}

/// The observer of one end.
#[derive(Debug)]
pub(super) struct Watch {
    end: End,
    cutter: Arc<Cutter>,
    seen: Mutex<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    is_restart: bool,
    waits: Vec<Duration>,
    waits_in_restart: Vec<Duration>,
    just_cut: usize,
    long_dead: usize,
}

/// What was seen.
#[derive(Debug, Clone, Copy)]
pub(super) struct Summary {
    pub(super) waits: Percentiles,
    /// The same while the client restarted: connections were being made then.
    pub(super) waits_in_restart: Percentiles,
    /// Handed out within the grace after the cut.
    pub(super) just_cut: usize,
    /// Handed out later than that.
    pub(super) long_dead: usize,
}

impl Watch {
    pub(super) fn new(end: End, cutter: Arc<Cutter>) -> Self {
        Self { end, cutter, seen: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the client restarts from now on.
    pub(super) fn restart(&self, is_restart: bool) {
        self.lock().is_restart = is_restart;
    }

    pub(super) fn summary(&self) -> Summary {
        let seen = self.lock();
        Summary {
            waits: Percentiles::of(seen.waits.clone()),
            waits_in_restart: Percentiles::of(seen.waits_in_restart.clone()),
            just_cut: seen.just_cut,
            long_dead: seen.long_dead,
        }
    }
}

impl Observer for Watch {
    fn took(&self, connection: &Connection, waited: Duration) {
        let client = match self.end {
            End::Server => connection.peer_addr(),
            End::Client => connection.local_addr(),
        };
        let cut = client.and_then(|client| self.cutter.take(client));
        let mut seen = self.lock();
        // The wait for the control connection is one for the other end to begin.
        if !connection.id().is_control() {
            let waits = if seen.is_restart { &mut seen.waits_in_restart } else { &mut seen.waits };
            waits.push(waited);
        }
        match cut {
            Some(since) if since > GRACE => seen.long_dead += 1,
            Some(_) => seen.just_cut += 1,
            None => {}
        }
    }
}
