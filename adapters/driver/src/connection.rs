//! A connection that was taken out of a pool.

mod burst;
mod error;
mod signal;
mod stream;
#[cfg(test)]
mod tests;
#[cfg(feature = "tokio-io")]
mod tokio_io;

use std::cell::OnceCell;
use std::fmt;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use async_tungstenite::WebSocketStream;
use npws_core::{ConnectionId, PeerGeneration};

use self::burst::Burst;
pub use self::error::{IntoWebSocketError, StreamError};
use self::signal::Signal;
use crate::clock::Clock;
use crate::gate::Gate;
use crate::tls::TlsInfo;
use crate::wire::Wire;

/// A connection that was taken out of a pool: a byte stream to whoever took the same ID at the other end.
///
/// It implements `AsyncRead`, `AsyncBufRead` and `AsyncWrite` of futures and, with the feature `tokio-io`, those of
/// tokio. It is one-use: it never goes back to the pool, and it outlives the pool.
///
/// **Reading** gives the end of the stream when the peer closes in good order (code 1000, 1001 or none). Everything else
/// that ends the stream, a lost transport above all, is an error that holds a [`StreamError`]. So a stream that was cut
/// short never looks complete.
///
/// **Writing** sends at most 64 KiB a message, at once. Small writes that follow each other within microseconds leave
/// together, up to 16 KiB of them, once the task that writes lets others have their turn; a flush or a read that has to
/// wait sends them at once. So a flush is needed to know that all has left this process, before the thread is blocked or
/// the runtime stops running, and when nobody will read or write for a while after a write to a peer that is slow to read.
///
/// **Closing the write half**, by `poll_close` of futures or `shutdown` of tokio, tells the peer that all has been sent.
/// Between v2 peers it ends this direction only: the peer reads the end of the stream and can go on writing. A v1 peer
/// knows no half-close, so there it ends both. A connection that is dropped without it looks to the peer as if it had
/// been cut.
///
/// The peer's pings are answered while anyone reads or writes. Both halves can be used from different tasks:
///
/// ```
/// use futures::{AsyncReadExt, io};
/// use npws_driver::Connection;
///
/// async fn join(left: Connection, right: Connection) -> io::Result<()> {
///     let (left_reader, mut left_writer) = left.split();
///     let (right_reader, mut right_writer) = right.split();
///     let there = io::copy(left_reader, &mut right_writer);
///     let back = io::copy(right_reader, &mut left_writer);
///     futures::try_join!(there, back)?;
///     Ok(())
/// }
/// ```
#[doc(alias = "net.Conn")]
#[doc(alias = "Conn")]
pub struct Connection {
    wire: Box<Wire>,
    id: ConnectionId,
    clock: Clock,
    close_timeout: Duration,
    /// Asked for when somebody does.
    tls: OnceCell<Option<TlsInfo>>,
    /// When it was taken, until the wire is told of that by the first use: it has not been touched for long, and who takes
    /// a connection is not to wait for its memory.
    taken_at: Option<npws_core::Instant>,
    signal: Signal,
    /// The last read has taken all that was likely to be there.
    is_drained: bool,
    /// The last write has just looked for what the peer sends.
    has_looked: bool,
    burst: Burst,
    /// Nothing more is written.
    is_finished: bool,
    /// And the peer was told so by a close frame, which ends both directions.
    is_closing: bool,
    guard: Option<Box<dyn Send + Sync>>,
}

impl Connection {
    /// Takes `wire`, which has been established as `id`, now. `guard` is dropped when the connection is no more.
    pub(crate) fn new(
        wire: Box<Wire>,
        id: ConnectionId,
        clock: Clock,
        close_timeout: Duration,
        now: npws_core::Instant,
        guard: Box<dyn Send + Sync>,
    ) -> Self {
        Self {
            wire,
            id,
            clock,
            close_timeout,
            tls: OnceCell::new(),
            taken_at: Some(now),
            signal: Signal::new(),
            is_drained: false,
            has_looked: false,
            burst: Burst::default(),
            is_finished: false,
            is_closing: false,
            guard: Some(guard),
        }
    }

    /// The ID by which both ends know this connection.
    ///
    /// ```
    /// # use npws_driver::Connection;
    /// fn name(connection: &Connection) -> String {
    ///     connection.id().to_string()
    /// }
    /// ```
    #[must_use]
    pub fn id(&self) -> ConnectionId {
        self.id
    }

    /// The address of the peer, or of the nearest proxy in between, where the transport has one.
    ///
    /// ```
    /// # use npws_driver::Connection;
    /// fn is_local(connection: &Connection) -> bool {
    ///     connection.peer_addr().is_some_and(|addr| addr.ip().is_loopback())
    /// }
    /// ```
    #[doc(alias = "RemoteAddr")]
    #[must_use]
    pub fn peer_addr(&self) -> Option<SocketAddr> {
        self.wire.peer_addr()
    }

