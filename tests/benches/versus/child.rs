//! One run of one row, in a process of its own.

mod echo;
mod idle;
mod link;
mod machine;
mod map;
mod registry;
mod setup;
mod stream;
mod take;
mod tunnel;
mod wake;

use npws::async_std::AsyncStd;
use npws::smol::Smol;
use npws::tokio::Tokio;
use npws_tests::testbed::Testbed;

use crate::usage;

/// Runs `row` as `player`, and prints a line for each figure.
pub(crate) fn run(player: &str, row: &str) {
    match row {
        "machine" if player.starts_with("HashMap") => map::run(player),
        "machine" => machine::run(player),
        "registry" => registry::run(player),
        // Its peak is that of the tunnel.
        "tunnel" => return tunnel::run(player),
        _ => match player.split_once('/') {
            Some((kind, "tokio")) => on::<Tokio>(kind, row),
            Some((kind, "smol")) => on::<Smol>(kind, row),
            Some((kind, "async-std")) => on::<AsyncStd>(kind, row),
            _ => panic!("{player} names no runtime"),
        },
    }
    println!("peak {} 0", usage::peak_kib());
}

fn on<R: Testbed>(kind: &str, row: &str) {
    let is_raw = kind == "raw";
    R::block_on(async {
        match row {
            "setup-tls" => setup::run::<R>(Some(false)).await,
            "setup-resume" => setup::run::<R>(Some(true)).await,
            "setup-plain" => setup::run::<R>(None).await,
            "take" => take::run::<R>().await,
            "take-fresh" => take::fresh::<R>().await,
            "wake" => wake::run::<R>().await,
            "stream-plain" => stream::run::<R>(is_raw, false).await,
            "stream-tls" => stream::run::<R>(is_raw, true).await,
            "echo-plain" => echo::run::<R>(is_raw, false).await,
            "echo-tls" => echo::run::<R>(is_raw, true).await,
            "idle-plain" => idle::memory::<R>(false).await,
            "idle-tls" => idle::memory::<R>(true).await,
            "idle-cpu" => idle::cpu::<R>().await,
            other => panic!("{other} is no row"),
        }
    });
}
