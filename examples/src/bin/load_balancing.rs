//! One client spreads its requests over three servers, and goes on when one of them fails.
//!
//! The group has a pool for each server. The requests take turns; a server without a ready connection is passed over, and
//! one whose dials fail is left out until a probe finds it again.

use std::error::Error;
use std::time::Duration;

use npws::tokio::{ClientPool, PoolGroup, ServerPool};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

type Result<T = ()> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

const WAIT: Duration = Duration::from_secs(5);
const ROUND: Duration = Duration::from_millis(50);

/// A server that answers every connection that the client takes with its own name.
async fn start(name: &'static str) -> Result<ServerPool> {
    let server = ServerPool::builder().capacity(10).bind("127.0.0.1:0").await?;
    let serving = server.clone();
    tokio::spawn(async move {
        while let Ok((_, mut connection)) = serving.accept(Duration::MAX).await {
            tokio::spawn(async move {
                connection.write_all(name.as_bytes()).await?;
                connection.shutdown().await
            });
        }
    });
    Ok(server)
}

/// Asks whichever server is next for its name.
async fn ask(group: &PoolGroup) -> Result<String> {
    let (_endpoint, _id, mut connection) = group.take_next(WAIT).await?;
    let mut name = String::new();
    connection.read_to_string(&mut name).await?;
    Ok(name)
}

#[tokio::main]
async fn main() -> Result {
    let servers = [start("amsterdam").await?, start("bogota").await?, start("cairo").await?];
    let mut group = PoolGroup::builder();
    for server in &servers {
        let address = server.local_addr().ok_or("the server has no address")?.to_string();
        group = group.endpoint(ClientPool::builder(address).capacity(2..=8).interval(ROUND..=ROUND));
    }
    let group = group.connect()?;
    for endpoint in group.stats().endpoints {
        let pool = group.pool(endpoint.endpoint.id()).ok_or("it is gone")?;
        pool.wait_ready(WAIT).await?;
    }
    for request in 0..12 {
        if request == 6 {
            println!("bogota goes down");
            servers[1].close();
        }
        // What was taken as its server went down is asked again of another.
        let name = loop {
            match ask(&group).await {
                Ok(name) if !name.is_empty() => break name,
                outcome => println!("request {request}: once more after {outcome:?}"),
            }
        };
        println!("request {request}: answered by {name}");
    }
    for endpoint in group.stats().endpoints {
        println!("{}: {} served, breaker {}", endpoint.endpoint, endpoint.stats.taken_total, endpoint.breaker);
    }
    Ok(())
}
