//! The demo: real downloads through a tunnel on this machine, while connections are cut and the client restarts.

mod cutter;
mod disturbance;
mod download;
mod files;
mod latency;
mod origin;
mod probes;
mod progress;
mod report;
mod site;
mod watch;
mod watchdog;
mod workers;

use std::sync::Arc;
use std::time::{Duration, Instant};

use self::files::Files;
use self::progress::Progress;
use self::report::Report;
use self::site::Site;
use self::watchdog::Watchdog;
use crate::Failure;
use crate::args::DemoArgs;

const FILL_LIMIT: Duration = Duration::from_secs(10);

/// Runs the demo and prints what it measured.
///
/// # Errors
/// When a download failed for good, a connection was handed out although it had been dead for long, or the demo took too
/// long.
pub async fn run(args: &DemoArgs) -> Result<(), Failure> {
    let progress = Arc::new(Progress::start(args.requests));
    let watchdog = Watchdog::start(args.limit, progress.clone());
    let outcome = measure(args, &progress).await;
    drop(watchdog);
    progress.finish();
    let report = outcome.map_err(|error| Failure::Runtime(format!("the demo cannot run: {error}")))?;
    print!("{report}");
    report.verdict()
}

async fn measure(args: &DemoArgs, progress: &Arc<Progress>) -> Result<Report, Box<dyn std::error::Error>> {
    let files = Arc::new(Files::for_requests(args.requests));
    let site = Arc::new(Site::start(files.clone(), !args.v1).await?);
    progress.say(&format!(
        "{} files of {} to {} at {}, users at {}, client at {} with certificate {}, protocol {}",
        files.count(),
        report::bytes(files.smallest()),
        report::bytes(files.largest()),
        site.origin,
        site.public,
        site.listen,
        site.fingerprint,
        if args.v1 { "v1" } else { "v2" },
    ));
    let mut client = site.start_client()?;
    site.fill(site::READY, FILL_LIMIT).await;
    let began = Instant::now();
    let (workers, disturbance) = tokio::join!(
        workers::run(args, &site, progress),
        disturbance::run(&site, &mut client, args.requests, progress),
    );
    let took = began.elapsed();
    let disturbance = disturbance?;
    let takes = site.watch_server.summary();
    let takes_by_peer = site.watch_client.summary();
    progress.say("measuring first bytes and throughput");
    let probes = probes::run(&site).await?;
    let is_v1 = args.v1;
    let report =
        Report { workers, took, disturbance, counts: site.server.counts(), is_v1, takes, takes_by_peer, probes };
    client.abort();
    Ok(report)
}
