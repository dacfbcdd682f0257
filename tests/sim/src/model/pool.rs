//! The naive pool: every connection and every waiter that ever was, in the order in which they came.

use core::time::Duration;

use npws_core::{
    CloseReason, ConnectionId, Instant, PeerGeneration, PeerHeader, PoolConfig, Role, TakeError, may_take,
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    Idle,
    /// Not to be handed out: it is to be proved alive, or was asked back.
    Held,
    Claimed,
    Retained(Instant),
    Taken,
    Gone,
}

#[derive(Debug)]
pub(super) struct Connection {
    pub(super) id: ConnectionId,
    pub(super) peer: PeerHeader,
    pub(super) standing: Standing,
    pub(super) offered_to: Option<usize>,
    /// When the peer took it, counted in claims.
    pub(super) turn: Option<usize>,
    /// Who was offered it when it had just been proved alive, and until when that counts.
    pub(super) proved_for: Option<(usize, Instant)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    Waiting,
    Offered(usize),
    Failed(TakeError),
    Over,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Want {
    Id(ConnectionId),
    Next,
    Claimed,
}

#[derive(Debug)]
pub(super) struct Waiter {
    pub(super) want: Want,
    pub(super) deadline: Instant,
    pub(super) outcome: Outcome,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Life {
    Open,
    Draining(Instant),
    Closed,
}

#[derive(Debug)]
pub(super) struct Model {
    role: Role,
    pub(super) config: PoolConfig,
    pub(super) now: Instant,
    pub(super) life: Life,
    pub(super) connections: Vec<Connection>,
    pub(super) waiters: Vec<Waiter>,
    pub(super) tombstones: Vec<(ConnectionId, CloseReason, Instant)>,
    /// What was closed since the last look.
    pub(super) closed: Vec<(usize, CloseReason)>,
    /// What was asked back since the last look.
    pub(super) asked_back: Vec<usize>,
    pub(super) claims: usize,
    pub(super) dead_on_take: u64,
    pub(super) round_trip: Option<Duration>,
    pub(super) closed_total: usize,
    pub(super) taken_total: usize,
    /// When a connection last died without having been claimed.
    pub(super) last_death: Option<Instant>,
}

impl Model {
    pub(super) fn new(role: Role, config: PoolConfig) -> Self {
        Self {
            role,
            config,
            now: Instant::ZERO,
            life: Life::Open,
            connections: Vec::new(),
            waiters: Vec::new(),
            tombstones: Vec::new(),
            closed: Vec::new(),
            asked_back: Vec::new(),
            claims: 0,
            dead_on_take: 0,
            round_trip: None,
            closed_total: 0,
            taken_total: 0,
            last_death: None,
        }
    }

    pub(super) fn is_open(&self) -> bool {
        self.life == Life::Open
    }

    /// Whether this connection is still the pool's.
    pub(super) fn is_present(&self, index: usize) -> bool {
        !matches!(self.connections[index].standing, Standing::Taken | Standing::Gone)
    }

    pub(super) fn present(&self) -> Vec<usize> {
        (0..self.connections.len()).filter(|&index| self.is_present(index)).collect()
    }

    fn unoffered(&self, standings: &[Standing]) -> Vec<usize> {
        let is_there = |index: &usize| {
            let connection = &self.connections[*index];
            standings.contains(&connection.standing) && connection.offered_to.is_none()
        };
        (0..self.connections.len()).filter(is_there).collect()
    }

    /// What can be handed out.
    pub(super) fn available(&self) -> Vec<usize> {
        self.unoffered(&[Standing::Idle])
    }

    /// What counts towards the capacity.
    pub(super) fn idle(&self) -> Vec<usize> {
        self.unoffered(&[Standing::Idle, Standing::Held])
    }

    pub(super) fn is_v2(&self, index: usize) -> bool {
        self.connections[index].peer.generation == PeerGeneration::V2
    }

    /// Whether this end and the peer both take what comes next.
    pub(super) fn both_open(&self, peer: PeerHeader) -> bool {
        self.config.opens && peer.opens && peer.generation == PeerGeneration::V2
    }

    /// Whether this is a connection of which the ID says whose it is to take next.
    fn is_divided(&self, index: usize) -> bool {
        let Connection { id, peer, .. } = self.connections[index];
        self.both_open(peer) && !self.is_reserved(id)
    }

    fn may_be_next(&self, index: usize) -> bool {
        let Connection { id, peer, .. } = self.connections[index];
        !self.is_reserved(id) && may_take(self.role, self.both_open(peer), id)
    }

    /// How many idle connections are the server's to take next, and how many the client's.
    pub(super) fn halves(&self) -> (usize, usize) {
        let divided: Vec<_> = self.idle().into_iter().filter(|&index| self.is_divided(index)).collect();
        let odd = divided.iter().filter(|&&index| self.connections[index].id.to_bytes()[3] % 2 == 1).count();
        (divided.len() - odd, odd)
    }

    /// Whether the pool could close this one to get rid of a surplus.
    pub(super) fn can_spare(&self, index: usize) -> bool {
        let (even, odd) = self.halves();
        let (own, other) = if self.connections[index].id.to_bytes()[3] % 2 == 1 { (odd, even) } else { (even, odd) };
        let is_small = self.is_divided(index) && (own < 2 || own < other);
        self.is_v2(index) && !self.is_reserved(self.connections[index].id) && !is_small
    }

