//! One client spreads its requests over three servers, and goes on when one of them fails.
//!
//! There is a pool for each server. The requests take turns, and a server without a ready connection is passed over: a
//! pool counts only connections that live, so a try that does not wait is enough to know.

use std::error::Error;
use std::time::Duration;

use futures::future::select_ok;
use npws::ConnectionId;
use npws::tokio::{ClientPool, ServerPool};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc;

type Result<T = ()> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

const WAIT: Duration = Duration::from_secs(5);
const ROUND: Duration = Duration::from_millis(50);

/// A server as its client sees it. The channel stands in for a control connection, which `tokio_echo` shows.
struct Backend {
    pool: ClientPool,
    ids: mpsc::UnboundedSender<ConnectionId>,
}

impl Backend {
    async fn start(name: &'static str) -> Result<(Self, ServerPool)> {
        let server = ServerPool::builder().capacity(10).bind("127.0.0.1:0").await?;
        let address = server.local_addr().ok_or("the server has no address")?.to_string();
        let pool = ClientPool::builder(address).capacity(2..=8).interval(ROUND..=ROUND).connect()?;
        pool.wait_ready(WAIT).await?;
        let (ids, mut named) = mpsc::unbounded_channel();
        let serving = server.clone();
        tokio::spawn(async move {
            while let Some(id) = named.recv().await {
                let Ok(mut connection) = serving.take(id, WAIT).await else { continue };
                tokio::spawn(async move {
                    connection.write_all(name.as_bytes()).await?;
                    connection.shutdown().await
                });
            }
        });
        Ok((Self { pool, ids }, server))
    }

    /// Asks for the server's name on a connection that is ready now.
    async fn ask(&self) -> Result<String> {
        let (id, mut connection) = self.pool.take_next(Duration::ZERO).await?;
        self.ids.send(id)?;
        let mut name = String::new();
        connection.read_to_string(&mut name).await?;
        Ok(name)
    }
}

#[tokio::main]
async fn main() -> Result {
    let (amsterdam, bogota, cairo) =
        tokio::try_join!(Backend::start("amsterdam"), Backend::start("bogota"), Backend::start("cairo"))?;
    let mut backends = [amsterdam.0, bogota.0, cairo.0];
    for request in 0..12 {
        if request == 6 {
            println!("bogota goes down");
            bogota.1.close();
        }
        let name = 'answered: loop {
            for backend in &backends {
                if let Ok(name) = backend.ask().await {
                    break 'answered name;
                }
            }
            // All are busy or gone: go on with whichever is ready first.
            select_ok(backends.iter().map(|backend| Box::pin(backend.pool.wait_ready(WAIT)))).await?;
        };
        println!("request {request}: answered by {name}");
        backends.rotate_left(1);
    }
    Ok(())
}
