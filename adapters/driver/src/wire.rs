//! One WebSocket and the link that decides over it.

mod farewell;
mod receive;
mod replay;
mod send;
#[cfg(test)]
mod tests;

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use async_tungstenite::WebSocketStream;
use bytes::Bytes;
use npws_core::{CloseReason, ConnectionId, Instant, Link, LinkOutput, PeerGeneration, Role};
use tungstenite::Error;

use self::replay::Replay;
use self::send::Unsent;
pub(crate) use self::send::close_message;
use crate::early_data::Share;
use crate::gate::{Direct, Gate};
use crate::sentinel::Sentinel;
use crate::tls::TlsInfo;

/// What an unfinished message may cost beyond the early data limit: its header, and control frames in front of it.
const FRAME_ROOM: usize = 1024;

/// How many messages are handled before other tasks get their turn.
const MESSAGES_PER_POLL: usize = 128;

/// What happened to an idle connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WatchEvent {
    /// The peer has taken it. More events follow.
    Claimed,
    /// The peer sent data and closed in good order. Nothing follows.
    Retained(CloseReason),
    /// It answered the probe.
    Proved,
    /// How long a ping and its pong took.
    RoundTrip(Duration),
    /// It is over. Nothing follows.
    Closed(CloseReason),
}

/// A connection from the end of its upgrade on.
///
/// Nothing here reads a clock. After every poll that gives `Pending` its owner sets one timer to
/// [`poll_timeout`](Self::poll_timeout) and polls again when it fires.
pub(crate) struct Wire {
    socket: WebSocketStream<Gate>,
    link: Link<Bytes>,
    role: Role,
    early_data_limit: usize,
    /// Of what all connections of the pool may hold; `None` once it is taken.
    share: Option<Share>,
    /// `None` once the user has read bytes: who reads bytes cannot ask for messages any more.
    replay: Option<Replay>,
    taken: bool,
    retained: bool,
    established: Option<ConnectionId>,
    /// As much of [`Gate::arrived`] as the link knows of.
    seen: u64,
    /// Whether the link knows that the gate has stopped reading.
    stopped: bool,
    unsent: Unsent,
    goodbye: Goodbye,
    failure: Option<Arc<Error>>,
}

/// The close frame that the link wants sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Goodbye {
    NotDue,
    /// It waits for all that was said before.
    Due(u16),
    /// From now on nobody needs to hear anything: a peer that has hung up already had it all.
    Said,
}

impl Wire {
    /// `early_data_limit` is the one in `link`'s configuration.
    pub(crate) fn new(
        mut socket: WebSocketStream<Gate>,
        link: Link<Bytes>,
        role: Role,
        early_data_limit: usize,
    ) -> Self {
        let budget = early_data_limit.saturating_add(FRAME_ROOM);
        socket.get_mut().set_budget(Some(budget));
        Self {
            socket,
            link,
            role,
            early_data_limit,
            share: None,
            replay: Some(Replay::default()),
            taken: false,
            retained: false,
            established: None,
            seen: 0,
            stopped: false,
            unsent: Unsent::Nothing,
            goodbye: Goodbye::NotDue,
            failure: None,
        }
    }

    /// The same, which holds no more early data than its pool lets it.
    pub(crate) fn sharing(mut self, share: Share) -> Self {
        self.share = Some(share);
        self.bound_reading();
        self
    }