    pub(super) fn waiting(&self) -> Vec<usize> {
        (0..self.waiters.len()).filter(|&index| self.waiters[index].outcome == Outcome::Waiting).collect()
    }

    pub(super) fn waiting_next(&self) -> usize {
        self.waiting().iter().filter(|&&waiter| self.waiters[waiter].want == Want::Next).count()
    }

    pub(super) fn waiting_for(&self, id: ConnectionId) -> Vec<usize> {
        self.waiting().into_iter().filter(|&waiter| self.waiters[waiter].want == Want::Id(id)).collect()
    }

    pub(super) fn registered(&self, id: ConnectionId) -> Option<usize> {
        self.present().into_iter().find(|&index| self.connections[index].id == id)
    }

    /// Whether `id` names something that lives, in the pool or taken out of it.
    pub(super) fn is_alive(&self, id: ConnectionId) -> bool {
        self.connections.iter().any(|connection| connection.id == id && connection.standing != Standing::Gone)
    }

    fn is_taken(&self, id: ConnectionId) -> bool {
        self.connections.iter().any(|connection| connection.id == id && connection.standing == Standing::Taken)
    }

    pub(super) fn is_reserved(&self, id: ConnectionId) -> bool {
        self.config.control_channel && id.is_control()
    }

    pub(super) fn take(&mut self, want: Want, timeout: Duration) {
        let waiter = self.waiters.len();
        let outcome = self.refusal(want).map_or(Outcome::Waiting, Outcome::Failed);
        self.waiters.push(Waiter { want, deadline: self.now + timeout, outcome });
        self.pair();
        if timeout.is_zero() && self.waiters[waiter].outcome == Outcome::Waiting {
            self.fail(waiter, TakeError::Timeout);
        }
        self.settle();
    }

    fn refusal(&self, want: Want) -> Option<TakeError> {
        let draining = (!self.is_open()).then_some(TakeError::Draining);
        if self.life == Life::Closed {
            return Some(TakeError::Closed);
        }
        let id = match want {
            Want::Id(id) => id,
            Want::Next => return draining,
            Want::Claimed => return None,
        };
        if self.registered(id).is_some_and(|index| self.connections[index].standing == Standing::Held) {
            return draining;
        }
        if self.registered(id).is_some() || (id.is_control() && self.is_open()) {
            return None;
        }
        if self.is_taken(id) {
            return Some(TakeError::Gone(CloseReason::Taken));
        }
        let fresh = self.tombstones.iter().rev().find(|(buried, _, until)| *buried == id && *until > self.now);
        fresh.map(|(_, reason, _)| TakeError::Gone(*reason)).or(draining)
    }

    pub(super) fn complete(&mut self, waiter: usize) -> Outcome {
        let outcome = self.waiters[waiter].outcome;
        if outcome != Outcome::Waiting {
            self.waiters[waiter].outcome = Outcome::Over;
        }
        if let Outcome::Offered(index) = outcome {
            self.connections[index].standing = Standing::Taken;
            self.connections[index].offered_to = None;
            self.taken_total += 1;
            self.give_up(self.connections[index].id, CloseReason::Taken);
        }
        self.settle();
        outcome
    }

    pub(super) fn cancel(&mut self, waiter: usize) {
        let outcome = core::mem::replace(&mut self.waiters[waiter].outcome, Outcome::Over);
        if let Outcome::Offered(index) = outcome {
            self.connections[index].offered_to = None;
        }
        self.pair();
        if !self.is_open() {
            self.ask_back_idle();
        }
        self.settle();
    }

    pub(super) fn register(&mut self, id: ConnectionId, peer: PeerHeader) {
        if let Some(former) = self.registered(id) {
            self.end(former, CloseReason::Replaced);
        }
        self.forget(id);
        let (standing, offered_to, turn, proved_for) = (Standing::Idle, None, None, None);
        self.connections.push(Connection { id, peer, standing, offered_to, turn, proved_for });
        self.pair();
        self.settle();
    }

    /// Gives every waiter what it could have: first who wants one connection, then who wants any; first come, first
    /// served.
    pub(super) fn pair(&mut self) {
        for waiter in self.waiting() {
            if let Want::Id(id) = self.waiters[waiter].want
                && let Some(index) = self.registered(id)
                && self.connections[index].offered_to.is_none()
                && self.connections[index].standing != Standing::Held
            {
                self.offer(index, waiter);
            }
        }
        for waiter in self.waiting() {
            let found = match self.waiters[waiter].want {
                Want::Id(_) => None,
                Want::Next => {
                    let idle = self.available().into_iter().filter(|&index| self.may_be_next(index));
                    if self.role == Role::Client { idle.max() } else { idle.min() }
                }
                Want::Claimed => {
                    let is_free = |index: &usize| {
                        let Connection { id, turn, offered_to, .. } = self.connections[*index];
                        turn.is_some() && offered_to.is_none() && !self.is_reserved(id)
                    };
                    self.present().into_iter().filter(is_free).min_by_key(|&index| self.connections[index].turn)
                }
            };
            if let Some(index) = found {
                self.offer(index, waiter);
            }
        }
    }

    fn offer(&mut self, index: usize, waiter: usize) {
        self.connections[index].offered_to = Some(waiter);
        self.waiters[waiter].outcome = Outcome::Offered(index);
    }
}
