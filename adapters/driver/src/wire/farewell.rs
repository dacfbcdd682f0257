//! How a wire ends: as a WebSocket of the user's own, or with a close handshake.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use async_tungstenite::WebSocketStream;
use futures::{AsyncWriteExt, StreamExt, future};
use npws_core::{CloseReason, PeerGeneration, Role};
use tungstenite::Error;

use super::send::Unsent;
use super::{MESSAGES_PER_POLL, Wire, close_message};
use crate::clock::Clock;
use crate::gate::Gate;
use crate::upgrade::message_config;

impl Wire {
    /// Says goodbye with 1000, and waits for the peer's answer at most `timeout`: a v1 peer that has not taken the
    /// connection never gives one.
    pub(crate) async fn close(mut self, clock: &Clock, timeout: Duration) {
        let deadline = clock.sleep_until(clock.now() + timeout);
        self.socket.get_mut().end_transcript();
        let _ = future::select(pin!(self.say_goodbye(clock)), deadline).await;
    }

    async fn say_goodbye(&mut self, clock: &Clock) -> Result<(), Error> {
        self.unsent = Unsent::Frames;
        poll_fn(|cx| self.poll_flush(cx)).await?;
        let has_heard = matches!(
            self.link.end(),
            Some(CloseReason::PeerClosed(_) | CloseReason::TransportEnded | CloseReason::TransportFailed)
        );
        if !has_heard {
            self.link.close(clock.now(), CloseReason::ClosedLocally);
            while self.next_output().is_some() {}
            // For a link that was over before and said nothing. Refused after a close frame, which is as good.
            let _ = self.start_send(close_message(1000));
            poll_fn(|cx| self.poll_flush(cx)).await?;
            self.hear_goodbye().await;
        }
        self.socket.get_mut().close().await.map_err(Error::Io)
    }

    /// What still comes is nobody's: reading it keeps the system from resetting a connection that the peer still reads.
    async fn hear_goodbye(&mut self) {
        let mut count = 0;
        while let Some(Ok(message)) = self.socket.next().await {
            if message.is_close() {
                return;
            }
            count += 1;
            if count % MESSAGES_PER_POLL == 0 {
                yield_now().await;
            }
        }
    }

    /// Whether all that came can still be had as whole messages.
    pub(crate) fn has_whole_messages(&self) -> bool {
        self.replay.is_some()
    }

    /// A WebSocket that goes on where this one is: what has been read and not handed out comes first. `guard` lives as
    /// long as it does.
    pub(crate) async fn into_websocket(mut self, guard: Option<Box<dyn Send + Sync>>) -> WebSocketStream<Gate> {
        // If it fails, the new WebSocket will find out.
        let _ = poll_fn(|cx| self.poll_flush(cx)).await;
        let config = message_config(*self.socket.get_config());
        let mut gate = self.socket.into_inner();
        if matches!(self.link.end(), Some(CloseReason::PeerClosed(_))) {
            // The close frame has been answered, and the new WebSocket will read it and answer again.
            gate.mute();
        }
        gate.keep(guard);
        let mut rest = gate.end_transcript();
        // Of two users who took it at once neither sees anything of the other.
        let has_crossed = self.link.end() == Some(CloseReason::ClaimsCrossed);
        let replay = self.replay.filter(|_| !has_crossed).unwrap_or_default();
        let is_v2 = self.link.peer() == PeerGeneration::V2;
        if is_v2 && !self.link.is_claimed() && self.link.end().is_none() {
            gate.filter_claim(&std::mem::take(&mut rest));
        }
        let read = replay.into_frames(self.role, &rest);
        let role = match self.role {
            Role::Client => tungstenite::protocol::Role::Client,
            Role::Server => tungstenite::protocol::Role::Server,
        };
        WebSocketStream::from_partially_read(gate, read, role, Some(config)).await
    }
}

async fn yield_now() {
    let mut yielded = false;
    poll_fn(|cx| {
        if std::mem::replace(&mut yielded, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