    /// The ID step. On the server the ID has left when this ends.
    pub(crate) fn poll_establish(
        &mut self,
        cx: &mut Context<'_>,
        now: Instant,
    ) -> Poll<Result<ConnectionId, CloseReason>> {
        let mut is_timed = false;
        loop {
            if self.established.is_none() {
                match self.next_output() {
                    Some(LinkOutput::Established(id)) => self.established = Some(id),
                    Some(LinkOutput::Closed(reason) | LinkOutput::Retained(reason)) => {
                        let _ = self.poll_flush(cx);
                        return Poll::Ready(Err(reason));
                    }
                    _ => {}
                }
            }
            if let Some(id) = self.established {
                let Err(error) = ready!(self.poll_flush(cx)) else {
                    self.socket.get_mut().shrink();
                    return Poll::Ready(Ok(id));
                };
                self.handle_error(now, error);
                return Poll::Ready(Err(self.link.end().unwrap_or(CloseReason::TransportFailed)));
            }
            if self.poll_receive(cx, now).is_pending() && !self.is_due(cx, now, &mut is_timed) {
                return Poll::Pending;
            }
        }
    }

    /// Watches over the idle connection: reads what comes, answers and sends pings, and tells what happens, each event
    /// once. After `Retained` or `Closed` it is always pending.
    pub(crate) fn poll_watch(&mut self, cx: &mut Context<'_>, now: Instant) -> Poll<WatchEvent> {
        let mut is_timed = false;
        for _ in 0..MESSAGES_PER_POLL {
            let event = match self.next_output() {
                Some(LinkOutput::Claimed) => Some(WatchEvent::Claimed),
                Some(LinkOutput::Retained(reason)) => {
                    self.retained = true;
                    Some(WatchEvent::Retained(reason))
                }
                Some(LinkOutput::Closed(reason)) => Some(WatchEvent::Closed(reason)),
                Some(LinkOutput::Proved) => Some(WatchEvent::Proved),
                Some(LinkOutput::RoundTrip(time)) => Some(WatchEvent::RoundTrip(time)),
                Some(_) => continue,
                None => None,
            };
            if event.is_some() || self.link.end().is_some() {
                // The answer to a close frame: a peer that is gone cannot be told anyway.
                let _ = self.poll_flush(cx);
                return event.map_or(Poll::Pending, Poll::Ready);
            }
            let is_drained = !self.link.accepts_input() || self.poll_receive(cx, now).is_pending();
            if is_drained && !self.is_due(cx, now, &mut is_timed) {
                return Poll::Pending;
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Has `sentinel`, which may know the socket already, tell once, as `id`, that something has come. Says whether it will.
    pub(crate) fn post(&self, sentinel: &Sentinel, id: ConnectionId, is_known: bool) -> bool {
        self.socket.get_ref().transport().socket().post(sentinel, id, is_known)
    }

    /// The next poll sees what the kernel has, even if the runtime does not know yet.
    pub(crate) fn ask_kernel(&mut self) {
        self.socket.get_mut().transport_mut().socket_mut().ask_kernel();
    }

    /// When to poll again if nothing happens before.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.link.poll_timeout()
    }

    /// The local user has it now. Nothing bounds what is read any more but the user's own reading.
    pub(crate) fn take(&mut self, now: Instant) {
        self.link.take(now);
        self.taken = true;
        self.share = None;
        self.socket.get_mut().set_budget(None);
    }

    /// Whether it holds early data that the pool's other connections cannot.
    pub(crate) fn has_share(&self) -> bool {
        self.share.as_ref().is_some_and(Share::is_known)
    }

    /// What it holds counts for the pool no more once this is dropped.
    pub(crate) fn release_share(&mut self) -> Option<Share> {
        self.share.take()
    }

    pub(crate) fn peer_generation(&self) -> PeerGeneration {
        self.link.peer()
    }

    pub(crate) fn last_alive(&self) -> Option<Instant> {
        self.link.last_alive()
    }

    pub(crate) fn end(&self) -> Option<CloseReason> {
        self.link.end()
    }

    /// Whether the peer has said that it sends no more. This side may go on writing.
    pub(crate) fn is_finished_by_peer(&self) -> bool {
        self.link.is_finished_by_peer()
    }

    /// Tells a v2 peer that it was taken. The word leaves with the next flush, and before anything that is written.
    pub(crate) fn announce(&mut self, now: Instant) {
        self.link.announce(now);
        while self.next_output().is_some() {}
    }

    /// Tells the peer that nothing more will be written; `false` if only a close frame can say so.
    pub(crate) fn finish(&mut self, now: Instant) -> bool {
        let is_told = self.link.finish(now);
        while self.next_output().is_some() {}
        is_told
    }

    /// Asks a v2 peer to give the idle connection up.
    pub(crate) fn drain(&mut self, now: Instant) {
        self.link.drain(now);
    }

    pub(crate) fn is_stale(&self, now: Instant, max: Duration) -> bool {
        self.link.is_stale(now, max)
    }

    /// Asks for a sign of life. Says whether one can be counted on.
    pub(crate) fn probe(&mut self, now: Instant) -> bool {
        self.link.probe(now)
    }

    pub(crate) fn round_trip(&self) -> Option<Duration> {
        self.link.round_trip()
    }

    /// Why it cannot be handed out any more. A retained one can: what its peer had to say is there.
    pub(crate) fn death(&self) -> Option<CloseReason> {
        self.link.end().filter(|_| !self.retained)
    }

    /// What tungstenite said about the end, if it was an error.
    pub(crate) fn failure(&self) -> Option<&Arc<Error>> {
        self.failure.as_ref()
    }

    pub(crate) fn local_addr(&self) -> Option<SocketAddr> {
        self.socket.get_ref().transport().socket().local_addr()
    }

    pub(crate) fn peer_addr(&self) -> Option<SocketAddr> {
        self.socket.get_ref().transport().socket().peer_addr()
    }

    /// Copies the peer's certificates: not for every idle connection.
    pub(crate) fn tls_info(&self) -> Option<TlsInfo> {
        self.socket.get_ref().transport().tls_info()
    }

    /// The next bytes of the stream.
    pub(crate) fn chunk(&self) -> Option<&[u8]> {
        self.link.chunk()
    }

    pub(crate) fn buffered(&self) -> usize {
        self.link.buffered()
    }

    pub(crate) fn consume(&mut self, n: usize) {
        if n > 0 && self.replay.take().is_some() {
            let config = self.socket.get_config();
            let longest =
                config.max_message_size.unwrap_or(usize::MAX).min(config.max_frame_size.unwrap_or(usize::MAX));
            let direct = Direct { is_masked: matches!(self.role, Role::Server), longest };
            self.socket.get_mut().read_direct(direct);
        }
        self.link.consume(n);
    }

    /// Whether to expect that the socket has something to read.
    pub(crate) fn has_more(&self) -> bool {
        self.socket.get_ref().has_more()
    }

    /// Reads until at least `want` bytes of the stream are buffered or it is over.
    pub(crate) fn poll_fill(&mut self, cx: &mut Context<'_>, now: Instant, want: usize) -> Poll<()> {
        for _ in 0..MESSAGES_PER_POLL {
            if self.link.end().is_some() || self.link.buffered() >= want {
                return Poll::Ready(());
            }
            ready!(self.poll_receive(cx, now));
            while self.next_output().is_some() {}
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// The link's next output that is not for the peer; those that are, are sent.
    fn next_output(&mut self) -> Option<LinkOutput> {
        loop {
            match self.link.poll_output()? {
                LinkOutput::Send(message) => self.send(message),
                news => return Some(news),
            }
        }
    }

    /// Whether the timer, once a poll, or a failed flush has given the link something to say.
    fn is_due(&mut self, cx: &mut Context<'_>, now: Instant, is_timed: &mut bool) -> bool {
        if let Poll::Ready(Err(error)) = self.poll_flush(cx) {
            self.handle_error(now, error);
            return true;
        }
        if !*is_timed && self.link.poll_timeout().is_some_and(|due| due <= now) {
            *is_timed = true;
            self.link.handle_timeout(now);
            return true;
        }
        false
    }
}

impl fmt::Debug for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wire").field("link", &self.link).field("role", &self.role).finish_non_exhaustive()
    }
}
