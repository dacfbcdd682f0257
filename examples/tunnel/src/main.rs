//! The program: reads its command line, and runs what it asks for.

use std::io::{IsTerminal, stderr};
use std::process::ExitCode;

use clap::Parser;
use npws_tunnel::args::{Cli, Command};
use npws_tunnel::{Failure, demo};
use tracing::Level;

fn main() -> ExitCode {
    let cli = Cli::parse();
    begin_log(&cli);
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&Failure::Runtime(format!("cannot start: {error}"))),
    };
    let outcome = runtime.block_on(async {
        match cli.command {
            Command::Server(args) => args.run().await,
            Command::Client(args) => args.run().await,
            Command::Demo(args) => demo::run(&args).await,
        }
    });
    // A name that is still being looked up must not delay the exit.
    runtime.shutdown_background();
    outcome.map_or_else(|failure| fail(&failure), |()| ExitCode::SUCCESS)
}

fn fail(failure: &Failure) -> ExitCode {
    eprintln!("npws-tunnel: {failure}");
    ExitCode::from(failure.exit_code())
}

fn begin_log(cli: &Cli) {
    // The demo shows its progress itself, and what goes wrong in it is meant to.
    let usual = if matches!(cli.command, Command::Demo(_)) { Level::ERROR } else { Level::INFO };
    let level = match cli.verbose {
        _ if cli.quiet => Level::ERROR,
        0 => usual,
        1 => Level::DEBUG,
        _ => Level::TRACE,
    };
    tracing_subscriber::fmt()
        .with_max_level(level)
        .with_writer(stderr)
        .with_ansi(stderr().is_terminal())
        .with_target(level > Level::INFO)
        .init();
}
