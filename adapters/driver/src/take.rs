//! A pending take as a future.

use std::future::{Future, poll_fn};
use std::sync::Arc;
use std::task::{Context, Poll};

use npws_core::{ConnectionKey, Instant, Pool as Machine, TakeError, WaiterId};

use crate::connection::Connection;
use crate::shared::{Driven, Shared};
use crate::slot::{Handover, Slot};
use crate::wire::Wire;

/// Waits for the outcome of the take that `begin` begins. Dropped before its end, it gives the take up, and nothing is
/// lost: a connection that was offered returns to its old place in the order.
pub(crate) fn take<D: Driven>(
    shared: &Arc<Shared<D>>,
    begin: impl FnOnce(&mut Machine<Arc<Slot>, D::Side>, Instant) -> WaiterId + Send,
) -> impl Future<Output = Result<Connection, TakeError>> + Send {
    async move {
        let waiter = shared.with(|state, now| begin(&mut state.machine, now));
        let mut pending = Pending { shared, waiter: Some(waiter) };
        let outcome = poll_fn(|cx| poll(shared, waiter, cx)).await;
        pending.waiter = None;
        let (key, wire) = outcome?;
        tracing::debug!(id = %key.id(), "connection taken");
        let release = Release { shared: shared.clone(), key };
        Ok(Connection::new(wire, key.id(), shared.clock.clone(), shared.close_timeout, Box::new(release)))
    }
}

fn poll<D: Driven>(
    shared: &Arc<Shared<D>>,
    waiter: WaiterId,
    cx: &mut Context<'_>,
) -> Poll<Result<(ConnectionKey, Box<Wire>), TakeError>> {
    shared.with(|state, now| {
        // Ends: each turn either returns or takes the offered connection's standing one step further.
        while let Some((key, slot)) = state.machine.offered(waiter) {
            let slot = slot.clone();
            match slot.hand_over(now) {
                Handover::Alive(wire) => {
                    let completed = state.machine.complete(now, waiter);
                    debug_assert!(matches!(completed, Some(Ok(_))), "an offer is there to be completed");
                    state.wakers.remove(&waiter);
                    return Poll::Ready(Ok((key, wire)));
                }
                Handover::Claimed => state.machine.handle_claimed(now, key),
                Handover::Retained => state.machine.handle_retained(now, key),
                Handover::Closed(reason) => state.machine.handle_closed(now, key, reason),
            }
        }
        match state.machine.complete(now, waiter) {
            Some(Err(error)) => {
                state.wakers.remove(&waiter);
                Poll::Ready(Err(error))
            }
            Some(Ok(_)) | None => {
                state.wakers.insert(waiter, cx.waker().clone());
                Poll::Pending
            }
        }
    })
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
    key: ConnectionKey,
}

impl<D: Driven> Drop for Release<D> {
    fn drop(&mut self) {
        self.shared.with(|state, now| state.machine.handle_released(now, self.key));
    }
}
