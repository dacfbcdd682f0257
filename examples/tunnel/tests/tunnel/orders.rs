//! What a v1 client can do wrong, on the control connection above all.

use std::time::Duration;

use npws::tokio::ClientPool;
use npws::{Connection, ConnectionId};
use npws_tunnel::ServerOptions;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, Lines, ReadHalf, WriteHalf};
use tokio::time::timeout;

use crate::support::{LIMIT, Server, Way, echo};

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_the_client_cannot_take_is_replaced_and_nothing_is_lost() {
    for replay in [0, 64 * 1024] {
        let server = Server::start(Way::V1Client, ServerOptions { replay, ..ServerOptions::default() }).await;
        let mut client = ByHand::start(&server).await;
        let mut user = server.user().await;
        user.write_all(b"first words").await.unwrap();
        for _ in 0..2 {
            let id = client.order().await;
            client.say(&format!("gone {id}")).await;
        }
        let id = client.order().await;
        let mut connection = client.pool.take(id, LIMIT).await.unwrap();
        client.say("a word of a later version").await;
        client.say(&format!("joined {id}")).await;
        let mut heard = [0; 11];
        timeout(LIMIT, connection.read_exact(&mut heard)).await.unwrap().unwrap();
        assert_eq!(&heard, b"first words");
        assert_eq!(server.tunnel.counts().retried, 2);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_gives_no_sign_of_life_is_replaced() {
    let heartbeat = Duration::from_millis(100);
    let server = Server::start(Way::V1Client, ServerOptions { heartbeat, ..ServerOptions::default() }).await;
    let mut dead = ByHand::start(&server).await;
    let mut user = server.user().await;
    user.write_all(b"anyone?").await.unwrap();
    dead.order().await;
    // It goes on holding its connections and says nothing.
    let _client = server.client(echo().await);
    dead.pool.close();
    let mut answer = [0; 7];
    timeout(LIMIT, user.read_exact(&mut answer)).await.unwrap().unwrap();
    assert_eq!(&answer, b"anyone?");
}

/// A client that does what the test says.
struct ByHand {
    pool: ClientPool,
    lines: Lines<BufReader<ReadHalf<Connection>>>,
    writer: WriteHalf<Connection>,
}

impl ByHand {
    async fn start(server: &Server) -> Self {
        let pool = server.pool();
        let (reader, writer) = tokio::io::split(pool.take(ConnectionId::CONTROL, LIMIT).await.unwrap());
        Self { pool, lines: BufReader::new(reader).lines(), writer }
    }

    /// The next connection that the server wants taken.
    async fn order(&mut self) -> ConnectionId {
        loop {
            let line = self.lines.next_line().await.unwrap().expect("the control connection goes on");
            if let Ok(id) = line.parse() {
                return id;
            }
        }
    }

    async fn say(&mut self, line: &str) {
        self.writer.write_all(format!("{line}\n").as_bytes()).await.unwrap();
    }
}
