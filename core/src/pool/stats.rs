//! What a pool has to tell of itself.

use alloc::vec::Vec;
use core::time::Duration;

use super::dial::DialFailures;
use crate::{CloseReason, DialFailure, Instant};

/// A snapshot of a pool, taken at one moment.
///
/// `registered_total = idle + offered + claimed + retained + taken_total + closed_total` holds in every snapshot.
///
/// ```
/// use npws_core::{ClientConfig, ClientPool, Instant};
///
/// let pool = ClientPool::<()>::new(ClientConfig::default(), 1, Instant::ZERO)?;
/// let stats = pool.stats();
/// assert_eq!((stats.idle, stats.capacity, stats.registered_total), (0, 1, 0));
/// # Ok::<(), npws_core::ConfigError>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Connections that nobody was promised, those among them that are held back for a while.
    pub idle: usize,
    /// Connections promised to a waiter that has not fetched them yet.
    pub offered: usize,
    /// Connections that the peer took and this side has not.
    pub claimed: usize,
    /// Connections whose peer sent data and closed, still to be taken by ID.
    pub retained: usize,
    /// Connections taken and not ended yet.
    pub taken: usize,
    /// Handshakes under way: dials of a client, accepted sockets of a server.
    pub handshakes: usize,
    /// Pending takes.
    pub waiters: usize,
    /// The number of idle connections that the pool aims for (client) or accepts (server).
    pub capacity: usize,
    /// The time between rounds; zero on a server, which has none.
    pub interval: Duration,
    /// Connections that ever became idle.
    pub registered_total: u64,
    /// Connections ever taken.
    pub taken_total: u64,
    /// Connections that ended without being taken.
    pub closed_total: u64,
    /// The same by reason; every code of a peer's close frame counts as one reason.
    pub closed_by: Vec<(CloseReason, u64)>,
    /// Connections found dead at the last look before they would have been handed out; `closed_total` counts them too.
    pub dead_on_take: u64,
    /// The time from a ping to its pong, smoothed over all connections that measure it; `None` before the first.
    pub round_trip: Option<Duration>,
    /// Dials ever begun; zero on a server.
    pub dials_total: u64,
    /// Failed dials by cause; all zero on a server.
    pub dial_failures: DialFailures,
    /// When the last dial failed, and why.
    pub last_dial_failure: Option<(Instant, DialFailure)>,
    /// Sockets ever accepted; zero on a client.
    pub accepted_total: u64,
    /// Sockets dropped at once, because too many handshakes were under way, in total or from one address.
    pub turned_away_total: u64,
    /// Handshakes of a server that ended before the connection became idle, without an answer.
    pub accept_failures: u64,
    /// Requests turned away with an HTTP status.
    pub rejected_total: u64,
    /// Failures of the listener.
    pub listener_failures: u64,
    /// Failures counted by `add_error` and the listener since the last `reset_error`.
    pub errors: u64,
}
