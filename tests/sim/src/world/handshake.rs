//! How a connection comes about: the dial, the request and its answer, the ID.

use core::net::{IpAddr, Ipv4Addr};

use npws_core::{DialFailure, DialId, Link, PeerGeneration, PeerHeader, RequestHead};

use super::group::News;
use super::path::{EndId, Path, Stage};
use super::process::{Machine, Plan};
use super::queue::Event;
use super::wire::{Packet, Wire};
use super::{PoolId, World, note};

const V1: PeerHeader = PeerHeader { generation: PeerGeneration::V1, opens: false };

impl World {
    /// The pool wants a connection.
    pub(super) fn dial(&mut self, client: PoolId, dial: DialId) {
        let Plan::Client { server, .. } = self.process(client).plan else { return };
        let path = self.paths.len();
        self.paths.push(Path::new(client, server));
        let end = EndId { path, is_server: false };
        self.end_mut(end).dial = Some(dial);
        self.check_dial(client);
        let process = self.process(client);
        let former = process.dials.insert(dial, path);
        assert_eq!(former, None, "{dial:?} begins twice");
        process.ends.insert(end);
        self.watch_for_waves(client);
        note!(self, "{end} is {dial:?} of {}", self.names(path));
        if self.rng.chance(self.network.black_hole) {
            note!(self, "{end} vanishes");
        } else if self.rng.chance(self.network.refuse) || !self.process(server).is_open() {
            let at = self.now + self.rng.time(&self.network.latency);
            self.queue.push(at, Event::Refused(path));
        } else {
            self.transmit(end, Packet::Syn);
            if !self.rng.chance(self.network.stall) {
                let at = self.now + self.rng.time(&self.network.latency);
                self.queue.push(at, Event::Ask(path));
            }
        }
    }

    /// The client says what it wants.
    pub(super) fn ask(&mut self, path: usize) {
        let end = EndId { path, is_server: false };
        if self.end(end).stage != Stage::Connecting {
            return;
        }
        let own = self.processes[self.end(end).pool.0].own;
        self.transmit(end, Packet::Secured);
        self.transmit(end, Packet::Request(own));
    }

    pub(super) fn refused(&mut self, path: usize) {
        self.dial_failed(EndId { path, is_server: false }, DialFailure::Connect);
    }

    /// What arrived at an end without a wire.
    pub(super) fn shake_hands(&mut self, end: EndId) {
        while self.end(end).stage == Stage::Connecting
            && let Some(packet) = self.end_mut(end).pop_early()
        {
            match packet {
                Packet::Syn => self.incoming(end),
                Packet::Secured => self.secured(end),
                Packet::Request(peer) => self.request(end, peer),
                Packet::Answer(Ok(peer)) => self.welcome(end, peer),
                Packet::Answer(Err(status)) => self.dial_failed(end, DialFailure::Rejected(status)),
                _ if end.is_server => self.accept_failed(end),
                _ => self.dial_failed(end, DialFailure::Upgrade),
            }
        }
    }

    fn incoming(&mut self, end: EndId) {
        let pool = self.end(end).pool;
        self.process(pool).ends.insert(end);
        let dialer = u8::try_from(self.end(end.peer()).pool.0).unwrap_or(u8::MAX);
        let address = IpAddr::V4(Ipv4Addr::new(192, 0, 2, dialer));
        let accept = self.with(pool, |machine, now| match machine {
            Machine::Server(pool) => pool.handle_incoming(now, Some(address)).ok(),
            Machine::Client(_) => None,
        });
        let Some(accept) = accept else {
            note!(self, "{end} is turned away");
            return self.drop_socket(end);
        };
        note!(self, "{end} is {accept:?}");
        let former = self.process(pool).accepts.insert(accept, end.path);
        assert_eq!(former, None, "{accept:?} begins twice");
        self.end_mut(end).accept = Some(accept);
    }

    fn secured(&mut self, end: EndId) {
        if let (pool, Some(accept)) = (self.end(end).pool, self.end(end).accept) {
            self.with(pool, |machine, now| {
                if let Machine::Server(pool) = machine {
                    pool.handle_secured(now, accept);
                }
            });
        }
    }

    fn request(&mut self, end: EndId, peer: PeerHeader) {
        let (pool, Some(accept)) = (self.end(end).pool, self.end(end).accept) else { return };
        let own = self.process(pool).own;
        let peer = if own.generation == PeerGeneration::V2 { peer } else { V1 };
        let admitted = self.with(pool, |machine, now| match machine {
            Machine::Server(pool) => Some(pool.handle_request(now, accept, RequestHead::from("/").with_peer(peer))),
            Machine::Client(_) => None,
        });
        let at = self.turn();
        match admitted {
            Some(Ok(admitted)) => {
                self.check_admitted(pool, peer, admitted.id);
                let (seed, now) = (self.rng.next_u64(), self.clock(pool));
                let config = self.process(pool).plan.pool().link.clone();
                let limit = config.early_data_limit;
                let link = Link::server(config, peer.generation, seed, now, admitted.id);
                self.transmit(end, Packet::Answer(Ok(own)));
                self.end_mut(end).begin(Wire::new(link, limit), peer);
                let is_established = self.end_mut(end).wire.as_mut().and_then(|wire| wire.establish(now));
                assert_eq!(is_established, Some(Ok(admitted.id)), "the server chose the ID");
                self.flush_wire(end);
                if !self.rng.chance(self.network.stall) {
                    self.queue.push(at, Event::Answered(end.path));
                }
            }
            Some(Err(rejection)) => {
                self.transmit(end, Packet::Answer(Err(rejection.status())));
                self.queue.push(at, Event::Rejected(end.path));
            }
            None => {}
        }
    }

