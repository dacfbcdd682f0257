//! What a link has to do, written down as plainly as possible: one flag for every fact, all bytes kept.

use core::time::Duration;

use npws_core::{CloseReason, ConnectionId, Instant, Link, LinkConfig, LinkMessage, LinkOutput};
use npws_core::{PeerGeneration, Role, Violation};

/// Everything that can happen to a link.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Event {
    Binary(Vec<u8>),
    Text,
    /// A ping, a pong or bytes of an unfinished message.
    Alive,
    Backpressure,
    PeerClose(Option<u16>),
    End,
    Failure,
    Violation(Violation),
    Timeout,
    Take,
    Close(CloseReason),
}

#[derive(Debug)]
pub(super) struct Model {
    role: Role,
    peer: PeerGeneration,
    config: LinkConfig,
    id: ConnectionId,
    id_deadline: Instant,
    /// All bytes of all binary messages that counted.
    received: Vec<u8>,
    /// Where in `received` each message ended.
    borders: Vec<usize>,
    /// How many bytes of `received` are no longer part of the stream.
    read: usize,
    /// Whether the whole ID is known; a server has it from the start.
    established: bool,
    pub(super) taken: bool,
    pub(super) end: Option<CloseReason>,
    last_alive: Option<Instant>,
    /// Since when nothing arrived and no ping was sent.
    quiet_since: Instant,
    /// The ping whose answer the link waits for.
    pinged: Option<Instant>,
    suspended: bool,
    unanswered_pings: u32,
    /// Everything the link should have said so far.
    pub(super) outputs: Vec<LinkOutput>,
}

impl Model {
    pub(super) fn new(
        role: Role,
        peer: PeerGeneration,
        config: LinkConfig,
        id: ConnectionId,
        id_deadline: Instant,
    ) -> Self {
        let mut model = Self {
            role,
            peer,
            config,
            id,
            id_deadline,
            received: Vec::new(),
            borders: Vec::new(),
            read: 0,
            established: false,
            taken: false,
            end: None,
            last_alive: None,
            quiet_since: Instant::ZERO,
            pinged: None,
            suspended: false,
            unanswered_pings: 0,
            outputs: Vec::new(),
        };
        if role == Role::Server {
            model.established = true;
            model.outputs = vec![LinkOutput::Send(LinkMessage::Id(id)), LinkOutput::Established(id)];
        }
        model
    }

    fn id_length(&self) -> usize {
        if self.role == Role::Client { 4 } else { 0 }
    }

    fn has_early_data(&self) -> bool {
        self.received.len() > self.id_length()
    }

    fn unread(&self) -> &[u8] {
        self.received.get(self.id_length().max(self.read)..).unwrap_or_default()
    }

    fn expects_answers(&self) -> bool {
        self.peer == PeerGeneration::V2 && !self.suspended && !self.has_early_data()
    }

    fn pings(&self) -> bool {
        self.established
            && !self.taken
            && self.end.is_none()
            && self.config.keepalive.is_some()
            && (self.expects_answers() || self.unanswered_pings < self.config.max_v1_pings)
    }

    /// The time at which the link's timer may stand.
    fn timer(&self) -> Option<(Instant, Instant)> {
        if !self.established && self.end.is_none() {
            return Some((self.id_deadline, self.id_deadline));
        }
        let keepalive = self.config.keepalive.filter(|_| self.pings())?;
        if let Some(pinged) = self.pinged {
            let deadline = pinged + self.config.pong_timeout;
            return Some((deadline, deadline));
        }
        Some((self.quiet_since + keepalive * 9 / 10, self.quiet_since + keepalive))
    }

    pub(super) fn read(&mut self, count: usize) {
        self.read =
            self.read.max(self.id_length()).saturating_add(count).min(self.received.len().max(self.id_length()));
    }

