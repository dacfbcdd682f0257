//! The pool that accepts.

mod accept;
mod accept_error;
mod builder;
mod changes;
mod front;
mod listen;
mod listener;
mod start;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, PoisonError};

use futures::future::AbortHandle;
use npws_core::{AcceptId, Accepting, Output};

use self::accept::Plan;
pub use self::accept_error::AcceptError;
pub use self::builder::ServerPoolBuilder;
use self::listener::Hold;
pub use self::listener::{Listener, ListenerBuilder};
use crate::pool::Pool;
use crate::runtime::Runtime;
use crate::shared::{Driven, Shared};
use crate::slot::Slot;
use crate::sync::atomic::Ordering;
use crate::sync::{Mutex, MutexGuard};

/// A pool that accepts connections and keeps them ready.
///
/// The runtime crates name it with their runtime filled in: `npws::tokio::ServerPool` and so on.
///
/// ```
/// use npws_driver::{BuildError, Runtime, ServerPool};
///
/// async fn serve<R: Runtime>() -> Result<ServerPool<R>, BuildError> {
///     ServerPool::builder().capacity(100).bind("[::]:8443").await
/// }
/// ```
pub type ServerPool<R> = Pool<Accepts<R>>;

/// IDs come from the thread's cryptographic generator, which the system seeds.
pub(crate) type Ids = fn() -> [u8; 4];

/// The server's kind of [`Pool`].
///
/// ```
/// use npws_driver::{Accepts, Pool, Runtime};
///
/// fn capacity<R: Runtime>(pool: &Pool<Accepts<R>>) -> usize {
///     pool.capacity()
/// }
/// ```
#[derive(Debug)]
pub struct Accepts<R: Runtime> {
    plan: Arc<Plan<R>>,
    local_addr: Option<SocketAddr>,
    source: Mutex<Option<Source<R>>>,
    under_way: Mutex<HashMap<AcceptId, AbortHandle>>,
    last_error: Mutex<Option<Arc<AcceptError>>>,
}

/// Where a pool's sockets come from, until it takes no more.
#[derive(Debug)]
enum Source<R: Runtime> {
    Own(AbortHandle),
    Shared(#[expect(dead_code, reason = "held so that the listener listens")] Hold<R>),
}

impl<R: Runtime> ServerPool<R> {
    /// Begins a pool that accepts connections.
    ///
    /// ```
    /// # use npws_driver::{BuildError, Runtime, ServerPool};
    /// async fn serve<R: Runtime>() -> Result<ServerPool<R>, BuildError> {
    ///     ServerPool::builder().path("/tunnel").bind("127.0.0.1:0").await
    /// }
    /// ```
    #[doc(alias = "NewServerPool")]
    pub fn builder() -> ServerPoolBuilder<R> {
        ServerPoolBuilder::new()
    }

    /// Why the last handshake that came to nothing did. [`stats`](Self::stats) counts them all.
    ///
    /// ```
    /// # use npws_driver::{Runtime, ServerPool};
    /// fn report<R: Runtime>(pool: &ServerPool<R>) {
    ///     if let Some(error) = pool.last_accept_error() {
    ///         eprintln!("the last peer that did not get in: {error}");
    ///     }
    /// }
    /// ```
    #[must_use]
    pub fn last_accept_error(&self) -> Option<Arc<AcceptError>> {
        self.shared.driven.last_error.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl<R: Runtime> Accepts<R> {
    /// Whether the sockets are a listener's, which has others as well.
    fn is_sharing(&self) -> bool {
        matches!(*self.source.lock().unwrap_or_else(PoisonError::into_inner), Some(Source::Shared(_)))
    }

    fn remember(&self, error: AcceptError) {
        *self.last_error.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(error));
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<AcceptId, AbortHandle>> {
        self.under_way.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<R: Runtime> Driven for Accepts<R> {
    type Side = Accepting<Ids>;

    fn local_addr(&self) -> Option<SocketAddr> {
        self.local_addr
    }

    fn perform(shared: &Arc<Shared<Self>>, output: Output<Arc<Slot>>) {
        let driven = &shared.driven;
        let handle = match output {
            Output::AbortAccept(accept) => {
                if !shared.gauges.is_closed.load(Ordering::Acquire) {
                    driven.remember(AcceptError::Timeout);
                }
                driven.lock().remove(&accept)
            }
            Output::StopListening => match driven.source.lock().unwrap_or_else(PoisonError::into_inner).take() {
                Some(Source::Own(listener)) => Some(listener),
                Some(Source::Shared(_)) | None => None,
            },
            _ => None,
        };
        if let Some(handle) = handle {
            handle.abort();
        }
    }
}
