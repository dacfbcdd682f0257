//! The npws WebSocket connection pool on smol and async-io.
//!
//! Everything else is in the crate `npws`, which re-exports this one as `npws::smol`.
//!
//! ```
//! use std::time::Duration;
//! use npws_smol::{ClientPool, ServerPool};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! smol::block_on(async {
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

mod threads;

use std::fmt;
use std::future::Future;
use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::Instant;

use async_io::{Async, Timer};
use npws_driver::{AsyncIoStream, Runtime};
use smol::Executor;
use socket2::SockRef;

use self::threads::Threads;

/// A pool that dials, on smol.
///
/// ```
/// use npws_smol::ClientPool;
///
/// let error = ClientPool::builder("no port").connect().unwrap_err();
/// assert!(error.to_string().starts_with("address is no port"));
/// ```
pub type ClientPool = npws_driver::ClientPool<Smol>;

/// Several pools that dial as one, on smol.
///
/// ```
/// use npws_smol::PoolGroup;
///
/// let error = PoolGroup::builder().break_after(0).connect().unwrap_err();
/// assert_eq!(error.to_string(), "break_after is 0, accepted is 1 to 1000");
/// ```
pub type PoolGroup = npws_driver::PoolGroup<Smol>;

/// A pool that accepts, on smol.
///
/// ```
/// use npws_smol::ServerPool;
///
/// fn is_warm(pool: &ServerPool) -> bool {
///     pool.active() >= pool.capacity() / 2
/// }
/// ```
pub type ServerPool = npws_driver::ServerPool<Smol>;

/// One listener for several pools, on smol.
///
/// ```
/// use npws_smol::{Listener, ServerPool};
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # smol::block_on(async {
/// let listener = Listener::builder().bind("127.0.0.1:0").await?;
/// let pool = listener.add(ServerPool::builder().path("/blue"))?;
/// assert_eq!(pool.local_addr(), listener.local_addr());
/// # Ok(())
/// # })
/// # }
/// ```
pub type Listener = npws_driver::Listener<Smol>;

/// An executor of smol's with async-io for sockets and timers.
///
/// Unless told otherwise, pools share a thread for each core, since the executor behind `smol::spawn` has a single thread
/// and handshakes are to use every core.
///
/// ```
/// use std::sync::Arc;
/// use npws_smol::{ClientPool, Smol};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let executor = Arc::new(smol::Executor::new());
/// let pool = ClientPool::builder("localhost:8443").runtime(Smol::from(executor)).connect()?;
/// assert_eq!(pool.active(), 0);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Smol(Tasks);

/// Where tasks run.
#[derive(Clone)]
enum Tasks {
    Shared(Threads),
    Executor(Arc<Executor<'static>>),
}

impl From<Arc<Executor<'static>>> for Smol {
    /// The caller runs the executor.
    fn from(executor: Arc<Executor<'static>>) -> Self {
        Self(Tasks::Executor(executor))
    }
}

impl fmt::Debug for Smol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Smol")
    }
}

impl Runtime for Smol {
    const READS_ASK_KERNEL: bool = true;

    type Stream = AsyncIoStream;
    type Listener = Async<TcpListener>;

    fn current() -> io::Result<Self> {
        static SHARED: OnceLock<Result<Threads, io::ErrorKind>> = OnceLock::new();
        let start = || {
            let count = thread::available_parallelism().map_or(1, |count| count.get());
            Threads::start(count).map_err(|error| error.kind())
        };
        Ok(Self(Tasks::Shared(SHARED.get_or_init(start).clone()?)))
    }

    fn now(&self) -> Instant {
        Instant::now()
    }

    fn sleep_until(&self, deadline: Instant) -> impl Future<Output = ()> + Send + 'static {
        sleep(deadline)
    }

    fn spawn(&self, future: impl Future<Output = ()> + Send + 'static) {
        match &self.0 {
            Tasks::Shared(threads) => threads.spawn(future),
            Tasks::Executor(executor) => executor.spawn(future).detach(),
        }
    }

    async fn resolve(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        smol::net::resolve((host, port)).await
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

async fn sleep(deadline: Instant) {
    Timer::at(deadline).await;
}