    /// `due` is whether the link's own timer had come, which was checked to stand where it may.
    pub(super) fn happen(&mut self, now: Instant, event: Event, due: bool) {
        if self.end.is_some() {
            return;
        }
        match event {
            Event::Binary(bytes) => self.binary(now, &bytes),
            Event::Text => {
                self.alive(now);
                if self.peer == PeerGeneration::V1 {
                    self.close(Some(1003), CloseReason::Violation(Violation::Text));
                }
            }
            Event::Alive => self.alive(now),
            Event::Backpressure => self.suspend(now),
            Event::PeerClose(code) => {
                self.alive(now);
                let reason = CloseReason::PeerClosed(code);
                let clean = matches!(code, None | Some(1000 | 1001 | 1005));
                if clean && self.has_early_data() && !self.taken {
                    self.end = Some(reason);
                    self.outputs.push(LinkOutput::Retained(reason));
                } else {
                    self.close(None, reason);
                }
            }
            Event::End => self.close(None, CloseReason::TransportEnded),
            Event::Failure => self.close(None, CloseReason::TransportFailed),
            Event::Violation(Violation::Text) => self.close(Some(1003), CloseReason::Violation(Violation::Text)),
            Event::Violation(violation) => self.close(Some(1002), CloseReason::Violation(violation)),
            Event::Timeout if due => self.timeout(now),
            Event::Timeout => {}
            Event::Take => self.taken |= self.established,
            Event::Close(reason) => self.close(Some(1000), reason),
        }
    }

    fn binary(&mut self, now: Instant, bytes: &[u8]) {
        self.alive(now);
        let had_early_data = self.has_early_data();
        if !bytes.is_empty() {
            self.received.extend_from_slice(bytes);
            self.borders.push(self.received.len());
        }
        if let (false, Some(id)) = (self.established, self.received.first_chunk()) {
            self.established = true;
            self.id = ConnectionId::from_bytes(*id);
            self.quiet_since = now;
            self.outputs.push(LinkOutput::Established(self.id));
        }
        if self.has_early_data() && !had_early_data && !self.taken {
            self.outputs.push(LinkOutput::Claimed);
        }
    }

    fn alive(&mut self, now: Instant) {
        self.last_alive = Some(now);
        self.quiet_since = now;
        self.pinged = None;
    }

    fn suspend(&mut self, now: Instant) {
        if self.expects_answers() {
            self.quiet_since = now;
        }
        self.suspended = true;
        self.pinged = None;
    }

    fn timeout(&mut self, now: Instant) {
        if !self.established {
            self.close(None, CloseReason::HandshakeFailed);
        } else if self.pinged.is_some() {
            self.close(None, CloseReason::KeepaliveTimeout);
        } else {
            self.outputs.push(LinkOutput::Send(LinkMessage::Ping));
            self.quiet_since = now;
            if self.expects_answers() {
                self.pinged = Some(now);
            } else {
                self.unanswered_pings += 1;
            }
        }
    }

    fn close(&mut self, code: Option<u16>, reason: CloseReason) {
        self.outputs.extend(code.map(|code| LinkOutput::Send(LinkMessage::Close { code })));
        self.outputs.push(LinkOutput::Closed(reason));
        self.end = Some(reason);
    }

    /// Compares all that a link shows.
    pub(super) fn check(&self, link: &Link<Vec<u8>>) {
        assert_eq!(link.peer(), self.peer);
        assert_eq!(link.id(), self.established.then_some(self.id));
        assert_eq!(link.end(), self.end);
        assert_eq!(link.last_alive(), self.last_alive);
        self.check_timer(link.poll_timeout());

        let unread = self.unread();
        assert_eq!(link.buffered(), unread.len());
        match link.chunk() {
            None => assert_eq!(unread, []),
            Some(chunk) => assert!(!chunk.is_empty() && unread.starts_with(chunk), "{chunk:?} of {unread:?}"),
        }
        assert_eq!(link.accepts_input(), self.accepts_input());
    }

    fn check_timer(&self, timer: Option<Instant>) {
        let window = self.timer();
        assert_eq!(timer.is_some(), window.is_some(), "{timer:?} against {window:?}");
        if let (Some(timer), Some((earliest, latest))) = (timer, window) {
            assert!(earliest <= timer && timer <= latest, "{timer} is not in {earliest}..={latest}");
        }
    }

    fn accepts_input(&self) -> bool {
        let unread = self.unread().len();
        // What it costs to hold a message counts too.
        let start = self.received.len() - unread;
        let messages = self.borders.iter().filter(|border| **border > start).count();
        let cost = unread + messages * size_of::<Vec<u8>>();
        self.end.is_none() && (!self.established || self.taken || unread == 0 || cost < self.config.early_data_limit)
    }

    /// How long a peer that says nothing more can still be thought to be there; `None` if for ever.
    pub(super) fn patience(&self) -> Option<Duration> {
        let answers = self.established && !self.taken && self.end.is_none() && self.expects_answers();
        self.config.keepalive.filter(|_| answers).map(|keepalive| keepalive + self.config.pong_timeout)
    }
}
