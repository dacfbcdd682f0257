//! What holds between v2 ends only.

use std::time::Duration;

use npws::tokio::ClientPool;
use npws::{Connection, ConnectionId};
use npws_tunnel::ServerOptions;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use crate::support::{LIMIT, Server, Way, echo, exchange, shout};

const ANSWER: usize = 10 * 1024 * 1024;
const LAST_PART: usize = 1024 * 1024;

async fn accept(pool: &ClientPool) -> Connection {
    pool.accept(LIMIT).await.unwrap().1
}

/// A user, and the target's end of its connection.
async fn joined(server: &Server, target: &TcpListener) -> (TcpStream, TcpStream) {
    let user = server.user().await;
    let (target, _) = timeout(LIMIT, target.accept()).await.unwrap().unwrap();
    (user, target)
}

/// `asker` ends its direction, and only then does `answerer` say the last part of the answer.
async fn ask(mut asker: TcpStream, mut answerer: TcpStream) {
    let content: Vec<u8> = (0..ANSWER).map(|number| (number % 251) as u8).collect();
    let expected = content.clone();
    let answering = tokio::spawn(async move {
        let (first, last) = content.split_at(ANSWER - LAST_PART);
        let (mut reader, mut writer) = answerer.split();
        let mut question = String::new();
        let (sent, asked) = tokio::join!(writer.write_all(first), reader.read_to_string(&mut question));
        sent.unwrap();
        asked.unwrap();
        writer.write_all(last).await.unwrap();
        writer.shutdown().await.unwrap();
        question
    });
    asker.write_all(b"question").await.unwrap();
    asker.shutdown().await.unwrap();
    let mut answer = Vec::new();
    timeout(LIMIT, asker.read_to_end(&mut answer)).await.unwrap().unwrap();
    assert!(answer == expected, "{} bytes", answer.len());
    assert_eq!(answering.await.unwrap(), "question");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_direction_ends_by_itself() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = Server::start(Way::V2, ServerOptions { linger: Duration::ZERO, ..ServerOptions::default() }).await;
    let client = server.client(listener.local_addr().unwrap());
    let (user, target) = joined(&server, &listener).await;
    ask(user, target).await;
    let (user, target) = joined(&server, &listener).await;
    ask(target, user).await;
    assert_eq!(timeout(LIMIT, client.drain(LIMIT)).await.unwrap(), 0, "both connections are done");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cut_after_one_direction_has_ended_is_no_end_of_the_other() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = Server::start(Way::V2, ServerOptions::default()).await;
    let client = server.client(listener.local_addr().unwrap());
    let (mut user, mut target) = joined(&server, &listener).await;
    user.write_all(b"question").await.unwrap();
    user.shutdown().await.unwrap();
    let mut question = String::new();
    timeout(LIMIT, target.read_to_string(&mut question)).await.unwrap().unwrap();
    target.write_all(b"half an ans").await.unwrap();
    let mut answer = [0; 11];
    timeout(LIMIT, user.read_exact(&mut answer)).await.unwrap().unwrap();
    client.abort();
    timeout(LIMIT, user.read(&mut answer)).await.unwrap().unwrap_err();
    timeout(LIMIT, async { while target.write_all(b"wer").await.is_ok() {} }).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_ends_before_it_is_joined_is_replaced_and_nothing_is_lost() {
    for replay in [0, 64 * 1024] {
        let server = Server::start(Way::V2, ServerOptions { replay, ..ServerOptions::default() }).await;
        let client = server.pool();
        let mut user = server.user().await;
        user.write_all(b"first words").await.unwrap();
        drop(accept(&client).await);
        accept(&client).await.close().await;
        let mut connection = accept(&client).await;
        connection.write_all(b"..+hello").await.unwrap();
        let mut heard = [0; 11];
        timeout(LIMIT, connection.read_exact(&mut heard)).await.unwrap().unwrap();
        assert_eq!(&heard, b"first words");
        timeout(LIMIT, user.read_exact(&mut heard[..5])).await.unwrap().unwrap();
        assert_eq!(&heard[..5], b"hello");
        assert_eq!(server.tunnel.counts().retried, 2);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_gives_no_sign_of_life_is_replaced() {
    let heartbeat = Duration::from_millis(100);
    let server = Server::start(Way::V2, ServerOptions { heartbeat, ..ServerOptions::default() }).await;
    let dead = server.pool();
    let mut user = server.user().await;
    user.write_all(b"anyone?").await.unwrap();
    // It goes on holding its connections and says nothing.
    let mut held = vec![accept(&dead).await];
    let _client = server.client(echo().await);
    let mut answer = [0; 7];
    let serving = async {
        loop {
            tokio::select! {
                answered = user.read_exact(&mut answer) => break answered.unwrap(),
                silent = accept(&dead) => held.push(silent),
            }
        }
    };
    timeout(LIMIT, serving).await.unwrap();
    assert_eq!(&answer, b"anyone?");
}

#[tokio::test(flavor = "multi_thread")]
async fn several_clients_serve_at_once_and_need_no_control_connection() {
    let server = Server::start(Way::V2, ServerOptions::default()).await;
    let first = server.client(echo().await);
    assert_eq!(exchange(&mut server.user().await, "one").await.unwrap(), "one");
    let _second = server.client(shout().await);
    let both = async { while exchange(&mut server.user().await, "both").await.unwrap() != "BOTH" {} };
    timeout(LIMIT, both).await.unwrap();
    assert_eq!(timeout(LIMIT, first.drain(LIMIT)).await.unwrap(), 0);
    for _ in 0..20 {
        assert_eq!(exchange(&mut server.user().await, "rest").await.unwrap(), "REST");
    }
    assert_eq!(server.tunnel.counts().failed, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_draining_server_gives_idle_connections_up_while_its_users_go_on() {
    let server = Server::start(Way::V2, ServerOptions::default()).await;
    let client = server.pool();
    let _control = client.take(ConnectionId::CONTROL, LIMIT).await.unwrap();
    let mut user = server.user().await;
    let mut connection = accept(&client).await;
    connection.write_all(b"+").await.unwrap();
    client.wait_ready(LIMIT).await.unwrap();
    let draining = tokio::spawn(async move { server.tunnel.drain(LIMIT).await });
    let given_up = async {
        while client.active() > 0 || client.stats().dial_failures.total() == 0 {
            tokio::task::yield_now().await
        }
    };
    timeout(LIMIT, given_up).await.unwrap();
    let mut heard = [0; 5];
    user.write_all(b"there").await.unwrap();
    timeout(LIMIT, connection.read_exact(&mut heard)).await.unwrap().unwrap();
    connection.write_all(b"and b").await.unwrap();
    timeout(LIMIT, user.read_exact(&mut heard)).await.unwrap().unwrap();
    user.shutdown().await.unwrap();
    connection.shutdown().await.unwrap();
    assert_eq!(timeout(LIMIT, draining).await.unwrap().unwrap(), 0, "nobody was cut");
}

/// On one thread, so that the server cannot have accepted the user by the time that it drains.
#[tokio::test]
async fn who_has_connected_when_a_drain_begins_is_served() {
    let server = Server::start(Way::V2, ServerOptions::default()).await;
    let client = server.pool();
    client.wait_ready(LIMIT).await.unwrap();
    let late = std::net::TcpStream::connect(server.public).unwrap();
    late.set_nonblocking(true).unwrap();
    let mut late = TcpStream::from_std(late).unwrap();
    let serving = async {
        let mut connection = accept(&client).await;
        connection.write_all(b"+hello").await.unwrap();
        connection.close().await;
        let mut heard = String::new();
        late.read_to_string(&mut heard).await.unwrap();
        assert_eq!(heard, "hello");
        late.shutdown().await.unwrap();
    };
    let (left, _) = timeout(LIMIT, async { tokio::join!(server.tunnel.drain(LIMIT), serving) }).await.unwrap();
    assert_eq!(left, 0);
}
