//! A server pool in a process of its own, so that what an attack costs it can be read off the process. It is told what
//! to do on its standard input, a numbered line each, and answers with the number.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "all of this is tests")]

mod args;

use std::io::{self, Write};
use std::sync::Arc;
use std::time::Duration;

use clap::Parser;
use futures::AsyncReadExt;
use npws::smol::Smol;
use npws::tokio::Tokio;
use npws::{Runtime, ServerPool};

use crate::args::Args;

const PATIENCE: Duration = Duration::from_secs(30);

fn main() {
    // Some attacks hold thousands of sockets.
    rlimit::increase_nofile_limit(u64::MAX).expect("the soft limit may rise to the hard one");
    let args = Args::parse();
    if args.smol {
        return smol::block_on(serve::<Smol>(args, || 0));
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.expect("tokio starts");
    let metrics = runtime.handle().metrics();
    runtime.block_on(serve::<Tokio>(args, move || metrics.num_alive_tasks()));
}

async fn serve<R: Runtime>(args: Args, tasks: impl Fn() -> usize) {
    let pool = args.bind::<R>().await;
    let address = pool.local_addr().expect("it has a listener");
    say(&format!("ready {address} {}", args.certificate()));
    let (orders, mut received) = futures::channel::mpsc::unbounded();
    std::thread::spawn(move || {
        for line in io::stdin().lines().map_while(Result::ok) {
            orders.unbounded_send(line).expect("the pool is there");
        }
        // Whoever gave the orders is gone.
        std::process::exit(0);
    });
    let pool = Arc::new(pool);
    while let Ok(line) = received.recv().await {
        let (number, order) = line.split_once(' ').expect("orders are numbered");
        let answer = match order.split_once(' ').unwrap_or((order, "")) {
            ("stats", _) => count(&pool, tasks()),
            ("echo", id) => {
                let echo = echo::<R>(pool.clone(), id.parse().expect("it is an ID"));
                R::current().expect("this runs on it").spawn(echo);
                "ok".to_owned()
            }
            _ => panic!("no such order: {order}"),
        };
        say(&format!("{number} {answer}"));
    }
}

fn count<R: Runtime>(pool: &ServerPool<R>, tasks: usize) -> String {
    let stats = pool.stats();
    let counts = [
        ("tasks", tasks as u64),
        ("idle", stats.idle as u64),
        ("claimed", stats.claimed as u64),
        ("retained", stats.retained as u64),
        ("taken", stats.taken as u64),
        ("handshakes", stats.handshakes as u64),
        ("accepted_total", stats.accepted_total),
        ("registered_total", stats.registered_total),
        ("closed_total", stats.closed_total),
        ("turned_away_total", stats.turned_away_total),
        ("rejected_total", stats.rejected_total),
        ("accept_failures", stats.accept_failures),
    ];
    counts.map(|(name, count)| format!("{name}={count}")).join(" ")
}

/// Takes a connection that the peer took, and sends back what comes. The end of either is the end of it.
async fn echo<R: Runtime>(pool: Arc<ServerPool<R>>, id: npws::ConnectionId) {
    let Ok(connection) = pool.take(id, PATIENCE).await else { return };
    let (reader, mut writer) = connection.split();
    let _ = futures::io::copy(reader, &mut writer).await;
    let _ = futures::AsyncWriteExt::close(&mut writer).await;
}

fn say(line: &str) {
    let mut stdout = io::stdout().lock();
    // Nobody listens any more once the test is over.
    let _ = writeln!(stdout, "{line}").and_then(|()| stdout.flush());
}
