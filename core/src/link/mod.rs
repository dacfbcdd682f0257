//! One connection as a machine over WebSocket messages.
//!
//! Frames, masks and UTF-8 are somebody else's work; everything above them is decided here: the ID step, early data and
//! its limit, keep-alive, control words, close, and what all of it means in the phase that the connection is in. The
//! phases and what every input does in each of them are one table, in `table.rs`; `carry_out.rs` does what it says.

mod carry_out;
mod commands;
mod config;
mod id_step;
mod inputs;
mod keepalive;
mod message;
mod reading;
mod stream;
mod table;
#[cfg(test)]
mod tests;
mod word;

use alloc::collections::VecDeque;
use core::fmt;
use core::time::Duration;

pub use self::config::LinkConfig;
use self::id_step::IdStep;
use self::keepalive::Keepalive;
pub use self::message::{LinkMessage, LinkOutput};
use self::stream::Stream;
use self::table::{Phase, State};
pub use self::word::ControlWord;
use crate::{CloseReason, ConnectionId, Instant, PeerGeneration};

/// One connection, from the end of its HTTP upgrade to its close.
///
/// It does nothing by itself: hand in what happens (`handle_*`) and what is wanted ([`take`](Self::take),
/// [`announce`](Self::announce), [`close`](Self::close) and so on), then carry out all that [`poll_output`](Self::poll_output) gives, and call
/// [`handle_timeout`](Self::handle_timeout) when [`poll_timeout`](Self::poll_timeout) says so. `B` is a payload: cheap
/// to move, kept until it has been read.
///
/// What the peer sends never panics, and once the link is over only reading has an effect.
///
/// ```
/// use core::time::Duration;
/// use npws_core::{ConnectionId, Instant, Link, LinkConfig, LinkMessage, LinkOutput, PeerGeneration};
///
/// let now = Instant::ZERO;
/// let id = ConnectionId::from_bytes([1, 2, 3, 4]);
/// let mut server = Link::<Vec<u8>>::server(LinkConfig::default(), PeerGeneration::V2, 1, now, id);
/// assert_eq!(server.poll_output(), Some(LinkOutput::Send(LinkMessage::Id(id))));
/// assert_eq!(server.poll_output(), Some(LinkOutput::Established(id)));
///
/// let deadline = now + Duration::from_secs(10);
/// let mut client = Link::client(LinkConfig::default(), PeerGeneration::V2, 2, now, deadline);
/// client.handle_binary(now, vec![1, 2]);
/// client.handle_binary(now, vec![3, 4, b'h', b'i']);
/// assert_eq!(client.poll_output(), Some(LinkOutput::Established(id)));
/// assert_eq!(client.poll_output(), Some(LinkOutput::Claimed));
/// assert_eq!(client.chunk(), Some(&b"hi"[..]));
/// ```
#[cfg_attr(test, derive(Clone))]
pub struct Link<B> {
    state: State,
    /// When the phase ends by itself, if it does.
    deadline: Option<Instant>,
    id: Option<ConnectionId>,
    id_step: IdStep,
    id_leftover: usize,
    keepalive: Keepalive,
    early_data_limit: usize,
    /// `None` towards v1.
    max_idle_age: Option<Duration>,
    begun: Instant,
    last_alive: Option<Instant>,
    stream: Stream<B>,
    end: Option<CloseReason>,
    outputs: VecDeque<LinkOutput>,
}

impl<B: AsRef<[u8]>> Link<B> {
    /// The dialing end, just upgraded. The whole ID must have come by `deadline`.
    ///
    /// `seed` feeds the jitter of the timers only.
    ///
    /// ```
    /// # use core::time::Duration;
    /// # use npws_core::{CloseReason, Instant, Link, LinkConfig, LinkOutput, PeerGeneration};
    /// let deadline = Instant::ZERO + Duration::from_secs(10);
    /// let mut link = Link::<Vec<u8>>::client(LinkConfig::default(), PeerGeneration::V1, 7, Instant::ZERO, deadline);
    /// assert_eq!(link.poll_timeout(), Some(deadline));
    /// link.handle_timeout(deadline);
    /// assert_eq!(link.poll_output(), Some(LinkOutput::Closed(CloseReason::HandshakeFailed)));
    /// ```
    #[must_use]
    pub fn client(config: LinkConfig, peer: PeerGeneration, seed: u64, now: Instant, deadline: Instant) -> Self {
        // A deadline that has passed already is due now: timers never lie in the past.
        Self { deadline: Some(deadline.max(now)), ..Self::new(&config, peer, seed, now) }
    }

