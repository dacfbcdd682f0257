//! What must hold after every event.

use std::collections::BTreeSet;

use npws_core::{ConnectionId, ConnectionKey, Instant, PeerGeneration, Role, TakeError, WaiterId, may_take};

use super::path::{End, EndId, Stage};
use super::process::{Plan, Process, Progress, Want};
use super::{PoolId, World};

impl World {
    /// First come, first served: whoever is offered something new, nobody who wants the same was there before.
    pub(super) fn observe_waiters(&mut self, pool: PoolId) {
        let process = &mut self.processes[pool.0];
        let mut served = Vec::new();
        for (&id, waiter) in &mut process.waiters {
            let offered = process.machine.offered(id).map(|(key, _)| key);
            let progress = offered.map_or(Progress::Waiting, Progress::Offered);
            if let Some(key) = offered
                && waiter.progress != progress
            {
                served.push((id, waiter.want, key));
            }
            waiter.progress = progress;
        }
        for (id, want, key) in served {
            // One that was woken may have failed already.
            let passed_over = process.waiters.iter().find(|(other, waiter)| {
                **other < id && waiter.want == want && waiter.progress == Progress::Waiting && !waiter.is_woken
            });
            assert!(passed_over.is_none(), "{key:?} is offered to {id:?}, {passed_over:?} was there before");
        }
    }

    /// Everything that must hold of one process.
    pub(super) fn check(&self, pool: PoolId) {
        let process = &self.processes[pool.0];
        process.machine.assert_consistent();
        self.check_books(process);
        self.check_waiters(process);
        self.check_timers(process);
    }

    /// What the driver holds is what the pool counts.
    fn check_books(&self, process: &Process) {
        let stats = process.machine.stats();
        let (mut pooled, mut taken, mut available, mut ids) = (0, 0, 0, BTreeSet::new());
        let offered: BTreeSet<ConnectionKey> = process.waiters.values().filter_map(offer).collect();
        for &id in &process.ends {
            let end = self.end(id);
            match end.stage {
                Stage::Pooled(key) => {
                    pooled += 1;
                    available += usize::from(!end.is_claimed && !end.is_held && !offered.contains(&key));
                    assert_eq!(process.machine.connection(key), Some(id), "the pool has lost {id}, {key:?}");
                    assert!(ids.insert(key.id()), "{} is there twice", key.id());
                    self.check_pooled(process, id, end, key);
                }
                Stage::Taken(key) => {
                    taken += 1;
                    self.check_not_awaited(process, key);
                    let is_unique = !id.is_server || ids.insert(key.id());
                    assert!(is_unique, "the server gave {} to two", key.id());
                }
                Stage::Farewell(Some(_)) => taken += 1,
                Stage::Connecting | Stage::Establishing | Stage::Farewell(None) | Stage::Gone => {}
            }
        }
        assert_eq!(stats.idle + stats.offered + stats.claimed + stats.retained, pooled, "connections in {stats:?}");
        assert_eq!(process.machine.active(), available, "connections to hand out in {stats:?}");
        assert_eq!(stats.taken, taken, "taken connections in {stats:?}");
        let present = (stats.idle + stats.offered + stats.claimed + stats.retained) as u64;
        assert_eq!(stats.registered_total, present + stats.taken_total + stats.closed_total, "{stats:?}");
        assert_eq!(stats.handshakes, process.dials.len() + process.accepts.len(), "handshakes under way");
        assert_eq!(process.machine.is_closed(), process.is_closed, "the end is told once, and at once");
        if process.is_closed {
            assert_eq!(pooled, 0, "a closed pool holds connections");
        }
    }

    /// Nobody waits for an ID that somebody has taken, unless it came again.
    fn check_not_awaited(&self, process: &Process, key: ConnectionKey) {
        let id = key.id();
        let mut asleep = process.waiters.values().filter(|waiter| !waiter.is_woken);
        let has_come_again =
            || process.ends.iter().any(|end| self.end(*end).id() == Some(id) && self.end(*end).is_pooled());
        let awaited = asleep.find(|waiter| waiter.want == Want::Id(id) && !id.is_control());
        assert!(awaited.is_none() || has_come_again(), "{awaited:?} waits for what is taken");
    }

