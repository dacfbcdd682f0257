//! Where connections and waiters meet.

mod pairing;

use alloc::collections::VecDeque;
use core::net::IpAddr;
use core::time::Duration;

use super::idle::Lane;
use super::registry::{ConnectionKey, Evicted, Registry, Standing};
use super::tombstones::Tombstones;
use super::waiters::{Progress, WaiterId, Waiters, Want};
use super::{Output, Taken};
use crate::keyed::Key;
use crate::{CloseReason, ConnectionId, Instant, PeerHeader, PoolConfig, Role, TakeError};

/// How far a pool's life has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Life {
    Open,
    Draining { until: Instant },
    Closed,
}

/// Registry and waiters of one pool, and what is to be told to its driver.
#[derive(Debug)]
pub(crate) struct Exchange<C> {
    role: Role,
    pub(super) config: PoolConfig,
    pub(super) life: Life,
    pub(super) registry: Registry<C>,
    pub(super) tombstones: Tombstones,
    pub(super) waiters: Waiters,
    outputs: VecDeque<Output<C>>,
    pub(super) is_announced: bool,
    /// Whether the control ID had its connection. A peer may still hold what came of it, so an ID that is no control
    /// channel's is not given again.
    pub(super) control_is_spent: bool,
    /// Whether something was accepted since this side of the pool last looked.
    has_accepted: bool,
}

impl<C> Exchange<C> {
    pub(super) fn new(role: Role, config: PoolConfig, seed: u64) -> Self {
        let key = Key::new(seed);
        Self {
            role,
            config,
            life: Life::Open,
            registry: Registry::new(&key),
            tombstones: Tombstones::new(key.clone()),
            waiters: Waiters::new(key),
            outputs: VecDeque::new(),
            is_announced: false,
            control_is_spent: false,
            has_accepted: false,
        }
    }

    pub(super) fn is_open(&self) -> bool {
        self.life == Life::Open
    }

    pub(super) fn emit(&mut self, output: Output<C>) {
        self.outputs.push_back(output);
    }

    pub(super) fn poll_output(&mut self) -> Option<Output<C>> {
        self.outputs.pop_front()
    }

    pub(super) fn has_output(&self) -> bool {
        !self.outputs.is_empty()
    }

    /// The control ID when `take_next` is to leave it alone.
    fn reserved_for_control(&self) -> Option<ConnectionId> {
        self.config.control_channel.then_some(ConnectionId::CONTROL)
    }

    /// Whether both ends of a connection to this peer take what comes next.
    pub(super) fn both_open(&self, peer: PeerHeader) -> bool {
        matches!(Lane::of(self.role, self.config.opens, peer, ConnectionId::CONTROL), Lane::Ours | Lane::Theirs)
    }

    /// Who may take this connection next.
    pub(super) fn lane(&self, peer: PeerHeader, id: ConnectionId) -> Lane {
        if Some(id) == self.reserved_for_control() {
            return Lane::ById;
        }
        Lane::of(self.role, self.config.opens, peer, id)
    }

    pub(super) fn take(&mut self, now: Instant, want: Want, timeout: Duration) -> WaiterId {
        let deadline = now + timeout;
        let outcome = match self.at_once(want) {
            Some(key) => Some(Progress::Offered(key)),
            None => self.refusal(now, want).map(Progress::Failed),
        };
        let late = || timeout.is_zero().then_some(Progress::Failed(TakeError::Timeout));
        let progress = outcome.or_else(late).unwrap_or(Progress::Waiting);
        let waiter = self.waiters.add(want, deadline, progress);
        if let Progress::Offered(key) = progress {
            self.registry.offer(key, waiter);
        }
        if progress != Progress::Waiting {
            self.emit(Output::Wake(waiter));
        }
        waiter
    }

    /// Why a new take need not even wait.
    fn refusal(&self, now: Instant, want: Want) -> Option<TakeError> {
        mutation!(TakeAfterClose => if self.life == Life::Closed { return None });
        match (self.life, want) {
            (Life::Closed, _) => Some(TakeError::Closed),
            (Life::Draining { .. }, Want::Next) => Some(TakeError::Draining),
            (_, Want::Next | Want::Claimed) => None,
            (Life::Draining { .. }, Want::Id(id)) if self.is_held(id) => Some(TakeError::Draining),
            (_, Want::Id(id)) if self.registry.registered(id).is_some() || self.comes_again(id) => None,
            (_, Want::Id(id)) if self.registry.is_taken(id) => Some(TakeError::Gone(CloseReason::Taken)),
            (_, Want::Id(id)) => {
                // Nothing new arrives any more, so what is not there will never be.
                let draining = (!self.is_open()).then_some(TakeError::Draining);
                self.tombstones.find(now, id).map(TakeError::Gone).or(draining)
            }
        }
    }

