//! What the program can be told on its command line.

mod admission;
mod client;
mod demo;
mod server;

use std::path::Path;
use std::time::Duration;

use clap::{ArgAction, Parser, Subcommand};

pub use self::client::ClientArgs;
pub use self::demo::DemoArgs;
pub use self::server::ServerArgs;

use crate::Failure;

const EXAMPLES: &str = "\
Examples:
  See it work, with nothing else running:
    npws-tunnel demo

  Reach the web server on port 3000 of a machine behind a firewall:
    public machine:   npws-tunnel server --listen 0.0.0.0:8443 --public 0.0.0.0:80
    private machine:  npws-tunnel client --server public.example:8443 --target 127.0.0.1:3000 \\
                        --fingerprint <what the server printed>

Exit status:
  0    ended as asked
  1    failed
  2    the command line or a file that it names is wrong
  130  stopped by a second Ctrl-C";

/// A reverse TCP tunnel over a pool of WebSocket connections that are ready before a user comes.
///
/// The server stands where users can reach it, the client next to a target that they cannot reach. The client dials the
/// server, so it works from behind NAT, firewalls and HTTP proxies. Each user is carried by a connection of its own that
/// was set up in advance. Ctrl-C lets users finish; a second one stops at once.
#[derive(Debug, Parser)]
#[command(name = "npws-tunnel", version, after_help = EXAMPLES, propagate_version = true)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,

    /// Say more: -v what happens to each connection, -vv everything.
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub verbose: u8,

    /// Say only what goes wrong.
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
}

/// The ends of the tunnel, and the demo.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the end where users come in.
    Server(ServerArgs),
    /// Run the end next to the target.
    Client(ClientArgs),
    /// Send downloads through a tunnel on this machine while connections are cut, and measure.
    Demo(DemoArgs),
}

/// A sign of life that comes faster than that would only cost.
fn heartbeat(text: &str) -> Result<Duration, String> {
    let time = humantime::parse_duration(text).map_err(|error| error.to_string())?;
    if (Duration::from_millis(100)..=Duration::from_secs(3600)).contains(&time) {
        Ok(time)
    } else {
        Err("accepted is 100ms to 1h".to_owned())
    }
}

fn host_and_port(text: &str) -> Result<String, String> {
    let is_valid = text.rsplit_once(':').is_some_and(|(host, port)| {
        let is_bare_v6 = host.contains(':') && !(host.starts_with('[') && host.ends_with(']'));
        !host.is_empty() && !is_bare_v6 && port.parse::<u16>().is_ok_and(|port| port > 0)
    });
    if is_valid { Ok(text.to_owned()) } else { Err("expected HOST:PORT, an IPv6 address in brackets".to_owned()) }
}

fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    std::fs::read(path).map_err(|error| Failure::Usage(format!("cannot read {}: {error}", path.display())))
}

/// The tokens in a file, one a line.
fn tokens(path: &Path) -> Result<Vec<String>, Failure> {
    let text = String::from_utf8(read(path)?);
    let text = text.map_err(|_| Failure::Usage(format!("{} is not a text file", path.display())))?;
    let tokens: Vec<_> = text.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect();
    if tokens.is_empty() {
        return Err(Failure::Usage(format!("{} has no token", path.display())));
    }
    Ok(tokens)
}
