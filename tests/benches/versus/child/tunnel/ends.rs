//! The two ends of a tunnel, as processes.

use std::env;
use std::fs;
use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, ChildStderr, Command, Stdio};
use std::thread;
use std::time::Duration;

use crate::programs::variable;
use crate::row::{DIRECT, RATHOLE, TUNNEL};
use crate::usage;

/// They end with it.
#[derive(Debug)]
pub(super) struct Ends {
    processes: Vec<Child>,
    public: SocketAddr,
}

impl Ends {
    pub(super) fn start(player: &str, target: SocketAddr) -> Self {
        match player {
            TUNNEL => npws(target),
            RATHOLE => rathole(target),
            DIRECT => Self { processes: Vec::new(), public: target },
            other => panic!("{other} is not measured here"),
        }
    }

    /// Where users connect to.
    pub(super) fn public(&self) -> SocketAddr {
        self.public
    }

    /// The CPU time of both ends.
    pub(super) fn cpu(&self) -> Duration {
        self.processes.iter().map(|process| usage::cpu_of(process.id())).sum()
    }

    /// The sum of their peaks; `None` without any.
    pub(super) fn peak_kib(&self) -> Option<f64> {
        self.processes.iter().map(|process| usage::peak_kib_of(process.id())).reduce(|one, other| one + other)
    }
}

impl Drop for Ends {
    fn drop(&mut self) {
        for process in &mut self.processes {
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

fn program(player: &str) -> Command {
    let variable = variable(player);
    Command::new(env::var_os(&variable).unwrap_or_else(|| panic!("{variable} has to name the program")))
}

/// As it comes, with the certificate that its server makes.
fn npws(target: SocketAddr) -> Ends {
    let mut server = program(TUNNEL);
    server.args(["server", "--listen", "127.0.0.1:0", "--public", "127.0.0.1:0"]);
    let (server, mut said) = spawn(&mut server);
    let listen = until(&mut said, "waiting for the client on ");
    let fingerprint = until(&mut said, "certificate fingerprint ");
    let public = until(&mut said, "waiting for users on ").parse().expect("it is an address");
    listen_on(said);
    let mut client = program(TUNNEL);
    client.args(["client", "--server", &listen, "--target", &target.to_string(), "--fingerprint", &fingerprint]);
    let (client, said) = spawn(&mut client);
    listen_on(said);
    Ends { processes: vec![server, client], public }
}

fn spawn(command: &mut Command) -> (Child, BufReader<ChildStderr>) {
    let mut process = command.stderr(Stdio::piped()).spawn().expect("the tunnel starts");
    let said = process.stderr.take().expect("it is piped");
    (process, BufReader::new(said))
}

/// What follows `words` in the first line that has them.
fn until(said: &mut impl BufRead, words: &str) -> String {
    let mut lines = said.lines().map(|line| line.expect("it is text"));
    lines
        .find_map(|line| Some(line.split_once(words)?.1.to_owned()))
        .unwrap_or_else(|| panic!("it ended before {words:?}"))
}

/// Lets it say more.
fn listen_on(mut said: BufReader<ChildStderr>) {
    thread::spawn(move || std::io::copy(&mut said, &mut std::io::sink()));
}

/// As it comes, which is without encryption.
fn rathole(target: SocketAddr) -> Ends {
    let (control, public) = (free_address(), free_address());
    let server = format!("[server]\nbind_addr = \"{control}\"\n[server.services.web]\nbind_addr = \"{public}\"\n");
    let client = format!("[client]\nremote_addr = \"{control}\"\n[client.services.web]\nlocal_addr = \"{target}\"\n");
    let start = |(end, config): (&str, String)| {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("rathole-{end}.toml"));
        fs::write(&path, config + "token = \"versus\"\n").expect("cargo made the directory");
        let process = program(RATHOLE).arg(format!("--{end}")).arg(path).stdout(Stdio::null()).spawn();
        process.expect("the tunnel starts")
    };
    Ends { processes: [("server", server), ("client", client)].map(start).into(), public }
}

/// It cannot say which one the system gave it.
fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").and_then(|bound| bound.local_addr()).expect("loopback has a free port")
}
