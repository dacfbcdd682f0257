//! The npws WebSocket connection pool on tokio.
//!
//! Everything else is in the crate `npws`, which re-exports this one as `npws::tokio`.
//!
//! ```
//! use std::time::Duration;
//! use npws_tokio::{ClientPool, ServerPool};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let second = Duration::from_secs(1);
//! let server = ServerPool::builder().capacity(5).bind("127.0.0.1:0").await?;
//! let address = server.local_addr().expect("it has a listener").to_string();
//! let client = ClientPool::builder(address).connect()?;
//!
//! let (id, _server_end) = server.take_next(second).await?;
//! let client_end = client.take(id, second).await?;
//! assert_eq!(client_end.id(), id);
//! # Ok(())
//! # }
//! ```
#![forbid(unsafe_code)]

mod stream;

use std::future::Future;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::time::Instant;

use npws_driver::Runtime;
use socket2::SockRef;
use tokio::runtime::Handle;

pub use self::stream::TcpStream;

/// A pool that dials, on tokio.
///
/// ```
/// use npws_tokio::ClientPool;
///
/// let error = ClientPool::builder("no port").connect().unwrap_err();
/// assert!(error.to_string().starts_with("address is no port"));
/// ```
pub type ClientPool = npws_driver::ClientPool<Tokio>;

/// Several pools that dial as one, on tokio.
///
/// ```
/// use npws_tokio::PoolGroup;
///
/// let error = PoolGroup::builder().break_after(0).connect().unwrap_err();
/// assert_eq!(error.to_string(), "break_after is 0, accepted is 1 to 1000");
/// ```
pub type PoolGroup = npws_driver::PoolGroup<Tokio>;

/// A pool that accepts, on tokio.
///
/// ```
/// use npws_tokio::ServerPool;
///
/// fn is_warm(pool: &ServerPool) -> bool {
///     pool.active() >= pool.capacity() / 2
/// }
/// ```
pub type ServerPool = npws_driver::ServerPool<Tokio>;

/// One listener for several pools, on tokio.
///
/// ```
/// use npws_tokio::{Listener, ServerPool};
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # tokio::runtime::Runtime::new()?.block_on(async {
/// let listener = Listener::builder().bind("127.0.0.1:0").await?;
/// let pool = listener.add(ServerPool::builder().path("/blue"))?;
/// assert_eq!(pool.local_addr(), listener.local_addr());
/// # Ok(())
/// # })
/// # }
/// ```
pub type Listener = npws_driver::Listener<Tokio>;

/// A tokio runtime with IO and time enabled.
///
/// ```
/// use npws_tokio::{ClientPool, Tokio};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// // From a thread that tokio does not know:
/// let runtime = tokio::runtime::Runtime::new()?;
/// let pool = ClientPool::builder("localhost:8443").runtime(Tokio::from(runtime.handle().clone())).connect()?;
/// assert_eq!(pool.active(), 0);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Tokio(Handle);

impl From<Handle> for Tokio {
    fn from(handle: Handle) -> Self {
        Self(handle)
    }
}

impl Runtime for Tokio {
    type Stream = TcpStream;
    type Listener = tokio::net::TcpListener;

    fn current() -> io::Result<Self> {
        Handle::try_current().map(Self).map_err(io::Error::other)
    }

    fn now(&self) -> Instant {
        // The clock of a test may be paused; it is known on the runtime only.
        let _guard = self.0.enter();
        tokio::time::Instant::now().into_std()
    }

    fn sleep_until(&self, deadline: Instant) -> impl Future<Output = ()> + Send + 'static {
        let _guard = self.0.enter();
        tokio::time::sleep_until(deadline.into())
    }

    fn spawn(&self, future: impl Future<Output = ()> + Send + 'static) {
        self.0.spawn(future);
    }

    async fn resolve(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        Ok(tokio::net::lookup_host((host, port)).await?.collect())
    }

    async fn connect(&self, addr: SocketAddr) -> io::Result<Self::Stream> {
        Ok(TcpStream(tokio::net::TcpStream::connect(addr).await?))
    }

    fn listen(&self, listener: TcpListener) -> io::Result<Self::Listener> {
        listener.set_nonblocking(true)?;
        let _guard = self.0.enter();
        tokio::net::TcpListener::from_std(listener)
    }

    async fn accept(&self, listener: &Self::Listener) -> io::Result<(Self::Stream, SocketAddr)> {
        let (stream, peer) = listener.accept().await?;
        Ok((TcpStream(stream), peer))
    }

    fn socket(stream: &Self::Stream) -> SockRef<'_> {
        SockRef::from(&stream.0)
    }
}
