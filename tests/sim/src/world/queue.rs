//! What will happen, in order.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use npws_core::{ConnectionKey, Instant};

use super::path::EndId;
use super::wire::Found;
use super::{GroupId, PoolId, TakeId};

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Event {
    /// The next packet on its way to this end arrives.
    Arrive(EndId),
    /// The task of this end gets its turn.
    Look(EndId),
    LinkTimer(EndId),
    PoolTimer(PoolId),
    /// The task of this take gets its turn.
    Poll(TakeId),
    /// The client of this path sends its request.
    Ask(usize),
    /// Nobody listens where the client of this path dials.
    Refused(usize),
    /// The server of this path has written its answer and the ID.
    Answered(usize),
    /// It has written its rejection.
    Rejected(usize),
    /// Nobody answers the goodbye of this end.
    GiveUp(EndId),
    /// The system gives up the connection under this end.
    TransportDead(EndId),
    /// What was reported of a connection is reported once more.
    Again(PoolId, u32, ConnectionKey, Found),
    GroupTimer(GroupId),
    /// The look-up with this number has an answer.
    LookedUp(GroupId, u64),
    /// The task of this take from a group sees that the members have changed.
    GroupLook(TakeId),
    GroupLate(TakeId),
    Reminder(u64),
}

/// Events at one moment come in the order in which they were foreseen.
#[derive(Debug, Default)]
pub(super) struct Queue {
    events: BinaryHeap<Reverse<(Instant, u64, Event)>>,
    issued: u64,
}

impl Queue {
    pub(super) fn push(&mut self, at: Instant, event: Event) {
        self.events.push(Reverse((at, self.issued, event)));
        self.issued += 1;
    }

    pub(super) fn pop(&mut self) -> Option<(Instant, Event)> {
        self.events.pop().map(|Reverse((at, _, event))| (at, event))
    }

    pub(super) fn next_at(&self) -> Option<Instant> {
        self.events.peek().map(|Reverse((at, ..))| *at)
    }
}
