//! The end of the tunnel where the users come in.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::FutureExt;
use npws::tokio::ServerPool;
use npws::{Connection, PeerGeneration, TakeError};
use tokio::io::AsyncRead;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

use crate::answer::Answer;
use crate::control::MISSED_SIGNS;
use crate::counters::{Counters, Counts, count};
use crate::early::{Attempt, Early};
use crate::observer::Observer;
use crate::relay::{Start, relay};
use crate::reset::Unfinished;
use crate::session::Sessions;
use crate::status;

/// After a failed accept, which means that the process is out of file descriptors more often than not.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// How many users can have connected without having been accepted yet: no more than the system keeps waiting.
const MAX_LATE: usize = 1024;

/// What a [`TunnelServer`] can be told.
#[derive(Debug, Clone)]
pub struct ServerOptions {
    /// How long a user waits for a connection to the target before being turned away.
    pub patience: Duration,
    /// How many bytes of a user's are sent ahead, and kept until the client has joined the connection to the target. With
    /// zero nothing is sent ahead, which costs one round trip more.
    pub replay: usize,
    /// How often the client gives a sign of life while it connects to the target, and each end of the control connection
    /// to a v1 client. After three that are missed the client is taken for gone.
    pub heartbeat: Duration,
    /// How long a user who has closed the sending direction can go on receiving while nothing comes. For v1 clients only:
    /// v2 carries the end of one direction by itself.
    pub linger: Duration,
    /// Who is told of connections taken.
    pub observer: Option<Arc<dyn Observer>>,
}

impl Default for ServerOptions {
    fn default() -> Self {
        Self {
            patience: Duration::from_secs(30),
            replay: 64 * 1024,
            heartbeat: Duration::from_secs(5),
            linger: Duration::from_secs(10),
            observer: None,
        }
    }
}

/// The end of the tunnel where the users come in. It goes on until it is [drained](Self::drain) or
/// [aborted](Self::abort), whatever becomes of the client.
#[derive(Debug)]
pub struct TunnelServer {
    shared: Arc<Shared>,
    stop: CancellationToken,
}

#[derive(Debug)]
struct Shared {
    pool: ServerPool,
    options: ServerOptions,
    sessions: Sessions,
    /// When the idle connections were last given up.
    flushed: Mutex<Instant>,
    counters: Counters,
    carried: TaskTracker,
    /// The door, and the users who wait for a connection: while there are any, the pool must go on.
    coming: TaskTracker,
    abort: CancellationToken,
}

impl TunnelServer {
    /// Serves the users that come to `public` over the connections of `pool`, which must have its
    /// [control channel](npws::ServerPoolBuilder::control_channel) on, for the sake of v1 clients.
    #[must_use]
    pub fn start(pool: ServerPool, public: TcpListener, options: ServerOptions) -> Self {
        let shared = Arc::new(Shared {
            pool,
            options,
            sessions: Sessions::new(),
            flushed: Mutex::new(Instant::now()),
            counters: Counters::default(),
            carried: TaskTracker::new(),
            coming: TaskTracker::new(),
            abort: CancellationToken::new(),
        });
        let stop = CancellationToken::new();
        let background = shared.clone();
        tokio::spawn(async move {
            let Shared { pool, options, sessions, abort, .. } = &*background;
            abort.run_until_cancelled(sessions.keep(pool, options.heartbeat, options.observer.as_deref())).await;
        });
        let (accepting, stopped) = (shared.clone(), stop.clone());
        shared.coming.spawn(async move { accept(&accepting, public, &stopped).await });
        Self { shared, stop }
    }

