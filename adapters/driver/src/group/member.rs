//! One endpoint with its pool, and the ear that the group has in it.

use std::fmt;
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use npws_core::{DialFailure, EndpointId, Instant, Load};

use super::Endpoint;
use super::shared::{GroupShared, State};
use crate::client::ClientPool;
use crate::client::observer::DialObserver;
use crate::runtime::Runtime;
use crate::sync::atomic::Ordering;

#[derive(Debug)]
pub(super) struct Member<R: Runtime> {
    pub(super) endpoint: Endpoint,
    pub(super) pool: ClientPool<R>,
    /// Whether nothing is taken from it as next any more.
    pub(super) is_leaving: bool,
}

impl<R: Runtime> Clone for Member<R> {
    fn clone(&self) -> Self {
        Self { endpoint: self.endpoint.clone(), pool: self.pool.clone(), is_leaving: self.is_leaving }
    }
}

impl<R: Runtime> Member<R> {
    pub(super) fn load(&self) -> Load {
        let gauges = &self.pool.shared.gauges;
        let round_trip_ns = gauges.round_trip_ns.load(Ordering::Acquire);
        Load {
            idle: self.pool.active(),
            capacity: self.pool.capacity(),
            in_use: gauges.taken.load(Ordering::Acquire),
            round_trip: (round_trip_ns != u64::MAX).then_some(Duration::from_nanos(round_trip_ns)),
        }
    }
}

/// Tells the group how the dials of one pool go, for as long as there is a group.
pub(super) struct Ear<R: Runtime> {
    pub(super) group: Weak<GroupShared<R>>,
    /// Known before its pool does anything.
    pub(super) endpoint: Arc<OnceLock<EndpointId>>,
}

impl<R: Runtime> Ear<R> {
    fn tell(&self, tell: impl FnOnce(&mut State<R>, Instant, EndpointId)) {
        if let (Some(group), Some(&endpoint)) = (self.group.upgrade(), self.endpoint.get()) {
            group.with(|state, now| tell(state, now, endpoint));
        }
    }
}

impl<R: Runtime> DialObserver for Ear<R> {
    fn dialed(&self) {
        self.tell(|state, _, endpoint| state.machine.handle_dialed(endpoint));
    }

    fn dial_failed(&self, failure: DialFailure, idle: usize) {
        self.tell(|state, now, endpoint| state.machine.handle_dial_failed(now, endpoint, failure, idle));
    }

    fn asked_back(&self) {
        self.tell(|state, now, endpoint| state.machine.handle_asked_back(now, endpoint));
    }

    fn closed(&self) {
        if let (Some(group), Some(&endpoint)) = (self.group.upgrade(), self.endpoint.get()) {
            group.forget(endpoint);
        }
    }
}

impl<R: Runtime> fmt::Debug for Ear<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ear").field("endpoint", &self.endpoint).finish_non_exhaustive()
    }
}
