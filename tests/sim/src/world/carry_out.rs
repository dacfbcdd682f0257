//! The outputs of the pools, carried out as the driver does it.

use npws_core::{AcceptId, CloseReason, ConnectionKey, DialFailure, DialId, Instant, Output};

use super::group::News;
use super::path::{EndId, Stage};
use super::process::{Machine, either};
use super::queue::Event;
use super::wire::Packet;
use super::{PoolId, World, note};

impl World {
    /// One mutation of a machine, and everything that it asks for.
    pub(super) fn with<T>(&mut self, pool: PoolId, mutate: impl FnOnce(&mut Machine, Instant) -> T) -> T {
        let now = self.clock(pool);
        let machine = &mut self.process(pool).machine;
        let result = mutate(machine, now);
        let outputs = machine.poll_outputs();
        self.touched.push(pool);
        self.observe_waiters(pool);
        for output in outputs {
            self.carry_out(pool, output);
        }
        self.arm_pool(pool);
        result
    }

    fn carry_out(&mut self, pool: PoolId, output: Output<EndId>) {
        match output {
            Output::Wake(waiter) => {
                if let Some(waiter) = self.process(pool).waiters.get_mut(&waiter)
                    && !core::mem::replace(&mut waiter.is_woken, true)
                {
                    let take = waiter.take;
                    let at = self.turn();
                    self.queue.push(at, Event::Poll(take));
                }
            }
            Output::Close { connection, reason } => self.dispose(connection, reason),
            Output::AskBack(key) => {
                let end = self.process(pool).machine.connection(key);
                if let Some(end) = end {
                    note!(self, "{end} is asked back");
                    let now = self.clock(pool);
                    self.end_mut(end).is_held = true;
                    self.end_mut(end).is_asked_back = true;
                    if let Some(wire) = &mut self.end_mut(end).wire {
                        wire.link.drain(now);
                    }
                    self.wake(end);
                }
            }
            Output::Dial(dial) => self.dial(pool, dial),
            Output::AbortDial(dial) => self.abort_dial(pool, dial),
            Output::AbortAccept(accept) => self.abort_accept(pool, accept),
            Output::StopListening => note!(self, "pool {} stops listening", pool.0),
            Output::Round { idle, dialing, capacity, interval } => {
                note!(self, "pool {}: {idle} idle, {dialing} dialing of {capacity}, every {interval:?}", pool.0);
            }
            Output::Closed => {
                note!(self, "pool {} is closed", pool.0);
                let process = self.process(pool);
                assert!(!core::mem::replace(&mut process.is_closed, true), "a pool is closed twice");
                assert!(process.dials.is_empty() && process.accepts.is_empty(), "a handshake outlives its pool");
                self.tell_group(pool, News::Closed);
            }
            other => unreachable!("{other:?} is not known here"),
        }
    }

    fn abort_dial(&mut self, pool: PoolId, dial: DialId) {
        let path = self.process(pool).dials.remove(&dial);
        assert!(path.is_some(), "{dial:?} is aborted although it has ended");
        self.processes[pool.0].failed_at = Some(self.now);
        if !self.processes[pool.0].machine.is_closed() {
            let idle = self.processes[pool.0].machine.active();
            self.tell_group(pool, News::DialFailed(DialFailure::Timeout, idle));
        }
        if let Some(path) = path {
            self.abort(EndId { path, is_server: false });
        }
    }

    fn abort_accept(&mut self, pool: PoolId, accept: AcceptId) {
        let path = self.process(pool).accepts.remove(&accept);
        assert!(path.is_some(), "{accept:?} is aborted although it has ended");
        if let Some(path) = path {
            self.abort(EndId { path, is_server: true });
        }
    }

    fn abort(&mut self, end: EndId) {
        if self.rng.chance(self.network.late) {
            note!(self, "{end} is given up and goes on");
            self.end_mut(end).is_given_up = true;
            let at = self.now + self.network.close_timeout;
            self.queue.push(at, Event::GiveUp(end));
        } else if self.end(end).stage != Stage::Gone {
            note!(self, "{end} is given up");
            self.drop_socket(end);
        }
    }

    /// Closes a connection that its pool has no more use for.
    fn dispose(&mut self, end: EndId, reason: CloseReason) {
        note!(self, "{end} is closed: {reason}");
        self.reasons.insert(reason);
        if reason == CloseReason::PeerDrained {
            self.tell_group(self.end(end).pool, News::AskedBack);
        }
        assert!(
            matches!(self.end(end).stage, Stage::Pooled(_) | Stage::Establishing),
            "{end} is closed while it is {:?}",
            self.end(end).stage
        );
        let is_over = self.end(end).wire.as_ref().is_none_or(|wire| wire.link.end().is_some());
        assert!(is_over || is_decided_here(reason), "{end} is alive and is closed for what another died of: {reason}");
        if is_over { self.drop_socket(end) } else { self.say_goodbye(end, None) }
    }

    /// Closes a connection in good order.
    pub(super) fn say_goodbye(&mut self, end: EndId, taken: Option<ConnectionKey>) {
        let now = self.clock(self.end(end).pool);
        self.end_mut(end).stage = Stage::Farewell(taken);
        let Some(wire) = &mut self.end_mut(end).wire else { return };
        wire.discard_news();
        if wire.has_heard() {
            self.flush_wire(end);
            return self.drop_socket(end);
        }
        wire.link.close(now, CloseReason::ClosedLocally);
        wire.discard_news();
        wire.send(Packet::Close(1000));
        self.flush_wire(end);
        let at = self.now + self.network.close_timeout;
        self.queue.push(at, Event::GiveUp(end));
        self.wake(end);
    }

    /// Who did not answer the goodbye is not waited for any longer, and neither is a handshake that was given up.
    pub(super) fn leave(&mut self, end: EndId) {
        match self.end(end).stage {
            Stage::Farewell(_) => self.drop_socket(end),
            Stage::Connecting | Stage::Establishing if self.end(end).is_given_up => self.drop_socket(end),
            _ => {}
        }
    }

    /// A taken connection has come to its end.
    pub(super) fn released(&mut self, pool: PoolId, key: ConnectionKey) {
        self.with(pool, |machine, now| either!(machine, pool => pool.handle_released(now, key)));
    }

    fn arm_pool(&mut self, pool: PoolId) {
        let Some(due) = self.process(pool).machine.poll_timeout() else { return };
        let at = self.on_world_clock(pool, due);
        if at.since_epoch() < core::time::Duration::MAX && self.process(pool).armed.is_none_or(|armed| at < armed) {
            self.process(pool).armed = Some(at);
            self.queue.push(at, Event::PoolTimer(pool));
        }
    }

    pub(super) fn fire_pool(&mut self, pool: PoolId) {
        let now = self.clock(pool);
        self.process(pool).armed = None;
        if self.process(pool).machine.poll_timeout().is_some_and(|due| due <= now) {
            self.spins += 1;
            assert!(self.spins < 1000, "pool {} is due again and again", pool.0);
            self.is_timed = true;
            self.with(pool, |machine, now| either!(machine, pool => pool.handle_timeout(now)));
            self.is_timed = false;
        }
        self.arm_pool(pool);
    }
}

/// Whether a pool closes connections that are alive for this reason.
fn is_decided_here(reason: CloseReason) -> bool {
    use CloseReason::{Drained, Flushed, HandshakeFailed, PoolClosed, Replaced, RetentionExpired, Surplus};
    matches!(reason, Drained | Flushed | HandshakeFailed | PoolClosed | Replaced | RetentionExpired | Surplus)
}
