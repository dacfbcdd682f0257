//! What is done to the tunnel while downloads run through it.

use std::error::Error;
use std::time::Duration;

use tokio::time::sleep;

use super::progress::Progress;
use super::site::{READY, Site};
use crate::TunnelClient;

const CUT_PERCENT: usize = 30;
/// To cut a share of very few would show little.
const WORTH_CUTTING: usize = READY / 4;
const FILL_LIMIT: Duration = Duration::from_millis(500);
const OUTAGE: Duration = Duration::from_millis(500);

/// What was done.
#[derive(Debug, Clone, Copy)]
pub(super) struct Disturbance {
    pub(super) idle: usize,
    pub(super) cut: usize,
}

/// Cuts idle connections at half of the downloads and restarts the client at three quarters.
pub(super) async fn run(
    site: &Site,
    client: &mut TunnelClient,
    requests: u32,
    progress: &Progress,
) -> Result<Disturbance, Box<dyn Error>> {
    progress.reached(requests / 2).await;
    site.fill(WORTH_CUTTING, FILL_LIMIT).await;
    let idle = site.pool.active();
    let cut = site.cutter.cut((idle * CUT_PERCENT).div_ceil(100));
    progress.say(&format!("cut {cut} of {idle} idle connections"));

    progress.reached(requests - requests / 4).await;
    let users = client.users();
    site.watch_server.restart(true);
    client.abort();
    progress.say(&format!("stopped the client while it served {users} users"));
    sleep(OUTAGE).await;
    *client = site.start_client()?;
    progress.say("started the client again");
    site.fill(WORTH_CUTTING, FILL_LIMIT).await;
    site.watch_server.restart(false);
    Ok(Disturbance { idle, cut })
}
