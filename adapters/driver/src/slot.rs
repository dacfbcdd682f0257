//! A pooled connection, shared by who watches it and who takes it.

use std::future::poll_fn;
use std::sync::{Arc, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use npws_core::{CloseReason, ConnectionId, ConnectionKey, Instant, Pool as Machine, Side};

use crate::clock::Clock;
use crate::runtime::Background;
use crate::shared::{Driven, Shared};
use crate::sync::{Mutex, MutexGuard};
use crate::wire::{WatchEvent, Wire};

/// What the machine holds for a connection. Taking moves the connection out; its watcher then ends by itself.
#[derive(Debug)]
pub(crate) struct Slot {
    id: ConnectionId,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    wire: Option<Box<Wire>>,
    watcher: Option<Waker>,
    /// The deadline at which the pool's timer will wake the watcher.
    armed: Option<Instant>,
}

/// What is found of a connection at the moment when it is to be handed out.
#[derive(Debug)]
pub(crate) enum Handover {
    Alive(Box<Wire>),
    /// Its peer has not been heard of for longer than wanted.
    Stale,
    /// Something happened to it that the machine does not know yet.
    Event(WatchEvent),
}

impl State {
    fn look(&mut self, now: Instant, max_staleness: Option<Duration>) -> Handover {
        let closed = |reason| Handover::Event(WatchEvent::Closed(reason));
        let Some(mut wire) = self.wire.take() else { return closed(CloseReason::Taken) };
        let found = wire.poll_watch(&mut Context::from_waker(Waker::noop()), now);
        let handover = match (found, wire.death()) {
            (Poll::Ready(event), _) => Handover::Event(event),
            (Poll::Pending, Some(reason)) => closed(reason),
            (Poll::Pending, None) if max_staleness.is_some_and(|max| wire.is_stale(now, max)) => Handover::Stale,
            (Poll::Pending, None) => return Handover::Alive(wire),
        };
        self.wire = Some(wire);
        handover
    }

    /// Woken under the lock, which it needs next: the tasks of one connection are few.
    fn wake_watcher(&mut self) {
        if let Some(watcher) = self.watcher.take() {
            watcher.wake();
        }
    }
}

impl Slot {
    /// A connection whose ID step is done.
    pub(crate) fn new(id: ConnectionId, wire: Box<Wire>) -> Arc<Self> {
        Arc::new(Self { id, state: Mutex::new(State { wire: Some(wire), watcher: None, armed: None }) })
    }

    pub(crate) fn id(&self) -> ConnectionId {
        self.id
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks at the connection one last time, since its watcher may not have run yet, and moves it out if it lives.
    ///
    /// With `max_staleness`, not one of a v2 peer that has not been heard of for longer.
    pub(crate) fn hand_over(&self, now: Instant, max_staleness: Option<Duration>) -> Handover {
        let mut state = self.lock();
        let handover = state.look(now, max_staleness);
        // The look replaced the watcher's registration with the socket. It has to renew that, unless it is over: then
        // whoever takes need not wait for it to be woken.
        if !matches!(handover, Handover::Alive(_)) {
            state.wake_watcher();
        }
        handover
    }

    /// Ends the watcher of a connection that was taken, if nothing has ended it before.
    pub(crate) fn end_watch(&self) {
        self.lock().wake_watcher();
    }

    /// Asks the peer for a sign of life. Says whether one can be counted on.
    pub(crate) fn probe(&self, now: Instant) -> bool {
        let mut state = self.lock();
        let will_tell = state.wire.as_mut().is_some_and(|wire| wire.probe(now));
        state.wake_watcher();
        will_tell
    }

    /// The pool is being drained: asks the peer to give the connection up.
    pub(crate) fn ask_back(&self, now: Instant) {
        let mut state = self.lock();
        if let Some(wire) = &mut state.wire {
            wire.drain(now);
        }
        state.wake_watcher();
    }

    /// The pool's timer says that a deadline of this connection has come.
    pub(crate) fn wake_for_deadline(&self) {
        let mut state = self.lock();
        state.armed = None;
        state.wake_watcher();
    }

    /// Ends a connection that left the pool: a live one with a close frame, within `timeout` and in the background.
    pub(crate) fn dispose(&self, background: &dyn Background, clock: &Clock, timeout: Duration) {
        let mut state = self.lock();
        let wire = state.wire.take();
        state.wake_watcher();
        drop(state);
        if let Some(wire) = wire.filter(|wire| wire.end().is_none()) {
            let clock = clock.clone();
            background.spawn(Box::pin(async move { wire.close(&clock, timeout).await }));
        }
    }
}

/// Reads an idle connection for as long as it is in the pool, and tells the machine what happens to it.
pub(crate) async fn watch<D: Driven>(shared: Arc<Shared<D>>, slot: Arc<Slot>, key: ConnectionKey) {
    while let Some(event) = poll_fn(|cx| poll_watch(&shared, &slot, cx)).await {
        shared.with(|state, now| report(&mut state.machine, now, key, event));
    }
}

/// Tells the machine what happened to a connection.
pub(crate) fn report<S: Side<Arc<Slot>>>(
    machine: &mut Machine<Arc<Slot>, S>,
    now: Instant,
    key: ConnectionKey,
    event: WatchEvent,
) {
    match event {
        WatchEvent::Claimed => machine.handle_claimed(now, key),
        WatchEvent::Retained(_) => machine.handle_retained(now, key),
        WatchEvent::Proved => machine.handle_proved(now, key),
        WatchEvent::RoundTrip(time) => machine.handle_round_trip(time),
        WatchEvent::Closed(reason) => machine.handle_closed(now, key, reason),
    }
}

fn poll_watch<D: Driven>(shared: &Shared<D>, slot: &Arc<Slot>, cx: &mut Context<'_>) -> Poll<Option<WatchEvent>> {
    let mut state = slot.lock();
    let now = shared.clock.now();
    let Some(wire) = &mut state.wire else { return Poll::Ready(None) };
    let polled = wire.poll_watch(cx, now);
    if polled.is_ready() {
        return polled.map(Some);
    }
    let due = wire.poll_timeout();
    if !state.watcher.as_ref().is_some_and(|watcher| watcher.will_wake(cx.waker())) {
        state.watcher = Some(cx.waker().clone());
    }
    // A deadline that moved back needs nothing: the timer wakes the watcher early, and it arms the later one then.
    let arm = due.filter(|due| state.armed.is_none_or(|armed| *due < armed));
    if arm.is_some() {
        state.armed = arm;
    }
    drop(state);
    if let Some(due) = arm
        && shared.link_timers.insert(now, due, slot)
    {
        shared.timer.wake();
    }
    Poll::Pending
}
