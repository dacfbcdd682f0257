//! The npws WebSocket connection pool on async-std.
//!
//! async-std is discontinued, so this crate is for programs that have not left it yet. Everything else is in the crate
//! `npws`, which re-exports this one as `npws::async_std`.
//!
//! ```
//! use std::time::Duration;
//! use npws_async_std::{ClientPool, ServerPool};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! async_std::task::block_on(async {
//!     let second = Duration::from_secs(1);
//!     let server = ServerPool::builder().capacity(5).bind("127.0.0.1:0").await?;
//!     let address = server.local_addr().expect("it has a listener").to_string();
//!     let client = ClientPool::builder(address).connect()?;
//!
//!     let (id, _server_end) = server.take_next(second).await?;
//!     let client_end = client.take(id, second).await?;
//!     assert_eq!(client_end.id(), id);
//!     Ok(())
//! })
//! # }
//! ```
#![forbid(unsafe_code)]

use std::future::Future;
use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Instant;

use async_io::Async;
use async_std::net::ToSocketAddrs;
use async_std::task;
use npws_driver::{AsyncIoStream, Runtime};
use socket2::SockRef;

/// A pool that dials, on async-std.
///
/// ```
/// use npws_async_std::ClientPool;
///
/// let error = ClientPool::builder("no port").connect().unwrap_err();
/// assert!(error.to_string().starts_with("address is no port"));
/// ```
pub type ClientPool = npws_driver::ClientPool<AsyncStd>;

/// Several pools that dial as one, on async-std.
///
/// ```
/// use npws_async_std::PoolGroup;
///
/// let error = PoolGroup::builder().break_after(0).connect().unwrap_err();
/// assert_eq!(error.to_string(), "break_after is 0, accepted is 1 to 1000");
/// ```
pub type PoolGroup = npws_driver::PoolGroup<AsyncStd>;

/// A pool that accepts, on async-std.
///
/// ```
/// use npws_async_std::ServerPool;
///
/// fn is_warm(pool: &ServerPool) -> bool {
///     pool.active() >= pool.capacity() / 2
/// }
/// ```
pub type ServerPool = npws_driver::ServerPool<AsyncStd>;

/// One listener for several pools, on async-std.
///
/// ```
/// use npws_async_std::{Listener, ServerPool};
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # async_std::task::block_on(async {
/// let listener = Listener::builder().bind("127.0.0.1:0").await?;
/// let pool = listener.add(ServerPool::builder().path("/blue"))?;
/// assert_eq!(pool.local_addr(), listener.local_addr());
/// # Ok(())
/// # })
/// # }
/// ```
pub type Listener = npws_driver::Listener<AsyncStd>;

/// async-std's global runtime, whose sockets wait by async-io.
///
/// ```
/// use npws_async_std::{AsyncStd, ClientPool};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let pool = ClientPool::builder("localhost:8443").runtime(AsyncStd).connect()?;
/// assert_eq!(pool.active(), 0);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Copy)]
pub struct AsyncStd;

impl Runtime for AsyncStd {
    const READS_ASK_KERNEL: bool = true;

    type Stream = AsyncIoStream;
    type Listener = Async<TcpListener>;

    fn current() -> io::Result<Self> {
        Ok(Self)
    }

    fn now(&self) -> Instant {
        Instant::now()
    }

    fn sleep_until(&self, deadline: Instant) -> impl Future<Output = ()> + Send + 'static {
        task::sleep(deadline.saturating_duration_since(Instant::now()))
    }

    fn spawn(&self, future: impl Future<Output = ()> + Send + 'static) {
        task::spawn(future);
    }

    async fn resolve(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        Ok((host, port).to_socket_addrs().await?.collect())
    }

    async fn connect(&self, addr: SocketAddr) -> io::Result<Self::Stream> {
        Ok(AsyncIoStream(Async::<TcpStream>::connect(addr).await?))
    }

    fn listen(&self, listener: TcpListener) -> io::Result<Self::Listener> {
        Async::new(listener)
    }

    async fn accept(&self, listener: &Self::Listener) -> io::Result<(Self::Stream, SocketAddr)> {
        let (stream, peer) = listener.accept().await?;
        Ok((AsyncIoStream(stream), peer))
    }

    fn socket(stream: &Self::Stream) -> SockRef<'_> {
        SockRef::from(&stream.0)
    }
}