    /// Answer and ID are on their way.
    pub(super) fn answered(&mut self, path: usize) {
        let end = EndId { path, is_server: true };
        let (pool, Stage::Establishing) = (self.end(end).pool, self.end(end).stage) else { return };
        let (Some(accept), Some(peer)) = (self.end(end).accept, self.end(end).peer) else { return };
        let is_known = self.process(pool).accepts.remove(&accept).is_some();
        let key = self.with(pool, |machine, now| match machine {
            Machine::Server(pool) => pool.handle_accepted(now, accept, peer, end),
            Machine::Client(_) => None,
        });
        assert_eq!(key.is_some(), is_known, "{accept:?} has one outcome");
        self.registered(end, key);
        if self.rng.chance(self.network.twice) {
            note!(self, "{end} is reported twice");
            self.with(pool, |machine, now| {
                if let Machine::Server(pool) = machine {
                    pool.handle_accept_failed(now, accept);
                }
            });
        }
    }

    pub(super) fn rejected(&mut self, path: usize) {
        let end = EndId { path, is_server: true };
        if self.end(end).stage == Stage::Connecting {
            self.accept_failed(end);
        }
    }

    fn accept_failed(&mut self, end: EndId) {
        let pool = self.end(end).pool;
        if let Some(accept) = self.end(end).accept {
            self.process(pool).accepts.remove(&accept);
            let times = if self.rng.chance(self.network.twice) { 2 } else { 1 };
            for _ in 0..times {
                self.with(pool, |machine, now| {
                    if let Machine::Server(pool) = machine {
                        pool.handle_accept_failed(now, accept);
                    }
                });
            }
        }
        self.drop_socket(end);
    }

    /// The upgrade is done at the client: its link begins.
    fn welcome(&mut self, end: EndId, peer: PeerHeader) {
        let pool = self.end(end).pool;
        let (seed, now) = (self.rng.next_u64(), self.clock(pool));
        let process = &self.processes[pool.0];
        let Plan::Client { config, .. } = &process.plan else { return };
        let peer = if process.own.generation == PeerGeneration::V2 { peer } else { V1 };
        let link_config = config.pool.link.clone();
        let limit = link_config.early_data_limit;
        let link = Link::client(link_config, peer.generation, seed, now, now + config.dial_timeout);
        self.end_mut(end).begin(Wire::new(link, limit), peer);
    }

    /// The client waits for the ID.
    pub(super) fn establish(&mut self, end: EndId) {
        let (pool, now) = (self.end(end).pool, self.clock(self.end(end).pool));
        let Some(wire) = &mut self.end_mut(end).wire else { return };
        let outcome = wire.establish(now);
        self.flush_wire(end);
        match (outcome, self.end(end).dial, self.end(end).peer) {
            (Some(Ok(id)), Some(dial), Some(peer)) => {
                assert_eq!(Some(id), self.end(end.peer()).id(), "both ends read the same ID");
                let is_known = self.process(pool).dials.remove(&dial).is_some();
                self.process(pool).failed_at = None;
                let key = self.with(pool, |machine, now| match machine {
                    Machine::Client(pool) => pool.handle_dialed(now, dial, id, peer, end),
                    Machine::Server(_) => None,
                });
                assert_eq!(key.is_some(), is_known, "{dial:?} has one outcome");
                if is_known {
                    self.tell_group(pool, News::Dialed);
                }
                self.registered(end, key);
            }
            (Some(_), ..) => self.dial_failed(end, DialFailure::Id),
            (None, ..) => self.arm_link(end),
        }
    }

    fn registered(&mut self, end: EndId, key: Option<npws_core::ConnectionKey>) {
        note!(self, "{end} is registered as {key:?}");
        // Without a key it came back as an output, and is on its way out.
        if let Some(key) = key {
            assert_eq!(Some(key.id()), self.end(end).id(), "the pool and the link agree on the ID");
            if self.end(end).stage == Stage::Establishing {
                let now = self.now;
                let pooled = self.end_mut(end);
                (pooled.stage, pooled.registered_at) = (Stage::Pooled(key), now);
                self.wake(end);
            }
        }
    }

    fn dial_failed(&mut self, end: EndId, failure: DialFailure) {
        let pool = self.end(end).pool;
        let (Some(dial), Stage::Connecting | Stage::Establishing) = (self.end(end).dial, self.end(end).stage) else {
            return;
        };
        note!(self, "{end} fails: {failure}");
        let is_known = self.process(pool).dials.remove(&dial).is_some();
        if is_known {
            self.processes[pool.0].failed_at = Some(self.now);
        }
        let times = if self.rng.chance(self.network.twice) { 2 } else { 1 };
        self.drop_socket(end);
        for _ in 0..times {
            self.with(pool, |machine, now| {
                if let Machine::Client(pool) = machine {
                    pool.handle_dial_failed(now, dial, failure);
                }
            });
        }
        if is_known {
            let idle = self.processes[pool.0].machine.active();
            self.tell_group(pool, News::DialFailed(failure, idle));
        }
    }
}
