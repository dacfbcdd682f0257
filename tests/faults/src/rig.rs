//! tokio with a clock that can leap and names that can be moved.

use std::future::Future;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use npws::Runtime;
use npws::tokio::Tokio;
use tokio::sync::watch;

/// tokio, but for what it says of the time and of names. Clones share both.
#[derive(Debug, Clone)]
pub struct Rig {
    tokio: Tokio,
    addresses: Arc<Mutex<Vec<SocketAddr>>>,
    leap: watch::Sender<Duration>,
}

impl Rig {
    /// On the current runtime, and every name stands for `addresses`.
    pub fn new(addresses: &[SocketAddr]) -> Self {
        let tokio = Tokio::current().expect("the test runs on tokio");
        Self { tokio, addresses: Arc::new(Mutex::new(addresses.to_vec())), leap: watch::Sender::new(Duration::ZERO) }
    }

    /// From now on every name stands for these.
    pub fn rename(&self, addresses: &[SocketAddr]) {
        *self.addresses.lock().unwrap() = addresses.to_vec();
    }

    /// It is suddenly so much later, as after a suspension that the clock counts.
    pub fn leap(&self, by: Duration) {
        self.leap.send_modify(|leap| *leap += by);
    }
}

impl Runtime for Rig {
    type Stream = <Tokio as Runtime>::Stream;
    type Listener = <Tokio as Runtime>::Listener;

    fn current() -> io::Result<Self> {
        Ok(Self::new(&[]))
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

    async fn resolve(&self, _host: &str, _port: u16) -> io::Result<Vec<SocketAddr>> {
        Ok(self.addresses.lock().unwrap().clone())
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
