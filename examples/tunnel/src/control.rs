//! One control connection, from when it was taken to its end.

use std::fmt;
use std::io;
use std::time::Duration;

use futures::{SinkExt, StreamExt};
use npws::Connection;
use tokio::io::{AsyncWrite, ReadHalf};
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout_at};
use tokio_util::codec::{FramedRead, FramedWrite, LinesCodec, LinesCodecError};

use crate::word::{MAX_LENGTH, Word};

/// How many signs of life the other end may miss.
pub(crate) const MISSED_SIGNS: u32 = 3;
/// Words that are sent in one message when there are as many.
const BATCH: usize = 64;

/// Why a control connection is no more.
#[derive(Debug)]
pub(crate) enum End {
    /// The other end closed it in good order.
    Closed,
    /// This end has no more to say and hung up.
    HungUp,
    /// Nothing was heard for this long.
    Silent(Duration),
    /// The connection broke, or what came is no line.
    Failed(LinesCodecError),
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed => f.write_str("the other end closed it"),
            Self::HungUp => f.write_str("this end closed it"),
            Self::Silent(time) => write!(f, "nothing was heard for {time:?}"),
            Self::Failed(LinesCodecError::Io(error)) => error.fmt(f),
            Self::Failed(error) => error.fmt(f),
        }
    }
}

/// Says what comes out of `outgoing`, and hears what the other end says, until either end is gone. When `outgoing` ends,
/// this end says goodbye. Every `heartbeat` each end gives a sign of life.
pub(crate) async fn converse(
    connection: Connection,
    outgoing: mpsc::UnboundedReceiver<Word>,
    heartbeat: Duration,
    hear: impl FnMut(Word),
) -> End {
    let (reader, writer) = tokio::io::split(connection);
    tokio::select! {
        end = listen(reader, heartbeat * MISSED_SIGNS, hear) => end,
        outcome = speak(writer, outgoing, heartbeat) => match outcome {
            Ok(()) => End::HungUp,
            Err(error) => End::Failed(error),
        },
    }
}

async fn listen(reader: ReadHalf<Connection>, patience: Duration, mut hear: impl FnMut(Word)) -> End {
    let mut lines = FramedRead::new(reader, LinesCodec::new_with_max_length(MAX_LENGTH));
    loop {
        match timeout_at(Instant::now() + patience, lines.next()).await {
            Ok(Some(Ok(line))) => match Word::parse(&line) {
                Some(word) => hear(word),
                None => tracing::debug!(line, "unknown word on the control connection"),
            },
            Ok(Some(Err(error))) => return End::Failed(error),
            Ok(None) => return End::Closed,
            Err(_) => return End::Silent(patience),
        }
    }
}

async fn speak(
    writer: impl AsyncWrite + Unpin,
    mut outgoing: mpsc::UnboundedReceiver<Word>,
    heartbeat: Duration,
) -> Result<(), LinesCodecError> {
    let mut lines = FramedWrite::new(writer, LinesCodec::new());
    let mut pulse = interval(heartbeat);
    pulse.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut words = Vec::with_capacity(BATCH);
    loop {
        tokio::select! {
            count = outgoing.recv_many(&mut words, BATCH) => if count == 0 {
                break;
            },
            _ = pulse.tick() => words.push(Word::Ping),
        }
        for word in words.drain(..) {
            lines.feed(word.to_string()).await?;
        }
        flush(&mut lines).await?;
    }
    let closing = SinkExt::<String>::close(&mut lines);
    tokio::time::timeout(heartbeat, closing)
        .await
        .unwrap_or_else(|_| Err(io::Error::from(io::ErrorKind::TimedOut).into()))
}

async fn flush<W: AsyncWrite + Unpin>(lines: &mut FramedWrite<W, LinesCodec>) -> Result<(), LinesCodecError> {
    SinkExt::<String>::flush(lines).await
}

/// Waits until the control connection to a v2 peer ends, on which nothing is said; forever without one.
pub(crate) async fn hold(connection: Option<&mut Connection>) {
    match connection {
        // However it ends, it is gone.
        Some(connection) => drop(tokio::io::copy(connection, &mut tokio::io::sink()).await),
        None => std::future::pending().await,
    }
}
