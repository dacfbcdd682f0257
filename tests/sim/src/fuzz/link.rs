//! A link through any story at all, step by step beside the model.

use core::time::Duration;

use npws_core::{CloseReason, ConnectionId, ControlWord, Instant, Link, LinkConfig, LinkMessage, LinkOutput};
use npws_core::{PeerGeneration, Role, Violation};

use super::link_model::{Event, Model};
use super::reader::Reader;

/// Plays the story and returns everything that the link said.
pub(super) fn run(data: &[u8]) -> Vec<LinkOutput> {
    let mut reader = Reader::new(data);
    let mut play = Play::set_up(&mut reader);
    while let Some(step) = reader.byte() {
        play.step(step, &mut reader);
    }
    play.finish();
    play.outputs
}

struct Play {
    link: Link<Vec<u8>>,
    model: Model,
    config: LinkConfig,
    peer: PeerGeneration,
    now: Instant,
    outputs: Vec<LinkOutput>,
    /// Whether no message is handed in while the link does not accept input, as a good driver does it.
    obedient: bool,
    largest_message: usize,
    next_byte: u8,
}

impl Play {
    /// Five bytes: who is who and how old it may get, the silence before a ping, the pong's deadline and the number of
    /// pings, the limit of early data, the time for the ID.
    fn set_up(reader: &mut Reader<'_>) -> Self {
        let [who, silence, answer, limit, id_time] = core::array::from_fn(|_| reader.or_zero());
        let role = if who & 1 == 0 { Role::Client } else { Role::Server };
        let peer = if who & 2 == 0 { PeerGeneration::V1 } else { PeerGeneration::V2 };
        let config = LinkConfig {
            keepalive: (silence > 0).then(|| millis(silence)),
            pong_timeout: millis(answer >> 3) + Duration::from_millis(1),
            early_data_limit: usize::from(limit) * 4,
            max_v1_pings: u32::from(answer & 7),
            max_idle_age: (who >= 128).then(|| millis(who)),
        };
        let now = Instant::ZERO;
        let (id, id_deadline) = (ConnectionId::from_bytes([who; 4]), now + millis(id_time));
        let link = match role {
            Role::Client => Link::client(config.clone(), peer, who.into(), now, id_deadline),
            Role::Server => Link::server(config.clone(), peer, who.into(), now, id),
        };
        let model = Model::new(role, peer, config.clone(), id, id_deadline);
        let obedient = who & 4 == 0;
        let mut play =
            Self { link, model, config, peer, now, outputs: Vec::new(), obedient, largest_message: 0, next_byte: who };
        play.compare();
        play
    }

    /// One byte says what happens; some events take a second one that says how much. Endings share one code, so that
    /// most stories get somewhere before theirs.
    fn step(&mut self, step: u8, reader: &mut Reader<'_>) {
        match step % 16 {
            0..=3 => self.binary(length(reader.or_zero())),
            4 => self.happen(Event::Binary(Vec::new())),
            5 => self.wait(millis(reader.or_zero())),
            6 => self.wait_for_timer(),
            7 | 8 => self.happen(Event::Timeout),
            9 => self.happen(Event::Alive),
            10 => self.happen(Event::Pong),
            11 => self.read(length(reader.or_zero())),
            12 => self.happen(command(step / 16)),
            13 if self.peer == PeerGeneration::V2 || step >= 128 => self.happen(text(step / 16)),
            14 => self.happen(Event::Backpressure),
            15 => self.happen(ending(reader.or_zero())),
            _ => {}
        }
    }

    fn binary(&mut self, length: usize) {
        if self.obedient && !self.link.accepts_input() {
            return;
        }
        let payload: Vec<u8> = (0..length)
            .map(|_| {
                self.next_byte = self.next_byte.wrapping_add(1);
                self.next_byte
            })
            .collect();
        self.largest_message = self.largest_message.max(length);
        self.happen(Event::Binary(payload));
    }

    fn wait(&mut self, time: Duration) {
        self.now = self.now + time;
    }

    fn wait_for_timer(&mut self) {
        if let Some(timer) = self.link.poll_timeout() {
            self.now = self.now.max(timer);
        }
    }

    fn read(&mut self, count: usize) {
        self.link.consume(count);
        self.model.read(count);
        self.compare();
    }

    fn happen(&mut self, event: Event) {
        let (link, now) = (&mut self.link, self.now);
        let timer = link.poll_timeout();
        let (mut said, mut probed) = (None, None);
        let was_over = link.end().is_some();
        match event.clone() {
            Event::Binary(payload) => link.handle_binary(now, payload),
            Event::Word(word) => link.handle_text(now, word.as_str()),
            Event::Text => link.handle_text(now, "from a later version"),
            // Two inputs that mean the same, so it does not matter which one it is.
            Event::Alive if self.next_byte.is_multiple_of(2) => link.handle_ping(now),
            Event::Alive => link.handle_arrival(now),
            Event::Pong => link.handle_pong(now),
            Event::Backpressure => link.handle_backpressure(now),
            Event::PeerClose(code) => link.handle_close(now, code),
            Event::End => link.handle_end(now),
            Event::Failure => link.handle_failure(now),
            Event::Violation(violation) => link.handle_violation(now, violation),
            Event::Timeout => link.handle_timeout(now),
            Event::Take => link.take(now),
            Event::Announce => link.announce(now),
            Event::Finish => said = Some(link.finish(now)),
            Event::Drain => link.drain(now),
            Event::Probe => probed = Some(link.probe(now)),
            Event::Close(reason) => link.close(now, reason),
        }
        let aged = !was_over && link.end() == Some(CloseReason::IdleAge);
        self.model.happen(now, event.clone(), timer, aged);
        assert_eq!(said.unwrap_or(self.model.fin_said), self.model.fin_said);
        assert_eq!(probed.unwrap_or(self.model.probed), self.model.probed);
        self.compare();
        if event == Event::Timeout {
            assert!(self.link.poll_timeout().is_none_or(|timer| timer > now), "a timer that fired is due again");
        }
    }

