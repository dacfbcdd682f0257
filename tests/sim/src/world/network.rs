//! What the network between the pools does to them.

use core::ops::RangeInclusive;
use core::time::Duration;

/// What happens on the way. Chances are counted in thousandths; a network has none of the faults unless told.
///
/// ```
/// use npws_sim::world::Network;
///
/// let network = Network { split: 500, refuse: 100, ..Network::default() };
/// assert_eq!(network.black_hole, 0);
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Network {
    /// How long one message is under way: 1 to 5 ms unless told. Messages of one connection stay in order, those of two
    /// overtake one another.
    pub latency: RangeInclusive<Duration>,
    /// How long a task that was woken waits for its turn: at most 100 µs unless told.
    pub scheduling: RangeInclusive<Duration>,
    /// How many binary messages arrive in pieces, some of them byte by byte, with empty ones in between.
    pub split: u32,
    /// How many binary messages arrive as the tail of the one before, if that is still under way.
    pub merge: u32,
    /// How many dials are refused.
    pub refuse: u32,
    /// How many dials never get an answer of any kind.
    pub black_hole: u32,
    /// How many peers stop in the middle of their handshake.
    pub stall: u32,
    /// How many dials and handshakes that were given up report their outcome all the same.
    pub late: u32,
    /// How many outcomes and deaths are reported twice.
    pub twice: u32,
    /// When the system gives a connection up whose path is silently cut, its TCP user timeout: 60 s unless told.
    pub tcp_timeout: Duration,
    /// How long the end that closes waits for the peer's answer: 1 s unless told.
    pub close_timeout: Duration,
}

impl Default for Network {
    fn default() -> Self {
        Self {
            latency: Duration::from_millis(1)..=Duration::from_millis(5),
            scheduling: Duration::ZERO..=Duration::from_micros(100),
            split: 0,
            merge: 0,
            refuse: 0,
            black_hole: 0,
            stall: 0,
            late: 0,
            twice: 0,
            tcp_timeout: Duration::from_secs(60),
            close_timeout: Duration::from_secs(1),
        }
    }
}

/// What can go wrong with one connection.
///
/// ```
/// use npws_sim::world::Fault;
///
/// assert!(Fault::ALL.contains(&Fault::SilentCut));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// Both ends are told that it failed, and what was under way is lost.
    Loss,
    /// Nothing arrives any more, and nobody is told.
    SilentCut,
    /// Nothing arrives any more in one direction.
    HalfOpen,
    /// One end gets a frame that RFC 6455 forbids.
    Garbage,
}

impl Fault {
    /// All of them.
    ///
    /// ```
    /// # use npws_sim::world::Fault;
    /// assert_eq!(Fault::ALL.len(), 4);
    /// ```
    pub const ALL: [Self; 4] = [Self::Loss, Self::SilentCut, Self::HalfOpen, Self::Garbage];
}
