//! Packets on their way.

use npws_core::{Instant, Role};

use super::path::{EndId, Stage};
use super::queue::Event;
use super::wire::Packet;
use super::{World, note};

/// Longer messages are cut at a few places only.
const BYTE_BY_BYTE: usize = 24;

impl World {
    /// Sends what the wire of this end has to say.
    pub(super) fn flush_wire(&mut self, from: EndId) {
        let Some(wire) = &mut self.end_mut(from).wire else { return };
        if wire.outbox.is_empty() {
            return;
        }
        for packet in core::mem::take(&mut wire.outbox) {
            self.transmit(from, packet);
        }
    }

    /// Puts a packet on its way to the other end.
    pub(super) fn transmit(&mut self, from: EndId, packet: Packet) {
        note!(self, "{from} sends {packet:?}");
        let to = from.peer();
        let Packet::Binary(payload) = packet else { return self.carry(to, packet) };
        if self.rng.chance(self.network.merge)
            && let Some(Packet::Binary(last)) = self.paths[to.path].towards(to).in_flight.back_mut()
        {
            last.extend(payload);
            return;
        }
        if !self.rng.chance(self.network.split) {
            return self.carry(to, Packet::Binary(payload));
        }
        let mut rest = payload;
        let in_bytes = rest.len() <= BYTE_BY_BYTE && self.rng.chance(500);
        let mut pieces_left = 5;
        while !rest.is_empty() {
            let cut = if in_bytes {
                1
            } else if pieces_left == 0 {
                rest.len()
            } else {
                self.rng.below(rest.len() + 1)
            };
            pieces_left -= 1;
            let tail = rest.split_off(cut);
            self.carry(to, Packet::Binary(core::mem::replace(&mut rest, tail)));
        }
    }

    fn carry(&mut self, to: EndId, packet: Packet) {
        let latency = self.rng.time(&self.network.latency);
        let now = self.now;
        let pipe = self.paths[to.path].towards(to);
        if pipe.is_cut {
            return;
        }
        pipe.in_flight.push_back(packet);
        pipe.last_arrival = pipe.last_arrival.max(now + latency);
        let at = pipe.last_arrival;
        self.queue.push(at, Event::Arrive(to));
    }

    /// The next packet is there.
    pub(super) fn arrive(&mut self, to: EndId) {
        let Some(packet) = self.paths[to.path].towards(to).in_flight.pop_front() else { return };
        note!(self, "{to} gets {packet:?}");
        if self.end(to).stage == Stage::Gone {
            // The system answers for a program that has closed, or that is not there any more.
            if !matches!(packet, Packet::End | Packet::Failure) {
                self.transmit(to, Packet::Failure);
            }
            return;
        }
        self.end_mut(to).push(packet);
        self.wake(to);
    }

    /// Sees to it that the task of this end gets its turn.
    pub(super) fn wake(&mut self, end: EndId) {
        if !core::mem::replace(&mut self.end_mut(end).is_woken, true) {
            let at = self.turn();
            self.queue.push(at, Event::Look(end));
        }
    }

    /// When a task that is woken now gets its turn.
    pub(super) fn turn(&mut self) -> Instant {
        self.now + self.rng.time(&self.network.scheduling)
    }

    /// The socket is dropped: what was sent arrives, and then nothing.
    pub(super) fn drop_socket(&mut self, end: EndId) {
        let has_unread = self.end(end).wire.as_ref().is_some_and(|wire| !wire.inbox.is_empty());
        self.transmit(end, if has_unread { Packet::Failure } else { Packet::End });
        self.forget(end);
    }

    /// Nobody is there at this end any more.
    pub(super) fn forget(&mut self, end: EndId) {
        let state = self.end_mut(end);
        let (stage, pool) = (core::mem::replace(&mut state.stage, Stage::Gone), state.pool);
        self.process(pool).ends.remove(&end);
        if let Stage::Taken(key) | Stage::Farewell(Some(key)) = stage {
            self.released(pool, key);
        }
        self.touched.push(pool);
    }

    /// The system gives a connection up that answers nothing.
    pub(super) fn transport_dead(&mut self, end: EndId) {
        if self.end(end).stage != Stage::Gone {
            note!(self, "{end} is given up by the system");
            self.end_mut(end).push(Packet::Failure);
            self.wake(end);
        }
    }

    /// What the processes of this path are called, for the trace.
    pub(super) fn names(&self, path: usize) -> String {
        let [client, server] = [false, true].map(|is_server| self.end(EndId { path, is_server }).pool.0);
        format!("{:?} {client} to {:?} {server}", Role::Client, Role::Server)
    }
}