    /// Whether `id` is the control ID, which comes again with the next connection while there is one to come.
    fn comes_again(&self, id: ConnectionId) -> bool {
        id.is_control() && self.is_open() && !self.control_is_spent
    }

    /// Whether `id` is one that the server gives no more.
    pub(super) fn is_spent(&self, id: ConnectionId) -> bool {
        id.is_control() && self.control_is_spent
    }

    fn spend(&mut self, id: ConnectionId) {
        self.control_is_spent |= id.is_control() && self.role == Role::Server && !self.config.control_channel;
    }

    /// The connection that a waiter is offered.
    pub(super) fn offered(&self, waiter: WaiterId) -> Option<(ConnectionKey, &C)> {
        match self.waiters.progress(waiter)? {
            Progress::Offered(key) => self.registry.connection(key).map(|connection| (key, connection)),
            _ => None,
        }
    }

    pub(super) fn complete(&mut self, waiter: WaiterId) -> Option<Result<Taken<C>, TakeError>> {
        let outcome = match self.waiters.progress(waiter)? {
            Progress::Waiting => return None,
            Progress::Failed(error) => Err(error),
            Progress::Offered(key) => {
                let (connection, peer) = self.registry.take(key)?;
                Ok(Taken { key, peer, connection })
            }
        };
        let want = self.waiters.want(waiter);
        self.waiters.remove(waiter);
        if let Ok(Taken { key, .. }) = &outcome {
            self.has_accepted |= want == Some(Want::Claimed);
            self.spend(key.id());
            // What is taken is known as such, and needs no tombstone before it is released.
            self.disappoint(key.id(), CloseReason::Taken);
        }
        Some(outcome)
    }

    /// Whether something was accepted since this was last asked.
    pub(super) fn take_accepted(&mut self) -> bool {
        core::mem::take(&mut self.has_accepted)
    }

    pub(super) fn cancel(&mut self, waiter: WaiterId) {
        if let Some(Progress::Offered(key)) = self.waiters.remove(waiter) {
            mutation!(CancelKeepsOffer => return);
            self.registry.withdraw(key);
            self.pair(key);
            self.ask_back_if_draining(key);
        }
    }

    pub(super) fn register(
        &mut self,
        now: Instant,
        id: ConnectionId,
        peer: PeerHeader,
        address: Option<IpAddr>,
        connection: C,
    ) -> ConnectionKey {
        if let Some(former) = self.registry.registered(id)
            && let Some(evicted) = self.registry.evict(former, CloseReason::Replaced)
        {
            // Whoever was offered the old connection by this ID gets the new one.
            self.requeue_and_close(now, evicted, CloseReason::Replaced);
        }
        let lane = self.lane(peer, id);
        let key = self.registry.register(id, peer.generation, lane, address, connection);
        self.tombstones.forget(id);
        mutation!(QueueBeforeStore => return key);
        self.pair(key);
        key
    }

    /// A connection is no more.
    pub(super) fn close_connection(&mut self, now: Instant, key: ConnectionKey, reason: CloseReason) {
        let was_given_back = matches!(self.life, Life::Draining { .. })
            && self.registry.standing(key) == Some(Standing::Held)
            && reason.is_end_of_stream();
        self.discard(now, key, if was_given_back { CloseReason::Drained } else { reason });
        self.pair_next();
        self.pair_claimed();
    }

    /// Closes a connection without looking for another for the waiter that it was offered to.
    pub(super) fn discard(&mut self, now: Instant, key: ConnectionKey, reason: CloseReason) {
        let Some(evicted) = self.registry.evict(key, reason) else { return };
        let id = key.id();
        if let Some(waiter) = evicted.offered_to
            && !self.comes_again(id)
            && self.waiters.want(waiter) == Some(Want::Id(id))
        {
            self.fail(waiter, TakeError::Gone(reason));
        }
        self.give_up(now, id, reason);
        self.requeue_and_close(now, evicted, reason);
    }

    fn requeue_and_close(&mut self, now: Instant, evicted: Evicted<C>, reason: CloseReason) {
        if let Some(waiter) = evicted.offered_to
            && let Some(Progress::Offered(_)) = self.waiters.progress(waiter)
        {
            self.requeue(now, waiter);
        }
        self.emit(Output::Close { connection: evicted.connection, reason });
    }

    /// Nobody need wait for `id` any more, unless it comes again.
    pub(super) fn give_up(&mut self, now: Instant, id: ConnectionId, reason: CloseReason) {
        if self.comes_again(id) {
            return;
        }
        self.tombstones.bury(now, id, reason, now + self.config.tombstone);
        self.disappoint(id, reason);
    }

