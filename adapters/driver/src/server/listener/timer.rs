//! The one timer of a listener.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures::FutureExt;
use futures::future::BoxFuture;
use npws_core::Instant;

use super::entrance::Entrance;
use crate::runtime::Runtime;

/// Sleeps until a handshake's deadline has come, gives it up, and sleeps again until the listener is closed.
pub(super) async fn run<R: Runtime>(entrance: Arc<Entrance<R>>) {
    let mut sleep: Option<(Instant, BoxFuture<'static, ()>)> = None;
    poll_fn(|cx| poll(&entrance, &mut sleep, cx)).await;
}

fn poll<R: Runtime>(
    entrance: &Entrance<R>,
    sleep: &mut Option<(Instant, BoxFuture<'static, ()>)>,
    cx: &mut Context<'_>,
) -> Poll<()> {
    entrance.timer.register(cx.waker());
    loop {
        let mut state = entrance.lock();
        if state.machine.is_closed() {
            return Poll::Ready(());
        }
        let next = state.machine.poll_timeout();
        state.armed = next;
        drop(state);
        let Some(next) = next else {
            *sleep = None;
            return Poll::Pending;
        };
        if next <= entrance.clock.now() {
            entrance.with(|state, now| state.machine.handle_timeout(now));
            continue;
        }
        let (at, timer) = sleep.get_or_insert_with(|| (next, entrance.clock.sleep_until(next)));
        if *at != next {
            *at = next;
            *timer = entrance.clock.sleep_until(next);
        }
        match timer.poll_unpin(cx) {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(()) => *sleep = None,
        }
    }
}
