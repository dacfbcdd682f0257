//! The end of the tunnel next to the target.

mod orders;

use std::error::Error;
use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use npws::tokio::ClientPool;
use npws::{Connection, ConnectionId, PeerGeneration, TakeError};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::control::hold;
use crate::counters::{Counters, Counts, count};
use crate::observer::Observer;
use crate::relay::{Start, relay};
use crate::reset::Unfinished;
use crate::status;

/// How often to say why there is no connection to the server.
const COMPLAINT_INTERVAL: Duration = Duration::from_secs(5);

/// What a [`TunnelClient`] can be told.
#[derive(Debug, Clone)]
pub struct ClientOptions {
    /// How long a connection that a v1 server speaks of may take to turn up.
    pub take_timeout: Duration,
    /// How long connecting to the target may take.
    pub connect_timeout: Duration,
    /// How often to give a sign of life: to a v2 server while the target is being connected to, to a v1 server on the
    /// control connection.
    pub heartbeat: Duration,
    /// Whether to say so when there is no control connection. Servers that share an address give none.
    pub expects_control: bool,
    /// Who is told of connections taken.
    pub observer: Option<Arc<dyn Observer>>,
}

impl Default for ClientOptions {
    fn default() -> Self {
        Self {
            take_timeout: Duration::from_secs(5),
            connect_timeout: Duration::from_secs(10),
            heartbeat: Duration::from_secs(5),
            expects_control: true,
            observer: None,
        }
    }
}

/// The end of the tunnel next to the target. It goes on until it is [drained](Self::drain) or [aborted](Self::abort),
/// whatever becomes of the server.
#[derive(Debug)]
pub struct TunnelClient {
    shared: Arc<Shared>,
    stop: CancellationToken,
    sessions: TaskTracker,
}

#[derive(Debug)]
struct Shared {
    pool: ClientPool,
    target: String,
    options: ClientOptions,
    counters: Counters,
    joined: TaskTracker,
    abort: CancellationToken,
}

impl TunnelClient {
    /// Joins the connections of `pool` that the server takes to `target`, a host name or IP address and a port. The pool
    /// must have its [control channel](npws::ClientPoolBuilder::control_channel) on, for the sake of v1 servers.
    #[must_use]
    pub fn start(pool: ClientPool, target: impl Into<String>, options: ClientOptions) -> Self {
        let shared = Arc::new(Shared {
            pool,
            target: target.into(),
            options,
            counters: Counters::default(),
            joined: TaskTracker::new(),
            abort: CancellationToken::new(),
        });
        let stop = CancellationToken::new();
        let sessions = TaskTracker::new();
        let (background, stopped) = (shared.clone(), stop.clone());
        sessions.spawn(async move {
            background.abort.run_until_cancelled(serve(&background, &stopped)).await;
        });
        sessions.close();
        Self { shared, stop, sessions }
    }

    /// What it counts.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.shared.counters.counts()
    }

    /// How many users are being served.
    #[must_use]
    pub fn users(&self) -> usize {
        self.shared.joined.len()
    }

    /// Tells the server to send no more users, and ends when the last one has left, after `limit` at the latest. Returns
    /// how many were cut then.
    pub async fn drain(&self, limit: Duration) -> usize {
        self.stop.cancel();
        self.shared.joined.close();
        let _ = timeout(limit, async {
            self.sessions.wait().await;
            self.shared.joined.wait().await;
        })
        .await;
        let left = self.users();
        self.abort();
        left
    }

    /// Ends at once.
    pub fn abort(&self) {
        self.stop.cancel();
        self.shared.abort.cancel();
        self.shared.pool.close();
    }
}

impl Drop for TunnelClient {
    fn drop(&mut self) {
        self.abort();
    }
}

