//! Several client pools as one.

mod builder;
mod endpoint;
mod error;
mod member;
mod perform;
mod shared;
mod take;
mod timer;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use npws_core::{ConnectionId, EndpointId};

pub use self::builder::PoolGroupBuilder;
pub use self::endpoint::{Endpoint, EndpointStats, GroupStats};
pub use self::error::{EndpointCause, GroupTakeError};
use self::shared::GroupShared;
use self::take::{Want, wait};
use crate::client::{ClientPool, ClientPoolBuilder};
use crate::connection::Connection;
use crate::error::BuildError;
use crate::runtime::Runtime;

/// Several [client pools](ClientPool) as one: one for each server, or for each address of a name.
///
/// A connection is taken from whichever pool the [strategy](crate::Strategy) chooses among those that have one ready.
/// An endpoint whose dials fail is out until a probe succeeds, and the others make up for its share: their capacities
/// grow meanwhile. A server that is being drained is out at once.
///
/// Cloning gives another handle to the same group. When the last handle is dropped the group is [closed](Self::close).
/// Connections already taken live on.
///
/// The runtime crates name it with their runtime filled in: `npws::tokio::PoolGroup` and so on.
///
/// ```
/// use npws_driver::{BuildError, ClientPool, PoolGroup, Runtime, Strategy};
///
/// fn dial<R: Runtime>() -> Result<PoolGroup<R>, BuildError> {
///     PoolGroup::builder()
///         .strategy(Strategy::LeastLoaded)
///         .endpoint(ClientPool::builder("amsterdam.example:8443").capacity(5..=20))
///         .endpoint(ClientPool::builder("bogota.example:8443").capacity(5..=20))
///         .connect()
/// }
/// ```
pub struct PoolGroup<R: Runtime> {
    shared: Arc<GroupShared<R>>,
    last: Arc<CloseOnDrop<R>>,
}

/// Tasks share the group as well, so the handles count themselves.
struct CloseOnDrop<R: Runtime>(Arc<GroupShared<R>>);

impl<R: Runtime> Drop for CloseOnDrop<R> {
    fn drop(&mut self) {
        self.0.close();
    }
}

impl<R: Runtime> PoolGroup<R> {
    fn new(shared: Arc<GroupShared<R>>) -> Self {
        Self { last: Arc::new(CloseOnDrop(shared.clone())), shared }
    }

    /// Begins a group.
    ///
    /// ```
    /// # use npws_driver::{BuildError, ClientPool, PoolGroup, Runtime};
    /// fn dial<R: Runtime>() -> Result<PoolGroup<R>, BuildError> {
    ///     PoolGroup::builder().discover(ClientPool::builder("tunnel.example:8443")).connect()
    /// }
    /// ```
    pub fn builder() -> PoolGroupBuilder<R> {
        PoolGroupBuilder::new()
    }

    /// Takes the next idle connection of one of the endpoints, waiting for one at most `timeout`. Gives the endpoint and
    /// the ID as well.
    ///
    /// Of the endpoints that have one ready the strategy chooses. When none has, all are waited for, and the first to
    /// have one serves the take; waiting for the others ends without taking anything from them. A timeout of
    /// [`Duration::ZERO`] only tries, [`Duration::MAX`] waits without a limit. Dropping the future gives the take up and
    /// loses nothing.
    ///
    /// ```
    /// # use npws_driver::{Connection, GroupTakeError, PoolGroup, Runtime};
    /// use std::time::Duration;
    ///
    /// async fn open<R: Runtime>(group: &PoolGroup<R>) -> Result<Connection, GroupTakeError> {
    ///     let (endpoint, id, connection) = group.take_next(Duration::from_secs(5)).await?;
    ///     println!("{endpoint} takes {id}");
    ///     Ok(connection)
    /// }
    /// ```
    ///
    /// # Errors
    /// [`GroupTakeError`] says why, for each endpoint: [`Timeout`](crate::TakeError::Timeout) when none came in time,
    /// [`Draining`](crate::TakeError::Draining) or [`Closed`](crate::TakeError::Closed) when the group hands nothing out any more.
    pub async fn take_next(&self, timeout: Duration) -> Result<(Endpoint, ConnectionId, Connection), GroupTakeError> {
        for member in self.shared.order() {
            // Another may have been quicker, or it was found dead: then the next one is tried.
            if let Ok((id, connection)) = member.pool.take_next(Duration::ZERO).await {
                return Ok((member.endpoint, id, connection));
            }
        }
        let (endpoint, (id, connection)) =
            wait(&self.shared, Want::Next, timeout, |pool, timeout| async move { pool.take_next(timeout).await })
                .await?;
        Ok((endpoint, id, connection))
    }

