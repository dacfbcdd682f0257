//! One end of a connection: its link, and what has arrived and was not looked at.

use std::collections::VecDeque;
use std::time::Duration;

use npws_core::{CloseReason, ConnectionId, Instant, Link, LinkMessage, LinkOutput, PeerHeader, Violation};

/// What travels between the ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Packet {
    Syn,
    Secured,
    Request(PeerHeader),
    Answer(Result<PeerHeader, u16>),
    Binary(Vec<u8>),
    Text(&'static str),
    Ping,
    Pong,
    Close(u16),
    /// The transport ended.
    End,
    /// The transport failed.
    Failure,
    /// A frame that is none.
    Garbage,
}

/// How many bytes beyond the limit of early data a message that is not complete may take.
const FRAME_ROOM: usize = 16;

/// What watching over an idle connection finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Found {
    Claimed,
    Retained,
    Proved,
    RoundTrip(Duration),
    Closed(CloseReason),
}

/// A link with its WebSocket, which answers pings and close frames by itself.
#[derive(Debug)]
pub(super) struct Wire {
    pub(super) link: Link<Vec<u8>>,
    early_data_limit: usize,
    pub(super) inbox: VecDeque<Packet>,
    /// What is to leave next.
    pub(super) outbox: Vec<Packet>,
    sent_close: bool,
    /// Whether reading has stopped within a message that is too large.
    stopped: bool,
    transport_over: bool,
    /// Whether a write has failed, which the link is to be told.
    is_broken: bool,
    pub(super) taken: bool,
    pub(super) retained: bool,
    /// Whether the user has said goodbye with a close frame.
    pub(super) is_closing: bool,
    pub(super) is_finished: bool,
    /// When the timer of the link is due, on the clock of its process.
    pub(super) armed: Option<Instant>,
}

impl Wire {
    pub(super) fn new(link: Link<Vec<u8>>, early_data_limit: usize) -> Self {
        Self {
            link,
            early_data_limit,
            inbox: VecDeque::new(),
            outbox: Vec::new(),
            sent_close: false,
            stopped: false,
            transport_over: false,
            is_broken: false,
            taken: false,
            retained: false,
            is_closing: false,
            is_finished: false,
            armed: None,
        }
    }

    /// The ID step; `None` while it goes on.
    pub(super) fn establish(&mut self, now: Instant) -> Option<Result<ConnectionId, CloseReason>> {
        let mut is_timed = false;
        loop {
            match self.next_output() {
                Some(LinkOutput::Established(id)) => return Some(Ok(id)),
                Some(LinkOutput::Closed(reason) | LinkOutput::Retained(reason)) => return Some(Err(reason)),
                Some(_) => {}
                None if self.receive(now) || self.is_due(now, &mut is_timed) => {}
                None => return None,
            }
        }
    }

    /// Watches over an idle connection until there is something to tell.
    pub(super) fn watch(&mut self, now: Instant) -> Option<Found> {
        let mut is_timed = false;
        loop {
            let found = match self.next_output() {
                Some(LinkOutput::Claimed) => Some(Found::Claimed),
                Some(LinkOutput::Retained(_)) => {
                    self.retained = true;
                    Some(Found::Retained)
                }
                Some(LinkOutput::Closed(reason)) => Some(Found::Closed(reason)),
                Some(LinkOutput::Proved) => Some(Found::Proved),
                Some(LinkOutput::RoundTrip(time)) => Some(Found::RoundTrip(time)),
                Some(_) => continue,
                None => None,
            };
            if found.is_some() || self.link.end().is_some() {
                return found;
            }
            let is_drained = !self.link.accepts_input() || !self.receive(now);
            if is_drained && !self.is_due(now, &mut is_timed) {
                return None;
            }
        }
    }

    /// Reads until `want` bytes of the stream are there.
    pub(super) fn fill(&mut self, now: Instant, want: usize) {
        while self.link.end().is_none() && self.link.buffered() < want && self.receive(now) {
            self.discard_news();
        }
    }

