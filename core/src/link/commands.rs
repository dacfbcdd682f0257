//! What is wanted of a link.

use super::Link;
use super::table::Input;
use crate::{CloseReason, Instant};

impl<B: AsRef<[u8]>> Link<B> {
    /// The local user has the connection now: no pings, no deadlines and no limit on early data any more. The peer is
    /// not told; who takes what the peer knows nothing of says so by [`announce`](Self::announce) instead.
    ///
    /// Without effect before the ID is known. After [`drain`](Self::drain) it is too late: the connection closes.
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

    /// Takes the connection, as [`take`](Self::take) does and in its place, and tells a v2 peer, whose `accept()` then
    /// yields it. Nothing may be written before. A v1 peer is not told.
    ///
    /// If both ends announce, both close for [`CloseReason::ClaimsCrossed`], and neither user has seen anything of the
    /// other's. It happens at once if the peer's `claim` is here already; who asks [`is_claimed`](Self::is_claimed) first
    /// can leave the connection to `accept()` and announce another.
    ///
    /// ```
    /// # use npws_core::{ConnectionId, ControlWord, Instant, Link, LinkConfig, LinkMessage, LinkOutput, PeerGeneration};
    /// # let (config, now, id) = (LinkConfig::default(), Instant::ZERO, ConnectionId::CONTROL);
    /// let mut link = Link::<Vec<u8>>::server(config, PeerGeneration::V2, 7, now, id);
    /// # while link.poll_output().is_some() {}
    /// link.announce(now);
    /// assert_eq!(link.poll_output(), Some(LinkOutput::Send(LinkMessage::Word(ControlWord::Claim))));
    /// ```
    pub fn announce(&mut self, now: Instant) {
        self.apply(now, Input::Announce);
    }

    /// The local user, who has the connection, will write no more, and all that it wrote has been handed to the
    /// WebSocket. Gives whether the peer knows: `false` towards v1, where only a close says so, and of a connection that
    /// was not taken. Once said it stays so.
    ///
    /// When both ends have finished, both close with 1000 for [`CloseReason::Finished`].
    ///
    /// ```
    /// # use npws_core::{ConnectionId, ControlWord, Instant, Link, LinkConfig, LinkMessage, LinkOutput, PeerGeneration};
    /// # let (config, now, id) = (LinkConfig::default(), Instant::ZERO, ConnectionId::CONTROL);
    /// let mut link = Link::server(config, PeerGeneration::V2, 7, now, id);
    /// link.take(now);
    /// # while link.poll_output().is_some() {}
    /// assert!(link.finish(now));
    /// assert_eq!(link.poll_output(), Some(LinkOutput::Send(LinkMessage::Word(ControlWord::Fin))));
    /// link.handle_binary(now, b"the answer");
    /// assert_eq!(link.chunk(), Some(&b"the answer"[..]));
    /// ```
    #[must_use = "towards v1 only a close says it"]
    pub fn finish(&mut self, now: Instant) -> bool {
        self.apply(now, Input::Finish);
        self.state.fin_sent
    }

    /// Asks a v2 peer to close the connection, which is idle and which no local user will get. It is over for
    /// [`CloseReason::Drained`] when the peer has closed it, when the peer's user turns out to have taken it at the same
    /// time, and when neither is heard of within [`pong_timeout`](crate::LinkConfig::pong_timeout).
    ///
    /// Without effect unless the connection is idle, and towards v1.
    ///
    /// ```
    /// # use npws_core::{CloseReason, ConnectionId, Instant, Link, LinkConfig, PeerGeneration};
    /// # let (config, now, id) = (LinkConfig::default(), Instant::ZERO, ConnectionId::CONTROL);
    /// let mut link = Link::<Vec<u8>>::server(config, PeerGeneration::V2, 7, now, id);
    /// link.drain(now);
    /// link.handle_close(now, Some(1000));
    /// assert_eq!(link.end(), Some(CloseReason::Drained));
    /// ```
    pub fn drain(&mut self, now: Instant) {
        self.apply(now, Input::Drain);
    }

    /// Pings an idle v2 connection at once, unless a ping is under way. Gives whether an answer can be counted on: then
    /// [`LinkOutput::Proved`](crate::LinkOutput::Proved) comes with the pong, or the connection is over once nothing at
    /// all has come for [`pong_timeout`](crate::LinkConfig::pong_timeout), unless it is taken or
    /// [`handle_backpressure`](Self::handle_backpressure) stops the wait. What else arrives may have been sent before.
    ///
    /// ```
    /// # use npws_core::{ConnectionId, Instant, Link, LinkConfig, LinkMessage, LinkOutput, PeerGeneration};
    /// # let (config, now, id) = (LinkConfig::default(), Instant::ZERO, ConnectionId::CONTROL);
    /// let mut link = Link::<Vec<u8>>::server(config, PeerGeneration::V2, 7, now, id);
    /// # while link.poll_output().is_some() {}
    /// assert!(link.probe(now));
    /// assert_eq!(link.poll_output(), Some(LinkOutput::Send(LinkMessage::Ping)));
    /// link.handle_pong(now);
    /// assert_eq!(link.poll_output(), Some(LinkOutput::Proved));
    /// ```
    #[must_use = "no answer will come if it is false"]
    pub fn probe(&mut self, now: Instant) -> bool {
        self.apply(now, Input::Probe);
        self.keepalive.is_probed()
    }

    /// Closes the connection from this side, in good order, for `reason`.
    ///
    /// If no local user has it, a v2 peer is told `drain` before: whoever takes it there at this moment learns that it
    /// was never served, and what has come of it is dropped here.
    ///
    /// ```
    /// # use npws_core::{CloseReason, ConnectionId, Instant, Link, LinkConfig, LinkMessage, LinkOutput, PeerGeneration};
    /// # let (config, now, id) = (LinkConfig::default(), Instant::ZERO, ConnectionId::CONTROL);
    /// let mut link = Link::<Vec<u8>>::server(config, PeerGeneration::V1, 7, now, id);
    /// # while link.poll_output().is_some() {}
    /// link.close(now, CloseReason::Flushed);
    /// assert_eq!(link.poll_output(), Some(LinkOutput::Send(LinkMessage::Close { code: 1000 })));
    /// assert_eq!(link.poll_output(), Some(LinkOutput::Closed(CloseReason::Flushed)));
    /// ```
    pub fn close(&mut self, now: Instant, reason: CloseReason) {
        self.apply(now, Input::CloseHere(reason));
    }
}
