//! A server pool and a client pool with a network in memory between them.

use std::sync::Arc;
use std::time::Duration;

use futures::channel::mpsc;
use npws_driver::{ClientPool, ClientPoolBuilder, ServerPool, ServerPoolBuilder, Socket};
use shuttle::rand::{Rng, thread_rng};
use shuttle::sync::Mutex;
use shuttle::thread::yield_now;

use crate::pipe::{Cable, pipe};
use crate::runtime::Scheduled;

/// Both pools, and what happens to their connections.
#[derive(Debug)]
pub struct World {
    /// What both run on.
    pub runtime: Scheduled,
    /// Accepts.
    pub server: ServerPool<Scheduled>,
    /// Dials.
    pub client: ClientPool<Scheduled>,
    cables: Arc<Mutex<Vec<Cable>>>,
}

impl World {
    /// A client that keeps this many connections ready, and a server that takes more.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        Self::with(capacity, |server| server, |client| client)
    }

    /// The same, with something else about them.
    #[must_use]
    pub fn with(
        capacity: usize,
        server: impl FnOnce(ServerPoolBuilder<Scheduled>) -> ServerPoolBuilder<Scheduled>,
        client: impl FnOnce(ClientPoolBuilder<Scheduled>) -> ClientPoolBuilder<Scheduled>,
    ) -> Self {
        let runtime = Scheduled::new();
        let cables = Arc::new(Mutex::new(Vec::new()));
        let (sockets, incoming) = mpsc::unbounded();
        let server = server(ServerPool::builder().runtime(runtime.clone()).capacity(capacity + 4).no_keepalive())
            .serve(incoming)
            .unwrap();
        let network = Arc::clone(&cables);
        let dialer = move |_| {
            let (near, far) = pipe();
            network.lock().unwrap().push(near.cable());
            let _ = sockets.unbounded_send(Ok(Socket::new(far)));
            async move { Ok(Socket::new(near)) }
        };
        let builder = ClientPool::builder("memory:1").runtime(runtime.clone()).capacity(capacity..=capacity);
        let client = client(builder.no_keepalive().dialer(dialer)).connect().unwrap();
        Self { runtime, server, client, cables }
    }

    /// Closes both pools, as a user would. Every task of theirs has to end by that.
    pub async fn end(self) {
        self.server.close();
        self.client.close();
        self.cut_all();
        self.runtime.advance(Duration::from_secs(60));
        self.runtime.all_done().await;
    }

    /// Lets the tasks go on; now and then a second passes and `something` happens. So seldom that what has begun mostly
    /// gets to its end before its deadline.
    pub fn sometimes(&self, something: impl FnOnce(&Self)) {
        if thread_rng().gen_ratio(1, 50) {
            something(self);
            self.runtime.advance(Duration::from_secs(1));
        }
        yield_now();
    }

    /// Cuts every connection there has been.
    pub fn cut_all(&self) {
        self.cables.lock().unwrap().drain(..).for_each(|cable| cable.cut());
    }

    /// From now on nothing arrives any more on any connection there has been, and neither end is told.
    pub fn silence_all(&self) {
        self.cables.lock().unwrap().iter().for_each(Cable::silence);
    }
}
