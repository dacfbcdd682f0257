//! Who looks after a connection at its end.

use std::time::Duration;

use npws_core::ConnectionKey;

use super::path::{EndId, Stage};
use super::process::either;
use super::queue::Event;
use super::wire::Found;
use super::{Happening, PoolId, StreamId, World, note};

/// How late a report may come a second time.
const LATE: Duration = Duration::from_secs(2);

impl World {
    /// The task of this end gets its turn.
    pub(super) fn look_at(&mut self, end: EndId) {
        self.end_mut(end).is_woken = false;
        if self.end(end).stage == Stage::Connecting {
            self.shake_hands(end);
        }
        match self.end(end).stage {
            // A server's end waits for its answer to be written.
            Stage::Establishing if !end.is_server => self.establish(end),
            Stage::Pooled(_) => self.watch(end),
            Stage::Taken(_) => {
                if !core::mem::replace(&mut self.end_mut(end).is_told, true) {
                    self.happenings.push_back(Happening::Readable(StreamId(end)));
                }
            }
            Stage::Farewell(_) => {
                if self.end_mut(end).wire.as_mut().is_none_or(super::wire::Wire::hear_goodbye) {
                    self.drop_socket(end);
                }
            }
            Stage::Connecting | Stage::Establishing | Stage::Gone => {}
        }
    }

    fn watch(&mut self, end: EndId) {
        let pool = self.end(end).pool;
        if !self.process(pool).watches {
            return;
        }
        while let Stage::Pooled(key) = self.end(end).stage {
            let now = self.clock(pool);
            let Some(wire) = &mut self.end_mut(end).wire else { return };
            let found = wire.watch(now);
            self.flush_wire(end);
            let Some(found) = found else { return self.arm_link(end) };
            self.report(pool, end, key, found);
        }
    }

    pub(super) fn report(&mut self, pool: PoolId, end: EndId, key: ConnectionKey, found: Found) {
        note!(self, "{end} is found {found:?}");
        if let Found::Claimed | Found::Retained = found {
            self.mark_control(end);
        }
        let (is_draining, now) = (self.process(pool).is_draining, self.clock(pool));
        let state = self.end_mut(end);
        match found {
            Found::Claimed => (state.is_claimed, state.is_held) = (true, false),
            Found::Retained => {
                (state.is_claimed, state.is_held) = (true, false);
                state.retained_at = Some(now);
            }
            Found::Proved => state.is_held &= is_draining,
            Found::RoundTrip(_) | Found::Closed(_) => {}
        }
        self.tell(pool, key, found);
        if found != Found::Proved && self.rng.chance(self.network.twice) {
            // At once or late, when another connection may have the ID.
            let at = self.now + self.rng.time(&(Duration::ZERO..=LATE)) * u32::from(self.rng.chance(700));
            let life = self.process(pool).life;
            self.queue.push(at, Event::Again(pool, life, key, found));
        }
    }

    pub(super) fn tell(&mut self, pool: PoolId, key: ConnectionKey, found: Found) {
        self.with(pool, |machine, now| {
            either!(machine, pool => match found {
                Found::Claimed => pool.handle_claimed(now, key),
                Found::Retained => pool.handle_retained(now, key),
                Found::Proved => pool.handle_proved(now, key),
                Found::RoundTrip(time) => pool.handle_round_trip(time),
                Found::Closed(reason) => pool.handle_closed(now, key, reason),
            });
        });
    }

    pub(super) fn arm_link(&mut self, end: EndId) {
        let pool = self.end(end).pool;
        let Some(wire) = &mut self.end_mut(end).wire else { return };
        let Some(due) = wire.link.poll_timeout() else { return };
        if wire.armed.is_none_or(|armed| due < armed) {
            wire.armed = Some(due);
            let at = self.on_world_clock(pool, due);
            self.queue.push(at, Event::LinkTimer(end));
        }
    }

    pub(super) fn fire_link(&mut self, end: EndId) {
        if let Some(wire) = &mut self.end_mut(end).wire {
            wire.armed = None;
            self.look_at_woken(end);
        }
    }

    fn look_at_woken(&mut self, end: EndId) {
        let is_woken = self.end(end).is_woken;
        if matches!(self.end(end).stage, Stage::Establishing | Stage::Pooled(_)) {
            self.look_at(end);
            self.end_mut(end).is_woken = is_woken;
        }
    }
}