    /// What it counts.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.shared.counters.counts()
    }

    /// How many users are being served or waited for.
    #[must_use]
    pub fn users(&self) -> usize {
        self.shared.carried.len()
    }

    /// Takes no more users, asks v2 clients to give idle connections up as soon as nobody waits for one, and ends when the
    /// last user has left, after `limit` at the latest. Returns how many were cut then.
    pub async fn drain(&self, limit: Duration) -> usize {
        self.stop.cancel();
        self.shared.coming.close();
        self.shared.carried.close();
        let _ = timeout(limit, async {
            self.shared.coming.wait().await;
            // It goes on without its future: v1 clients cannot be asked, and nobody needs to wait for them.
            let _ = self.shared.pool.drain(limit).now_or_never();
            self.shared.carried.wait().await;
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

impl Drop for TunnelServer {
    fn drop(&mut self) {
        self.abort();
    }
}

/// Takes users until `stopped`, and those who had connected by then.
async fn accept(shared: &Arc<Shared>, public: TcpListener, stopped: &CancellationToken) {
    while let Some(accepted) = stopped.run_until_cancelled(public.accept()).await {
        match accepted {
            Ok((user, address)) => shared.welcome(user, address),
            Err(error) => {
                tracing::warn!("cannot accept a user: {error}");
                stopped.run_until_cancelled(tokio::time::sleep(ACCEPT_PAUSE)).await;
            }
        }
    }
    if let Ok(public) = public.into_std() {
        for (user, address) in std::iter::from_fn(|| public.accept().ok()).take(MAX_LATE) {
            if user.set_nonblocking(true).is_ok()
                && let Ok(user) = TcpStream::from_std(user)
            {
                shared.welcome(user, address);
            }
        }
    }
}

impl Shared {
    fn welcome(self: &Arc<Self>, user: TcpStream, address: SocketAddr) {
        let (shared, user, waiting) = (self.clone(), Unfinished::new(user), self.coming.token());
        self.carried.spawn(async move {
            shared.abort.run_until_cancelled(shared.serve(user, address, waiting)).await;
        });
    }

    async fn serve(&self, mut user: Unfinished, address: SocketAddr, waiting: TaskTrackerToken) {
        let _ = user.set_nodelay(true);
        let joined = timeout(self.options.patience, self.join(&mut user)).await;
        drop(waiting);
        let refusal = match joined {
            Ok(Ok((connection, start))) => {
                count(&self.counters.carried);
                let id = connection.id();
                tracing::debug!("{address} is joined by {id}");
                if let Err(error) = relay(user, connection, start, self.options.linger).await {
                    tracing::debug!("{address} was cut: {error}");
                }
                return;
            }
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("no client took it within {:?}", self.options.patience),
        };
        count(&self.counters.failed);
        tracing::warn!("{address} was turned away: {refusal}");
    }

    /// Finds a connection that the client has joined to the target.
    async fn join(&self, user: &mut TcpStream) -> io::Result<(Connection, Start)> {
        let mut early = Early::new(self.options.replay);
        loop {
            let began = Instant::now();
            let (id, mut connection) = match self.pool.take_next(Duration::MAX).await {
                Ok(taken) => taken,
                Err(error @ (TakeError::Closed | TakeError::Draining)) => return Err(io::Error::other(error)),
                Err(_) => continue,
            };
            if let Some(observer) = &self.options.observer {
                observer.took(&connection, began.elapsed());
            }
            let attempt = if connection.peer_generation() == PeerGeneration::V2 {
                let (mut reader, mut writer) = tokio::io::split(&mut connection);
                early.attempt(user, &mut writer, self.hear(&mut reader)).await
            } else if let Some(session) = self.sessions.current() {
                let answer = session.order(id);
                early.attempt(user, &mut connection, async { answer.await.unwrap_or(Answer::Gone) }).await
            } else {
                // It leads to a client that is going. The next one may speak v2, and needs no session then.
                drop(connection);
                let _ = timeout(self.options.heartbeat, self.sessions.wait()).await;
                continue;
            };
            match attempt {
                Attempt::Joined(start) => return Ok((connection, start)),
                Attempt::Lost => {
                    tracing::debug!("{id} is no good, trying another");
                    count(&self.counters.retried);
                }
                Attempt::Refused => return Err(io::Error::other("the client cannot reach the target")),
                Attempt::Left(error) => return Err(error),
            }
        }
    }

    /// The answer of a v2 client, which comes on the connection itself.
    async fn hear(&self, reader: &mut (impl AsyncRead + Unpin)) -> Answer {
        let began = Instant::now();
        status::hear(reader, self.options.heartbeat * MISSED_SIGNS).await.unwrap_or_else(|error| {
            tracing::debug!("no answer: {error}");
            if error.kind() == io::ErrorKind::TimedOut {
                self.distrust(began);
            }
            Answer::Gone
        })
    }

    /// What was idle at `time` may lead to a client that is gone. One that lives dials again.
    fn distrust(&self, time: Instant) {
        let mut flushed = self.flushed.lock().unwrap_or_else(PoisonError::into_inner);
        if *flushed <= time {
            *flushed = Instant::now();
            self.pool.flush();
        }
    }
}
