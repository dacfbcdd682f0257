//! The server's end of the control connections, one after the other.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use npws::tokio::ServerPool;
use npws::{ConnectionId, PeerGeneration, TakeError};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Instant;

use crate::answer::Answer;
use crate::control::{converse, hold};
use crate::observer::Observer;
use crate::word::Word;

/// One control connection, as those see it who have orders for the client.
#[derive(Debug, Clone)]
pub(crate) struct Session(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    outgoing: mpsc::UnboundedSender<Word>,
    /// Whether the client takes more orders.
    is_open: bool,
    pending: HashMap<ConnectionId, oneshot::Sender<Answer>>,
}

impl Session {
    fn new(outgoing: mpsc::UnboundedSender<Word>) -> Self {
        Self(Arc::new(Mutex::new(State { outgoing, is_open: true, pending: HashMap::new() })))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells the client to take `id`. The answer fails when the control connection is lost before it comes.
    pub(crate) fn order(&self, id: ConnectionId) -> oneshot::Receiver<Answer> {
        let (sender, receiver) = oneshot::channel();
        let mut state = self.lock();
        if state.is_open && state.outgoing.send(Word::Take(id)).is_ok() {
            state.pending.insert(id, sender);
        }
        receiver
    }

    fn hear(&self, word: Word) {
        let mut state = self.lock();
        let (id, answer) = match word {
            Word::Joined(id) => (id, Answer::Joined),
            Word::Gone(id) => (id, Answer::Gone),
            Word::Refused(id) => (id, Answer::Refused),
            Word::Bye => {
                // Behind the last order, so that the client knows which was the last.
                state.is_open = false;
                let _ = state.outgoing.send(Word::Bye);
                return;
            }
            Word::Ping | Word::Take(_) => return,
        };
        if let Some(pending) = state.pending.remove(&id) {
            // Nobody waits for it when the user has left.
            let _ = pending.send(answer);
        }
    }

    fn end(&self) {
        let mut state = self.lock();
        state.is_open = false;
        state.pending.clear();
    }
}

/// The session of the moment.
#[derive(Debug)]
pub(crate) struct Sessions(watch::Sender<Option<Session>>);

impl Sessions {
    pub(crate) fn new() -> Self {
        Self(watch::Sender::new(None))
    }

    /// The one there is now, if any.
    pub(crate) fn current(&self) -> Option<Session> {
        self.0.borrow().clone()
    }

    /// Waits until there is one.
    pub(crate) async fn wait(&self) {
        // The sender is here.
        let _ = self.0.subscribe().wait_for(Option::is_some).await;
    }

    /// Keeps a control connection with the client for as long as the pool is open. A session it is with a v1 client only.
    pub(crate) async fn keep(&self, pool: &ServerPool, heartbeat: Duration, observer: Option<&dyn Observer>) {
        loop {
            let began = Instant::now();
            let mut connection = match pool.take(ConnectionId::CONTROL, Duration::MAX).await {
                Ok(connection) => connection,
                Err(TakeError::Closed | TakeError::Draining) => return,
                Err(error) => {
                    tracing::debug!(%error, "no control connection");
                    continue;
                }
            };
            if let Some(observer) = observer {
                observer.took(&connection, began.elapsed());
            }
            let peer = connection.peer_addr().map_or_else(|| "client".to_owned(), |peer| peer.to_string());
            tracing::info!("{peer} is connected");
            if connection.peer_generation() == PeerGeneration::V2 {
                hold(Some(&mut connection)).await;
                tracing::info!("{peer} is gone");
                continue;
            }
            let (sender, outgoing) = mpsc::unbounded_channel();
            let session = Session::new(sender);
            self.0.send_replace(Some(session.clone()));
            let end = converse(connection, outgoing, heartbeat, |word| {
                session.hear(word);
                if word == Word::Bye {
                    tracing::info!("{peer} takes no more connections");
                    self.0.send_replace(None);
                }
            })
            .await;
            self.0.send_replace(None);
            session.end();
            tracing::info!("control connection to {peer} is over: {end}");
            // What is idle may lead to a client that is gone. One that lives dials again, and finds the control ID free.
            pool.flush();
        }
    }
}
