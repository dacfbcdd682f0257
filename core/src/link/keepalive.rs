//! When to ping a connection that nobody has taken yet, when to give it up, and how long its answers took.

use core::time::Duration;

use super::LinkConfig;
use crate::random::Jitter;
use crate::{Instant, PeerGeneration};

/// The timer of one connection, from the end of the ID step until it is taken or over.
#[derive(Debug, Clone)]
pub(super) struct Keepalive {
    silence: Option<Duration>,
    pong_timeout: Duration,
    /// Whether an answer can be counted on: the peer promised to read, and nothing stands before its pong.
    answered: bool,
    /// How many pings may still be sent without counting on an answer.
    unanswered_left: u32,
    next: Next,
    /// Whether somebody waits for the next pong.
    probed: bool,
    unanswered: Unanswered,
    round_trip: Option<Duration>,
    jitter: Jitter,
}

/// What happens next if nothing arrives before.
#[derive(Debug, Clone, Copy)]
enum Next {
    Nothing,
    PingAt(Instant),
    GiveUpAt(Instant),
}

/// The pings whose answer can be counted on and has not come.
#[derive(Debug, Clone, Copy)]
enum Unanswered {
    None,
    One(Instant),
    /// Nobody can tell to which of them a pong belongs.
    Several,
}

/// What a timeout asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Due {
    Nothing,
    Ping,
    GiveUp,
}

impl Keepalive {
    pub(super) fn new(config: &LinkConfig, peer: PeerGeneration, seed: u64) -> Self {
        Self {
            silence: config.keepalive,
            pong_timeout: config.pong_timeout,
            answered: peer == PeerGeneration::V2,
            unanswered_left: config.max_v1_pings,
            next: Next::Nothing,
            probed: false,
            unanswered: Unanswered::None,
            round_trip: None,
            jitter: Jitter::new(seed),
        }
    }

    /// A time drawn from 90 to 100 % of `whole`.
    pub(super) fn jittered(&mut self, whole: Duration) -> Duration {
        self.jitter.between(whole - whole / 10, whole)
    }

    /// When an answer to what is sent now must have come.
    pub(super) fn answer_deadline(&self, now: Instant) -> Instant {
        now + self.pong_timeout
    }

    /// Waits for the next silence, counted from now.
    pub(super) fn start(&mut self, now: Instant) {
        self.next = match self.silence {
            Some(silence) if self.answered || self.unanswered_left > 0 => Next::PingAt(now + self.jittered(silence)),
            _ => Next::Nothing,
        };
    }

    /// Whether an answer can be counted on.
    pub(super) fn expects_answers(&self) -> bool {
        self.answered
    }

    /// How long after its last sign of life a peer whose answers can be counted on is given up at the latest.
    pub(super) fn longest_silence(&self) -> Duration {
        self.silence.map_or(Duration::MAX, |silence| silence.saturating_add(self.pong_timeout))
    }

    /// Something arrived: the silence is over, and so is the wait for a pong, unless a probe waits for it.
    pub(super) fn arrival(&mut self, now: Instant) {
        match self.next {
            Next::Nothing => {}
            // A pong may be behind it.
            Next::GiveUpAt(_) if self.probed => self.next = Next::GiveUpAt(self.answer_deadline(now)),
            Next::PingAt(_) | Next::GiveUpAt(_) => self.start(now),
        }
    }

    /// Something was read after the timer was due, so nobody knows since when it has waited: the peer is to be asked again.
    pub(super) fn late_arrival(&mut self) {
        if let Next::GiveUpAt(due) = self.next {
            self.next = Next::PingAt(due);
        }
    }

    /// A pong arrived. Gives whether it answers a probe, and how long the answer took, if that is known.
    pub(super) fn pong(&mut self, now: Instant) -> (bool, Option<Duration>) {
        let is_probed = core::mem::take(&mut self.probed);
        self.arrival(now);
        let Unanswered::One(sent) = core::mem::replace(&mut self.unanswered, Unanswered::None) else {
            return (is_probed, None);
        };
        self.round_trip = Some(now - sent);
        (is_probed, self.round_trip)
    }

    /// A pong was read after the timer was due: it proves nothing, and its time tells nothing.
    pub(super) fn late_pong(&mut self) {
        self.unanswered = Unanswered::None;
    }

    pub(super) fn round_trip(&self) -> Option<Duration> {
        self.round_trip
    }

    /// Wants a pong now. Gives whether to ping for it: not if a ping is under way already, nor if an answer
    /// cannot be counted on.
    pub(super) fn probe(&mut self, now: Instant) -> bool {
        self.probed = self.answered;
        let must_ping = self.answered && !matches!(self.next, Next::GiveUpAt(_));
        if must_ping {
            self.ping(now);
        }
        must_ping
    }

    /// Whether the next thing to happen is the answer to a probe, or its absence.
    pub(super) fn is_probed(&self) -> bool {
        self.probed
    }

    /// From now on a pong may sit behind data that nobody has read, so its absence proves nothing, nor does its time.
    pub(super) fn suspend_deadline(&mut self, now: Instant) {
        if core::mem::take(&mut self.answered) {
            self.probed = false;
            self.unanswered = Unanswered::None;
            if !matches!(self.next, Next::Nothing) {
                self.start(now);
            }
        }
    }

    /// Neither pings nor deadlines any more.
    pub(super) fn stop(&mut self) {
        self.next = Next::Nothing;
        self.probed = false;
        self.unanswered = Unanswered::None;
    }

    pub(super) fn timeout(&mut self, now: Instant) -> Due {
        match self.next {
            Next::PingAt(at) if at <= now => {
                if self.answered {
                    self.ping(now);
                } else {
                    self.unanswered_left = self.unanswered_left.saturating_sub(1);
                    self.start(now);
                }
                Due::Ping
            }
            Next::GiveUpAt(at) if at <= now => Due::GiveUp,
            _ => Due::Nothing,
        }
    }

    /// A ping leaves whose answer can be counted on.
    fn ping(&mut self, now: Instant) {
        mutation!(PongDeadlineNotArmed => return self.start(now));
        self.next = Next::GiveUpAt(self.answer_deadline(now));
        self.unanswered = match self.unanswered {
            Unanswered::None => Unanswered::One(now),
            Unanswered::One(_) | Unanswered::Several => Unanswered::Several,
        };
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        match self.next {
            Next::Nothing => None,
            Next::PingAt(at) | Next::GiveUpAt(at) => Some(at),
        }
    }
}
