//! Waiting for the pool itself rather than for a connection of it.

use std::sync::Arc;
use std::task::{Context, Poll};

use npws_core::Pool as Machine;

use crate::shared::{Driven, Shared};
use crate::slot::Slot;

/// Somebody who waits for the pool to have an idle connection or to be closed, until it is dropped.
pub(crate) struct Observer<'a, D: Driven> {
    shared: &'a Shared<D>,
    key: u64,
}

impl<'a, D: Driven> Observer<'a, D> {
    pub(crate) fn new(shared: &'a Shared<D>) -> Self {
        let mut state = shared.lock();
        state.issued += 1;
        Self { shared, key: state.issued }
    }

    /// What `look` sees. Without anything to see it wakes when there may be.
    pub(crate) fn poll<T>(
        &self,
        cx: &Context<'_>,
        look: impl FnOnce(&Machine<Arc<Slot>, D::Side>) -> Option<T>,
    ) -> Poll<T> {
        let mut state = self.shared.lock();
        if let Some(seen) = look(&state.machine) {
            return Poll::Ready(seen);
        }
        let before = state.observers.insert(self.key, cx.waker().clone());
        // A waker may hold a task, and that a handle of the pool.
        drop(state);
        drop(before);
        Poll::Pending
    }
}

impl<D: Driven> Drop for Observer<'_, D> {
    fn drop(&mut self) {
        let gone = self.shared.lock().observers.remove(&self.key);
        drop(gone);
    }
}
