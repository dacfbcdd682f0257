//! A runtime whose tasks run when a test says so.

use std::fmt;
use std::future::{Future, pending};
use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};
use std::task::{Context, Waker};
use std::time::{Duration, Instant};

use futures::future::BoxFuture;
use futures::io::AllowStdIo;
use socket2::SockRef;

use super::TestTime;
use crate::runtime::{Background, Runtime};

type Hook = Box<dyn Fn() + Send>;

/// Time stands still until it is moved, and there is no network.
#[derive(Clone)]
pub(crate) struct Still {
    time: TestTime,
    tasks: Arc<Mutex<Vec<BoxFuture<'static, ()>>>>,
    on_spawn: Arc<Mutex<Option<Hook>>>,
}

impl Still {
    pub(crate) fn new() -> Self {
        Self { time: TestTime::new(), tasks: Arc::default(), on_spawn: Arc::default() }
    }

    /// Looks on as tasks are spawned.
    pub(crate) fn on_spawn(&self, hook: impl Fn() + Send + 'static) {
        *self.on_spawn.lock().unwrap() = Some(Box::new(hook));
    }

    /// Drops every task.
    pub(crate) fn end(&self) {
        self.tasks.lock().unwrap().clear();
    }

    /// Lets time pass, and polls every task a few times. One that panics has ended.
    pub(crate) fn advance(&self, by: Duration) {
        self.time.advance(by);
        for _ in 0..5 {
            let tasks = std::mem::take(&mut *self.tasks.lock().unwrap());
            for mut task in tasks {
                let mut cx = Context::from_waker(Waker::noop());
                if catch_unwind(AssertUnwindSafe(|| task.as_mut().poll(&mut cx).is_pending())).unwrap_or(false) {
                    self.tasks.lock().unwrap().push(task);
                }
            }
        }
    }
}

impl Runtime for Still {
    type Stream = AllowStdIo<TcpStream>;
    type Listener = TcpListener;

    fn current() -> io::Result<Self> {
        Err(io::Error::other("a test brings its own"))
    }

    fn now(&self) -> Instant {
        Background::now(&self.time)
    }

    fn sleep_until(&self, deadline: Instant) -> impl Future<Output = ()> + Send + 'static {
        Background::sleep_until(&self.time, deadline)
    }

    fn spawn(&self, future: impl Future<Output = ()> + Send + 'static) {
        if let Some(hook) = &*self.on_spawn.lock().unwrap() {
            hook();
        }
        self.tasks.lock().unwrap().push(Box::pin(future));
    }

    async fn resolve(&self, _: &str, _: u16) -> io::Result<Vec<SocketAddr>> {
        Ok(Vec::new())
    }

    async fn connect(&self, _: SocketAddr) -> io::Result<Self::Stream> {
        pending().await
    }

    fn listen(&self, listener: TcpListener) -> io::Result<Self::Listener> {
        Ok(listener)
    }

    async fn accept(&self, _: &Self::Listener) -> io::Result<(Self::Stream, SocketAddr)> {
        pending().await
    }

    fn socket(stream: &Self::Stream) -> SockRef<'_> {
        SockRef::from(stream.get_ref())
    }
}

impl fmt::Debug for Still {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Still").finish_non_exhaustive()
    }
}
