//! The one timer of a group.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures::FutureExt;
use futures::future::BoxFuture;
use npws_core::Instant;

use super::shared::GroupShared;
use crate::runtime::Runtime;

/// Sleeps until the machine is due, acts, and sleeps again until the group is closed.
pub(super) async fn run<R: Runtime>(shared: Arc<GroupShared<R>>) {
    let mut sleep: Option<(Instant, BoxFuture<'static, ()>)> = None;
    poll_fn(|cx| poll(&shared, &mut sleep, cx)).await;
}

fn poll<R: Runtime>(
    shared: &Arc<GroupShared<R>>,
    sleep: &mut Option<(Instant, BoxFuture<'static, ()>)>,
    cx: &mut Context<'_>,
) -> Poll<()> {
    shared.timer.register(cx.waker());
    loop {
        let mut state = shared.lock();
        if state.machine.is_closed() {
            return Poll::Ready(());
        }
        state.armed = state.machine.poll_timeout();
        let armed = state.armed;
        drop(state);
        let Some(next) = armed else {
            *sleep = None;
            return Poll::Pending;
        };
        if next <= shared.clock.now() {
            shared.with(|state, now| state.machine.handle_timeout(now));
            continue;
        }
        let (at, timer) = sleep.get_or_insert_with(|| (next, shared.clock.sleep_until(next)));
        if *at != next {
            *at = next;
            *timer = shared.clock.sleep_until(next);
        }
        match timer.poll_unpin(cx) {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(()) => *sleep = None,
        }
    }
}
