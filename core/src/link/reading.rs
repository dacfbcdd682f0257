//! The byte stream that the peer sends, as its user reads it.

use super::Link;
use super::table::{Action, Input, Phase, decide};
use crate::CloseReason;

impl<B: AsRef<[u8]>> Link<B> {
    /// The next bytes of the stream, never empty; `None` if all that arrived has been read.
    ///
    /// ```
    /// # use npws_core::{ConnectionId, Instant, Link, LinkConfig, PeerGeneration};
    /// # let (config, now) = (LinkConfig::default(), Instant::ZERO);
    /// let mut link = Link::server(config, PeerGeneration::V1, 7, now, ConnectionId::CONTROL);
    /// link.handle_binary(now, b"abc");
    /// link.handle_binary(now, b"def");
    /// assert_eq!(link.chunk(), Some(&b"abc"[..]));
    /// link.consume(1);
    /// assert_eq!(link.chunk(), Some(&b"bc"[..]));
    /// ```
    #[must_use]
    pub fn chunk(&self) -> Option<&[u8]> {
        self.stream.chunk()
    }

    /// Takes the next `n` bytes out of the stream, or all if fewer are buffered. They may span chunks.
    ///
    /// ```
    /// # use npws_core::{ConnectionId, Instant, Link, LinkConfig, PeerGeneration};
    /// # let (config, now) = (LinkConfig::default(), Instant::ZERO);
    /// # let mut link = Link::server(config, PeerGeneration::V1, 7, now, ConnectionId::CONTROL);
    /// link.handle_binary(now, b"abc");
    /// link.handle_binary(now, b"def");
    /// link.consume(5);
    /// assert_eq!(link.chunk(), Some(&b"f"[..]));
    /// ```
    pub fn consume(&mut self, n: usize) {
        self.stream.consume(n);
    }

    /// How many bytes of the stream wait to be read.
    ///
    /// ```
    /// # use npws_core::{ConnectionId, Instant, Link, LinkConfig, PeerGeneration};
    /// # let (config, now) = (LinkConfig::default(), Instant::ZERO);
    /// # let mut link = Link::server(config, PeerGeneration::V1, 7, now, ConnectionId::CONTROL);
    /// link.handle_binary(now, b"abc");
    /// assert_eq!(link.buffered(), 3);
    /// ```
    #[must_use]
    pub fn buffered(&self) -> usize {
        self.stream.buffered()
    }

    /// What the bytes that wait to be read cost in memory, which is more than their number when they came in small
    /// messages.
    ///
    /// ```
    /// # use npws_core::{ConnectionId, Instant, Link, LinkConfig, PeerGeneration};
    /// # let (config, now) = (LinkConfig::default(), Instant::ZERO);
    /// let mut link = Link::server(config, PeerGeneration::V1, 7, now, ConnectionId::CONTROL);
    /// link.handle_binary(now, b"abc");
    /// assert!(link.cost() > link.buffered());
    /// ```
    #[must_use]
    pub fn cost(&self) -> usize {
        self.stream.cost()
    }

    /// Whether to go on reading from the peer: not while its early data fills the limit, and not once the link is over.
    ///
    /// What has been read all the same may be handed in; nothing is lost.
    ///
    /// ```
    /// # use npws_core::{ConnectionId, Instant, Link, LinkConfig, PeerGeneration};
    /// # let now = Instant::ZERO;
    /// let config = LinkConfig { early_data_limit: 1000, ..LinkConfig::default() };
    /// let mut link = Link::server(config, PeerGeneration::V1, 7, now, ConnectionId::CONTROL);
    /// assert!(link.accepts_input());
    /// link.handle_binary(now, vec![0; 1000]);
    /// assert!(!link.accepts_input());
    /// link.take(now);
    /// assert!(link.accepts_input());
    /// ```
    #[must_use]
    pub fn accepts_input(&self) -> bool {
        match self.state.phase {
            Phase::Claimed => self.stream.buffered() == 0 || self.stream.cost() < self.early_data_limit,
            Phase::Over => false,
            _ => true,
        }
    }

    /// Whether data that arrives now would do no more than lengthen the stream, and nothing waits to be read before it.
    /// Its user may then be given it without this link, which needs only [`handle_arrival`](Self::handle_arrival).
    ///
    /// ```
    /// # use npws_core::{ConnectionId, Instant, Link, LinkConfig, PeerGeneration};
    /// # let (config, now) = (LinkConfig::default(), Instant::ZERO);
    /// let mut link = Link::server(config, PeerGeneration::V1, 7, now, ConnectionId::CONTROL);
    /// link.take(now);
    /// assert!(!link.is_streaming(), "the first data says that the peer has it as well");
    /// link.handle_binary(now, b"abc");
    /// link.consume(3);
    /// assert!(link.is_streaming());
    /// ```
    #[must_use]
    pub fn is_streaming(&self) -> bool {
        let has_no_effect = decide(self.state, Input::Data) == Action::Enter(self.state.phase);
        self.state.phase == Phase::Shared && has_no_effect && self.stream.buffered() == 0
    }

    /// Why the stream is over, once it is. What is still buffered came before that.
    ///
    /// ```
    /// # use npws_core::{CloseReason, ConnectionId, Instant, Link, LinkConfig, PeerGeneration};
    /// # let (config, now) = (LinkConfig::default(), Instant::ZERO);
    /// # let mut link = Link::server(config, PeerGeneration::V1, 7, now, ConnectionId::CONTROL);
    /// link.handle_binary(now, b"last words");
    /// link.handle_close(now, Some(1000));
    /// assert_eq!(link.end(), Some(CloseReason::PeerClosed(Some(1000))));
    /// assert_eq!(link.chunk(), Some(&b"last words"[..]));
    /// ```
    #[must_use]
    pub fn end(&self) -> Option<CloseReason> {
        self.end
    }

    /// Whether the peer has said that it sends no more: the stream ends after what is buffered, while this side may go
    /// on writing. [`end`](Self::end) is another matter: it ends both directions.
    ///
    /// ```
    /// # use npws_core::{ConnectionId, Instant, Link, LinkConfig, PeerGeneration};
    /// # let (config, now) = (LinkConfig::default(), Instant::ZERO);
    /// # let mut link = Link::server(config, PeerGeneration::V2, 7, now, ConnectionId::CONTROL);
    /// link.handle_binary(now, b"the question");
    /// link.handle_text(now, "fin");
    /// assert_eq!(link.chunk(), Some(&b"the question"[..]));
    /// assert!(link.is_finished_by_peer());
    /// assert_eq!(link.end(), None);
    /// ```
    #[must_use]
    pub fn is_finished_by_peer(&self) -> bool {
        self.state.fin_received
    }
}