    /// The accepting end, just upgraded, which names the connection `id`.
    ///
    /// ```
    /// # use npws_core::{ConnectionId, Instant, Link, LinkConfig, LinkMessage, LinkOutput, PeerGeneration};
    /// let id = ConnectionId::CONTROL;
    /// let mut link = Link::<Vec<u8>>::server(LinkConfig::default(), PeerGeneration::V1, 7, Instant::ZERO, id);
    /// assert_eq!(link.poll_output(), Some(LinkOutput::Send(LinkMessage::Id(id))));
    /// assert_eq!(link.poll_output(), Some(LinkOutput::Established(id)));
    /// assert_eq!(link.poll_output(), None);
    /// ```
    #[must_use]
    pub fn server(config: LinkConfig, peer: PeerGeneration, seed: u64, now: Instant, id: ConnectionId) -> Self {
        let mut link = Self::new(&config, peer, seed, now);
        link.send(LinkMessage::Id(id));
        link.establish(now, id);
        link
    }

    fn new(config: &LinkConfig, peer: PeerGeneration, seed: u64, now: Instant) -> Self {
        Self {
            state: State {
                peer,
                phase: Phase::AwaitingId,
                claim_received: false,
                fin_sent: false,
                fin_received: false,
            },
            deadline: None,
            id: None,
            id_step: IdStep::default(),
            id_leftover: 0,
            keepalive: Keepalive::new(config, peer, seed),
            early_data_limit: config.early_data_limit,
            max_idle_age: config.max_idle_age.filter(|_| peer == PeerGeneration::V2),
            begun: now,
            last_alive: None,
            stream: Stream::new(),
            end: None,
            outputs: VecDeque::new(),
        }
    }

    /// The next thing to carry out. Drain it after every call that takes `&mut self`.
    ///
    /// ```
    /// # use npws_core::{CloseReason, ConnectionId, Instant, Link, LinkConfig, LinkMessage, LinkOutput, PeerGeneration};
    /// # let now = Instant::ZERO;
    /// # let mut link =
    /// #     Link::<Vec<u8>>::server(LinkConfig::default(), PeerGeneration::V1, 7, now, ConnectionId::CONTROL);
    /// while let Some(output) = link.poll_output() {
    ///     match output {
    ///         LinkOutput::Send(message) => println!("to the peer: {message:?}"),
    ///         news => println!("to the pool: {news:?}"),
    ///     }
    /// }
    /// ```
    #[must_use]
    pub fn poll_output(&mut self) -> Option<LinkOutput> {
        self.outputs.pop_front()
    }

