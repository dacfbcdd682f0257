//! A server pool in lockstep: handshakes, admission and IDs are predicted to the letter.

use core::cmp::Ordering;
use core::net::{IpAddr, Ipv4Addr};

use npws_core::{
    AcceptId, Accepting, CloseReason, ConnectionId, IdSource, Instant, PeerHeader, Rejection, RequestHead, Role,
    ServerConfig, ServerPool,
};

use super::lockstep::{Asked, Lockstep, choose};
use super::op::{Op, Upgrade};
use super::{id, ms, short_lived};

const CAPACITY: usize = 4;
const FRIEND: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
const STRANGER: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 2));

/// Few IDs in an order that repeats itself early, so that they collide.
#[derive(Debug, Clone, Default)]
struct FewIds(u8);

impl IdSource for FewIds {
    fn next_id(&mut self) -> ConnectionId {
        self.0 = self.0.wrapping_add(1);
        id(self.0.wrapping_mul(7) / 2 % 16)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Request,
    Answering(ConnectionId),
    Rejecting,
    Over,
}

#[derive(Debug)]
struct Handshake {
    address: IpAddr,
    phase: Phase,
    /// What the peer said when its ID was reserved.
    peer: PeerHeader,
    deadline: Instant,
}

struct Run {
    lockstep: Lockstep<Accepting<FewIds>>,
    ids: FewIds,
    accepts: Vec<AcceptId>,
    handshakes: Vec<Handshake>,
    /// Handshakes that ran into their deadline in this step, or ended with the pool.
    aborted: Vec<AcceptId>,
    rejected: u64,
    failed: u64,
    stopped_listening: bool,
}

/// Does `ops` to a server pool and to its model: to one that opens connections, and to one that does not.
///
/// # Panics
/// When the pool does something else than the model.
///
/// ```
/// use npws_sim::model::{Op, check_server};
/// check_server(Op::read(b"any bytes at all"));
/// ```
pub fn check_server(ops: impl IntoIterator<Item = Op>) {
    let ops: Vec<_> = ops.into_iter().collect();
    for opens in [false, true] {
        check(&ops, opens);
    }
}

fn check(ops: &[Op], opens: bool) {
    let config = ServerConfig {
        capacity: CAPACITY,
        handshake_timeout: ms(200),
        path: Some("/pool".into()),
        allow: Some([FRIEND].into()),
        pool: short_lived(opens),
        ..ServerConfig::default()
    };
    let common = config.pool.clone();
    let pool = ServerPool::new(config, FewIds::default(), 1);
    assert!(pool.is_ok(), "the configuration is good");
    let Ok(pool) = pool else { return };
    let mut run = Run {
        lockstep: Lockstep::new(pool, Role::Server, common),
        ids: FewIds::default(),
        accepts: Vec::new(),
        handshakes: Vec::new(),
        aborted: Vec::new(),
        rejected: 0,
        failed: 0,
        stopped_listening: false,
    };
    for &op in ops {
        run.apply(op);
        run.stop_if_not_open();
        let asked = run.lockstep.compare();
        run.compare(&asked);
    }
    run.lockstep.finish();
}

impl Run {
    fn apply(&mut self, op: Op) {
        let now = self.lockstep.now();
        match op {
            Op::Wait(time) => {
                self.lockstep.model.now = now + time;
                self.lockstep.pool.handle_timeout(now + time);
                self.handle_timeout();
            }
            Op::Late(time) => self.lockstep.model.now = now + time,
            Op::Incoming { allowed } => {
                let address = if allowed { FRIEND } else { STRANGER };
                let accept = self.lockstep.pool.handle_incoming(now, Some(address));
                assert_eq!(accept.is_ok(), self.lockstep.model.is_open(), "an open pool looks at every socket");
                if let Ok(accept) = accept {
                    self.accepts.push(accept);
                    let (phase, peer, deadline) = (Phase::Request, PeerHeader::from_header(None), now + ms(200));
                    self.handshakes.push(Handshake { address, phase, peer, deadline });
                }
            }
            Op::Secured(number) => {
                if let Some((index, accept)) = self.handshake(number) {
                    self.lockstep.pool.handle_secured(now, accept);
                    self.lockstep.model.settle();
                    if self.handshakes[index].phase == Phase::Request {
                        self.handshakes[index].deadline = now + ms(200);
                    }
                }
            }
            Op::Request { handshake, path, upgrade, peer } => self.request(handshake, path, upgrade, peer),
            Op::Arrive { handshake, peer, .. } => {
                if let Some((index, accept)) = self.handshake(handshake) {
                    let phase = core::mem::replace(&mut self.handshakes[index].phase, Phase::Over);
                    let expected = if let Phase::Answering(id) = phase { Some(id) } else { None };
                    let payload = self.lockstep.next_payload(expected.is_some());
                    let key = self.lockstep.pool.handle_accepted(now, accept, peer, payload);
                    self.lockstep.registered(key, expected.unwrap_or(id(0)), peer, expected.is_some());
                }
            }
            Op::Fail(number) => {
                if let Some((index, accept)) = self.handshake(number) {
                    self.lockstep.pool.handle_accept_failed(now, accept);
                    self.end(index);
                    self.lockstep.model.settle();
                }
            }
            other => self.lockstep.apply(other),
        }
    }

    fn handshake(&self, number: u8) -> Option<(usize, AcceptId)> {
        choose(&self.accepts, number, |index| self.handshakes[index].phase != Phase::Over)
    }

