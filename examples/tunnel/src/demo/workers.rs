//! The users of the demo.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::download::{DownloadError, download};
use super::files::size;
use super::progress::Progress;
use super::site::Site;
use crate::args::DemoArgs;

/// A download that the restart of the client hits is made again.
const ATTEMPTS: u32 = 10;
const PAUSE: Duration = Duration::from_millis(100);
const ATTEMPT_LIMIT: Duration = Duration::from_secs(60);

/// What the users got.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    pub(super) requests: u32,
    pub(super) failures: u32,
    pub(super) retries: u32,
    pub(super) bytes: u64,
}

#[derive(Debug, Default)]
struct Tally {
    next: AtomicU32,
    done: AtomicU32,
    retries: AtomicU32,
    bytes: AtomicU64,
}

/// Makes all downloads.
pub(super) async fn run(args: &DemoArgs, site: &Arc<Site>, progress: &Arc<Progress>) -> Outcome {
    let tally = Arc::new(Tally::default());
    let mut workers = JoinSet::new();
    for _ in 0..args.workers {
        workers.spawn(work(args.requests, site.clone(), progress.clone(), tally.clone()));
    }
    // A worker that panicked leaves its download undone, which is counted as a failure.
    while workers.join_next().await.is_some() {}
    let read = |counter: &AtomicU32| counter.load(Ordering::Relaxed);
    Outcome {
        requests: args.requests,
        failures: args.requests - read(&tally.done),
        retries: read(&tally.retries),
        bytes: tally.bytes.load(Ordering::Relaxed),
    }
}

async fn work(requests: u32, site: Arc<Site>, progress: Arc<Progress>, tally: Arc<Tally>) {
    loop {
        let number = tally.next.fetch_add(1, Ordering::Relaxed);
        if number >= requests {
            return;
        }
        for attempt in 1..=ATTEMPTS {
            match fetch(&site, size(number)).await {
                Ok(()) => {
                    tally.done.fetch_add(1, Ordering::Relaxed);
                    tally.bytes.fetch_add(size(number) as u64, Ordering::Relaxed);
                    break;
                }
                Err(error) if attempt == ATTEMPTS => {
                    progress.say(&format!("request {number} failed for good: {error}"))
                }
                Err(error) => {
                    tracing::debug!("request {number} is made again: {error}");
                    tally.retries.fetch_add(1, Ordering::Relaxed);
                    sleep(PAUSE).await;
                }
            }
        }
        progress.advance();
    }
}

async fn fetch(site: &Site, size: usize) -> Result<(), DownloadError> {
    let hash = site.files.get(size).map(|(_, hash)| hash);
    let downloading = download(site.public, size, hash);
    timeout(ATTEMPT_LIMIT, downloading).await.unwrap_or(Err(DownloadError::Slow))?;
    Ok(())
}
