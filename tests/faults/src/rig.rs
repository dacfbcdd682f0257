//! tokio with a clock that can leap.

use std::future::Future;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::time::{Duration, Instant};

use npws::Runtime;
use npws::tokio::Tokio;
use tokio::sync::watch;

/// tokio, but for the time, which clones share.
#[derive(Debug, Clone)]
pub struct Rig {
    tokio: Tokio,
    leap: watch::Sender<Duration>,
}

impl Rig {
    /// It is suddenly so much later, as after a suspension that the clock counts.
    pub fn leap(&self, by: Duration) {
        self.leap.send_modify(|leap| *leap += by);
    }
}

impl Runtime for Rig {
    type Stream = <Tokio as Runtime>::Stream;
    type Listener = <Tokio as Runtime>::Listener;

    fn current() -> io::Result<Self> {
        Ok(Self { tokio: Tokio::current()?, leap: watch::Sender::new(Duration::ZERO) })
    }

    fn now(&self) -> Instant {
        self.tokio.now() + *self.leap.borrow()
    }

    fn sleep_until(&self, deadline: Instant) -> impl Future<Output = ()> + Send + 'static {
        let (tokio, mut leaps) = (self.tokio.clone(), self.leap.subscribe());
        async move {
            loop {
                let leap = *leaps.borrow_and_update();
                let Some(deadline) = deadline.checked_sub(leap) else { return };
                tokio::select! {
                    () = tokio.sleep_until(deadline) => return,
                    changed = leaps.changed() => if changed.is_err() { return },
                }
            }
        }
    }

    fn spawn(&self, future: impl Future<Output = ()> + Send + 'static) {
        self.tokio.spawn(future);
    }

    async fn resolve(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        self.tokio.resolve(host, port).await
    }

    async fn connect(&self, addr: SocketAddr) -> io::Result<Self::Stream> {
        self.tokio.connect(addr).await
    }

    fn listen(&self, listener: TcpListener) -> io::Result<Self::Listener> {
        self.tokio.listen(listener)
    }

    async fn accept(&self, listener: &Self::Listener) -> io::Result<(Self::Stream, SocketAddr)> {
        self.tokio.accept(listener).await
    }

    fn socket(stream: &Self::Stream) -> socket2::SockRef<'_> {
        Tokio::socket(stream)
    }
}
