//! What happens to a link.

use super::keepalive::Due;
use super::table::{Action, Input, Phase, decide};
use super::{ControlWord, Link, LinkMessage, LinkOutput};
use crate::{Instant, Violation};

impl<B: AsRef<[u8]>> Link<B> {
    /// A binary message arrived, whole.
    ///
    /// ```
    /// # use npws_core::{ConnectionId, Instant, Link, LinkConfig, LinkOutput, PeerGeneration};
    /// # let (config, now) = (LinkConfig::default(), Instant::ZERO);
    /// let mut link = Link::client(config, PeerGeneration::V1, 7, now, now);
    /// link.handle_binary(now, vec![0, 0, 0, 0]);
    /// assert_eq!(link.poll_output(), Some(LinkOutput::Established(ConnectionId::CONTROL)));
    /// ```
    pub fn handle_binary(&mut self, now: Instant, payload: B) {
        self.proof_of_life(now);
        let input = if payload.as_ref().is_empty() { Input::EmptyData } else { Input::Data };
        match decide(self.state, input) {
            Action::CollectId => {
                let Some((id, used)) = self.id_step.collect(payload.as_ref()) else { return };
                self.establish(now, id);
                self.id_leftover = payload.as_ref().len().saturating_sub(used);
                mutation!(EarlyDataDropped => return);
                if self.id_leftover > 0 {
                    self.stream.push(payload);
                    self.stream.consume(used);
                    self.enter(now, Phase::Claimed);
                }
            }
            action => {
                if matches!(action, Action::Enter(_)) {
                    self.stream.push(payload);
                }
                self.carry_out(now, action);
            }
        }
    }

    /// A text message arrived, whole: a violation by a v1 peer, a control word of a v2 peer or else nothing.
    ///
    /// ```
    /// # use npws_core::{CloseReason, ConnectionId, Instant, Link, LinkConfig, PeerGeneration, Violation};
    /// # let (config, now, id) = (LinkConfig::default(), Instant::ZERO, ConnectionId::CONTROL);
    /// let mut link = Link::<Vec<u8>>::server(config, PeerGeneration::V1, 7, now, id);
    /// link.handle_text(now, "hello");
    /// assert_eq!(link.end(), Some(CloseReason::Violation(Violation::Text)));
    /// ```
    pub fn handle_text(&mut self, now: Instant, text: &str) {
        self.proof_of_life(now);
        let input = ControlWord::from_text(text).map_or(Input::Text, Input::Word);
        let action = decide(self.state, input);
        if matches!(action, Action::Enter(_)) {
            self.state.claim_received |= input == Input::Word(ControlWord::Claim);
            self.state.fin_received |= input == Input::Word(ControlWord::Fin);
        }
        self.carry_out(now, action);
    }

    /// A ping arrived. To answer it is the WebSocket library's work.
    ///
    /// ```
    /// # use npws_core::{ConnectionId, Instant, Link, LinkConfig, PeerGeneration};
    /// # let (config, now, id) = (LinkConfig::default(), Instant::ZERO, ConnectionId::CONTROL);
    /// let mut link = Link::<Vec<u8>>::server(config, PeerGeneration::V1, 7, now, id);
    /// link.handle_ping(now);
    /// assert_eq!(link.last_alive(), Some(now));
    /// ```
    pub fn handle_ping(&mut self, now: Instant) {
        self.proof_of_life(now);
    }

    /// A pong arrived, whether to one of our pings or not.
    ///
    /// ```
    /// # use npws_core::{ConnectionId, Instant, Link, LinkConfig, PeerGeneration};
    /// # let (config, now, id) = (LinkConfig::default(), Instant::ZERO, ConnectionId::CONTROL);
    /// let mut link = Link::<Vec<u8>>::server(config, PeerGeneration::V2, 7, now, id);
    /// link.handle_pong(now);
    /// assert_eq!(link.last_alive(), Some(now));
    /// ```
    pub fn handle_pong(&mut self, now: Instant) {
        self.proof_of_life(now);
        if self.is_late(now) {
            return self.keepalive.late_pong();
        }
        let (is_probed, round_trip) = self.keepalive.pong(now);
        if is_probed {
            self.outputs.push_back(LinkOutput::Proved);
        }
        if let Some(round_trip) = round_trip {
            self.outputs.push_back(LinkOutput::RoundTrip(round_trip));
        }
    }

    /// Bytes arrived that may not make up a whole message yet: a peer in the middle of a large message is alive.
    ///
    /// ```
    /// # use npws_core::{ConnectionId, Instant, Link, LinkConfig, PeerGeneration};
    /// # let (config, now, id) = (LinkConfig::default(), Instant::ZERO, ConnectionId::CONTROL);
    /// let mut link = Link::<Vec<u8>>::server(config, PeerGeneration::V2, 7, now, id);
    /// link.handle_arrival(now);
    /// assert_eq!(link.last_alive(), Some(now));
    /// ```
    pub fn handle_arrival(&mut self, now: Instant) {
        self.proof_of_life(now);
    }

