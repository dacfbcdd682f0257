//! One accepted socket on its way to becoming a connection.

use alloc::collections::{BTreeMap, BTreeSet};
use core::net::IpAddr;

use super::door::Guest;
use super::idle::{Lane, Sizes};
use crate::{ConnectionId, Instant};

/// One accepted socket of a server pool. It ends in exactly one outcome: accepted, failed, rejected or aborted.
///
/// ```
/// # use npws_core::{Instant, ServerConfig, ServerPool};
/// # let mut pool = ServerPool::<(), _>::new(ServerConfig::default(), || [0, 0, 0, 1], 7)?;
/// let accept = pool.handle_incoming(Instant::ZERO, "192.0.2.1".parse().ok());
/// assert!(accept.is_ok(), "the pool is open and has not too many already");
/// # Ok::<(), npws_core::ConfigError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AcceptId(u64);

/// How far a handshake has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// TLS, or the request head where there is no TLS.
    Request,
    /// The answer and the ID are being written; slot and ID are reserved.
    Answering(ConnectionId),
    /// A rejection is being written.
    Rejecting,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Accept {
    /// Where its socket comes from, or the socket before it when a proxy says so.
    pub(super) address: Option<IpAddr>,
    /// What its handshake counts as before its request is known.
    pub(super) counted: Option<IpAddr>,
    pub(super) guest: Option<Guest>,
    pub(super) phase: Phase,
    deadline: Instant,
}

/// The handshakes under way.
#[derive(Debug, Default)]
pub(super) struct Accepts {
    all: BTreeMap<AcceptId, Accept>,
    deadlines: BTreeSet<(Instant, AcceptId)>,
    reserved: BTreeMap<ConnectionId, Lane>,
    lanes: Sizes,
    issued: u64,
}

impl Accepts {
    pub(super) fn begin(&mut self, address: Option<IpAddr>, counted: Option<IpAddr>, deadline: Instant) -> AcceptId {
        let accept = AcceptId(self.issued);
        self.issued += 1;
        self.all.insert(accept, Accept { address, counted, guest: None, phase: Phase::Request, deadline });
        self.deadlines.insert((deadline, accept));
        accept
    }

    pub(super) fn get(&self, accept: AcceptId) -> Option<Accept> {
        self.all.get(&accept).copied()
    }

    pub(super) fn phase(&self, accept: AcceptId) -> Option<Phase> {
        self.get(accept).map(|accept| accept.phase)
    }

    pub(super) fn address(&self, accept: AcceptId) -> Option<IpAddr> {
        self.get(accept).and_then(|accept| accept.address)
    }

    /// A PROXY header says where this one comes from.
    pub(super) fn rename(&mut self, accept: AcceptId, address: IpAddr, counted: Option<IpAddr>) {
        if let Some(entry) = self.all.get_mut(&accept) {
            entry.address = Some(address);
            entry.counted = counted;
        }
    }

    pub(super) fn enter(&mut self, accept: AcceptId, phase: Phase, deadline: Instant) {
        let Some(entry) = self.all.get_mut(&accept) else { return };
        self.deadlines.remove(&(entry.deadline, accept));
        self.deadlines.insert((deadline, accept));
        entry.phase = phase;
        entry.deadline = deadline;
    }

    /// Reserves the ID that a handshake is being answered with.
    pub(super) fn reserve(&mut self, accept: AcceptId, guest: Guest, id: ConnectionId, lane: Lane) {
        if let Some(entry) = self.all.get_mut(&accept) {
            entry.guest = Some(guest);
        }
        self.reserved.insert(id, lane);
        self.lanes.add(lane);
    }

    pub(super) fn end(&mut self, accept: AcceptId) -> Option<Accept> {
        let entry = self.all.remove(&accept)?;
        self.deadlines.remove(&(entry.deadline, accept));
        mutation!(SlotLeaked => return Some(entry));
        if let Phase::Answering(id) = entry.phase
            && let Some(lane) = self.reserved.remove(&id)
        {
            self.lanes.subtract(lane);
        }
        Some(entry)
    }

    /// As whom each handshake counts towards the limits: by the address of a request that was let in.
    pub(super) fn guests(&self) -> impl Iterator<Item = Option<IpAddr>> + '_ {
        self.all.values().map(|accept| accept.guest.and_then(|guest| guest.address))
    }

    pub(super) fn first(&self) -> Option<AcceptId> {
        self.all.first_key_value().map(|(accept, _)| *accept)
    }

    pub(super) fn next_deadline(&self) -> Option<(Instant, AcceptId)> {
        self.deadlines.first().copied()
    }

    /// How many slots are reserved, by who may take what comes of them.
    pub(super) fn reserved(&self) -> Sizes {
        self.lanes
    }

    pub(super) fn is_reserved(&self, id: ConnectionId) -> bool {
        self.reserved.contains_key(&id)
    }

    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    pub(super) fn total(&self) -> u64 {
        self.issued
    }
}
