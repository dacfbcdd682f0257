//! What a client says first on a connection that a v2 server took, one byte each, before what the target says.

use std::future::Future;
use std::io;
use std::pin::pin;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;

use crate::answer::Answer;

/// I am there, and not connected to the target yet.
const CONNECTING: u8 = b'.';
/// The connection is joined to the target. Said before any byte is passed on to it.
const JOINED: u8 = b'+';
/// The target cannot be reached. Nothing was passed on to it.
const REFUSED: u8 = b'-';

/// Tells the server what becomes of `connecting`, and every `heartbeat` until then that this end is there.
///
/// # Errors
/// When the server cannot be told: the user has left, or the connection is lost.
pub(crate) async fn tell<T>(
    connection: &mut (impl AsyncWrite + Unpin),
    heartbeat: Duration,
    connecting: impl Future<Output = io::Result<T>>,
) -> io::Result<io::Result<T>> {
    let mut connecting = pin!(connecting);
    let connected = loop {
        match timeout(heartbeat, &mut connecting).await {
            Ok(connected) => break connected,
            Err(_) => say(connection, CONNECTING).await?,
        }
    };
    say(connection, if connected.is_ok() { JOINED } else { REFUSED }).await?;
    Ok(connected)
}

async fn say(connection: &mut (impl AsyncWrite + Unpin), status: u8) -> io::Result<()> {
    connection.write_u8(status).await?;
    connection.flush().await
}

/// Waits until the client is joined to the target, or cannot be.
///
/// # Errors
/// When the connection ends before, or nothing was heard for `patience`.
pub(crate) async fn hear(connection: &mut (impl AsyncRead + Unpin), patience: Duration) -> io::Result<Answer> {
    loop {
        match timeout(patience, connection.read_u8()).await?? {
            CONNECTING => {}
            JOINED => return Ok(Answer::Joined),
            REFUSED => return Ok(Answer::Refused),
            other => return Err(io::Error::new(io::ErrorKind::InvalidData, format!("{other} is no status"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::duplex;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn a_slow_target_is_no_silent_client() {
        let (mut client, mut server) = duplex(64);
        let connecting = async {
            tokio::time::sleep(10 * SECOND).await;
            Ok("target")
        };
        let (told, heard) = tokio::join!(tell(&mut client, SECOND, connecting), hear(&mut server, 3 * SECOND));
        assert_eq!(told.unwrap().unwrap(), "target");
        assert_eq!(heard.unwrap(), Answer::Joined);
    }

    #[tokio::test(start_paused = true)]
    async fn a_target_that_cannot_be_reached_is_told_and_a_lost_or_silent_client_found_out() {
        let (mut client, mut server) = duplex(64);
        let refused = async { Err::<(), _>(io::ErrorKind::ConnectionRefused.into()) };
        assert!(tell(&mut client, SECOND, refused).await.unwrap().is_err());
        assert_eq!(hear(&mut server, SECOND).await.unwrap(), Answer::Refused);
        assert_eq!(hear(&mut server, SECOND).await.unwrap_err().kind(), io::ErrorKind::TimedOut);
        client.write_all(b"HTTP").await.unwrap();
        assert_eq!(hear(&mut server, SECOND).await.unwrap_err().kind(), io::ErrorKind::InvalidData);
        drop(client);
        for _ in 0..3 {
            hear(&mut server, SECOND).await.unwrap_err();
        }
        assert_eq!(hear(&mut server, SECOND).await.unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
    }
}
