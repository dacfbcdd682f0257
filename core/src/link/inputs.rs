//! What happens to a link and what is wanted of it, carried out as the table says.

use super::keepalive::Due;
use super::table::{Action, Input, Phase, decide};
use super::{Link, LinkMessage, LinkOutput};
use crate::{CloseReason, ConnectionId, Instant, Violation};

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
        match decide(self.phase, self.peer, input) {
            Action::CollectId => {
                let Some((id, used)) = self.id_step.collect(payload.as_ref()) else { return };
                self.establish(now, id);
                self.id_leftover = payload.as_ref().len().saturating_sub(used);
                if self.id_leftover > 0 {
                    self.stream.push(payload);
                    self.stream.consume(used);
                    self.carry_out(now, Action::Claim);
                }
            }
            action => {
                if matches!(action, Action::Claim | Action::Store) {
                    self.stream.push(payload);
                }
                self.carry_out(now, action);
            }
        }
    }

    /// A text message arrived, whole: a violation by a v1 peer, possibly a control word of a v2 peer.
    ///
    /// ```
    /// # use npws_core::{CloseReason, ConnectionId, Instant, Link, LinkConfig, PeerGeneration, Violation};
    /// # let (config, now, id) = (LinkConfig::default(), Instant::ZERO, ConnectionId::CONTROL);
    /// let mut link = Link::<Vec<u8>>::server(config, PeerGeneration::V1, 7, now, id);
    /// link.handle_text(now, "hello");
    /// assert_eq!(link.end(), Some(CloseReason::Violation(Violation::Text)));
    /// ```
    pub fn handle_text(&mut self, now: Instant, text: &str) {
        // No control word is known yet, so one text is as good as another.
        let _ = text;
        self.proof_of_life(now);
        self.apply(now, Input::Text);
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

    /// Reading stopped in the middle of a message, at a limit below the link's own. A pong may now sit behind bytes that
    /// nobody reads, so no answer is counted on any more.
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
        if self.id_deadline.is_some_and(|deadline| deadline <= now) {
            return self.apply(now, Input::Deadline);
        }
        match self.keepalive.timeout(now) {
            Due::Nothing => {}
            Due::Ping => self.send(LinkMessage::Ping),
            Due::GiveUp => self.apply(now, Input::Deadline),
        }
    }

    /// The local user has the connection now: no pings, no deadlines and no limit on early data any more.
    ///
    /// Without effect before the ID is known.
    ///
    /// ```
    /// # use npws_core::{ConnectionId, Instant, Link, LinkConfig, PeerGeneration};
    /// # let (config, now, id) = (LinkConfig::default(), Instant::ZERO, ConnectionId::CONTROL);
    /// let mut link = Link::<Vec<u8>>::server(config, PeerGeneration::V2, 7, now, id);
    /// link.take(now);
    /// assert_eq!(link.poll_timeout(), None);
    /// ```
    pub fn take(&mut self, now: Instant) {
        self.apply(now, Input::Take);
    }

    /// Closes the connection from this side, in good order, for `reason`.
    ///
    /// ```
    /// # use npws_core::{CloseReason, ConnectionId, Instant, Link, LinkConfig, LinkMessage, LinkOutput, PeerGeneration};
    /// # let (config, now, id) = (LinkConfig::default(), Instant::ZERO, ConnectionId::CONTROL);
    /// let mut link = Link::<Vec<u8>>::server(config, PeerGeneration::V2, 7, now, id);
    /// # while link.poll_output().is_some() {}
    /// link.close(now, CloseReason::Flushed);
    /// assert_eq!(link.poll_output(), Some(LinkOutput::Send(LinkMessage::Close { code: 1000 })));
    /// assert_eq!(link.poll_output(), Some(LinkOutput::Closed(CloseReason::Flushed)));
    /// ```
    pub fn close(&mut self, now: Instant, reason: CloseReason) {
        self.apply(now, Input::CloseHere(reason));
    }

    fn apply(&mut self, now: Instant, input: Input) {
        self.carry_out(now, decide(self.phase, self.peer, input));
    }

    fn carry_out(&mut self, now: Instant, action: Action) {
        match action {
            Action::Ignore | Action::CollectId | Action::Store => {}
            Action::Claim => {
                self.phase = Phase::Claimed;
                self.keepalive.suspend_deadline(now);
                self.outputs.push_back(LinkOutput::Claimed);
            }
            Action::Take => {
                self.phase = Phase::Taken;
                self.keepalive.stop();
            }
            Action::Retain(reason) => self.finish(reason, LinkOutput::Retained(reason)),
            Action::Finish(code, reason) => {
                if let Some(code) = code {
                    self.send(LinkMessage::Close { code });
                }
                self.finish(reason, LinkOutput::Closed(reason));
            }
        }
    }

    pub(super) fn establish(&mut self, now: Instant, id: ConnectionId) {
        self.phase = Phase::Idle;
        self.id = Some(id);
        self.id_deadline = None;
        self.keepalive.start(now);
        self.outputs.push_back(LinkOutput::Established(id));
    }

    fn finish(&mut self, reason: CloseReason, news: LinkOutput) {
        self.phase = Phase::Over;
        self.end = Some(reason);
        self.id_deadline = None;
        self.keepalive.stop();
        self.outputs.push_back(news);
    }

    pub(super) fn send(&mut self, message: LinkMessage) {
        self.outputs.push_back(LinkOutput::Send(message));
    }

    fn proof_of_life(&mut self, now: Instant) {
        if self.phase != Phase::Over {
            self.last_alive = self.last_alive.max(Some(now));
            self.keepalive.proof_of_life(now);
        }
    }
}
