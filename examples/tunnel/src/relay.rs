//! Copies between a TCP connection and a connection of the pool until both directions are done.

use std::future::Future;
use std::io;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use npws::{Connection, PeerGeneration};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::reset::Unfinished;

/// Enough for a request, since most users never send more at once.
const FIRST_BUFFER: usize = 8 * 1024;
/// As much as one message of the pool carries.
const BUFFER: usize = 64 * 1024;
/// How long a TCP peer has to close its end of a connection that is complete. What it still sends is read and dropped
/// meanwhile: the system would answer it with a reset, which can destroy what the peer has not read yet.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Where copying from TCP to the pool begins.
#[derive(Debug, Default)]
pub(crate) struct Start {
    /// What was read from TCP and not yet written to the pool.
    pub(crate) unsent: Vec<u8>,
    /// Whether TCP has ended after it.
    pub(crate) has_ended: bool,
}

/// How one direction failed.
enum Failed {
    Read(io::Error),
    Write(io::Error),
}

impl From<Failed> for io::Error {
    fn from(failed: Failed) -> Self {
        match failed {
            Failed::Read(error) | Failed::Write(error) => error,
        }
    }
}

/// Joins `tcp` and `connection`.
///
/// Towards a v2 peer each direction ends by itself. A v1 peer knows no half-close, the end of a connection is that of
/// both directions: so when TCP has ended, the other direction goes on until nothing has come for `linger`; with zero it
/// is over at once.
///
/// # Errors
/// Why either was cut. The other is cut too then, so that nobody takes a stream cut short for a complete one.
pub(crate) async fn relay(
    mut tcp: Unfinished,
    connection: Connection,
    start: Start,
    linger: Duration,
) -> io::Result<()> {
    let linger = (connection.peer_generation() != PeerGeneration::V2).then_some(linger);
    let (reader, writer) = tokio::io::split(connection);
    let (mut from_pool, mut to_pool) = (reader, writer);
    exchange(&mut tcp, &mut from_pool, &mut to_pool, start, linger).await?;
    tcp.complete();
    tokio::join!(from_pool.unsplit(to_pool).close(), hear_last_words(&mut tcp));
    Ok(())
}

async fn exchange(
    tcp: &mut TcpStream,
    from_pool: &mut (impl AsyncRead + Unpin),
    to_pool: &mut (impl AsyncWrite + Unpin),
    start: Start,
    linger: Option<Duration>,
) -> io::Result<()> {
    let (mut from_tcp, mut to_tcp) = tcp.split();
    let (progress, pool_has_ended) = (AtomicU64::new(0), AtomicBool::new(false));
    let mut down = pin!(async {
        copy(from_pool, &mut to_tcp, &progress).await?;
        pool_has_ended.store(true, Ordering::Relaxed);
        to_tcp.shutdown().await.map_err(Failed::Write)
    });
    let mut up = pin!(async {
        to_pool.write_all(&start.unsent).await.map_err(Failed::Write)?;
        drop(start.unsent);
        if !start.has_ended {
            copy(&mut from_tcp, to_pool, &AtomicU64::new(0)).await?;
        }
        match linger {
            Some(_) => Ok(()),
            // The direction that is last ends with the connection, which is closed next, but does not wait for long.
            None if pool_has_ended.load(Ordering::Relaxed) => to_pool.flush().await.map_err(Failed::Write),
            None => to_pool.shutdown().await.map_err(Failed::Write),
        }
    });
    let ended = tokio::select! {
        ended = &mut down => {
            ended?;
            return if linger.is_none() { Ok(up.await?) } else { Ok(()) };
        }
        ended = &mut up => ended,
    };
    match (ended, linger) {
        (Ok(()), None) => Ok(down.await?),
        (Ok(()), Some(linger)) => while_it_flows(down, &progress, linger).await,
        (Err(Failed::Read(error)), _) => Err(error),
        // Reading tells why, after what had come before.
        (Err(Failed::Write(_)), Some(_)) => Ok(down.await?),
        (Err(Failed::Write(error)), None) => {
            down.await?;
            Err(error)
        }
    }
}

async fn copy(
    reader: &mut (impl AsyncRead + Unpin),
    writer: &mut (impl AsyncWrite + Unpin),
    progress: &AtomicU64,
) -> Result<(), Failed> {
    let mut buffer = vec![0; FIRST_BUFFER];
    loop {
        let count = reader.read(&mut buffer).await.map_err(Failed::Read)?;
        if count == 0 {
            return Ok(());
        }
        progress.fetch_add(1, Ordering::Relaxed);
        writer.write_all(&buffer[..count]).await.map_err(Failed::Write)?;
        if count == buffer.len() {
            buffer.resize(BUFFER, 0);
        }
    }
}

/// Goes on with `down` until it ends or nothing has come for `linger`.
async fn while_it_flows(
    mut down: Pin<&mut impl Future<Output = Result<(), Failed>>>,
    progress: &AtomicU64,
    linger: Duration,
) -> io::Result<()> {
    loop {
        let before = progress.load(Ordering::Relaxed);
        match timeout(linger, &mut down).await {
            Ok(ended) => return Ok(ended?),
            Err(_) if progress.load(Ordering::Relaxed) == before => return Ok(()),
            Err(_) => {}
        }
    }
}

async fn hear_last_words(tcp: &mut TcpStream) {
    let mut rest = tokio::io::sink();
    let _ = tcp.shutdown().await;
    let _ = timeout(LAST_WORDS, tokio::io::copy(tcp, &mut rest)).await;
}