    /// What is to happen to a connection that nobody is offered, happens.
    fn check_pooled(&self, process: &Process, id: EndId, end: &End, key: ConnectionKey) {
        if process.waiters.values().filter_map(offer).any(|offered| offered == key) {
            return;
        }
        if let Some(since) = end.retained_at {
            let until = since + process.plan.pool().retention;
            let is_armed = process.machine.poll_timeout().is_some_and(|due| due <= until);
            assert!(is_armed, "no timer ends the retention of {id} at {until}");
        } else if process.is_draining && end.peer.is_some_and(|peer| peer.generation == PeerGeneration::V2) {
            assert!(end.is_asked_back || end.is_claimed, "{id} is not asked back");
        }
    }

    /// No waiter is left while what it waits for is there, and none sleeps through its outcome.
    fn check_waiters(&self, process: &Process) {
        let asleep = process.waiters.values().filter(|waiter| !waiter.is_woken);
        let waiting = asleep.clone().count();
        for waiter in asleep.clone() {
            assert_eq!(waiter.progress, Progress::Waiting, "{:?} sleeps through its offer", waiter.take);
            assert!(!process.is_closed, "{:?} waits for a pool that is closed", waiter.take);
        }
        let stats_waiting = process.machine.stats().waiters;
        assert!(waiting <= stats_waiting, "{waiting} sleep, of whom {stats_waiting} wait");
        if waiting == 0 {
            return;
        }
        let offered: BTreeSet<ConnectionKey> = process.waiters.values().filter_map(offer).collect();
        for &id in &process.ends {
            let end = self.end(id);
            let Stage::Pooled(key) = end.stage else { continue };
            if offered.contains(&key) || end.is_held {
                continue;
            }
            for waiter in asleep.clone() {
                let suits = match waiter.want {
                    Want::Id(wanted) => wanted == key.id(),
                    Want::Next => is_next(process, id, end, key.id()),
                    Want::Claimed => end.is_claimed && !is_control_channel(process, key.id()),
                };
                assert!(!suits, "{:?} waits for {:?} while {id}, {key:?}, is there", waiter.take, waiter.want);
            }
        }
    }

    /// A timer is armed for whatever time brings.
    fn check_timers(&self, process: &Process) {
        let due = process.machine.poll_timeout();
        let is_armed = |by| due.is_some_and(|due| due <= by);
        for waiter in process.waiters.values().filter(|waiter| !waiter.is_woken) {
            let is_bounded = waiter.deadline.since_epoch() < core::time::Duration::MAX;
            assert!(!is_bounded || is_armed(waiter.deadline), "no timer for {:?}", waiter.take);
        }
        if let Plan::Client { config, .. } = &process.plan {
            let now = self.now + process.ahead;
            let round = now + *config.interval.end();
            assert!(!process.is_open() || is_armed(round), "no timer for the next round");
            let dial = now + config.dial_timeout;
            assert!(process.dials.is_empty() || is_armed(dial), "no timer for the dials");
        } else {
            assert!(process.accepts.is_empty() || due.is_some(), "no timer for the handshakes");
        }
        for &id in &process.ends {
            self.check_link_timer(process, id);
        }
    }

    fn check_link_timer(&self, process: &Process, id: EndId) {
        let (Stage::Pooled(_), Some(wire)) = (self.end(id).stage, &self.end(id).wire) else { return };
        let link = &process.plan.pool().link;
        let (Some(keepalive), PeerGeneration::V2) = (link.keepalive, wire.link.peer()) else { return };
        let is_idle = wire.link.end().is_none() && !wire.link.is_claimed();
        if is_idle && process.watches && process.stalled <= self.now && !self.end(id).is_held {
            assert!(wire.link.poll_timeout().is_some(), "no timer for the silence of {id}");
            // A cut path is found out within one silence and one deadline; both timers may fire late by one turn.
            let bound = keepalive + link.pong_timeout + core::time::Duration::from_secs(2);
            let since = self.paths[id.path].cut_at.map_or(bound, |at| self.now - at.max(process.stalled));
            assert!(since <= bound, "{id} was cut {since:?} ago and is still idle");
        }
    }

    /// A server hands out its oldest connection first, a client its newest.
    pub(super) fn check_choice(&self, pool: PoolId, waiter: WaiterId) {
        let process = &self.processes[pool.0];
        let Some((key, chosen)) = process.machine.offered(waiter) else { return };
        if process.waiters.get(&waiter).is_none_or(|waiter| waiter.want != Want::Next) {
            return;
        }
        let offered: BTreeSet<ConnectionKey> = process.waiters.values().filter_map(offer).collect();
        for &id in &process.ends {
            let end = self.end(id);
            let Stage::Pooled(other) = end.stage else { continue };
            let was_there = id != chosen && !end.is_held && !offered.contains(&other);
            if was_there && is_next(process, id, end, other.id()) {
                assert_eq!(other > key, id.is_server, "{key:?} was chosen before {other:?}");
            }
        }
    }