    /// Lets the link's messages out; its news are no news to a user who has the connection.
    pub(super) fn discard_news(&mut self) {
        while self.next_output().is_some() {}
    }

    pub(super) fn send(&mut self, packet: Packet) {
        if self.sent_close {
            return;
        }
        self.sent_close = matches!(packet, Packet::Close(_));
        // Who does not read, because early data waits, learns so that the transport has failed.
        self.is_broken |= self.inbox.contains(&Packet::Failure);
        self.outbox.push(packet);
    }

    /// Why nothing can be written any more.
    pub(super) fn write_end(&self) -> Option<CloseReason> {
        self.link.end().or((self.is_finished || self.sent_close).then_some(CloseReason::ClosedLocally))
    }

    /// Why it cannot be handed out.
    pub(super) fn death(&self) -> Option<CloseReason> {
        self.link.end().filter(|_| !self.retained)
    }

    /// Whether the peer has said goodbye, or the transport.
    pub(super) fn has_heard(&self) -> bool {
        let heard = Some(CloseReason::TransportEnded);
        matches!(self.link.end(), Some(CloseReason::PeerClosed(_) | CloseReason::TransportFailed))
            || self.link.end() == heard
    }

    /// Throws away what comes after the own goodbye. Says whether the peer's is among it.
    pub(super) fn hear_goodbye(&mut self) -> bool {
        self.inbox.drain(..).any(|packet| matches!(packet, Packet::Close(_) | Packet::End | Packet::Failure))
    }

    fn next_output(&mut self) -> Option<LinkOutput> {
        loop {
            match self.link.poll_output()? {
                LinkOutput::Send(LinkMessage::Id(id)) => self.send(Packet::Binary(id.to_bytes().to_vec())),
                LinkOutput::Send(LinkMessage::Word(word)) => self.send(Packet::Text(word.as_str())),
                LinkOutput::Send(LinkMessage::Ping) => self.send(Packet::Ping),
                LinkOutput::Send(LinkMessage::Close { code }) => self.send(Packet::Close(code)),
                news => return Some(news),
            }
        }
    }

    fn is_due(&mut self, now: Instant, is_timed: &mut bool) -> bool {
        if core::mem::take(&mut self.is_broken) {
            self.link.handle_failure(now);
            return true;
        }
        let is_due = !*is_timed && self.link.poll_timeout().is_some_and(|due| due <= now);
        if is_due {
            *is_timed = true;
            self.link.handle_timeout(now);
        }
        is_due
    }

    /// Hands the next packet to the link, if there is one that it may have.
    fn receive(&mut self, now: Instant) -> bool {
        if self.transport_over {
            return false;
        }
        let room = self.early_data_limit.saturating_sub(self.link.buffered()) + FRAME_ROOM;
        if let Some(Packet::Binary(payload)) = self.inbox.front()
            && !self.taken
            && payload.len() > room
        {
            let is_news = !core::mem::replace(&mut self.stopped, true);
            if is_news {
                self.link.handle_backpressure(now);
            }
            return is_news;
        }
        let Some(packet) = self.inbox.pop_front() else { return false };
        if !matches!(packet, Packet::End | Packet::Failure) {
            self.link.handle_arrival(now);
        }
        match packet {
            Packet::Binary(payload) => self.link.handle_binary(now, payload),
            Packet::Text(text) => self.link.handle_text(now, text),
            Packet::Ping => {
                self.send(Packet::Pong);
                self.link.handle_ping(now);
            }
            Packet::Pong => self.link.handle_pong(now),
            Packet::Close(code) => {
                self.send(Packet::Close(code));
                self.link.handle_close(now, Some(code));
            }
            Packet::End | Packet::Failure => {
                self.transport_over = true;
                match packet {
                    Packet::End => self.link.handle_end(now),
                    _ => self.link.handle_failure(now),
                }
            }
            Packet::Garbage => self.link.handle_violation(now, Violation::Frame),
            Packet::Syn | Packet::Secured | Packet::Request(_) | Packet::Answer(_) => {}
        }
        true
    }
}
