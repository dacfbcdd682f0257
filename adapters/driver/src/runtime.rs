//! What the driver needs of an async runtime.

use std::fmt::Debug;
use std::future::Future;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::time::Instant;

use futures::future::BoxFuture;
use futures::{AsyncRead, AsyncWrite};
use socket2::SockRef;

/// An async runtime: sockets, timers and tasks. The driver decides nothing itself and needs nothing else.
///
/// The crates `npws-tokio`, `npws-smol` and `npws-async-std` implement it; another runtime needs no more than this.
///
/// ```
/// use std::time::Duration;
/// use npws_driver::Runtime;
///
/// async fn pause<R: Runtime>(runtime: &R) {
///     runtime.sleep_until(runtime.now() + Duration::from_millis(10)).await;
/// }
/// ```
pub trait Runtime: Clone + Debug + Send + Sync + 'static {
    /// Whether each read of a [`Stream`](Self::Stream) asks the kernel, rather than what the runtime has heard from it.
    const READS_ASK_KERNEL: bool = false;

    /// A connected TCP socket.
    type Stream: AsyncRead + AsyncWrite + Debug + Send + Unpin + 'static;
    /// A listening TCP socket.
    type Listener: Debug + Send + Sync + 'static;

    /// The runtime that the caller runs on.
    ///
    /// # Errors
    /// When the caller runs on none and the runtime needs one.
    fn current() -> io::Result<Self>;

    /// The time by which [`sleep_until`](Self::sleep_until) goes. A paused test clock may differ from the system's.
    fn now(&self) -> Instant;

    /// Ends at `deadline`, or at once if that has passed.
    fn sleep_until(&self, deadline: Instant) -> impl Future<Output = ()> + Send + 'static;

    /// Runs `future` to its end in the background.
    fn spawn(&self, future: impl Future<Output = ()> + Send + 'static);

    /// The addresses of `host`, a name or an IP address without brackets, in the order in which to try them.
    ///
    /// # Errors
    /// When the resolver fails. Finding no address may be an error or an empty list.
    fn resolve(&self, host: &str, port: u16) -> impl Future<Output = io::Result<Vec<SocketAddr>>> + Send;

    /// A TCP connection to `addr`.
    ///
    /// # Errors
    /// When the connection cannot be made.
    fn connect(&self, addr: SocketAddr) -> impl Future<Output = io::Result<Self::Stream>> + Send;

    /// Takes over a bound and listening socket. The implementation makes it non-blocking.
    ///
    /// # Errors
    /// When the runtime cannot register it.
    fn listen(&self, listener: TcpListener) -> io::Result<Self::Listener>;

    /// The next connection that a peer opened.
    ///
    /// # Errors
    /// When accepting fails. That need not be for good: the process may be out of file descriptors for the moment.
    fn accept(&self, listener: &Self::Listener) -> impl Future<Output = io::Result<(Self::Stream, SocketAddr)>> + Send;

    /// The socket itself, on which the driver sets TCP options and asks for addresses.
    fn socket(stream: &Self::Stream) -> SockRef<'_>;
}

/// The part of a [`Runtime`] that a connection needs, with the type erased so that [`Connection`](crate::Connection)
/// is one type on every runtime.
pub(crate) trait Background: Debug + Send + Sync {
    fn now(&self) -> Instant;
    fn sleep_until(&self, deadline: Instant) -> BoxFuture<'static, ()>;
    fn spawn(&self, future: BoxFuture<'static, ()>);
}

impl<R: Runtime> Background for R {
    fn now(&self) -> Instant {
        Runtime::now(self)
    }

    fn sleep_until(&self, deadline: Instant) -> BoxFuture<'static, ()> {
        Box::pin(Runtime::sleep_until(self, deadline))
    }

    fn spawn(&self, future: BoxFuture<'static, ()>) {
        Runtime::spawn(self, future);
    }
}
