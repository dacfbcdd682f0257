//! A pooled connection, shared by who watches it and who takes it.

use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use npws_core::{CloseReason, ConnectionId, ConnectionKey, Instant};

use crate::clock::Clock;
use crate::runtime::Background;
use crate::shared::{Driven, Shared};
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
    /// When the pool's timer will wake the watcher.
    armed: Option<Instant>,
}

/// What is found of a connection at the moment when it is to be handed out.
#[derive(Debug)]
pub(crate) enum Handover {
    Alive(Box<Wire>),
    Claimed,
    Retained,
    Closed(CloseReason),
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
    pub(crate) fn hand_over(&self, now: Instant) -> Handover {
        let mut state = self.lock();
        // This look replaces the watcher's registration with the socket: wake it to renew that, or to see it is over.
        let watcher = state.watcher.take();
        let Some(wire) = &mut state.wire else { return Handover::Closed(CloseReason::Taken) };
        let found = wire.poll_watch(&mut Context::from_waker(Waker::noop()), now);
        let handover = match found {
            Poll::Ready(WatchEvent::Claimed) => Handover::Claimed,
            Poll::Ready(WatchEvent::Retained(_)) => Handover::Retained,
            Poll::Ready(WatchEvent::Closed(reason)) => Handover::Closed(reason),
            Poll::Pending => match (death(wire), state.wire.take()) {
                (None, Some(wire)) => Handover::Alive(wire),
                (reason, wire) => {
                    state.wire = wire;
                    Handover::Closed(reason.unwrap_or(CloseReason::Taken))
                }
            },
        };
        drop(state);
        if let Some(watcher) = watcher {
            watcher.wake();
        }
        handover
    }

    /// The pool's timer says that a deadline of this connection has come.
    pub(crate) fn wake_for_deadline(&self) {
        let mut state = self.lock();
        state.armed = None;
        let watcher = state.watcher.take();
        drop(state);
        if let Some(watcher) = watcher {
            watcher.wake();
        }
    }

    /// Ends a connection that left the pool: a live one with a close frame, within `timeout` and in the background.
    pub(crate) fn dispose(&self, background: &dyn Background, clock: &Clock, timeout: Duration) {
        let mut state = self.lock();
        let wire = state.wire.take();
        let watcher = state.watcher.take();
        drop(state);
        if let Some(watcher) = watcher {
            watcher.wake();
        }
        if let Some(wire) = wire.filter(|wire| wire.end().is_none()) {
            let clock = clock.clone();
            background.spawn(Box::pin(async move { wire.close(&clock, timeout).await }));
        }
    }
}

/// Why a connection cannot be handed out any more. One that ended in good order after data can: the data is there.
fn death(wire: &Wire) -> Option<CloseReason> {
    wire.end().filter(|reason| !reason.is_end_of_stream() || wire.chunk().is_none())
}

/// Reads an idle connection for as long as it is in the pool, and tells the machine what happens to it.
pub(crate) async fn watch<D: Driven>(shared: Arc<Shared<D>>, slot: Arc<Slot>, key: ConnectionKey) {
    while let Some(event) = poll_fn(|cx| poll_watch(&shared, &slot, cx)).await {
        shared.with(|state, now| match event {
            WatchEvent::Claimed => state.machine.handle_claimed(now, key),
            WatchEvent::Retained(_) => state.machine.handle_retained(now, key),
            WatchEvent::Closed(reason) => state.machine.handle_closed(now, key, reason),
        });
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
    if let Some(at) = arm {
        state.armed = Some(at);
    }
    drop(state);
    if let Some(at) = arm
        && shared.link_timers.insert(at, slot)
    {
        shared.timer.wake();
    }
    Poll::Pending
}
