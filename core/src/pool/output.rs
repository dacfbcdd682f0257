//! What comes out of a pool.

use core::time::Duration;

use super::{AcceptId, ConnectionKey, DialId, WaiterId};
use crate::{CloseReason, PeerGeneration};

/// What a pool asks of its driver.
///
/// ```
/// use npws_core::Output;
///
/// fn is_urgent<C>(output: &Output<C>) -> bool {
///     matches!(output, Output::Wake(_) | Output::Dial(_))
/// }
/// assert!(!is_urgent(&Output::<()>::Closed));
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum Output<C> {
    /// A waiter's outcome is there: [`Pool::complete`](super::Pool::complete) it.
    Wake(WaiterId),
    /// Close this connection, which left the pool for this reason.
    Close {
        /// What the driver registered.
        connection: C,
        /// Why.
        reason: CloseReason,
    },
    /// Ask the peer of this connection, which a drain holds back, to close it: say `drain` over it and report
    /// [`handle_closed`](super::Pool::handle_closed) once it is closed. Closed in good order it counts as
    /// [`Drained`](CloseReason::Drained).
    AskBack(ConnectionKey),
    /// A round was made, for the log; nothing is to be done.
    Round {
        /// Idle connections.
        idle: usize,
        /// Dials under way, those of this round among them.
        dialing: usize,
        /// The number of idle connections to aim for.
        capacity: usize,
        /// The time to the next round.
        interval: Duration,
    },
    /// Begin a dial and report [`handle_dialed`](super::Pool::handle_dialed) or
    /// [`handle_dial_failed`](super::Pool::handle_dial_failed).
    Dial(DialId),
    /// Give up a dial. Nothing it still reports counts.
    AbortDial(DialId),
    /// Give up the handshake of an accepted socket. Nothing it still reports counts.
    AbortAccept(AcceptId),
    /// Accept no more sockets.
    StopListening,
    /// The pool is closed for good: everything to be closed or given up was named before. Nothing but the end of taken
    /// connections is worth reporting now.
    Closed,
}

/// A connection on its way out of the pool.
///
/// ```
/// # use core::time::Duration;
/// # use npws_core::{ClientConfig, ClientPool, Instant, Taken};
/// fn open<C>(pool: &mut ClientPool<C>, now: Instant) -> Option<Taken<C>> {
///     let waiter = pool.take_next(now, Duration::ZERO);
///     pool.complete(now, waiter)?.ok()
/// }
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub struct Taken<C> {
    /// Names the connection towards [`Pool::handle_released`](super::Pool::handle_released).
    pub key: ConnectionKey,
    /// The generation of its peer.
    pub peer: PeerGeneration,
    /// What the driver registered.
    pub connection: C,
}