    /// Takes the connection with this ID from the endpoint that has it, waiting for it at most `timeout`, also from one
    /// that is being drained. Gives the endpoint as well.
    ///
    /// Servers do not know of each other's IDs. Where two of them give the same, which is most likely the control ID,
    /// the one that comes first is taken; [`pool`](Self::pool) names one. The timeout and dropping the future are as with
    /// [`take_next`](Self::take_next).
    ///
    /// ```
    /// # use npws_driver::{Connection, ConnectionId, GroupTakeError, PoolGroup, Runtime};
    /// use std::time::Duration;
    ///
    /// async fn open<R: Runtime>(group: &PoolGroup<R>, id: ConnectionId) -> Result<Connection, GroupTakeError> {
    ///     let (_endpoint, connection) = group.take(id, Duration::from_secs(5)).await?;
    ///     Ok(connection)
    /// }
    /// ```
    ///
    /// # Errors
    /// [`Timeout`](crate::TakeError::Timeout) when it did not come in time; [`Gone`](crate::TakeError::Gone) at once when one of the endpoints had it
    /// and has it no more, and no other has it; [`Closed`](crate::TakeError::Closed) when the group is closed.
    pub async fn take(&self, id: ConnectionId, timeout: Duration) -> Result<(Endpoint, Connection), GroupTakeError> {
        wait(&self.shared, Want::Id(id), timeout, |pool, timeout| async move { pool.take(id, timeout).await }).await
    }

    /// Takes a connection that the server of one of the endpoints took, waiting for one at most `timeout`, also from an
    /// endpoint that is being drained. Gives the endpoint and the ID as well.
    ///
    /// The timeout and dropping the future are as with [`take_next`](Self::take_next).
    ///
    /// ```
    /// # use npws_driver::{GroupTakeError, PoolGroup, Runtime};
    /// use std::time::Duration;
    ///
    /// async fn serve<R: Runtime>(group: &PoolGroup<R>) -> Result<(), GroupTakeError> {
    ///     loop {
    ///         let (endpoint, id, _connection) = group.accept(Duration::MAX).await?;
    ///         println!("{endpoint} took {id}");
    ///     }
    /// }
    /// ```
    ///
    /// # Errors
    /// [`Timeout`](crate::TakeError::Timeout) when none was taken in time; [`Closed`](crate::TakeError::Closed) when the group is closed.
    pub async fn accept(&self, timeout: Duration) -> Result<(Endpoint, ConnectionId, Connection), GroupTakeError> {
        let (endpoint, (id, connection)) =
            wait(&self.shared, Want::Claimed, timeout, |pool, timeout| async move { pool.accept(timeout).await })
                .await?;
        Ok((endpoint, id, connection))
    }

    /// Whether an endpoint has an idle connection right now.
    ///
    /// ```
    /// # use npws_driver::{PoolGroup, Runtime};
    /// fn status<R: Runtime>(group: &PoolGroup<R>) -> &'static str {
    ///     if group.ready() { "ready" } else { "warming up" }
    /// }
    /// ```
    #[must_use]
    pub fn ready(&self) -> bool {
        self.active() > 0
    }

    /// Waits until an endpoint has an idle connection, at most `timeout`. It may be gone again by the time this returns.
    ///
    /// ```
    /// # use npws_driver::{GroupTakeError, PoolGroup, Runtime};
    /// use std::time::Duration;
    ///
    /// async fn warm_up<R: Runtime>(group: &PoolGroup<R>) -> Result<(), GroupTakeError> {
    ///     group.wait_ready(Duration::from_secs(5)).await
    /// }
    /// ```
    ///
    /// # Errors
    /// [`Timeout`](crate::TakeError::Timeout) when none was in time, [`Draining`](crate::TakeError::Draining) or [`Closed`](crate::TakeError::Closed) when the group hands
    /// nothing out any more.
    pub async fn wait_ready(&self, timeout: Duration) -> Result<(), GroupTakeError> {
        let ready = |pool: ClientPool<R>, timeout| async move { pool.wait_ready(timeout).await };
        wait(&self.shared, Want::Next, timeout, ready).await.map(drop)
    }

    /// The number of idle connections of all endpoints together.
    ///
    /// ```
    /// # use npws_driver::{PoolGroup, Runtime};
    /// fn is_warm<R: Runtime>(group: &PoolGroup<R>) -> bool {
    ///     group.active() >= group.capacity()
    /// }
    /// ```
    #[must_use]
    pub fn active(&self) -> usize {
        self.shared.members().iter().filter(|member| !member.is_leaving).map(|member| member.pool.active()).sum()
    }