    /// A take got what it asked for, from a pool that may give it.
    pub(super) fn check_taken(&self, pool: PoolId, id: EndId, key: ConnectionKey, want: Want) {
        let process = &self.processes[pool.0];
        let end = self.end(id);
        match want {
            Want::Id(wanted) => assert_eq!(key.id(), wanted, "another ID than the one asked for"),
            Want::Next => {
                assert!(!is_control_channel(process, key.id()), "the control channel is nobody's next");
                assert!(!end.is_claimed, "{key:?} is the peer's already");
                self.check_alive(process, id, end);
            }
            Want::Claimed => assert!(end.is_claimed, "{key:?} was not taken by the peer"),
        }
        assert!(!end.is_held, "{key:?} is held back");
        assert_eq!(end.key(), Some(key), "the pool and its driver disagree");
        assert_eq!(end.id(), Some(key.id()), "the pool and the link disagree on the ID");
        // Of a server's newest connections the client has yet to read the ID.
        let other = self.end(id.peer()).id();
        assert!(other.is_none_or(|other| other == key.id()), "the two ends disagree on the ID");
    }

    /// Nobody's next is dead for longer than it takes to find out, even if this end has slept meanwhile.
    fn check_alive(&self, process: &Process, id: EndId, end: &End) {
        let link = &process.plan.pool().link;
        let generation = end.peer.map(|peer| peer.generation);
        let (Some(keepalive), Some(PeerGeneration::V2), true) = (link.keepalive, generation, process.watches) else {
            return;
        };
        // What came before it went to sleep may be read just before the silence is over. The last packet was under way.
        let bound = keepalive * 2 + link.pong_timeout + *self.network.latency.end();
        let since = self.paths[id.path].cut_at.map_or(bound, |at| self.now - at.max(end.registered_at));
        assert!(since <= bound, "{id} was cut {since:?} ago and is handed out");
    }

    /// A take failed for a reason.
    pub(super) fn check_failure(&self, pool: PoolId, want: Want, deadline: Instant, error: TakeError) {
        let process = &self.processes[pool.0];
        match error {
            TakeError::Timeout => assert!(self.clock(pool) >= deadline, "a take fails before its time is over"),
            TakeError::Closed => assert!(process.is_closed, "closed, it says"),
            TakeError::Draining => assert!(process.is_draining, "draining, it says"),
            TakeError::Gone(_) => assert!(matches!(want, Want::Id(_)), "gone, it says to who asked for any"),
            _ => {}
        }
    }

    /// Clients whose dials failed at the same moment must not come back at the same moment.
    pub(super) fn watch_for_waves(&mut self, client: PoolId) {
        let now = self.now;
        let process = self.process(client);
        let (Some(failed_at), Plan::Client { config, .. }) = (process.failed_at.take(), &process.plan) else { return };
        // Who had no processor comes late; what users do they may do at the same moment, and so may those whose pause
        // was over before they wanted anything.
        let is_retry = failed_at < now && now - failed_at <= *config.backoff.end() && process.stalled <= failed_at;
        // A rate of dials is without jitter: where all began together, their turns come together. So do those of one
        // program whose clock leaps over all their pauses.
        let is_free = config.dial_rate.is_none() && process.group.is_none();
        if is_retry && is_free && self.is_timed {
            let retry = (failed_at, now);
            let same = self.retries.iter().find(|(other, failed, at)| *other != client && (*failed, *at) == retry);
            assert!(same.is_none(), "clients {client:?} and {same:?} come back in one wave");
            self.retries.push((client, failed_at, now));
        }
    }
}

fn offer(waiter: &super::process::Waiter) -> Option<ConnectionKey> {
    match waiter.progress {
        Progress::Offered(key) => Some(key),
        Progress::Waiting => None,
    }
}

/// Whether this ID is left to takes by ID.
fn is_control_channel(process: &Process, id: ConnectionId) -> bool {
    id.is_control() && process.plan.pool().control_channel
}

/// Whether `take_next` may give this connection, if nobody else is offered it.
fn is_next(process: &Process, id: EndId, end: &End, connection: ConnectionId) -> bool {
    let both_open =
        end.peer.is_some_and(|peer| peer.opens && peer.generation == PeerGeneration::V2) && process.own.opens;
    let role = if id.is_server { Role::Server } else { Role::Client };
    !end.is_claimed && !is_control_channel(process, connection) && may_take(role, both_open, connection)
}
