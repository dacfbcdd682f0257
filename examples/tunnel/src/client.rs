//! The end of the tunnel next to the target.

use std::error::Error;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use npws::tokio::ClientPool;
use npws::{Connection, ConnectionId, TakeError};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::control::{End, converse};
use crate::counters::{Counters, Counts, count};
use crate::observer::Observer;
use crate::relay::{Start, relay};
use crate::word::Word;

/// How often to say why there is no connection to the server.
const COMPLAINT_INTERVAL: Duration = Duration::from_secs(5);

/// What a [`TunnelClient`] can be told.
#[derive(Debug, Clone)]
pub struct ClientOptions {
    /// How long a connection that the server speaks of may take to turn up.
    pub take_timeout: Duration,
    /// How long connecting to the target may take.
    pub connect_timeout: Duration,
    /// How often each end of the control connection gives a sign of life.
    pub heartbeat: Duration,
    /// Who is told of connections taken.
    pub observer: Option<Arc<dyn Observer>>,
}

impl Default for ClientOptions {
    fn default() -> Self {
        Self {
            take_timeout: Duration::from_secs(5),
            connect_timeout: Duration::from_secs(10),
            heartbeat: Duration::from_secs(5),
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
    /// Joins the connections of `pool` to `target`, a host name or IP address and a port, as the server asks for it. The
    /// pool must have its [control channel](npws::ClientPoolBuilder::control_channel) on.
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
            background.abort.run_until_cancelled(keep_session(&background, &stopped)).await;
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

async fn keep_session(shared: &Arc<Shared>, stop: &CancellationToken) {
    while let Some(Some(connection)) = stop.run_until_cancelled(take_control(shared)).await {
        let peer = connection.peer_addr().map_or_else(|| "server".to_owned(), |peer| peer.to_string());
        tracing::info!("connected to {peer}");
        let end = hold_session(shared, connection, stop).await;
        tracing::info!("control connection to {peer} is over: {end}");
    }
    shared.close_door();
}

/// Waits for the control connection. `None` when the pool is closed.
async fn take_control(shared: &Shared) -> Option<Connection> {
    let began = Instant::now();
    loop {
        match shared.pool.take(ConnectionId::CONTROL, COMPLAINT_INTERVAL).await {
            Ok(connection) => {
                if let Some(observer) = &shared.options.observer {
                    observer.took(&connection, began.elapsed());
                }
                return Some(connection);
            }
            Err(TakeError::Closed | TakeError::Draining) => return None,
            Err(_) => match shared.pool.last_dial_error().filter(|_| !shared.pool.ready()) {
                Some(error) => tracing::warn!("no connection to the server: {}", causes(&*error)),
                None => tracing::warn!("no control connection: does another client hold it?"),
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

async fn hold_session(shared: &Arc<Shared>, connection: Connection, stop: &CancellationToken) -> End {
    let (sender, outgoing) = mpsc::unbounded_channel();
    let weak = sender.downgrade();
    let mut sender = Some(sender);
    let mut conversation = pin!(converse(connection, outgoing, shared.options.heartbeat, |word| match word {
        Word::Take(id) => {
            if let Some(sender) = sender.clone() {
                let serving = shared.clone();
                shared.joined.spawn(async move {
                    serving.abort.run_until_cancelled(serving.serve(id, sender)).await;
                });
            }
        }
        // Behind the last order. The conversation ends when the last answer is given.
        Word::Bye => {
            shared.close_door();
            sender = None;
        }
        _ => {}
    }));
    tokio::select! {
        end = &mut conversation => return end,
        () = stop.cancelled() => {}
    }
    if let Some(sender) = weak.upgrade() {
        let _ = sender.send(Word::Bye);
    }
    conversation.await
}

impl Shared {
    /// Dials no more: the server would take the next control connection for a client that serves.
    fn close_door(&self) {
        // The drain goes on without its future.
        let _ = self.pool.drain(self.options.take_timeout).now_or_never();
    }

    async fn serve(&self, id: ConnectionId, answers: mpsc::UnboundedSender<Word>) {
        let answer = |word| {
            // The server learns of a lost control connection by itself.
            let _ = answers.send(word);
        };
        let began = Instant::now();
        let connection = match self.pool.take(id, self.options.take_timeout).await {
            Ok(connection) => connection,
            Err(error) => {
                tracing::debug!("{id} cannot be taken: {error}");
                count(&self.counters.retried);
                return answer(Word::Gone(id));
            }
        };
        if let Some(observer) = &self.options.observer {
            observer.took(&connection, began.elapsed());
        }
        let target = match self.connect().await {
            Ok(target) => target,
            Err(error) => {
                tracing::warn!("cannot reach {}: {error}", self.target);
                count(&self.counters.failed);
                return answer(Word::Refused(id));
            }
        };
        answer(Word::Joined(id));
        drop(answers);
        count(&self.counters.carried);
        // The target's end is the end: whoever answers closes when all is said.
        if let Err(error) = relay(target, connection, Start::default(), Duration::ZERO).await {
            tracing::debug!("{id} was cut: {error}");
        }
    }

    async fn connect(&self) -> io::Result<TcpStream> {
        let connecting = TcpStream::connect(&self.target);
        let target = timeout(self.options.connect_timeout, connecting)
            .await
            .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))?;
        target.set_nodelay(true)?;
        Ok(target)
    }
}
