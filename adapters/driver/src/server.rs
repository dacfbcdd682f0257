//! The pool that accepts.

mod accept;
mod builder;
mod front;
mod listen;
mod listener;
mod start;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use futures::future::AbortHandle;
use npws_core::{AcceptId, Accepting, AllowList, Output, Tokens};

use self::accept::Plan;
pub use self::builder::ServerPoolBuilder;
use self::listener::Hold;
pub use self::listener::{Listener, ListenerBuilder};
use crate::pool::Pool;
use crate::runtime::Runtime;
use crate::shared::{Driven, Shared};
use crate::slot::Slot;
use crate::tls::{ServerTls, TlsConfigError};

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

    /// Presents this certificate from the next handshake on, as after a renewal. Connections that are there live on.
    /// TLS sessions from before are not resumed. On a [`Listener`] this holds for all of its pools.
    ///
    /// ```
    /// # use npws_driver::{Runtime, ServerPool, ServerTls, TlsConfigError};
    /// fn renew<R: Runtime>(pool: &ServerPool<R>) -> Result<(), TlsConfigError> {
    ///     pool.set_tls(ServerTls::from_pem_files("chain.pem", "key.pem")?)
    /// }
    /// ```
    ///
    /// # Errors
    /// When the settings do not work. The pool then goes on with those that it has.
    pub fn set_tls(&self, tls: ServerTls) -> Result<(), TlsConfigError> {
        self.shared.driven.plan.front.set_tls(&tls)
    }

    /// From now on serves these addresses, or any if `None`. Connections that are there already stay.
    ///
    /// ```
    /// # use npws_driver::{Runtime, ServerPool};
    /// use npws_driver::{AllowList, IpRange, ParseRangeError};
    ///
    /// fn restrict<R: Runtime>(pool: &ServerPool<R>) -> Result<(), ParseRangeError> {
    ///     pool.set_allow(Some(AllowList::from(["10.0.0.0/8".parse::<IpRange>()?])));
    ///     Ok(())
    /// }
    /// ```
    pub fn set_allow(&self, allow: Option<AllowList>) {
        self.shared.with(|state, _| state.machine.set_allow(allow));
    }

    /// From now on asks for one of these tokens, or for none if `None`. Connections that are there already stay.
    ///
    /// ```
    /// # use npws_driver::{ConfigError, Runtime, ServerPool};
    /// use npws_driver::Tokens;
    ///
    /// /// Once all clients have the new one, the old one is left out.
    /// fn rotate<R: Runtime>(pool: &ServerPool<R>, old: &str, new: &str) -> Result<(), ConfigError> {
    ///     pool.set_tokens(Some(Tokens::new([old, new])?));
    ///     Ok(())
    /// }
    /// ```
    pub fn set_tokens(&self, tokens: Option<Tokens>) {
        self.shared.with(|state, _| state.machine.set_tokens(tokens));
    }
}

impl<R: Runtime> Accepts<R> {
    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<AcceptId, AbortHandle>> {
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
            Output::AbortAccept(accept) => driven.lock().remove(&accept),
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
