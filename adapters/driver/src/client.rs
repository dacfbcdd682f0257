//! The pool that dials.

mod builder;
pub(crate) mod connect;
mod connect_error;
mod dial;
pub(crate) mod observer;
mod race;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, PoisonError};

use futures::future::{AbortHandle, Abortable};
use npws_core::{CloseReason, DialFailure, DialId, Dialing, Output};

pub use self::builder::ClientPoolBuilder;
pub use self::connect_error::ConnectError;
pub use self::dial::DialTarget;
use self::dial::Plan;
use self::observer::BoxObserver;
use crate::error::DialError;
use crate::pool::Pool;
use crate::runtime::Runtime;
use crate::shared::{Driven, Shared};
use crate::slot::{Slot, watch};
use crate::sync::Mutex;
use crate::sync::atomic::Ordering;

/// A pool that dials a server and keeps connections to it ready.
///
/// The runtime crates name it with their runtime filled in: `npws::tokio::ClientPool` and so on.
///
/// ```
/// use npws_driver::{BuildError, ClientPool, Runtime};
///
/// fn dial<R: Runtime>() -> Result<ClientPool<R>, BuildError> {
///     ClientPool::builder("tunnel.example:8443").capacity(5..=20).connect()
/// }
/// ```
pub type ClientPool<R> = Pool<Dials<R>>;

/// The client's kind of [`Pool`].
///
/// ```
/// use npws_driver::{Dials, Pool, Runtime};
///
/// fn capacity<R: Runtime>(pool: &Pool<Dials<R>>) -> usize {
///     pool.capacity()
/// }
/// ```
#[derive(Debug)]
pub struct Dials<R: Runtime> {
    plan: Arc<Plan<R>>,
    under_way: Mutex<HashMap<DialId, AbortHandle>>,
    last_error: Mutex<Option<Arc<DialError>>>,
    observer: Option<BoxObserver>,
}

impl<R: Runtime> ClientPool<R> {
    /// Begins a pool of connections to `address`: a host name or IP address and a port, as `tunnel.example:8443`,
    /// `192.0.2.7:8443` or `[2001:db8::7]:8443`.
    ///
    /// ```
    /// # use npws_driver::{BuildError, ClientPool, Runtime};
    /// fn dial<R: Runtime>() -> Result<ClientPool<R>, BuildError> {
    ///     ClientPool::builder("[2001:db8::7]:8443").connect()
    /// }
    /// ```
    #[doc(alias = "NewClientPool")]
    pub fn builder(address: impl Into<String>) -> ClientPoolBuilder<R> {
        ClientPoolBuilder::new(address.into())
    }

    /// Why the last failed dial failed. [`stats`](Self::stats) counts them all, by cause.
    ///
    /// ```
    /// # use npws_driver::{ClientPool, Runtime};
    /// fn report<R: Runtime>(pool: &ClientPool<R>) {
    ///     if let Some(error) = pool.last_dial_error() {
    ///         eprintln!("the last dial failed: {error}");
    ///     }
    /// }
    /// ```
    #[must_use]
    pub fn last_dial_error(&self) -> Option<Arc<DialError>> {
        self.shared.driven.last_error.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl<R: Runtime> Dials<R> {
    fn new(plan: Plan<R>, observer: Option<BoxObserver>) -> Self {
        Self { plan: Arc::new(plan), under_way: Mutex::default(), last_error: Mutex::default(), observer }
    }

    fn remember(&self, error: DialError) {
        *self.last_error.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(error));
    }

    fn end(&self, dial: DialId) -> Option<AbortHandle> {
        self.under_way.lock().unwrap_or_else(PoisonError::into_inner).remove(&dial)
    }
}

impl<R: Runtime> Driven for Dials<R> {
    type Side = Dialing;

    fn local_addr(&self) -> Option<SocketAddr> {
        None
    }

    fn observe_close(&self, reason: CloseReason) {
        if let Some(observer) = self.observer.as_ref().filter(|_| reason == CloseReason::PeerDrained) {
            observer.asked_back();
        }
    }

    fn perform(shared: &Arc<Shared<Self>>, output: Output<Arc<Slot>>) {
        match output {
            Output::Dial(dial) => begin(shared, dial),
            Output::AbortDial(dial) => {
                if let Some(handle) = shared.driven.end(dial) {
                    handle.abort();
                }
                // Even if its task is done: the machine knows of no connection, so nobody else tells the outcome.
                if !shared.gauges.is_closed.load(Ordering::Acquire) {
                    tracing::debug!(?dial, "dial gave up: its deadline passed");
                    shared.driven.remember(DialError::Timeout);
                    failed(shared, DialFailure::Timeout);
                }
            }
            Output::Closed => {
                if let Some(observer) = &shared.driven.observer {
                    observer.closed();
                }
            }
            _ => {}
        }
    }
}

fn begin<R: Runtime>(shared: &Arc<Shared<Dials<R>>>, dial: DialId) {
    let (handle, registration) = AbortHandle::new_pair();
    shared.driven.under_way.lock().unwrap_or_else(PoisonError::into_inner).insert(dial, handle);
    let shared = shared.clone();
    let plan = shared.driven.plan.clone();
    tracing::trace!(?dial, "dial begins");
    plan.runtime.clone().spawn(async move {
        // In memory of its own, which is free again when the connection is idle.
        let dialing = Box::pin(Abortable::new(plan.dial(&shared.clock), registration));
        let Ok(outcome) = dialing.await else { return };
        shared.driven.end(dial);
        match outcome {
            Ok((id, peer, wire)) => {
                tracing::debug!(?dial, %id, peer = %peer.generation, "dialed");
                let slot = Slot::new(id, wire);
                let registered = slot.clone();
                let key = shared.with(|state, now| state.machine.handle_dialed(now, dial, id, peer, registered));
                if let Some(key) = key {
                    if let Some(observer) = &shared.driven.observer {
                        observer.dialed();
                    }
                    watch(shared, slot, key).await;
                }
            }
            Err(error) => {
                tracing::debug!(?dial, %error, "dial failed");
                let failure = error.failure();
                shared.driven.remember(error);
                shared.with(|state, now| state.machine.handle_dial_failed(now, dial, failure));
                failed(&shared, failure);
            }
        }
    });
}

fn failed<R: Runtime>(shared: &Shared<Dials<R>>, failure: DialFailure) {
    if let Some(observer) = &shared.driven.observer {
        observer.dial_failed(failure, shared.gauges.active.load(Ordering::Acquire));
    }
}
