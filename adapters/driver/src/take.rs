//! A pending take as a future.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use npws_core::{ConnectionKey, Instant, Pool as Machine, Side, TakeError, WaiterId};

use crate::connection::Connection;
use crate::early_data::Share;
use crate::sentinel::Sentinel;
use crate::shared::{Driven, Shared, State};
use crate::slot::{Handover, Slot, report};
use crate::wire::{WatchEvent, Wire};

/// For how long the sentinel's word counts, so that a burst of takes asks once for several: a system call, which is as long
/// as it takes the system to hand a packet on.
const FRESH: Duration = Duration::from_micros(5);

/// How a connection is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    ById,
    /// The peer learns of it by the connection itself, if it speaks v2.
    Next,
    Accepted,
}

/// Waits for the outcome of the take that `begin` begins. Dropped before its end, it gives the take up, and nothing is
/// lost: a connection that was offered returns to its old place in the order.
pub(crate) async fn take<D: Driven>(
    shared: &Arc<Shared<D>>,
    kind: Kind,
    begin: impl FnOnce(&mut Machine<Arc<Slot>, D::Side>, Instant) -> WaiterId + Send,
) -> Result<Connection, TakeError> {
    let max_staleness = (kind == Kind::Next).then(|| shared.max_staleness.unwrap_or(Duration::MAX));
    let (waiter, at_once) = shared.with(|state, now| {
        let waiter = begin(&mut state.machine, now);
        (waiter, attempt(state, &shared.sentinel, now, waiter, max_staleness))
    });
    let mut pending = Pending { shared, waiter: Some(waiter) };
    let outcome = match at_once {
        Some(outcome) => outcome,
        None => poll_fn(|cx| poll(shared, waiter, max_staleness, cx)).await,
    };
    pending.waiter = None;
    let Found { now, key, slot, mut wire, share } = outcome?;
    drop(share);
    if kind == Kind::Next {
        wire.announce(now);
        // What the socket does not take at once leaves with the first read or write.
        let _ = wire.poll_flush(&mut Context::from_waker(Waker::noop()));
    }
    tracing::debug!(id = %key.id(), "connection taken");
    let release = Release { shared: shared.clone(), slot, key };
    Ok(Connection::new(wire, key.id(), shared.clock.clone(), shared.close_timeout, now, Box::new(release)))
}

/// A connection that was alive.
struct Found {
    now: Instant,
    key: ConnectionKey,
    slot: Arc<Slot>,
    wire: Box<Wire>,
    /// Dropped without a lock: it wakes others.
    share: Option<Share>,
}

/// What a take ends with.
type Outcome = Result<Found, TakeError>;

fn poll<D: Driven>(
    shared: &Arc<Shared<D>>,
    waiter: WaiterId,
    max_staleness: Option<Duration>,
    cx: &mut Context<'_>,
) -> Poll<Outcome> {
    shared.with(|state, now| match attempt(state, &shared.sentinel, now, waiter, max_staleness) {
        Some(outcome) => {
            state.wakers.remove(&waiter);
            Poll::Ready(outcome)
        }
        None => {
            state.wakers.insert(waiter, cx.waker().clone());
            Poll::Pending
        }
    })
}

/// Marks what something has come to. Says whether it is all of it.
fn hear<S: Side<Arc<Slot>>>(
    machine: &Machine<Arc<Slot>, S>,
    sentinel: &Sentinel,
    heard: &mut Option<Instant>,
    now: Instant,
) -> bool {
    // A clock that stands still does not say how long ago that was.
    if heard.is_some_and(|heard| heard < now && now - heard < FRESH) {
        return true;
    }
    let told_all = sentinel.ask(|id| machine.registered(id).into_iter().for_each(|slot| slot.tell()));
    *heard = told_all.then_some(now);
    told_all
}

/// The waiter's outcome, if there is one by now.
fn attempt<S: Side<Arc<Slot>>>(
    state: &mut State<S>,
    sentinel: &Sentinel,
    now: Instant,
    waiter: WaiterId,
    max_staleness: Option<Duration>,
) -> Option<Outcome> {
    // Ends: each turn either returns or takes the offered connection's standing one step further.
    let mut staleness = max_staleness;
    while let Some((key, slot)) = state.machine.offered(waiter) {
        let told_all = hear(&state.machine, sentinel, &mut state.heard, now);
        match slot.hand_over(now, told_all, staleness.take()) {
            Handover::Alive(wire, share) => {
                let completed = state.machine.complete(now, waiter)?;
                return Some(completed.map(|taken| Found { now, key, slot: taken.connection, wire, share }));
            }
            Handover::Stale if state.machine.handle_stale(now, key) => {
                staleness = max_staleness;
                if state.machine.connection(key).is_some_and(|slot| !slot.probe(now)) {
                    state.machine.handle_proved(now, key);
                }
            }
            // As fresh as it will get: the next look takes it.
            Handover::Stale => {}
            Handover::Event(event) => {
                staleness = max_staleness;
                match event {
                    WatchEvent::Closed(reason) => state.machine.handle_dead_on_take(now, key, reason),
                    event => report(&mut state.machine, now, key, event),
                }
            }
        }
    }
    match state.machine.complete(now, waiter) {
        Some(Err(error)) => Some(Err(error)),
        Some(Ok(_)) | None => None,
    }
}

struct Pending<'a, D: Driven> {
    shared: &'a Arc<Shared<D>>,
    waiter: Option<WaiterId>,
}

impl<D: Driven> Drop for Pending<'_, D> {
    fn drop(&mut self) {
        if let Some(waiter) = self.waiter {
            self.shared.with(|state, now| {
                state.wakers.remove(&waiter);
                state.machine.cancel(now, waiter);
            });
        }
    }
}

/// Tells the pool that a taken connection is no more, so that its ID can be used again.
struct Release<D: Driven> {
    shared: Arc<Shared<D>>,
    slot: Arc<Slot>,
    key: ConnectionKey,
}

impl<D: Driven> Drop for Release<D> {
    fn drop(&mut self) {
        self.slot.end_watch();
        self.shared.with(|state, now| state.machine.handle_released(now, self.key));
    }
}
