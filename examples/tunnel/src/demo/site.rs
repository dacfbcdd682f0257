//! Everything that runs in the demo, on loopback and ports of its own.

use std::error::Error;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use npws::tokio::{ClientPool, ServerPool};
use npws::{ClientTls, Fingerprint, ServerTls};
use tokio::net::TcpListener;
use tokio::time::{Instant, sleep};

use super::cutter::Cutter;
use super::files::Files;
use super::origin;
use super::watch::{End, Watch};
use crate::{ClientOptions, ServerOptions, TunnelClient, TunnelServer};

pub(super) const NAME: &str = "localhost";

/// How many connections are ready at least while nobody comes.
pub(super) const READY: usize = 128;
const FILL_POLL: Duration = Duration::from_millis(5);

/// The origin and the tunnel to it.
#[derive(Debug)]
pub(super) struct Site {
    speaks_v2: bool,
    pub(super) files: Arc<Files>,
    pub(super) origin: SocketAddr,
    pub(super) public: SocketAddr,
    pub(super) listen: SocketAddr,
    pub(super) fingerprint: Fingerprint,
    pub(super) tls: ServerTls,
    pub(super) pool: ServerPool,
    pub(super) server: TunnelServer,
    pub(super) cutter: Arc<Cutter>,
    pub(super) watch_server: Arc<Watch>,
    pub(super) watch_client: Arc<Watch>,
}

impl Site {
    pub(super) async fn start(files: Arc<Files>, speaks_v2: bool) -> Result<Self, Box<dyn Error>> {
        let origin = origin::start(files.clone()).await?;
        let tls = ServerTls::self_signed([NAME])?;
        let fingerprint = tls.fingerprint().ok_or("a certificate made on the spot has no fingerprint")?;
        let cutter = Arc::new(Cutter::default());
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let listen = listener.local_addr()?;
        let builder = ServerPool::builder().capacity(512).control_channel(true).tls(tls.clone());
        let pool = builder.serve(cutter.accept(listener))?;
        let public = TcpListener::bind("127.0.0.1:0").await?;
        let watch_server = Arc::new(Watch::new(End::Server, cutter.clone()));
        let watch_client = Arc::new(Watch::new(End::Client, cutter.clone()));
        Ok(Self {
            speaks_v2,
            files,
            origin,
            public: public.local_addr()?,
            listen,
            fingerprint,
            tls,
            pool: pool.clone(),
            server: TunnelServer::start(
                pool,
                public,
                ServerOptions { observer: Some(watch_server.clone()), ..ServerOptions::default() },
            ),
            cutter,
            watch_server,
            watch_client,
        })
    }

    /// Waits until `count` connections are ready, for a while: under load it may never be so many.
    pub(super) async fn fill(&self, count: usize, limit: Duration) {
        let deadline = Instant::now() + limit;
        while self.pool.active() < count && Instant::now() < deadline {
            sleep(FILL_POLL).await;
        }
    }

    /// Starts a tunnel client.
    pub(super) fn start_client(&self) -> Result<TunnelClient, Box<dyn Error>> {
        let pool = ClientPool::builder(self.listen.to_string())
            .capacity(READY..=2 * READY)
            .interval(Duration::from_millis(20)..=Duration::from_millis(50))
            .control_channel(true)
            .v2(self.speaks_v2)
            .server_name(NAME)
            .tls(ClientTls::pinned(self.fingerprint))
            .connect()?;
        let options = ClientOptions { observer: Some(self.watch_client.clone()), ..ClientOptions::default() };
        Ok(TunnelClient::start(pool, self.origin.to_string(), options))
    }
}