    fn compare(&mut self) {
        self.outputs.extend(core::iter::from_fn(|| self.link.poll_output()));
        assert_eq!(self.outputs, self.model.outputs);
        self.model.check(self.now, &self.link);
        if self.obedient && !self.model.taken {
            // The ID step hands over what follows the ID without asking.
            let most = self.config.early_data_limit + self.largest_message;
            assert!(self.link.buffered() <= most, "more early data than allowed");
        }
    }

    /// Lets time run until nothing more comes of it, then reads the rest.
    fn finish(&mut self) {
        let (silent_since, patience) = (self.now, self.model.patience());
        for _ in 0..self.config.max_v1_pings + 3 {
            self.wait_for_timer();
            self.happen(Event::Timeout);
        }
        assert_eq!(self.link.poll_timeout(), None, "a link that hears nothing has a timer for ever");
        if let Some(patience) = patience {
            assert!(matches!(self.link.end(), Some(CloseReason::KeepaliveTimeout | CloseReason::IdleAge)));
            assert!(self.now - silent_since <= patience, "a dead peer was believed for too long");
        }
        self.read(usize::MAX);
        self.check_all();
    }

    /// What must hold of every story, whatever the model says.
    fn check_all(&self) {
        let count = |wanted: fn(&LinkOutput) -> bool| self.outputs.iter().filter(|output| wanted(output)).count();
        assert!(count(|output| matches!(output, LinkOutput::Established(_))) <= 1);
        assert!(count(|output| matches!(output, LinkOutput::Claimed)) <= 1);
        let endings = count(|output| matches!(output, LinkOutput::Closed(_) | LinkOutput::Retained(_)));
        assert_eq!(endings, usize::from(self.link.end().is_some()));
        let close =
            self.outputs.iter().position(|output| matches!(output, LinkOutput::Send(LinkMessage::Close { .. })));
        let is_said = |output: &LinkOutput| matches!(output, LinkOutput::Send(_));
        assert!(close.is_none_or(|close| !self.outputs.iter().skip(close + 1).any(is_said)), "said after the close");
        if self.peer == PeerGeneration::V1 {
            assert_eq!(count(|output| matches!(output, LinkOutput::Send(LinkMessage::Word(_)))), 0);
            assert_ne!(self.link.end(), Some(CloseReason::KeepaliveTimeout));
            let pings = count(|output| matches!(output, LinkOutput::Send(LinkMessage::Ping)));
            assert!(pings <= self.config.max_v1_pings as usize);
        }
        assert_eq!(self.link.chunk(), None);
    }
}

/// Units of 10 ms, so that a byte reaches a few seconds.
fn millis(byte: u8) -> Duration {
    Duration::from_millis(10 * u64::from(byte))
}

/// Mostly tiny, sometimes past any limit.
fn length(byte: u8) -> usize {
    match byte {
        0..=127 => usize::from(byte % 6),
        128..=239 => usize::from(byte - 128),
        240..=255 => usize::from(byte - 239) * 100,
    }
}

/// Of 16 numbers.
fn command(number: u8) -> Event {
    match number {
        0..=3 => Event::Take,
        4..=7 => Event::Announce,
        8..=10 => Event::Finish,
        11 | 12 => Event::Drain,
        _ => Event::Probe,
    }
}

/// Of 16 numbers; towards v1 only the upper ones come.
fn text(number: u8) -> Event {
    match number {
        0..=2 => Event::Text,
        3..=7 => Event::Word(ControlWord::Claim),
        8..=12 => Event::Word(ControlWord::Fin),
        13 | 14 => Event::Word(ControlWord::Drain),
        _ => Event::Text,
    }
}

fn ending(byte: u8) -> Event {
    match byte % 16 {
        0..=3 => Event::PeerClose(Some(1000)),
        4 => Event::PeerClose(Some(1001)),
        5 => Event::PeerClose(Some(1005)),
        6 => Event::PeerClose(None),
        7 => Event::PeerClose(Some(1000 + u16::from(byte))),
        8 => Event::End,
        9 => Event::Failure,
        10 => Event::Violation(Violation::Frame),
        11 => Event::Violation(if byte < 128 { Violation::Text } else { Violation::DataAfterFin }),
        12 => Event::Close(CloseReason::Flushed),
        13 => Event::Close(CloseReason::PoolClosed),
        14 => Event::Close(CloseReason::Replaced),
        _ => Event::Close(CloseReason::ClosedLocally),
    }
}
