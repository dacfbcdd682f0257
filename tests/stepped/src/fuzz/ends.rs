//! One pool of the driver's, and the raw end of its connection.

use std::time::Duration;

use futures::channel::mpsc::{self, UnboundedSender};
use futures::future;
use npws_driver::{ClientPool, ClientPoolBuilder, ServerPool, ServerPoolBuilder, Socket};

use crate::pipe::{Pipe, Remote, pipe};
use crate::runtime::Stepped;

/// Longer than any deadline of a pool that was not told otherwise.
const LONG: Duration = Duration::from_secs(3600);

/// A server pool, and how sockets get to it.
pub(super) struct Accepting {
    pub(super) runtime: Stepped,
    pub(super) pool: ServerPool<Stepped>,
    sockets: UnboundedSender<std::io::Result<Socket>>,
}

impl Accepting {
    pub(super) fn new(configure: impl FnOnce(ServerPoolBuilder<Stepped>) -> ServerPoolBuilder<Stepped>) -> Self {
        let runtime = Stepped::new();
        let (sockets, incoming) = mpsc::unbounded();
        let pool = configure(ServerPool::builder().runtime(runtime.clone())).serve(incoming).expect("valid settings");
        runtime.run();
        Self { runtime, pool, sockets }
    }

    /// A peer connects.
    pub(super) fn connect(&self, piece: usize) -> Remote {
        let (near, far) = pipe(piece);
        let socket = Socket::new(near).with_addrs(None, Some(([192, 0, 2, 1], 40_000).into()));
        self.sockets.unbounded_send(Ok(socket)).expect("the pool listens");
        self.runtime.run();
        far
    }

    /// Closes the pool, by which every task of its ends.
    pub(super) fn finish(self, remote: &Remote) {
        drop(self.sockets);
        finish(&self.runtime, remote, || self.pool.close());
    }
}

/// A client pool whose first dial reaches a raw end. The others reach nothing.
pub(super) struct Dialing {
    pub(super) runtime: Stepped,
    pub(super) pool: ClientPool<Stepped>,
}

impl Dialing {
    pub(super) fn new(
        piece: usize,
        configure: impl FnOnce(ClientPoolBuilder<Stepped>) -> ClientPoolBuilder<Stepped>,
    ) -> (Self, Remote) {
        let runtime = Stepped::new();
        let (near, far) = pipe(piece);
        let once: std::sync::Mutex<Option<Pipe>> = Some(near).into();
        let dialer = move |_| {
            let socket = once.lock().unwrap().take();
            async move {
                match socket {
                    Some(socket) => Ok(Socket::new(socket)),
                    None => future::pending().await,
                }
            }
        };
        let builder = ClientPool::builder("fuzz.example:80").runtime(runtime.clone()).dialer(dialer);
        let pool = configure(builder).connect().expect("valid settings");
        runtime.run();
        (Self { runtime, pool }, far)
    }

    /// Closes the pool, by which every task of its ends.
    pub(super) fn finish(self, remote: &Remote) {
        finish(&self.runtime, remote, || self.pool.close());
    }
}

fn finish(runtime: &Stepped, remote: &Remote, close: impl FnOnce()) {
    close();
    remote.end();
    runtime.run();
    runtime.advance(LONG);
    assert_eq!(runtime.tasks(), 0, "a task outlived its pool");
    assert!(remote.is_over(), "a socket outlived its pool");
}
