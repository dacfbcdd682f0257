//! Peers that know nothing of pools: programs of a few lines on a WebSocket library, which send back what they get.
//!
//! Each library has a `client` and a `server`, which behave and report alike.

use std::collections::BTreeSet;
use std::path::PathBuf;

use npws::tokio::Tokio;
use npws::{Connection, ConnectionId};
use npws_tests::pools::{bind, client, pattern, receive, receive_all, send, server};
use npws_tests::testbed::{SOON, until};

use crate::process::Process;
use crate::tls::{Mode, issuer_file};
use crate::tools::source;

/// More than one message of ours.
const MUCH: usize = 300_000;

/// Two programs on one library.
#[derive(Debug)]
pub struct Programs {
    /// What runs them.
    pub interpreter: PathBuf,
    /// The client, in this package.
    pub client: &'static str,
    /// The server, in this package.
    pub server: &'static str,
}

impl Programs {
    fn start(&self, program: &str, arguments: impl IntoIterator<Item = String>) -> Process {
        let program = source(program).display().to_string();
        Process::start(&self.interpreter, [program].into_iter().chain(arguments))
    }

    /// Our server and two clients: one that we leave, and one that leaves us.
    pub async fn check_client(&self, mode: Mode) {
        let (server, address) = bind(server::<Tokio>().tls(mode.server())).await;
        for is_left in [true, false] {
            let url = format!("{}://{address}/", mode.scheme());
            let issuer = (mode != Mode::Plain).then(issuer_file);
            let mut peer = self.start(self.client, [url].into_iter().chain(issuer));
            // It is idle until we have answered its ping.
            let id: ConnectionId = value(&peer.line().await, "id").parse().expect("it is an ID");
            assert_eq!(peer.line().await, "pong");
            assert_eq!(server.active(), 1);
            let (next, mut connection) = server.take_next(SOON).await.expect("it is there");
            assert_eq!(next, id);
            exchange(&mut connection).await;
            end(connection, is_left).await;
            assert_eq!(peer.line().await, "closed 1000");
        }
        assert_eq!(server.stats().closed_total, 0);
    }

    /// Our client and a server: of its connections we leave one, and two leave us.
    pub async fn check_server(&self, mode: Mode) {
        const COUNT: usize = 3;
        let mut peer = self.start(self.server, mode.server_files().into_iter().flatten());
        let address = format!("127.0.0.1:{}", value(&peer.line().await, "listening"));
        // No second round, so that its reports are about these connections only.
        let interval = npws_tests::pools::NEVER;
        let builder = client::<Tokio>(address, COUNT).interval(interval..=interval).tls(mode.client());
        let client = builder.connect().expect("the settings are valid");
        let (mut named, mut answered) = (BTreeSet::new(), BTreeSet::new());
        while answered.len() < COUNT {
            let line = peer.line().await;
            let (verb, id) = line.split_once(' ').expect("it reports on a connection");
            if verb == "id" { &mut named } else { &mut answered }.insert(id.to_owned());
        }
        assert_eq!(named, answered, "each ping was answered while the connection was idle");
        until::<Tokio>("our pool is full", || client.active() == COUNT).await;
        for (round, id) in named.iter().enumerate() {
            let id = id.parse().expect("it is an ID");
            let mut connection = client.take(id, SOON).await.expect("it is there");
            exchange(&mut connection).await;
            end(connection, round == 0).await;
            assert_eq!(peer.line().await, format!("closed {id} 1000"));
        }
    }
}

/// Sends much, and gets it back: large messages and small ones.
async fn exchange(connection: &mut Connection) {
    for length in [1, 125, 126, 65_536, MUCH] {
        let data = pattern(length, length as u64);
        send(connection, &data).await;
        assert!(receive(connection, length).await == data, "{length} bytes");
    }
}

async fn end(mut connection: Connection, by_us: bool) {
    if by_us {
        connection.close().await;
    } else {
        send(&mut connection, b"bye").await;
        assert_eq!(receive_all(&mut connection).await, b"");
    }
}

fn value<'l>(line: &'l str, key: &str) -> &'l str {
    let value = line.strip_prefix(key).and_then(|rest| rest.strip_prefix(' '));
    value.unwrap_or_else(|| panic!("{line:?} says nothing of {key}"))
}
