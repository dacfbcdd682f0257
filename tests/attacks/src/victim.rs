//! The server under attack: a process of its own.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use futures::{AsyncReadExt, AsyncWriteExt};
use npws::tokio::{ClientPool, Tokio};
use npws::{ClientPoolBuilder, ClientTls, ConnectionId};
use npws_faults::process::{Peer, Stats};
use npws_tests::testbed::{SOON, ms, until};

/// What one connection may cost a server, whatever its peer does and beyond what the configuration lets it send: task,
/// WebSocket and pool, in a build without optimisations. In KiB.
pub const CONNECTION: u64 = 24;

/// What one may cost that is idle, and whose handshake is over for good. In KiB.
pub const IDLE_CONNECTION: u64 = 6;

/// The same over TLS.
pub const IDLE_TLS_CONNECTION: u64 = 16;

/// As [`CONNECTION`], over TLS.
pub const TLS_CONNECTION: u64 = 64;

/// What a handshake may cost that gets no further than its answer, in the clear. In KiB.
pub const HANDSHAKE: u64 = 16;

/// What a server may grow by without any connection, as the allocator keeps what was in use. In KiB.
pub const FLOOR: u64 = 8 << 10;

/// A running server pool.
#[derive(Debug)]
pub struct Victim {
    peer: Peer,
    /// Where it listens.
    pub address: SocketAddr,
    certificate: Option<String>,
    path: String,
    before: Usage,
    /// The listener, the timer, and nothing for any connection.
    tasks: u64,
}

/// What a process has in use.
#[derive(Debug, Clone, Copy)]
pub struct Usage {
    /// Resident memory in KiB.
    pub memory: u64,
    /// The most that it ever was.
    pub peak: u64,
    /// Open file descriptors.
    pub files: usize,
}

impl Victim {
    /// Starts `program`, with these arguments, and waits until it listens.
    pub fn start(program: &str, arguments: &str) -> Self {
        // Both ends of thousands of sockets.
        rlimit::increase_nofile_limit(u64::MAX).expect("the soft limit may rise to the hard one");
        let peer = Peer::start(Command::new(program), arguments);
        let (address, certificate) = peer.address().split_once(' ').expect("address and certificate");
        let address = address.parse().expect("it is an address");
        let certificate = (certificate != "-").then(|| certificate.replace('|', "\n").replace('_', " "));
        let path = arguments.split_once("--path ").map_or("/", |(_, path)| path).to_owned();
        let before = usage(peer.pid());
        let tasks = peer.stats().get("tasks");
        Self { peer, address, certificate, path, before, tasks }
    }

    /// What its pool counts.
    pub fn stats(&self) -> Stats {
        self.peer.stats()
    }

    /// The same for one count.
    pub fn count(&self, name: &str) -> u64 {
        self.stats().get(name)
    }

    /// The certificate that it presents, in PEM.
    pub fn certificate(&self) -> Option<&str> {
        self.certificate.as_deref()
    }

    /// A client for this many idle connections.
    pub fn client(&self, count: usize) -> ClientPoolBuilder<Tokio> {
        let tls = self.certificate.as_ref().map_or_else(ClientTls::plain, |pem| {
            ClientTls::with_roots_pem(pem.as_bytes()).expect("it is a certificate")
        });
        ClientPool::builder(self.address.to_string())
            .capacity(count..=count)
            .interval(ms(50)..=ms(50))
            .dial_timeout(Duration::from_secs(60))
            .path(&*self.path)
            .tls(tls)
    }

    /// Good peers come, and each of their handshakes succeeds.
    pub async fn welcomes(&self, count: usize) -> ClientPool {
        let client = self.client(count).connect().expect("the settings are valid");
        until::<Tokio>("the good ones are all in", || client.active() == count).await;
        assert_eq!(client.stats().dial_failures.total(), 0, "{:?}", client.last_dial_error());
        client
    }

    /// Tells it to take this connection and to send back what comes.
    pub fn echo(&self, id: ConnectionId) {
        self.peer.ask(&format!("echo {id}"));
    }

    /// What good peers have still pairs, and carries data both ways.
    pub async fn pairs(&self, client: &ClientPool) {
        for round in 0..5_u8 {
            let (id, mut connection) = client.take_next(SOON).await.expect("there is one");
            self.echo(id);
            let sent = vec![round; 100_000];
            connection.write_all(&sent).await.expect("the peer is there");
            connection.flush().await.expect("the peer is there");
            let mut back = vec![0; sent.len()];
            connection.read_exact(&mut back).await.expect("it all comes back");
            assert_eq!(back, sent);
            connection.close().await;
        }
    }

    /// The attackers and the good peers are gone, and so is everything that they cost: sockets, tasks, handshakes.
    pub async fn recovers(&self, client: ClientPool) {
        client.close();
        until::<Tokio>("files and tasks are what they were", || {
            let stats = self.stats();
            let is_quiet = stats.get("tasks") <= self.tasks && stats.get("handshakes") == 0;
            is_quiet && self.usage().files <= self.before.files
        })
        .await;
    }

    /// What it has in use now.
    pub fn usage(&self) -> Usage {
        usage(self.peer.pid())
    }

    /// How much more memory it has in use than before anybody connected, in KiB.
    pub fn grown(&self) -> u64 {
        self.usage().memory.saturating_sub(self.before.memory)
    }

    /// Writes a row of the table of attacks, and checks that the attack never cost more memory than `bound`, in KiB.
    pub fn report(&self, attack: &str, sent: &str, seen: &str, bound: u64) {
        let Usage { peak, .. } = self.usage();
        let grown = peak.saturating_sub(self.before.memory);
        let memory = format!("{} KiB + {grown} KiB, bound {bound} KiB", self.before.memory);
        println!("| {attack} | {sent} | {seen} | {memory} |");
        assert!(grown <= bound, "{attack}: {memory}");
    }
}

fn usage(process: u32) -> Usage {
    let directory = Path::new("/proc").join(process.to_string());
    let status = fs::read_to_string(directory.join("status")).expect("it runs");
    let kibibytes = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).expect("Linux tells");
        line.trim().trim_end_matches(" kB").parse().expect("it is a number")
    };
    let files = fs::read_dir(directory.join("fd")).expect("it is ours").count();
    Usage { memory: kibibytes("VmRSS:"), peak: kibibytes("VmHWM:"), files }
}
