//! The one timer of a pool.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures::FutureExt;
use futures::future::BoxFuture;
use npws_core::Instant;

use crate::shared::{Driven, Shared};
use crate::sync::atomic::Ordering;

/// Sleeps until the machine or a connection is due, acts, and sleeps again until the pool is closed.
pub(crate) async fn run<D: Driven>(shared: Arc<Shared<D>>) {
    let mut sleep: Option<(Instant, BoxFuture<'static, ()>)> = None;
    poll_fn(|cx| poll(&shared, &mut sleep, cx)).await;
}

fn poll<D: Driven>(
    shared: &Arc<Shared<D>>,
    sleep: &mut Option<(Instant, BoxFuture<'static, ()>)>,
    cx: &mut Context<'_>,
) -> Poll<()> {
    shared.timer.register(cx.waker());
    loop {
        if shared.gauges.is_closed.load(Ordering::Acquire) {
            return Poll::Ready(());
        }
        let Some(next) = arm(shared) else {
            *sleep = None;
            return Poll::Pending;
        };
        let now = shared.clock.now();
        if next <= now {
            shared.link_timers.fire(now);
            shared.with(|state, now| {
                if state.machine.poll_timeout().is_some_and(|due| due <= now) {
                    state.machine.handle_timeout(now);
                }
            });
            continue;
        }
        let (at, timer) = sleep.get_or_insert_with(|| (next, shared.clock.sleep_until(next)));
        if *at != next {
            *at = next;
            *timer = shared.clock.sleep_until(next);
        }
        match Pin::new(timer).poll_unpin(cx) {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(()) => *sleep = None,
        }
    }
}

/// The next moment to act, which the machine's callers are told so that they wake the timer only for an earlier one.
fn arm<D: Driven>(shared: &Arc<Shared<D>>) -> Option<Instant> {
    let mut state = shared.lock();
    let next = [state.machine.poll_timeout(), shared.link_timers.first()].into_iter().flatten().min();
    state.armed = next;
    next
}