    /// Reading stopped in the middle of a message, at a limit below the link's own. That is data: the peer has taken the
    /// connection. A pong may now sit behind bytes that nobody reads, so no answer is counted on any more.
    ///
    /// It is not needed when [`accepts_input`](Self::accepts_input) turns false: the link knows that itself.
    ///
    /// ```
    /// # use npws_core::{ConnectionId, Instant, Link, LinkConfig, PeerGeneration};
    /// # let (config, now, id) = (LinkConfig::default(), Instant::ZERO, ConnectionId::CONTROL);
    /// let mut link = Link::<Vec<u8>>::server(config, PeerGeneration::V2, 7, now, id);
    /// link.handle_backpressure(now);
    /// for _ in 0..10 {
    ///     let now = link.poll_timeout().expect("pings go on");
    ///     link.handle_timeout(now);
    /// }
    /// assert_eq!(link.end(), None);
    /// ```
    pub fn handle_backpressure(&mut self, now: Instant) {
        self.keepalive.suspend_deadline(now);
        self.apply(now, Input::Backpressure);
    }

    /// A close frame arrived, with this code if it named one. To answer it is the WebSocket library's work.
    ///
    /// ```
    /// # use npws_core::{CloseReason, ConnectionId, Instant, Link, LinkConfig, PeerGeneration};
    /// # let (config, now, id) = (LinkConfig::default(), Instant::ZERO, ConnectionId::CONTROL);
    /// let mut link = Link::<Vec<u8>>::server(config, PeerGeneration::V1, 7, now, id);
    /// link.handle_close(now, None);
    /// assert_eq!(link.end(), Some(CloseReason::PeerClosed(None)));
    /// ```
    pub fn handle_close(&mut self, now: Instant, code: Option<u16>) {
        self.proof_of_life(now);
        self.apply(now, Input::Close(code));
    }

    /// The transport ended without a close frame.
    ///
    /// ```
    /// # use npws_core::{CloseReason, ConnectionId, Instant, Link, LinkConfig, PeerGeneration};
    /// # let (config, now, id) = (LinkConfig::default(), Instant::ZERO, ConnectionId::CONTROL);
    /// let mut link = Link::<Vec<u8>>::server(config, PeerGeneration::V1, 7, now, id);
    /// link.handle_end(now);
    /// assert_eq!(link.end(), Some(CloseReason::TransportEnded));
    /// ```
    pub fn handle_end(&mut self, now: Instant) {
        self.apply(now, Input::End);
    }

    /// The transport failed.
    ///
    /// ```
    /// # use npws_core::{CloseReason, ConnectionId, Instant, Link, LinkConfig, PeerGeneration};
    /// # let (config, now, id) = (LinkConfig::default(), Instant::ZERO, ConnectionId::CONTROL);
    /// let mut link = Link::<Vec<u8>>::server(config, PeerGeneration::V1, 7, now, id);
    /// link.handle_failure(now);
    /// assert_eq!(link.end(), Some(CloseReason::TransportFailed));
    /// ```
    pub fn handle_failure(&mut self, now: Instant) {
        self.apply(now, Input::Failure);
    }

    /// The WebSocket library refused what the peer sent.
    ///
    /// ```
    /// # use npws_core::{CloseReason, ConnectionId, Instant, Link, LinkConfig, PeerGeneration, Violation};
    /// # let (config, now, id) = (LinkConfig::default(), Instant::ZERO, ConnectionId::CONTROL);
    /// let mut link = Link::<Vec<u8>>::server(config, PeerGeneration::V1, 7, now, id);
    /// link.handle_violation(now, Violation::Frame);
    /// assert_eq!(link.end(), Some(CloseReason::Violation(Violation::Frame)));
    /// ```
    pub fn handle_violation(&mut self, now: Instant, violation: Violation) {
        self.apply(now, Input::Violation(violation));
    }

    /// It is `now`. Too early is harmless. Hand in first what has arrived: a pong that waits to be read is in time.
    ///
    /// ```
    /// # use npws_core::{ConnectionId, Instant, Link, LinkConfig, LinkMessage, LinkOutput, PeerGeneration};
    /// # let (config, now, id) = (LinkConfig::default(), Instant::ZERO, ConnectionId::CONTROL);
    /// let mut link = Link::<Vec<u8>>::server(config, PeerGeneration::V2, 7, now, id);
    /// # while link.poll_output().is_some() {}
    /// let now = link.poll_timeout().expect("a ping is to be sent");
    /// link.handle_timeout(now);
    /// assert_eq!(link.poll_output(), Some(LinkOutput::Send(LinkMessage::Ping)));
    /// ```
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.deadline.is_some_and(|deadline| deadline <= now) {
            return self.apply(now, Input::Deadline);
        }
        match self.keepalive.timeout(now) {
            Due::Nothing => {}
            Due::Ping => self.send(LinkMessage::Ping),
            Due::GiveUp => self.apply(now, Input::Silence),
        }
    }

    fn proof_of_life(&mut self, now: Instant) {
        if self.state.phase == Phase::Over {
            return;
        }
        if self.is_late(now) {
            return self.keepalive.late_arrival();
        }
        self.last_alive = self.last_alive.max(Some(now));
        self.keepalive.arrival(now);
    }

    /// Whether the timer was due and nobody came: this end slept, and what it reads now may have arrived long ago, from a
    /// peer that is gone.
    fn is_late(&self, now: Instant) -> bool {
        self.keepalive.expects_answers() && self.poll_timeout().is_some_and(|due| due < now)
    }
}
