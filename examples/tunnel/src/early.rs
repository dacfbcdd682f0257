//! The time between a user's first byte and the client's word that the connection is joined to the target.

use std::future::Future;
use std::io;

use tokio::io::{AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::answer::Answer;
use crate::relay::Start;

const READ_AT_ONCE: usize = 16 * 1024;

/// What a user has sent so far. It leaves at once, without waiting for the client, and is kept until the client has
/// joined the connection, so that it can go over another one if this one turns out to be no good.
#[derive(Debug)]
pub(crate) struct Early {
    data: Vec<u8>,
    limit: usize,
    has_ended: bool,
}

/// What came of an attempt.
#[derive(Debug)]
pub(crate) enum Attempt {
    /// It is joined to the target. What was read of the user and not sent yet is the beginning of the rest.
    Joined(Start),
    /// Nothing was passed on to the target, or the client is gone and cannot tell: try another connection.
    Lost,
    /// The client could not reach the target.
    Refused,
    /// The user is gone.
    Left(io::Error),
}

impl Early {
    /// Keeps at most `limit` bytes; with zero nothing is read before the connection is joined.
    pub(crate) fn new(limit: usize) -> Self {
        Self { data: Vec::new(), limit, has_ended: false }
    }

    /// Sends what came so far and what comes over `connection`, until the client's `answer`.
    pub(crate) async fn attempt(
        &mut self,
        user: &mut TcpStream,
        connection: &mut (impl AsyncWrite + Unpin),
        answer: impl Future<Output = Answer>,
    ) -> Attempt {
        let mut sent = 0;
        let answer = tokio::select! {
            biased;
            answer = answer => answer,
            error = self.feed(user, connection, &mut sent) => return Attempt::Left(error),
        };
        match answer {
            Answer::Joined => {
                let mut unsent = std::mem::take(&mut self.data);
                unsent.drain(..sent);
                Attempt::Joined(Start { unsent, has_ended: self.has_ended })
            }
            Answer::Gone => Attempt::Lost,
            Answer::Refused => Attempt::Refused,
        }
    }

    /// Never ends but by an error of the user's. May be dropped at any await: what was read is in `data`, what was
    /// written is counted in `sent`.
    async fn feed(
        &mut self,
        user: &mut TcpStream,
        connection: &mut (impl AsyncWrite + Unpin),
        sent: &mut usize,
    ) -> io::Error {
        loop {
            while *sent < self.data.len() {
                match connection.write(&self.data[*sent..]).await {
                    Ok(count) => *sent += count,
                    // The client's answer tells what that means.
                    Err(_) => std::future::pending().await,
                }
            }
            if self.has_ended || self.data.len() >= self.limit {
                std::future::pending::<()>().await;
            }
            let room = READ_AT_ONCE.min(self.limit - self.data.len());
            self.data.reserve(room);
            match (&mut *user).take(room as u64).read_buf(&mut self.data).await {
                Ok(0) => self.has_ended = true,
                Ok(_) => {}
                Err(error) => return error,
            }
        }
    }
}
