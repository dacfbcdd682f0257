//! Runtimes that are another one with a difference.

use std::future::{Future, pending};
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use npws::Runtime;
use socket2::{SockRef, Socket};

use crate::testbed::{Testbed, current};

/// The runtime `R` with an eye on its sockets and a hand on its clock.
#[derive(Debug, Clone)]
pub struct Spy<R> {
    inner: R,
    sockets: Arc<Mutex<Vec<Socket>>>,
    stopped_at: Option<Instant>,
}

impl<R: Testbed> Spy<R> {
    /// Remembers every socket, dialed or accepted.
    pub fn on_sockets() -> Self {
        Self { inner: current(), sockets: Arc::default(), stopped_at: None }
    }

    /// Time stands still: no timer that is not due already ever ends.
    pub fn without_time() -> Self {
        let inner: R = current();
        let stopped_at = Some(inner.now());
        Self { inner, sockets: Arc::default(), stopped_at }
    }

    /// Looks at the sockets seen so far.
    pub fn look<T>(&self, look: impl FnMut(&Socket) -> T) -> Vec<T> {
        self.sockets.lock().unwrap_or_else(PoisonError::into_inner).iter().map(look).collect()
    }

    fn remember(&self, stream: &R::Stream) -> io::Result<()> {
        let same = R::socket(stream).try_clone()?;
        if self.stopped_at.is_none() {
            self.sockets.lock().unwrap_or_else(PoisonError::into_inner).push(same);
        }
        Ok(())
    }
}

impl<R: Testbed> Runtime for Spy<R> {
    type Stream = R::Stream;
    type Listener = R::Listener;

    fn current() -> io::Result<Self> {
        Ok(Self::on_sockets())
    }

    fn now(&self) -> Instant {
        self.stopped_at.unwrap_or_else(|| self.inner.now())
    }

    fn sleep_until(&self, deadline: Instant) -> impl Future<Output = ()> + Send + 'static {
        let stopped = self.stopped_at.is_some_and(|now| deadline > now);
        let sleep = self.inner.sleep_until(deadline);
        async move {
            if stopped {
                pending::<()>().await;
            }
            sleep.await;
        }
    }

    fn spawn(&self, future: impl Future<Output = ()> + Send + 'static) {
        self.inner.spawn(future);
    }

    fn resolve(&self, host: &str, port: u16) -> impl Future<Output = io::Result<Vec<SocketAddr>>> + Send {
        self.inner.resolve(host, port)
    }

    async fn connect(&self, addr: SocketAddr) -> io::Result<Self::Stream> {
        let stream = self.inner.connect(addr).await?;
        self.remember(&stream)?;
        Ok(stream)
    }

    fn listen(&self, listener: TcpListener) -> io::Result<Self::Listener> {
        self.inner.listen(listener)
    }

    async fn accept(&self, listener: &Self::Listener) -> io::Result<(Self::Stream, SocketAddr)> {
        let (stream, peer) = self.inner.accept(listener).await?;
        self.remember(&stream)?;
        Ok((stream, peer))
    }

    fn socket(stream: &Self::Stream) -> SockRef<'_> {
        R::socket(stream)
    }
}