    fn request(&mut self, number: u8, path: bool, upgrade: Upgrade, peer: PeerHeader) {
        let Some((index, accept)) = self.handshake(number) else { return };
        let head = match upgrade {
            Upgrade::Asked => Ok(()),
            Upgrade::Missing => Err(Rejection::UpgradeRequired),
            Upgrade::Malformed => Err(Rejection::Malformed),
        };
        let now = self.lockstep.now();
        let expected = self.admit(index, path, head, peer);
        let path = if path { "/pool" } else { "/" };
        let head = RequestHead::from(path).with_upgrade(head).with_peer(peer);
        let answer = self.lockstep.pool.handle_request(now, accept, head);
        assert_eq!(answer.map(|admitted| admitted.id), expected, "the answer to {accept:?}");
        let handshake = &mut self.handshakes[index];
        if handshake.phase == Phase::Request {
            handshake.deadline = now + ms(200);
            handshake.peer = peer;
            handshake.phase = expected.map_or(Phase::Rejecting, Phase::Answering);
            self.rejected += u64::from(expected.is_err());
        }
    }

    fn admit(
        &mut self,
        index: usize,
        path: bool,
        head: Result<(), Rejection>,
        peer: PeerHeader,
    ) -> Result<ConnectionId, Rejection> {
        let handshake = &self.handshakes[index];
        if handshake.phase != Phase::Request {
            return Err(Rejection::Full);
        }
        if handshake.address != FRIEND {
            return Err(Rejection::Forbidden);
        }
        if !path {
            return Err(Rejection::NotFound);
        }
        head?;
        let reserved: Vec<_> = self.handshakes.iter().map(|handshake| handshake.phase).collect();
        let slots = reserved.iter().filter(|phase| matches!(phase, Phase::Answering(_))).count();
        let (even, odd) = self.halves();
        let model = &mut self.lockstep.model;
        let both_open = model.both_open(peer);
        let lacks_a_half = (even == 0) != (odd == 0);
        if model.idle().len() + slots >= CAPACITY + model.waiting_next() && !(both_open && lacks_a_half) {
            return Err(Rejection::Full);
        }
        let is_free = |id: ConnectionId| !model.is_alive(id) && !reserved.contains(&Phase::Answering(id));
        let drawn = (0..100).map(|_| {
            let number = self.ids.next_id().to_bytes()[3];
            match even.cmp(&odd) {
                Ordering::Less if both_open => id(number / 2 * 2),
                Ordering::Greater if both_open => id(number / 2 * 2 + 1),
                _ => id(number),
            }
        });
        let id = core::iter::once(ConnectionId::CONTROL).chain(drawn).find(|id| is_free(*id));
        let id = id.ok_or(Rejection::Full)?;
        model.forget(id);
        Ok(id)
    }

    /// How many connections, idle and to come, are the server's to take next, and how many the client's.
    fn halves(&self) -> (usize, usize) {
        let model = &self.lockstep.model;
        let (mut even, mut odd) = model.halves();
        for handshake in &self.handshakes {
            if let Phase::Answering(id) = handshake.phase
                && model.both_open(handshake.peer)
                && !model.is_reserved(id)
            {
                *(if id.to_bytes()[3] % 2 == 0 { &mut even } else { &mut odd }) += 1;
            }
        }
        (even, odd)
    }

    fn end(&mut self, index: usize) {
        match core::mem::replace(&mut self.handshakes[index].phase, Phase::Over) {
            Phase::Answering(id) => self.lockstep.model.give_up(id, CloseReason::HandshakeFailed),
            Phase::Request => {}
            Phase::Rejecting | Phase::Over => return,
        }
        self.failed += 1;
    }

    fn handle_timeout(&mut self) {
        self.lockstep.model.handle_timeout();
        for index in 0..self.handshakes.len() {
            let Handshake { phase, deadline, .. } = self.handshakes[index];
            if phase != Phase::Over && deadline <= self.lockstep.now() {
                self.aborted.push(self.accepts[index]);
                self.end(index);
            }
        }
    }

    fn stop_if_not_open(&mut self) {
        for index in 0..self.handshakes.len() {
            if !self.lockstep.model.is_open() && self.handshakes[index].phase != Phase::Over {
                self.aborted.push(self.accepts[index]);
                self.end(index);
            }
        }
    }

    fn compare(&mut self, asked: &Asked) {
        let mut aborted = asked.aborted_accepts.clone();
        aborted.sort_unstable();
        self.aborted.sort_unstable();
        assert_eq!(aborted, core::mem::take(&mut self.aborted), "handshakes to give up");
        assert!(asked.dials.is_empty() && asked.aborted_dials.is_empty(), "a server does not dial");
        let stops = !self.lockstep.model.is_open() && !self.stopped_listening;
        assert_eq!(asked.stopped_listening, stops, "the listener is stopped once");
        self.stopped_listening |= stops;
        let there = self.handshakes.iter().filter(|handshake| handshake.phase != Phase::Over);
        let due = there.clone().map(|handshake| handshake.deadline).chain(self.lockstep.model.next_timeout()).min();
        assert_eq!(self.lockstep.pool.poll_timeout(), due, "the next timer");
        let stats = self.lockstep.pool.stats();
        assert_eq!(stats.handshakes, there.count(), "handshakes");
        assert_eq!([stats.rejected_total, stats.accept_failures], [self.rejected, self.failed], "rejected, failed");
    }
}
