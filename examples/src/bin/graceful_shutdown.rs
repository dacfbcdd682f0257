//! Ends a server without cutting anyone short: `drain`, while a download is under way.
//!
//! A drain closes what is idle and hands out nothing new. Connections that were taken are their users' own: the pool
//! does not wait for them, and they outlive it.

use std::error::Error;
use std::time::Duration;

use npws::TakeError;
use npws::tokio::{ClientPool, ServerPool};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::oneshot;

const WAIT: Duration = Duration::from_secs(5);
const HALF: usize = 1 << 20;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    let server = ServerPool::builder().capacity(8).bind("127.0.0.1:0").await?;
    let address = server.local_addr().ok_or("the server has no address")?.to_string();
    let client = ClientPool::builder(address).capacity(8..=8).connect()?;

    let (id, mut upload) = server.take_next(WAIT).await?;
    let mut download = client.take(id, WAIT).await?;
    let (go_on, is_drained) = oneshot::channel();
    let sending = tokio::spawn(async move {
        upload.write_all(&[b'a'; HALF]).await?;
        // The pool is gone when the second half leaves.
        let _ = is_drained.await;
        upload.write_all(&[b'z'; HALF]).await?;
        upload.shutdown().await
    });
    let mut body = vec![0; HALF];
    download.read_exact(&mut body).await?;
    println!("{id}: {} bytes so far, {} connections idle", body.len(), server.active());

    // In a server this comes after a signal, as tokio::signal::ctrl_c() gives one.
    let draining = tokio::spawn({
        let server = server.clone();
        async move { server.drain(WAIT).await }
    });
    client.drain(WAIT).await;
    draining.await?;
    println!("drained: {} idle, {} in use, closed: {}", server.active(), server.stats().taken, server.is_closed());
    match server.take_next(WAIT).await {
        Err(error @ (TakeError::Draining | TakeError::Closed)) => println!("one more take: {error}"),
        other => return Err(format!("a drained pool handed something out: {other:?}").into()),
    }

    let _ = go_on.send(());
    download.read_to_end(&mut body).await?;
    sending.await??;
    println!("{id}: {} bytes, complete", body.len());
    assert_eq!(body.len(), 2 * HALF, "the download was cut short");
    Ok(())
}
