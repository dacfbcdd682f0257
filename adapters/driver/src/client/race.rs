//! Connecting to whichever address of a name answers first.

use std::future::{Future, pending};
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use futures::StreamExt;
use futures::future::{self, Either};
use futures::stream::FuturesUnordered;
use npws_core::Race;

use super::ConnectError;
use crate::clock::Clock;

/// The outcome of the first attempt to succeed, which drops the others.
pub(super) async fn race<T, F: Future<Output = io::Result<T>>>(
    clock: &Clock,
    addresses: Vec<SocketAddr>,
    delay: Duration,
    connect: impl Fn(SocketAddr) -> F,
) -> Result<T, ConnectError> {
    let mut race = Race::new(clock.now(), addresses, delay);
    let mut attempts = FuturesUnordered::new();
    let mut causes = Vec::new();
    while !race.is_lost() {
        while let Some(address) = race.poll_attempt(clock.now()) {
            let attempt = connect(address);
            attempts.push(async move { (address, attempt.await) });
        }
        let next = match race.poll_timeout() {
            Some(due) => clock.sleep_until(due),
            None => Box::pin(pending()),
        };
        match future::select(attempts.next(), next).await {
            Either::Left((Some((_, Ok(connected))), _)) => return Ok(connected),
            Either::Left((Some((address, Err(cause))), _)) => {
                tracing::trace!(%address, %cause, "attempt failed");
                causes.push((address, cause));
                race.handle_failed(clock.now());
            }
            // The next attempt is due.
            Either::Left((None, _)) | Either::Right(_) => {}
        }
    }
    Err(ConnectError::new(causes))
}
