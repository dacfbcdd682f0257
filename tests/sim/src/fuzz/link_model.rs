//! What a link has to do, written down as plainly as possible: one flag for every fact, all bytes kept.

mod ending;
mod keepalive;
mod observe;

use core::time::Duration;

use npws_core::{CloseReason, ConnectionId, ControlWord, Instant, LinkConfig, LinkMessage, LinkOutput};
use npws_core::{PeerGeneration, Role, Violation};

/// Everything that can happen to a link.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Event {
    Binary(Vec<u8>),
    Word(ControlWord),
    /// Any other text.
    Text,
    /// A ping or bytes of an unfinished message.
    Alive,
    Pong,
    Backpressure,
    PeerClose(Option<u16>),
    End,
    Failure,
    Violation(Violation),
    Timeout,
    Take,
    Announce,
    Finish,
    Drain,
    Probe,
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
    established_at: Instant,
    pub(super) taken: bool,
    /// Whether this side said so.
    announced: bool,
    /// Whether the peer has shown that it took it, by whatever means.
    claimed: bool,
    /// Whether it said so.
    claim_heard: bool,
    pub(super) fin_said: bool,
    fin_heard: bool,
    /// When the answer to `drain` is due, once that was said.
    drain_due: Option<Instant>,
    pub(super) end: Option<CloseReason>,
    last_alive: Option<Instant>,
    /// Since when nothing arrived and no ping was sent.
    quiet_since: Instant,
    /// Whether what arrives may have waited while this end slept.
    late: bool,
    /// When a ping was due at the latest, if that is not for the silence.
    ping_due: Option<Instant>,
    /// Since when the link waits for the answer to its ping.
    pinged: Option<Instant>,
    suspended: bool,
    unanswered_pings: u32,
    /// When the pings left that no pong has answered, as long as an answer would tell something.
    pings_under_way: Vec<Instant>,
    round_trip: Option<Duration>,
    pub(super) probed: bool,
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
            established_at: Instant::ZERO,
            taken: false,
            announced: false,
            claimed: false,
            claim_heard: false,
            fin_said: false,
            fin_heard: false,
            drain_due: None,
            end: None,
            last_alive: None,
            quiet_since: Instant::ZERO,
            late: false,
            ping_due: None,
            pinged: None,
            suspended: false,
            unanswered_pings: 0,
            pings_under_way: Vec::new(),
            round_trip: None,
            probed: false,
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

    fn expects_answers(&self) -> bool {
        self.peer == PeerGeneration::V2 && !self.suspended && !self.claimed
    }

    /// Whether nobody is known to have it.
    fn is_idle(&self) -> bool {
        self.established && !self.taken && !self.claimed && self.drain_due.is_none() && self.end.is_none()
    }

    fn pings(&self) -> bool {
        self.established
            && !self.taken
            && self.end.is_none()
            && self.drain_due.is_none()
            && self.config.keepalive.is_some()
            && (self.expects_answers() || self.unanswered_pings < self.config.max_v1_pings)
    }

    pub(super) fn read(&mut self, count: usize) {
        self.read =
            self.read.max(self.id_length()).saturating_add(count).min(self.received.len().max(self.id_length()));
    }

    /// `timer` is the link's own before, which was checked to stand where it may. `aged` is whether the
    /// link ended for its age: only the link knows where in its window that lies.
    pub(super) fn happen(&mut self, now: Instant, event: Event, timer: Option<Instant>, aged: bool) {
        if self.end.is_some() {
            return;
        }
        self.late = self.expects_answers() && timer.is_some_and(|timer| timer < now);
        let v2 = self.peer == PeerGeneration::V2;
        match event {
            Event::Binary(bytes) => self.binary(now, &bytes),
            Event::Word(word) if v2 => {
                self.alive(now);
                if self.established {
                    self.word(now, word);
                }
            }
            Event::Word(_) | Event::Text => {
                self.alive(now);
                if !v2 {
                    self.close(Some(1003), CloseReason::Violation(Violation::Text));
                }
            }
            Event::Alive => self.alive(now),
            Event::Pong => self.pong(now),
            Event::Backpressure => self.backpressure(now),
            Event::PeerClose(code) => self.peer_close(now, code),
            Event::End => self.lose(CloseReason::TransportEnded),
            Event::Failure => self.lose(CloseReason::TransportFailed),
            Event::Violation(Violation::Text) => self.close(Some(1003), CloseReason::Violation(Violation::Text)),
            Event::Violation(violation) => self.close(Some(1002), CloseReason::Violation(violation)),
            Event::Timeout if timer.is_some_and(|timer| timer <= now) => self.timeout(now, aged),
            Event::Timeout => {}
            Event::Take => self.take(),
            Event::Announce => self.announce(v2),
            Event::Finish => self.finish(v2),
            Event::Drain if v2 && self.is_idle() => {
                self.say(ControlWord::Drain);
                self.drain_due = Some(now + self.config.pong_timeout);
                self.stop();
            }
            Event::Probe if v2 && self.is_idle() && !self.suspended => {
                self.probed = true;
                if self.pinged.is_none() {
                    self.ping(now);
                }
            }
            Event::Drain | Event::Probe => {}
            Event::Close(reason) => {
                if v2 && self.established && !self.taken && self.drain_due.is_none() {
                    self.say(ControlWord::Drain);
                    self.forget();
                }
                self.close(Some(1000), reason);
            }
        }
    }

    fn binary(&mut self, now: Instant, bytes: &[u8]) {
        self.alive(now);
        if self.fin_heard && !bytes.is_empty() {
            return self.close(Some(1002), CloseReason::Violation(Violation::DataAfterFin));
        }
        if self.drain_due.is_some() {
            if !bytes.is_empty() {
                self.close(Some(1000), CloseReason::Drained);
            }
            return;
        }
        if !bytes.is_empty() {
            self.received.extend_from_slice(bytes);
            self.borders.push(self.received.len());
        }
        if let (false, Some(id)) = (self.established, self.received.first_chunk()) {
            self.established = true;
            self.established_at = now;
            self.id = ConnectionId::from_bytes(*id);
            self.quiet_since = now;
            self.outputs.push(LinkOutput::Established(self.id));
        }
        if self.received.len() > self.id_length() {
            self.claim(now);
        }
    }

    fn word(&mut self, now: Instant, word: ControlWord) {
        if self.drain_due.is_some() {
            return self.close(Some(1000), CloseReason::Drained);
        }
        match word {
            ControlWord::Claim if self.announced && !self.claimed => {
                self.close(Some(1013), CloseReason::ClaimsCrossed);
            }
            ControlWord::Claim if !self.claimed => {
                self.claim_heard = true;
                self.claim(now);
            }
            ControlWord::Fin => {
                self.fin_heard = true;
                self.claim(now);
                self.close_if_both_finished();
            }
            ControlWord::Drain if !self.claimed => self.close(Some(1000), CloseReason::PeerDrained),
            _ => {}
        }
    }

    fn claim(&mut self, now: Instant) {
        if !self.claimed && !self.taken {
            self.outputs.push(LinkOutput::Claimed);
            self.suspend(now);
        }
        self.claimed = true;
    }

    fn take(&mut self) {
        if self.drain_due.is_some() {
            return self.close(Some(1000), CloseReason::Drained);
        }
        if self.established && !self.taken {
            self.taken = true;
            self.stop();
        }
    }

    fn announce(&mut self, v2: bool) {
        let is_first = self.established && !self.taken && self.drain_due.is_none();
        if v2 && is_first {
            self.announced = true;
            self.say(ControlWord::Claim);
            if self.claim_heard {
                self.forget();
                return self.close(Some(1013), CloseReason::ClaimsCrossed);
            }
        }
        self.take();
    }

    fn finish(&mut self, v2: bool) {
        if v2 && self.taken && !self.fin_said {
            self.fin_said = true;
            self.say(ControlWord::Fin);
            self.close_if_both_finished();
        }
    }

    fn close_if_both_finished(&mut self) {
        if self.fin_said && self.fin_heard {
            self.close(Some(1000), CloseReason::Finished);
        }
    }

    /// The beginning of a message is data already.
    fn backpressure(&mut self, now: Instant) {
        if self.drain_due.is_some() {
            self.close(Some(1000), CloseReason::Drained);
        } else {
            self.suspend(now);
            if self.established && !self.taken {
                self.claim(now);
            }
        }
    }

    fn timeout(&mut self, now: Instant, aged: bool) {
        self.check_age(now, aged);
        if !self.established {
            self.close(None, CloseReason::HandshakeFailed);
        } else if self.drain_due.is_some() {
            self.close(Some(1000), CloseReason::Drained);
        } else if aged {
            self.say(ControlWord::Drain);
            self.close(Some(1000), CloseReason::IdleAge);
        } else if self.pinged.is_some() {
            self.close(None, CloseReason::KeepaliveTimeout);
        } else {
            self.ping(now);
        }
    }

    fn say(&mut self, word: ControlWord) {
        self.outputs.push(LinkOutput::Send(LinkMessage::Word(word)));
    }

    /// Nobody here will read what came.
    fn forget(&mut self) {
        self.read = self.received.len();
    }

    fn close(&mut self, code: Option<u16>, reason: CloseReason) {
        self.outputs.extend(code.map(|code| LinkOutput::Send(LinkMessage::Close { code })));
        self.outputs.push(LinkOutput::Closed(reason));
        self.end = Some(reason);
        self.stop();
    }
}
