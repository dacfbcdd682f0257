//! The pools: connections that come and go, and those who want them.

mod accept;
mod changes;
mod client;
mod commands;
mod controller;
mod dial;
mod door;
mod ending;
mod exchange;
mod freshness;
mod idle;
mod ids;
mod inputs;
mod listener;
mod looks;
mod output;
mod pace;
mod proxied;
mod registry;
mod request;
mod round_trip;
mod server;
mod stats;
#[cfg(test)]
mod tests;
mod tombstones;
mod views;
mod waiters;

use core::time::Duration;

pub use accept::AcceptId;
pub use client::Dialing;
pub use controller::Policy;
pub use dial::{DialFailure, DialFailures, DialId};
use exchange::Exchange;
pub use listener::{Listener, ListenerConfig, ListenerStats};
pub use output::{Output, Taken};
pub use registry::ConnectionKey;
pub use request::{Admitted, RequestHead};
use round_trip::RoundTrip;
pub use server::Accepting;
pub use stats::Stats;
pub use waiters::WaiterId;

use crate::Instant;

/// A pool that dials: [`Pool`] on the client's side.
///
/// ```
/// use npws_core::{ClientConfig, ClientPool, Instant};
///
/// let pool = ClientPool::<&str>::new(ClientConfig::default(), 42, Instant::ZERO)?;
/// assert_eq!(pool.capacity(), 1);
/// # Ok::<(), npws_core::ConfigError>(())
/// ```
pub type ClientPool<C> = Pool<C, Dialing>;

/// A pool that accepts: [`Pool`] on the server's side, with `I` as its source of IDs.
///
/// ```
/// use npws_core::{ServerConfig, ServerPool};
///
/// let pool = ServerPool::<&str, _>::new(ServerConfig::default(), || [0, 0, 0, 1], 42)?;
/// assert_eq!(pool.capacity(), 1);
/// # Ok::<(), npws_core::ConfigError>(())
/// ```
pub type ServerPool<C, I> = Pool<C, Accepting<I>>;

/// The side of the connection that a pool is on: [`Dialing`] or [`Accepting`]. Sealed.
///
/// ```
/// use npws_core::{Pool, Side};
///
/// fn is_idle<C, S: Side<C>>(pool: &Pool<C, S>) -> bool {
///     pool.active() > 0
/// }
/// ```
#[expect(private_bounds, reason = "this is what seals it")]
pub trait Side<C>: Steps<C> {}

/// What differs between a client and a server pool.
pub(crate) trait Steps<C> {
    /// Acts on what the last mutation changed.
    fn settle(&mut self, exchange: &mut Exchange<C>, now: Instant);
    /// Gives up every handshake under way, on the way to a drained or closed pool.
    fn stop(&mut self, exchange: &mut Exchange<C>, now: Instant);
    fn poll_timeout(&self, exchange: &Exchange<C>) -> Option<Instant>;
    fn handle_timeout(&mut self, exchange: &mut Exchange<C>, now: Instant);
    fn capacity(&self) -> usize;
    fn interval(&self) -> Duration;
    fn report(&self, stats: &mut Stats);
    fn assert_consistent(&self, exchange: &Exchange<C>);
}

/// A pool of connections `C`, which are opaque to it, as a machine without IO.
///
/// Inputs are called `handle_…`, commands are verbs, outputs are polled. After each call that takes `now`, drain
/// [`poll_output`](Self::poll_output) until it is empty, and call [`handle_timeout`](Self::handle_timeout) when
/// [`poll_timeout`](Self::poll_timeout) has come. Time must not run backwards.
///
/// The two kinds are [`ClientPool`] and [`ServerPool`].
///
/// ```
/// use core::time::Duration;
/// use npws_core::{ClientConfig, ClientPool, ConnectionId, Instant, Output, PeerGeneration};
///
/// let now = Instant::ZERO;
/// let mut pool = ClientPool::new(ClientConfig::default(), 1, now)?;
/// pool.handle_timeout(now);
/// let Some(Output::Dial(dial)) = pool.poll_output() else { panic!("the first round dials") };
///
/// // The driver dials, reads the ID and hands over whatever stands for the connection.
/// let id = ConnectionId::from_bytes([0, 0, 0, 1]);
/// pool.handle_dialed(now, dial, id, PeerGeneration::V1, "socket");
///
/// let waiter = pool.take(now, id, Duration::ZERO);
/// let taken = pool.complete(now, waiter).expect("it has an outcome").expect("it is there");
/// assert_eq!(taken.connection, "socket");
/// # Ok::<(), npws_core::ConfigError>(())
/// ```
#[derive(Debug)]
pub struct Pool<C, S> {
    exchange: Exchange<C>,
    side: S,
    errors: u64,
    dead_on_take: u64,
    round_trip: RoundTrip,
}

impl<C, S: Side<C>> Pool<C, S> {
    fn assemble(exchange: Exchange<C>, side: S) -> Self {
        Self { exchange, side, errors: 0, dead_on_take: 0, round_trip: RoundTrip::default() }
    }

    fn settle(&mut self, now: Instant) {
        if !self.exchange.is_open() {
            self.exchange.close_if_drained(now);
            self.side.stop(&mut self.exchange, now);
            self.exchange.announce_closed();
        }
        self.side.settle(&mut self.exchange, now);
        #[cfg(debug_assertions)]
        self.assert_conserved();
    }
}