    /// Fails whoever waits for `id`, unless it comes again.
    fn disappoint(&mut self, id: ConnectionId, reason: CloseReason) {
        while !self.comes_again(id)
            && let Some(waiter) = self.waiters.first_by_id(id)
        {
            self.fail(waiter, TakeError::Gone(reason));
        }
    }

    /// The peer took the connection, so `take_next` must not.
    pub(super) fn claim(&mut self, now: Instant, key: ConnectionKey) {
        if let Some(Standing::Idle | Standing::Held) = self.registry.standing(key) {
            self.leave_idle(now, key, Standing::Claimed);
        }
    }

    /// The peer took it, sent what it had and closed, so it can be had for a while only.
    pub(super) fn retain(&mut self, now: Instant, key: ConnectionKey) {
        match self.registry.standing(key) {
            None | Some(Standing::Retained { .. }) => {}
            Some(Standing::Idle | Standing::Held | Standing::Claimed) => {
                self.leave_idle(now, key, Standing::Retained { until: now + self.config.retention });
            }
        }
    }

    fn leave_idle(&mut self, now: Instant, key: ConnectionKey, standing: Standing) {
        self.spend(key.id());
        let offered_to = self.registry.set_standing(key, standing);
        if let Some(waiter) = offered_to
            && self.waiters.want(waiter) == Some(Want::Next)
        {
            self.registry.withdraw(key);
            self.requeue(now, waiter);
            self.pair_next();
        }
        self.pair_by_id(key.id());
        self.pair_claimed();
    }

    /// Gives a waiter that lost its offer its old place in the queue, if its time is not over.
    fn requeue(&mut self, now: Instant, waiter: WaiterId) {
        let draining = matches!(self.life, Life::Draining { .. });
        if draining && self.waiters.want(waiter) == Some(Want::Next) {
            self.fail(waiter, TakeError::Draining);
        } else if self.waiters.deadline(waiter).is_some_and(|deadline| deadline <= now) {
            self.fail(waiter, TakeError::Timeout);
        } else {
            self.waiters.set_progress(waiter, Progress::Waiting);
        }
    }

    /// A taken connection came to its end.
    pub(super) fn release(&mut self, now: Instant, key: ConnectionKey) {
        if self.registry.release(key) && self.registry.registered(key.id()).is_none() {
            self.give_up(now, key.id(), CloseReason::Taken);
        }
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        let waiter = self.waiters.next_deadline().map(|(deadline, _)| deadline);
        let retained = self.registry.next_retained().map(|(until, _)| until);
        let drained = if let Life::Draining { until } = self.life { Some(until) } else { None };
        [waiter, retained, drained].into_iter().flatten().min()
    }

    pub(super) fn handle_timeout(&mut self, now: Instant) {
        self.expire_waiters(now);
        while let Some((until, key)) = self.registry.next_retained()
            && until <= now
        {
            self.close_connection(now, key, CloseReason::RetentionExpired);
        }
    }

    fn expire_waiters(&mut self, now: Instant) {
        while let Some((deadline, waiter)) = self.waiters.next_deadline()
            && deadline <= now
        {
            self.fail(waiter, TakeError::Timeout);
        }
    }

    pub(super) fn fail(&mut self, waiter: WaiterId, error: TakeError) {
        self.waiters.set_progress(waiter, Progress::Failed(error));
        mutation!(LostTimeout => if error == TakeError::Timeout { return });
        self.emit(Output::Wake(waiter));
    }

    /// Panics when a connection was lost or doubled, or a waiter was left without the connection it could have.
    pub(super) fn assert_consistent(&self) {
        self.registry.assert_consistent();
        assert_eq!(self.waiters.offered().count(), self.registry.counts().offered, "an offer has no waiter");
        for id in self.waiters.waiting_for() {
            assert!(self.registry.available(id).is_none(), "{id} is available while a waiter wants it");
        }
        let starving = self.waiters.first_next().is_some() && self.next_idle().is_some();
        assert!(!starving, "a connection is idle while a waiter wants the next");
        let ignored = self.waiters.first_claimed().is_some() && self.next_claimed().is_some();
        assert!(!ignored, "the peer took a connection while a waiter wants to accept one");
        if let Life::Draining { .. } = self.life {
            assert!(self.waiters.first_next().is_none(), "a waiter for the next outlived the drain's beginning");
            let is_held = |key: &ConnectionKey| self.registry.standing(*key) == Some(Standing::Held);
            assert!(self.registry.returnable().iter().all(is_held), "an idle v2 connection was not asked back");
            let hopeless = self.waiters.waiting_for().find(|id| self.is_held(*id));
            assert_eq!(hopeless, None, "somebody waits for what was asked back");
        }
        if self.life == Life::Closed {
            assert_eq!(self.waiters.waiting(), 0, "a waiter outlived the pool");
            assert!(self.registry.keys().is_empty(), "a connection outlived the pool");
        }
    }
}
