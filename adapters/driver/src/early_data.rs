//! The early data that all connections of a pool may hold together.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError};
use std::task::{Context, Poll, Waker};

use npws_core::EarlyDataBudget;

use crate::sync::Mutex;
use crate::sync::atomic::{AtomicU64, Ordering};

/// One for each pool.
#[derive(Debug)]
pub(crate) struct EarlyData {
    state: Mutex<State>,
    next_holder: AtomicU64,
}

#[derive(Debug)]
struct State {
    machine: EarlyDataBudget<u64>,
    wakers: HashMap<u64, Waker>,
}

impl EarlyData {
    /// For `total` bytes.
    pub(crate) fn new(total: usize) -> Arc<Self> {
        let state = State { machine: EarlyDataBudget::new(total), wakers: HashMap::new() };
        Arc::new(Self { state: Mutex::new(state), next_holder: AtomicU64::new(0) })
    }

    /// What one connection has of it, which is nothing yet.
    pub(crate) fn share(self: &Arc<Self>) -> Share {
        let holder = self.next_holder.fetch_add(1, Ordering::Relaxed);
        Share { pool: self.clone(), holder, granted: 0, is_known: false }
    }

    /// Mutates, drains, unlocks, then wakes.
    fn with<T>(&self, mutate: impl FnOnce(&mut State) -> T) -> T {
        let mut woken = Vec::new();
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let result = mutate(&mut state);
        while let Some(holder) = state.machine.poll_granted() {
            woken.extend(state.wakers.remove(&holder));
        }
        drop(state);
        woken.into_iter().for_each(Waker::wake);
        result
    }
}

/// What one connection may hold. Dropped, it is the others'.
#[derive(Debug)]
pub(crate) struct Share {
    pool: Arc<EarlyData>,
    holder: u64,
    granted: usize,
    is_known: bool,
}

impl Share {
    /// Whether it has ever asked for anything. Most never do.
    pub(crate) fn is_known(&self) -> bool {
        self.is_known
    }

    /// In bytes.
    pub(crate) fn granted(&self) -> usize {
        self.granted
    }

    /// Asks for more. Pending, it wakes when there is.
    pub(crate) fn poll_more(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.is_known = true;
        let (holder, before) = (self.holder, self.granted);
        self.granted = self.pool.with(|state| {
            // It may have been granted while nobody looked.
            if state.machine.granted(holder) == before && !state.machine.request(holder) {
                state.wakers.insert(holder, cx.waker().clone());
            }
            state.machine.granted(holder)
        });
        if self.granted > before { Poll::Ready(()) } else { Poll::Pending }
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        if self.is_known {
            self.pool.with(|state| {
                state.wakers.remove(&self.holder);
                state.machine.release(self.holder);
            });
        }
    }
}
