//! Waiting for several pools at once.

use std::collections::{BTreeMap, BTreeSet};
use std::future::{Future, poll_fn};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use futures::stream::FuturesUnordered;
use futures::{FutureExt, StreamExt};
use npws_core::{ConnectionId, TakeError};

use super::shared::{GroupShared, Watcher};
use super::{Endpoint, GroupTakeError};
use crate::client::ClientPool;
use crate::runtime::Runtime;

/// What a take is after.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Want {
    Next,
    Id(ConnectionId),
    Claimed,
}

/// The first outcome that one of the pools has for `begin`, within `timeout`. Endpoints that come meanwhile are asked as
/// well. The waiters at the other pools are given up, which takes nothing from them: of several that are ready at once
/// only one is looked at.
pub(super) async fn wait<R, T, F>(
    group: &Arc<GroupShared<R>>,
    want: Want,
    timeout: Duration,
    begin: impl Fn(ClientPool<R>, Duration) -> F,
) -> Result<(Endpoint, T), GroupTakeError>
where
    R: Runtime,
    F: Future<Output = Result<T, TakeError>>,
{
    let mut watcher = Watcher::new(group);
    let mut waits = FuturesUnordered::new();
    let mut asked = BTreeSet::new();
    let mut told = BTreeMap::new();
    let mut late = group.clock.sleep_until(group.clock.now() + timeout);
    // Who only tries must not make the pools dial. All others end together.
    let each = if timeout.is_zero() { timeout } else { Duration::MAX };
    let outcome = poll_fn(|cx| {
        let (members, end) = watcher.look(cx);
        if end == Some(TakeError::Closed) || (end.is_some() && want == Want::Next) {
            return Poll::Ready(Err(end.unwrap_or(TakeError::Closed)));
        }
        for member in members.into_iter().flatten() {
            let is_open = want != Want::Next || !member.is_leaving;
            if is_open && asked.insert(member.endpoint.id()) {
                let outcome = begin(member.pool, each);
                waits.push(async move { (member.endpoint, outcome.await) });
            }
        }
        let mut gone = None;
        while let Poll::Ready(Some((endpoint, outcome))) = waits.poll_next_unpin(cx) {
            match outcome {
                Ok(taken) => return Poll::Ready(Ok((endpoint, taken))),
                Err(error) => {
                    // Every server has a control connection: one's says nothing of another's.
                    let tells = matches!(error, TakeError::Gone(_)) && want != Want::Id(ConnectionId::CONTROL);
                    gone = gone.or(tells.then_some(error));
                    told.insert(endpoint.id(), error);
                }
            }
        }
        // Where an ID was, it will not be again, and no other endpoint has it.
        if let Some(error) = gone.or(end.filter(|_| waits.is_empty())) {
            return Poll::Ready(Err(error));
        }
        late.poll_unpin(cx).map(|()| Err(TakeError::Timeout))
    })
    .await;
    outcome.map_err(|error| group.explain(error, &told))
}
