//! When to ping a connection that nobody has taken yet, and when to give it up.

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
    jitter: Jitter,
}

/// What happens next if nothing arrives before.
#[derive(Debug, Clone, Copy)]
enum Next {
    Nothing,
    PingAt(Instant),
    GiveUpAt(Instant),
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
            jitter: Jitter::new(seed),
        }
    }

    /// Waits for the next silence, counted from now.
    pub(super) fn start(&mut self, now: Instant) {
        self.next = match self.silence {
            Some(silence) if self.answered || self.unanswered_left > 0 => {
                Next::PingAt(now + self.jitter.between(silence - silence / 10, silence))
            }
            _ => Next::Nothing,
        };
    }

    /// Something arrived: the silence is over, and so is the wait for a pong.
    pub(super) fn proof_of_life(&mut self, now: Instant) {
        if !matches!(self.next, Next::Nothing) {
            self.start(now);
        }
    }

    /// From now on a pong may sit behind data that nobody has read, so its absence proves nothing.
    pub(super) fn suspend_deadline(&mut self, now: Instant) {
        if core::mem::take(&mut self.answered) {
            self.proof_of_life(now);
        }
    }

    /// Neither pings nor deadlines any more.
    pub(super) fn stop(&mut self) {
        self.next = Next::Nothing;
    }

    pub(super) fn timeout(&mut self, now: Instant) -> Due {
        match self.next {
            Next::PingAt(at) if at <= now => {
                if self.answered {
                    self.next = Next::GiveUpAt(now + self.pong_timeout);
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

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        match self.next {
            Next::Nothing => None,
            Next::PingAt(at) | Next::GiveUpAt(at) => Some(at),
        }
    }
}
