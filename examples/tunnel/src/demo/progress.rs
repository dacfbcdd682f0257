//! How far the demo is: a bar on a terminal, plain lines elsewhere.

use std::io::{IsTerminal, stderr};

use indicatif::{ProgressBar, ProgressStyle};
use tokio::sync::watch;

const TEMPLATE: &str = "{bar:40} {pos}/{len} downloads, {per_sec}, {elapsed} elapsed";
/// Plain lines for a run.
const LINES: u32 = 10;

/// Counts finished downloads.
#[derive(Debug)]
pub(super) struct Progress {
    requests: u32,
    done: watch::Sender<u32>,
    bar: Option<ProgressBar>,
}

impl Progress {
    pub(super) fn start(requests: u32) -> Self {
        let bar = stderr().is_terminal().then(|| {
            let bar = ProgressBar::new(requests.into());
            match ProgressStyle::with_template(TEMPLATE) {
                Ok(style) => bar.with_style(style),
                Err(_) => bar,
            }
        });
        Self { requests, done: watch::Sender::new(0), bar }
    }

    /// One more is done.
    pub(super) fn advance(&self) {
        let mut done = 0;
        self.done.send_modify(|count| {
            *count += 1;
            done = *count;
        });
        match &self.bar {
            Some(bar) => bar.set_position(done.into()),
            None if done * LINES / self.requests > (done - 1) * LINES / self.requests => {
                println!("{done} of {} downloads", self.requests);
            }
            None => {}
        }
    }

    /// How many are done.
    pub(super) fn done(&self) -> u32 {
        *self.done.borrow()
    }

    /// Waits until so many are done.
    pub(super) async fn reached(&self, count: u32) {
        // The sender is here.
        let _ = self.done.subscribe().wait_for(|done| *done >= count).await;
    }

    /// Says something without disturbing the bar.
    pub(super) fn say(&self, text: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| println!("{text}")),
            None => println!("{text}"),
        }
    }

    pub(super) fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
