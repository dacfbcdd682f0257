//! Ends the demo when it takes too long, whatever it hangs on.

use std::process::exit;
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Duration;

use super::progress::Progress;

/// Sleeps until it is dropped.
#[derive(Debug)]
pub(super) struct Watchdog {
    _leash: Sender<()>,
}

impl Watchdog {
    /// Ends the process with status 1 after `limit`. On a thread of its own: the runtime may be what hangs.
    pub(super) fn start(limit: Duration, progress: Arc<Progress>) -> Self {
        let (leash, pulled) = channel::<()>();
        thread::spawn(move || {
            if pulled.recv_timeout(limit) == Err(RecvTimeoutError::Timeout) {
                eprintln!(
                    "npws-tunnel: the demo did not end within {limit:?}; {} downloads were done",
                    progress.done()
                );
                exit(1);
            }
        });
        Self { _leash: leash }
    }
}
