//! The client of a v1 server: told on the control connection which connection to take.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use npws::{Connection, ConnectionId};
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::Shared;
use crate::control::{End, converse};
use crate::counters::count;
use crate::relay::{Start, relay};
use crate::word::Word;

/// Does what the server says on `connection` until it ends, or until `stop` and the last answer after it.
pub(super) async fn obey(shared: &Arc<Shared>, connection: Connection, stop: &CancellationToken) -> End {
    let (sender, outgoing) = mpsc::unbounded_channel();
    let weak = sender.downgrade();
    let mut sender = Some(sender);
    let mut conversation = pin!(converse(connection, outgoing, shared.options.heartbeat, |word| match word {
        Word::Take(id) => {
            if let Some(sender) = sender.clone() {
                let serving = shared.clone();
                shared.spawn(async move { serving.serve_order(id, sender).await });
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
    async fn serve_order(&self, id: ConnectionId, answers: mpsc::UnboundedSender<Word>) {
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
        self.observe(&connection, began);
        let target = match self.connect().await {
            Ok(target) => target,
            Err(_) => return answer(Word::Refused(id)),
        };
        answer(Word::Joined(id));
        drop(answers);
        count(&self.counters.carried);
        // The target's end is the end: whoever answers closes when all is said.
        if let Err(error) = relay(target, connection, Start::default(), Duration::ZERO).await {
            tracing::debug!("{id} was cut: {error}");
        }
    }
}
