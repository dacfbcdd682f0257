//! What is measured after the downloads, one at a time: first bytes and throughput.

use std::error::Error;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use npws::ClientTls;
use npws::tokio::{ClientPool, ServerPool};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::download::{download, download_over};
use super::latency::Percentiles;
use super::site::{self, Site};
use crate::relay::{Start, relay};
use crate::reset::Unfinished;

const FIRST_BYTES: usize = 100;
const TRANSFERS: u32 = 4;
const LIMIT: Duration = Duration::from_secs(10);
const TRANSFER_LIMIT: Duration = Duration::from_secs(60);

/// What was measured.
#[derive(Debug)]
pub(super) struct Probes {
    /// From connecting to the answer, through the tunnel.
    pub(super) warm: Percentiles,
    /// The same when TCP, TLS and WebSocket are set up for each request.
    pub(super) cold: Percentiles,
    /// Bytes a second of one stream.
    pub(super) through_tunnel: f64,
    pub(super) direct: f64,
}

pub(super) async fn run(site: &Site) -> Result<Probes, Box<dyn Error>> {
    // Filling the pool costs handshakes, which would be measured too.
    site.fill(site::READY, LIMIT).await;
    let size = site.files.smallest();
    let mut warm = Vec::with_capacity(FIRST_BYTES);
    for _ in 0..FIRST_BYTES {
        warm.push(timeout(LIMIT, download(site.public, size, None)).await??);
    }
    let cold_server = ColdServer::start(site).await?;
    let mut cold = Vec::with_capacity(FIRST_BYTES);
    for _ in 0..FIRST_BYTES {
        cold.push(cold_server.first_byte(site, size).await?);
    }
    Ok(Probes {
        warm: Percentiles::of(warm),
        cold: Percentiles::of(cold),
        through_tunnel: throughput(site.public, site.files.largest()).await?,
        direct: throughput(site.origin, site.files.largest()).await?,
    })
}

async fn throughput(address: SocketAddr, size: usize) -> Result<f64, Box<dyn Error>> {
    let began = Instant::now();
    for _ in 0..TRANSFERS {
        timeout(TRANSFER_LIMIT, download(address, size, None)).await??;
    }
    Ok(size as f64 * f64::from(TRANSFERS) / began.elapsed().as_secs_f64())
}

/// Joins what it is told to the origin, over connections that are set up for the purpose.
struct ColdServer {
    pool: ServerPool,
}

impl ColdServer {
    async fn start(site: &Site) -> Result<Self, Box<dyn Error>> {
        let pool = ServerPool::builder().capacity(8).tls(site.tls.clone()).bind("127.0.0.1:0").await?;
        Ok(Self { pool })
    }

    async fn first_byte(&self, site: &Site, size: usize) -> Result<Duration, Box<dyn Error>> {
        let address = self.pool.local_addr().ok_or("the listener has no address")?;
        let builder = ClientPool::builder(address.to_string())
            .interval(Duration::from_secs(60)..=Duration::from_secs(60))
            .server_name(site::NAME)
            .tls(ClientTls::pinned(site.fingerprint));
        let began = Instant::now();
        let client = builder.connect()?;
        // Unlike a take, this asks for no connection on top of the one that the pool dials by itself.
        client.wait_ready(LIMIT).await?;
        let (id, connection) = client.take_next(Duration::ZERO).await?;
        let (pool, origin) = (self.pool.clone(), site.origin);
        tokio::spawn(async move {
            let (taken, connected) = tokio::join!(pool.take(id, LIMIT), TcpStream::connect(origin));
            if let (Ok(connection), Ok(target)) = (taken, connected) {
                let _ = target.set_nodelay(true);
                // Fails when the one who measures leaves.
                let _ = relay(Unfinished::new(target), connection, Start::default(), Duration::ZERO).await;
            }
        });
        let downloading = download_over(connection, began, size, None);
        Ok(timeout(LIMIT, downloading).await??)
    }
}

impl Drop for ColdServer {
    fn drop(&mut self) {
        self.pool.close();
    }
}