async fn serve(shared: &Arc<Shared>, stop: &CancellationToken) {
    // The control connection to a v2 server.
    let mut silent = None;
    let mut speaks_v2 = false;
    loop {
        tokio::select! {
            biased;
            () = stop.cancelled() => break,
            // Before any other: a v1 server can send a user's first words ahead of the order.
            control = take_control(shared, speaks_v2), if silent.is_none() => {
                let Some(control) = control else { return };
                let peer = control.peer_addr().map_or_else(|| "server".to_owned(), |peer| peer.to_string());
                tracing::info!("connected to {peer}");
                speaks_v2 = control.peer_generation() == PeerGeneration::V2;
                if speaks_v2 {
                    silent = Some(control);
                    continue;
                }
                let end = orders::obey(shared, control, stop).await;
                tracing::info!("control connection to {peer} is over: {end}");
                if stop.is_cancelled() {
                    return shared.close_door();
                }
            }
            () = hold(silent.as_mut()) => {
                tracing::info!("the server is gone");
                silent = None;
            }
            accepted = shared.pool.accept(Duration::MAX) => match accepted {
                Ok((_, connection)) => speaks_v2 |= shared.welcome(connection),
                Err(_) => return,
            },
        }
    }
    drop(silent);
    shared.close_door();
    // What the server took before it heard of that.
    while let Ok((_, connection)) = shared.pool.accept(Duration::MAX).await {
        shared.welcome(connection);
    }
}

/// Waits for the control connection. `None` when the pool is closed.
async fn take_control(shared: &Shared, speaks_v2: bool) -> Option<Connection> {
    let began = Instant::now();
    loop {
        match shared.pool.take(ConnectionId::CONTROL, COMPLAINT_INTERVAL).await {
            Ok(connection) => {
                shared.observe(&connection, began);
                return Some(connection);
            }
            Err(TakeError::Closed | TakeError::Draining) => return None,
            Err(_) => match shared.pool.last_dial_error().filter(|_| !shared.pool.ready()) {
                Some(error) => tracing::warn!("no connection to the server: {}", causes(&*error)),
                None if speaks_v2 || !shared.options.expects_control => {}
                None => tracing::info!("no control connection: a v1 server serves one client at a time"),
            },
        }
    }
}

/// An error with what it comes from, each said once.
fn causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        next = cause.source();
    }
    text
}

impl Shared {
    /// Dials no more, and asks a v2 server to take no more.
    fn close_door(&self) {
        // The drain goes on without its future.
        let _ = self.pool.drain(self.options.take_timeout).now_or_never();
    }

    fn spawn(self: &Arc<Self>, serving: impl Future<Output = ()> + Send + 'static) {
        let abort = self.abort.clone();
        self.joined.spawn(async move { abort.run_until_cancelled(serving).await });
    }

    fn observe(&self, connection: &Connection, began: Instant) {
        if let Some(observer) = &self.options.observer {
            observer.took(connection, began.elapsed());
        }
    }

    /// Serves a connection that the server took. Returns whether it came from a v2 server.
    fn welcome(self: &Arc<Self>, connection: Connection) -> bool {
        // A v1 server waits for an answer on the control connection: its order will find this one gone.
        if connection.peer_generation() != PeerGeneration::V2 {
            return false;
        }
        let shared = self.clone();
        self.spawn(async move { shared.serve_claim(connection).await });
        true
    }

    async fn serve_claim(&self, mut connection: Connection) {
        self.observe(&connection, Instant::now());
        let id = connection.id();
        let outcome = match status::tell(&mut connection, self.options.heartbeat, self.connect()).await {
            Ok(Ok(target)) => {
                count(&self.counters.carried);
                relay(target, connection, Start::default(), Duration::ZERO).await
            }
            // Waits until the server knows why.
            Ok(Err(_)) => return connection.close().await,
            Err(error) => Err(error),
        };
        if let Err(error) = outcome {
            tracing::debug!("{id} was cut: {error}");
        }
    }

    async fn connect(&self) -> io::Result<Unfinished> {
        let connecting = TcpStream::connect(&self.target);
        let target = timeout(self.options.connect_timeout, connecting).await.unwrap_or_else(|late| Err(late.into()));
        target.and_then(|target| target.set_nodelay(true).map(|()| Unfinished::new(target))).inspect_err(|error| {
            tracing::warn!("cannot reach {}: {error}", self.target);
            count(&self.counters.failed);
        })
    }
}
