//! A pool in a process of its own: it is told what to do on its standard input, a numbered line each, and answers with
//! the number.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "all of this is tests")]

mod args;
mod orders;
mod pools;

use std::io::{self, Write};
use std::sync::Arc;

use clap::Parser;
use npws_tests::v1_peer::V1Client;

use crate::args::{Args, Role};
use crate::orders::Orders;
use crate::pools::Pools;

fn main() {
    let args = Args::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.expect("tokio starts");
    let pools = match args.role {
        Role::Server => Pools::Server(runtime.block_on(args.bind())),
        Role::Client => {
            let _guard = runtime.enter();
            Pools::Clients((0..args.count).map(|_| args.connect()).collect())
        }
        Role::Original => return be_original(&args),
    };
    say(&format!("ready {}", pools.address()));
    let orders = Arc::new(Orders::new(pools));
    for line in io::stdin().lines().map_while(Result::ok) {
        let orders = orders.clone();
        runtime.spawn(async move {
            let (number, order) = line.split_once(' ').expect("orders are numbered");
            let answer = orders.carry_out(order).await;
            say(&format!("{number} {answer}"));
        });
    }
    // Whoever gave the orders is gone.
    std::process::exit(0);
}

/// Clients that have read their ID and read nothing more.
fn be_original(args: &Args) {
    let address = args.address.parse().expect("an IP address and a port");
    let idle: Vec<_> = (0..args.count).map(|_| V1Client::connect(address)).collect();
    say("ready -");
    io::stdin().lines().map_while(Result::ok).for_each(drop);
    drop(idle);
}

fn say(line: &str) {
    let mut stdout = io::stdout().lock();
    // Nobody listens any more once the test is over.
    let _ = writeln!(stdout, "{line}").and_then(|()| stdout.flush());
}