    /// The number of idle connections that the endpoints aim for at the moment, but for those that are out.
    ///
    /// ```
    /// # use npws_driver::{PoolGroup, Runtime};
    /// fn is_warm<R: Runtime>(group: &PoolGroup<R>) -> bool {
    ///     group.active() >= group.capacity()
    /// }
    /// ```
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.shared.up().iter().map(|member| member.pool.capacity()).sum()
    }

    /// A snapshot of every endpoint, in the order in which they were added; those that are drained stay to their end.
    ///
    /// ```
    /// # use npws_driver::{BreakerState, PoolGroup, Runtime};
    /// fn report<R: Runtime>(group: &PoolGroup<R>) {
    ///     for endpoint in group.stats().endpoints {
    ///         println!("{}: {} idle, breaker {}", endpoint.endpoint, endpoint.stats.idle, endpoint.breaker);
    ///     }
    /// }
    /// ```
    #[must_use]
    pub fn stats(&self) -> GroupStats {
        self.shared.stats()
    }

    /// The pool of one endpoint, for what concerns it alone; `None` when it is closed.
    ///
    /// ```
    /// # use npws_driver::{ConnectionId, Endpoint, PoolGroup, Runtime};
    /// use std::time::Duration;
    ///
    /// /// Every server has a control connection of its own.
    /// async fn has_control<R: Runtime>(group: &PoolGroup<R>, endpoint: &Endpoint) -> bool {
    ///     let Some(pool) = group.pool(endpoint.id()) else { return false };
    ///     pool.take(ConnectionId::CONTROL, Duration::from_secs(5)).await.is_ok()
    /// }
    /// ```
    #[must_use]
    pub fn pool(&self, endpoint: EndpointId) -> Option<ClientPool<R>> {
        self.shared.pool(endpoint)
    }

    /// Adds an endpoint to the group while it runs.
    ///
    /// ```
    /// # use npws_driver::{BuildError, ClientPool, PoolGroup, Runtime};
    /// fn grow<R: Runtime>(group: &PoolGroup<R>) -> Result<(), BuildError> {
    ///     let endpoint = group.add(ClientPool::builder("cairo.example:8443").capacity(5..=20))?;
    ///     println!("{endpoint} takes its turn from now on");
    ///     Ok(())
    /// }
    /// ```
    ///
    /// # Errors
    /// What is wrong with the settings, as [`ClientPoolBuilder::connect`] says. Added to a closed group, its pool is
    /// closed at once.
    pub fn add(&self, builder: ClientPoolBuilder<R>) -> Result<Endpoint, BuildError> {
        self.shared.add(builder)
    }

    /// Looks the names that are [discovered](PoolGroupBuilder::discover) up now, as after a change of the network.
    ///
    /// ```
    /// # use npws_driver::{PoolGroup, Runtime};
    /// fn network_changed<R: Runtime>(group: &PoolGroup<R>) {
    ///     group.refresh();
    /// }
    /// ```
    pub fn refresh(&self) {
        self.shared.with(|state, now| state.machine.refresh(now));
    }

    /// Closes every connection that nobody has taken yet and returns at once. The group goes on.
    ///
    /// ```
    /// # use npws_driver::{PoolGroup, Runtime};
    /// fn start_over<R: Runtime>(group: &PoolGroup<R>) {
    ///     group.flush();
    /// }
    /// ```
    pub fn flush(&self) {
        for member in self.shared.members() {
            member.pool.flush();
        }
    }

    /// Ends the group gently: [drains](ClientPool::drain) every pool. Returns when all are closed, which is after
    /// `timeout` at the latest. Dropping the future does not stop the drain.
    ///
    /// ```
    /// # use npws_driver::{PoolGroup, Runtime};
    /// use std::time::Duration;
    ///
    /// async fn shut_down<R: Runtime>(group: &PoolGroup<R>) {
    ///     group.drain(Duration::from_secs(30)).await;
    ///     assert!(group.is_closed());
    /// }
    /// ```
    pub async fn drain(&self, timeout: Duration) {
        let members = self.shared.members();
        self.shared.with(|state, _| state.machine.drain(timeout));
        join_all(members.iter().map(|member| member.pool.drain(timeout))).await;
        // The pools are closed; their last words may still be on the way.
        self.shared.close();
    }

    /// Closes the group and all its pools at once and for good. Pending takes fail, connections already taken live on.
    ///
    /// ```
    /// # use npws_driver::{PoolGroup, Runtime};
    /// fn abort<R: Runtime>(group: &PoolGroup<R>) {
    ///     group.close();
    ///     assert!(group.is_closed());
    /// }
    /// ```
    pub fn close(&self) {
        self.shared.close();
    }

    /// Whether the group is closed, which is for good.
    ///
    /// ```
    /// # use npws_driver::{PoolGroup, Runtime};
    /// fn can_go_on<R: Runtime>(group: &PoolGroup<R>) -> bool {
    ///     !group.is_closed()
    /// }
    /// ```
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.shared.lock().machine.is_closed()
    }
}

impl<R: Runtime> Clone for PoolGroup<R> {
    fn clone(&self) -> Self {
        Self { shared: self.shared.clone(), last: self.last.clone() }
    }
}

impl<R: Runtime> fmt::Debug for PoolGroup<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PoolGroup").field("stats", &self.stats()).finish_non_exhaustive()
    }
}