    /// When to call [`handle_timeout`](Self::handle_timeout) at the latest. It may change with every input.
    ///
    /// ```
    /// # use core::time::Duration;
    /// # use npws_core::{ConnectionId, Instant, Link, LinkConfig, PeerGeneration};
    /// let config = LinkConfig { keepalive: Some(Duration::from_secs(30)), ..LinkConfig::default() };
    /// let link = Link::<Vec<u8>>::server(config, PeerGeneration::V1, 7, Instant::ZERO, ConnectionId::CONTROL);
    /// let ping = link.poll_timeout().expect("a ping is to be sent");
    /// assert!((27..=30).contains(&ping.since_epoch().as_secs()));
    /// ```
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        [self.deadline, self.keepalive.poll_timeout()].into_iter().flatten().min()
    }

    /// When the peer last proved that it is there, since this link began.
    ///
    /// What a v2 peer sent to an idle connection proves nothing if it is read after a timer was due: it may have waited
    /// since before the peer went.
    ///
    /// ```
    /// # use npws_core::{ConnectionId, Instant, Link, LinkConfig, PeerGeneration};
    /// # let (config, now) = (LinkConfig::default(), Instant::ZERO);
    /// # let mut link = Link::<Vec<u8>>::server(config, PeerGeneration::V2, 7, now, ConnectionId::CONTROL);
    /// assert_eq!(link.last_alive(), None);
    /// link.handle_pong(now);
    /// assert_eq!(link.last_alive(), Some(now));
    /// ```
    #[must_use]
    pub fn last_alive(&self) -> Option<Instant> {
        self.last_alive
    }

    /// Whether a v2 peer has proved nothing for longer than `max`, or for so long that it would have been given up if
    /// this end had not slept; [`probe`](Self::probe) asks it to. A v1 peer need not prove anything and is never stale.
    ///
    /// ```
    /// # use core::time::Duration;
    /// # use npws_core::{ConnectionId, Instant, Link, LinkConfig, PeerGeneration};
    /// # let (config, id) = (LinkConfig::default(), ConnectionId::CONTROL);
    /// let mut link = Link::<Vec<u8>>::server(config, PeerGeneration::V2, 7, Instant::ZERO, id);
    /// let (later, max) = (Instant::ZERO + Duration::from_secs(9), Duration::from_secs(5));
    /// assert!(link.is_stale(later, max));
    /// link.handle_pong(later);
    /// assert!(!link.is_stale(later, max));
    /// ```
    #[must_use]
    pub fn is_stale(&self, now: Instant, max: Duration) -> bool {
        let longest = max.min(self.keepalive.longest_silence());
        self.peer() == PeerGeneration::V2 && now - self.last_alive.unwrap_or(self.begun) > longest
    }

    /// How long the last ping and its pong took. It is measured on idle v2 connections, where nothing delays the answer.
    ///
    /// ```
    /// # use core::time::Duration;
    /// # use npws_core::{ConnectionId, Instant, Link, LinkConfig, PeerGeneration};
    /// # let (config, now, id) = (LinkConfig::default(), Instant::ZERO, ConnectionId::CONTROL);
    /// let mut link = Link::<Vec<u8>>::server(config, PeerGeneration::V2, 7, now, id);
    /// assert!(link.probe(now));
    /// link.handle_pong(now + Duration::from_millis(40));
    /// assert_eq!(link.round_trip(), Some(Duration::from_millis(40)));
    /// ```
    #[must_use]
    pub fn round_trip(&self) -> Option<Duration> {
        self.keepalive.round_trip()
    }

    /// Whether the peer has taken the connection, as far as it has shown, and neither end has closed it.
    ///
    /// ```
    /// # use npws_core::{ConnectionId, Instant, Link, LinkConfig, PeerGeneration};
    /// # let (config, now, id) = (LinkConfig::default(), Instant::ZERO, ConnectionId::CONTROL);
    /// let mut link = Link::<Vec<u8>>::server(config, PeerGeneration::V2, 7, now, id);
    /// assert!(!link.is_claimed());
    /// link.handle_text(now, "claim");
    /// assert!(link.is_claimed());
    /// ```
    #[must_use]
    pub fn is_claimed(&self) -> bool {
        matches!(self.state.phase, Phase::Claimed | Phase::Shared)
    }

    /// The ID, once it is known.
    ///
    /// ```
    /// # use npws_core::{ConnectionId, Instant, Link, LinkConfig, PeerGeneration};
    /// # let (config, now) = (LinkConfig::default(), Instant::ZERO);
    /// let mut link = Link::client(config, PeerGeneration::V1, 7, now, now);
    /// assert_eq!(link.id(), None);
    /// link.handle_binary(now, [1, 2, 3, 4]);
    /// assert_eq!(link.id(), Some(ConnectionId::from_bytes([1, 2, 3, 4])));
    /// ```
    #[must_use]
    pub fn id(&self) -> Option<ConnectionId> {
        self.id
    }

    /// What the peer speaks, as told at the start.
    ///
    /// ```
    /// # use npws_core::{ConnectionId, Instant, Link, LinkConfig, PeerGeneration};
    /// # let (config, now, id) = (LinkConfig::default(), Instant::ZERO, ConnectionId::CONTROL);
    /// let link = Link::<Vec<u8>>::server(config, PeerGeneration::V2, 7, now, id);
    /// assert_eq!(link.peer(), PeerGeneration::V2);
    /// ```
    #[must_use]
    pub fn peer(&self) -> PeerGeneration {
        self.state.peer
    }

    /// How many binary messages the ID step looked at, empty ones included: 0 on the server.
    ///
    /// Who replays the connection's messages skips these, but for [`id_leftover`](Self::id_leftover) bytes of the last.
    ///
    /// ```
    /// # use npws_core::{Instant, Link, LinkConfig, PeerGeneration};
    /// # let (config, now) = (LinkConfig::default(), Instant::ZERO);
    /// let mut link = Link::client(config, PeerGeneration::V1, 7, now, now);
    /// link.handle_binary(now, vec![1, 2, 3]);
    /// link.handle_binary(now, vec![4, 5]);
    /// link.handle_binary(now, vec![6]);
    /// assert_eq!((link.id_messages(), link.id_leftover()), (2, 1));
    /// ```
    #[must_use]
    pub fn id_messages(&self) -> u64 {
        self.id_step.messages()
    }

    /// How many bytes of the message that completed the ID belong to the stream already; they are its last bytes.
    ///
    /// ```
    /// # use npws_core::{Instant, Link, LinkConfig, PeerGeneration};
    /// # let (config, now) = (LinkConfig::default(), Instant::ZERO);
    /// let mut link = Link::client(config, PeerGeneration::V1, 7, now, now);
    /// link.handle_binary(now, vec![1, 2, 3, 4, 5, 6]);
    /// assert_eq!(link.id_leftover(), 2);
    /// ```
    #[must_use]
    pub fn id_leftover(&self) -> usize {
        self.id_leftover
    }
}

/// Without payload bytes: they are the user's secret.
impl<B> fmt::Debug for Link<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link")
            .field("state", &self.state)
            .field("id", &self.id)
            .field("stream", &self.stream)
            .field("end", &self.end)
            .finish_non_exhaustive()
    }
}
