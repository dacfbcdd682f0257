//! One connection between two processes, and what is under way on it.

use std::collections::VecDeque;

use npws_core::{AcceptId, ConnectionId, ConnectionKey, DialId, Instant, PeerHeader};

use super::PoolId;
use super::wire::{Packet, Wire};

/// One end of one connection; the payload of the pools.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct EndId {
    pub(super) path: usize,
    pub(super) is_server: bool,
}

impl EndId {
    pub(super) fn peer(self) -> Self {
        Self { is_server: !self.is_server, ..self }
    }
}

impl core::fmt::Display for EndId {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "#{}{}", self.path, if self.is_server { "s" } else { "c" })
    }
}

/// What the process at one end is doing with the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// The handshake, up to the answer.
    Connecting,
    /// The ID step.
    Establishing,
    Pooled(ConnectionKey),
    Taken(ConnectionKey),
    /// The own goodbye is said and the peer's not heard. Who had taken it still counts it.
    Farewell(Option<ConnectionKey>),
    Gone,
}

#[derive(Debug)]
pub(super) struct End {
    pub(super) pool: PoolId,
    pub(super) stage: Stage,
    pub(super) dial: Option<DialId>,
    pub(super) accept: Option<AcceptId>,
    /// Whether the pool gave the handshake up, which goes on all the same.
    pub(super) is_given_up: bool,
    pub(super) peer: Option<PeerHeader>,
    pub(super) wire: Option<Wire>,
    /// What arrives before there is a wire.
    early: VecDeque<Packet>,
    /// What the pool was told or has said of it.
    pub(super) is_claimed: bool,
    pub(super) is_held: bool,
    pub(super) is_asked_back: bool,
    pub(super) registered_at: Instant,
    /// On the clock of its process.
    pub(super) retained_at: Option<Instant>,
    /// Whether its user took it as the next, and a v2 peer was told.
    pub(super) is_announced: bool,
    /// Whether a task is on its way to look at what came.
    pub(super) is_woken: bool,
    /// Whether the user was told that there is something to read, and has not looked since.
    pub(super) is_told: bool,
}

impl End {
    fn new(pool: PoolId) -> Self {
        Self {
            pool,
            stage: Stage::Connecting,
            dial: None,
            accept: None,
            is_given_up: false,
            peer: None,
            wire: None,
            early: VecDeque::new(),
            is_claimed: false,
            is_held: false,
            is_asked_back: false,
            registered_at: Instant::ZERO,
            retained_at: None,
            is_announced: false,
            is_woken: false,
            is_told: false,
        }
    }

    pub(super) fn push(&mut self, packet: Packet) {
        match &mut self.wire {
            Some(wire) => wire.inbox.push_back(packet),
            None => self.early.push_back(packet),
        }
    }

    pub(super) fn pop_early(&mut self) -> Option<Packet> {
        self.early.pop_front()
    }

    pub(super) fn begin(&mut self, mut wire: Wire, peer: PeerHeader) {
        wire.inbox.append(&mut self.early);
        self.wire = Some(wire);
        self.peer = Some(peer);
        self.stage = Stage::Establishing;
    }

    pub(super) fn id(&self) -> Option<ConnectionId> {
        self.wire.as_ref().and_then(|wire| wire.link.id())
    }

    pub(super) fn is_pooled(&self) -> bool {
        matches!(self.stage, Stage::Pooled(_))
    }

    pub(super) fn key(&self) -> Option<ConnectionKey> {
        match self.stage {
            Stage::Pooled(key) | Stage::Taken(key) => Some(key),
            _ => None,
        }
    }
}

/// What is under way towards one end.
#[derive(Debug, Default)]
pub(super) struct Pipe {
    pub(super) in_flight: VecDeque<Packet>,
    pub(super) last_arrival: Instant,
    pub(super) is_cut: bool,
}

#[derive(Debug)]
pub(super) struct Path {
    ends: [End; 2],
    pipes: [Pipe; 2],
    /// What the users at the ends wrote, and how much of it their peers have read.
    pub(super) written: [Vec<u8>; 2],
    pub(super) read: [usize; 2],
    /// When it was silently cut.
    pub(super) cut_at: Option<Instant>,
}

impl Path {
    pub(super) fn new(client: PoolId, server: PoolId) -> Self {
        Self {
            ends: [End::new(client), End::new(server)],
            pipes: [Pipe::default(), Pipe::default()],
            written: [Vec::new(), Vec::new()],
            read: [0, 0],
            cut_at: None,
        }
    }

    pub(super) fn end(&mut self, end: EndId) -> &mut End {
        &mut self.ends[usize::from(end.is_server)]
    }

    pub(super) fn look(&self, end: EndId) -> &End {
        &self.ends[usize::from(end.is_server)]
    }

    /// What is under way towards this end.
    pub(super) fn towards(&mut self, end: EndId) -> &mut Pipe {
        &mut self.pipes[usize::from(end.is_server)]
    }

    /// Whether what is sent arrives, in both directions, and nothing is under way.
    pub(super) fn is_calm(&self) -> bool {
        self.pipes.iter().all(|pipe| !pipe.is_cut && pipe.in_flight.is_empty())
    }
}