    /// The address of this end, where the transport has one.
    ///
    /// ```
    /// # use npws_driver::Connection;
    /// fn port(connection: &Connection) -> Option<u16> {
    ///     Some(connection.local_addr()?.port())
    /// }
    /// ```
    #[doc(alias = "LocalAddr")]
    #[must_use]
    pub fn local_addr(&self) -> Option<SocketAddr> {
        self.wire.local_addr()
    }

    /// What TLS agreed on, if the transport is TLS.
    ///
    /// ```
    /// # use npws_driver::Connection;
    /// fn is_encrypted(connection: &Connection) -> bool {
    ///     connection.tls().is_some()
    /// }
    /// ```
    #[doc(alias = "ConnectionState")]
    #[must_use]
    pub fn tls(&self) -> Option<&TlsInfo> {
        self.tls.get_or_init(|| self.wire.tls_info()).as_ref()
    }

    /// How long the last ping and its pong took while the connection was idle; `None` if there was none. It includes what
    /// the peer took to answer.
    ///
    /// ```
    /// # use npws_driver::Connection;
    /// fn is_near(connection: &Connection) -> bool {
    ///     connection.round_trip().is_some_and(|time| time.as_millis() < 20)
    /// }
    /// ```
    #[must_use]
    pub fn round_trip(&self) -> Option<Duration> {
        self.wire.round_trip()
    }

    /// The generation of the protocol that the peer speaks.
    ///
    /// ```
    /// # use npws_driver::Connection;
    /// use npws_driver::PeerGeneration;
    ///
    /// fn is_original(connection: &Connection) -> bool {
    ///     connection.peer_generation() == PeerGeneration::V1
    /// }
    /// ```
    #[must_use]
    pub fn peer_generation(&self) -> PeerGeneration {
        self.wire.peer_generation()
    }

    /// When the peer last proved that it is there, by sending anything at all; `None` if it never has.
    ///
    /// ```
    /// # use npws_driver::Connection;
    /// use std::time::{Duration, Instant};
    ///
    /// fn is_fresh(connection: &Connection) -> bool {
    ///     connection.last_alive().is_some_and(|at| Instant::now().duration_since(at) < Duration::from_secs(60))
    /// }
    /// ```
    #[must_use]
    pub fn last_alive(&self) -> Option<Instant> {
        Some(self.clock.to_std(self.wire.last_alive()?))
    }

    /// Sends all that was written, then says goodbye, and waits a bounded time for the peer to do the same.
    ///
    /// What the peer still sends is dropped. Closing cannot fail in a way that anyone could do something about: a peer
    /// that is gone needs no goodbye.
    ///
    /// ```
    /// # use npws_driver::Connection;
    /// async fn done(connection: Connection) {
    ///     connection.close().await;
    /// }
    /// ```
    #[doc(alias = "Close")]
    pub async fn close(mut self) {
        self.begin();
        self.end_burst();
        let Self { wire, clock, close_timeout, guard, .. } = self;
        wire.close(&clock, close_timeout).await;
        drop(guard);
    }

    /// The same connection as a WebSocket, for users who want whole messages: what has arrived since the peer took the
    /// connection comes out of it unchanged, message by message, even if it arrived before.
    ///
    /// What was written is sent first, so this waits for a peer that is slow to read. Between v2 peers a first text message
    /// `claim` is the protocol's, and is not shown.
    ///
    /// ```
    /// # use npws_driver::Connection;
    /// use futures::StreamExt;
    ///
    /// async fn first_message(connection: Connection) -> Option<Vec<u8>> {
    ///     let mut socket = connection.into_websocket().await.ok()?;
    ///     Some(socket.next().await?.ok()?.into_data().to_vec())
    /// }
    /// ```
    ///
    /// # Errors
    /// When bytes have been read already, which may be a part of a message. The error gives the connection back.
    #[doc(alias = "websocket")]
    pub async fn into_websocket(mut self) -> Result<WebSocketStream<Gate>, IntoWebSocketError> {
        self.begin();
        if !self.wire.has_whole_messages() {
            return Err(IntoWebSocketError::new(self));
        }
        self.end_burst();
        Ok(self.wire.into_websocket(self.guard).await)
    }
}

impl Connection {
    /// Comes before every use.
    fn begin(&mut self) {
        if let Some(now) = self.taken_at.take() {
            self.wire.take(now);
        }
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("id", &self.id)
            .field("peer", &self.peer_addr())
            .field("wire", &self.wire)
            .finish_non_exhaustive()
    }
}
