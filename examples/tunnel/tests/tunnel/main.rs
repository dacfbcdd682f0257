//! Both ends of the tunnel in one process.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "the helpers are tests as well")]

mod claims;
mod orders;
mod support;

use std::io::ErrorKind;
use std::time::Duration;

use npws_tunnel::ServerOptions;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use self::support::{LIMIT, Server, Way, echo, exchange, nowhere, shout};

/// Makes a test of each case for each way.
macro_rules! all_ways {
    ($($case:ident),* $(,)?) => {
        all_ways!(@ v2, Way::V2, $($case),*);
        all_ways!(@ v1_server, Way::V1Server, $($case),*);
        all_ways!(@ v1_client, Way::V1Client, $($case),*);
    };
    (@ $module:ident, $way:expr, $($case:ident),*) => {
        mod $module {
            use super::support::Way;
            $(
                #[tokio::test(flavor = "multi_thread")]
                async fn $case() {
                    super::$case($way).await;
                }
            )*
        }
    };
}

all_ways!(
    carries_users_to_the_target_and_back,
    carries_a_megabyte_each_way_whole,
    a_user_who_has_said_all_still_gets_the_answer_and_its_end,
    users_wait_while_the_client_restarts,
    a_draining_client_finishes_its_users_and_leaves_new_ones_to_the_next,
    a_draining_server_finishes_its_users,
    an_end_that_is_stopped_cuts_both_sides_so_that_nothing_looks_complete,
    a_dead_target_resets_the_user_and_nobody_else,
    a_user_is_turned_away_when_no_client_comes,
);

async fn carries_users_to_the_target_and_back(way: Way) {
    let server = Server::start(way, ServerOptions::default()).await;
    let _client = server.client(echo().await);
    for number in 0..20 {
        let mut user = server.user().await;
        assert_eq!(exchange(&mut user, &format!("user {number}")).await.unwrap(), format!("user {number}"));
    }
    assert_eq!(server.tunnel.counts().carried, 20);
    assert_eq!(server.tunnel.counts().failed, 0);
}

async fn carries_a_megabyte_each_way_whole(way: Way) {
    let server = Server::start(way, ServerOptions::default()).await;
    let _client = server.client(echo().await);
    let sent: Vec<u8> = (0..1_000_003_u32).map(|number| (number % 251) as u8).collect();
    let (mut reader, mut writer) = server.user().await.into_split();
    let content = sent.clone();
    let writing = tokio::spawn(async move { writer.write_all(&content).await.map(|()| writer) });
    let mut received = vec![0; sent.len()];
    timeout(LIMIT, reader.read_exact(&mut received)).await.unwrap().unwrap();
    assert!(received == sent);
    writing.await.unwrap().unwrap();
}

async fn a_user_who_has_said_all_still_gets_the_answer_and_its_end(way: Way) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = Server::start(way, ServerOptions::default()).await;
    let _client = server.client(listener.local_addr().unwrap());
    let mut user = server.user().await;
    user.write_all(b"question").await.unwrap();
    user.shutdown().await.unwrap();
    let (mut target, _) = timeout(LIMIT, listener.accept()).await.unwrap().unwrap();
    let mut question = [0; 8];
    target.read_exact(&mut question).await.unwrap();
    target.write_all(b"a long answer").await.unwrap();
    drop(target);
    let mut answer = String::new();
    timeout(LIMIT, user.read_to_string(&mut answer)).await.unwrap().unwrap();
    assert_eq!(answer, "a long answer");
}

async fn users_wait_while_the_client_restarts(way: Way) {
    let server = Server::start(way, ServerOptions::default()).await;
    let target = echo().await;
    let client = server.client(target);
    let mut before = server.user().await;
    exchange(&mut before, "before").await.unwrap();
    client.abort();
    let mut end = [0];
    let cut = timeout(LIMIT, before.read(&mut end)).await.unwrap();
    assert_eq!(cut.unwrap_err().kind(), ErrorKind::ConnectionReset, "a stream cut short must not look complete");

    let mut waiting = server.user().await;
    waiting.write_all(b"gap").await.unwrap();
    let _client = server.client(target);
    let mut answer = [0; 3];
    timeout(LIMIT, waiting.read_exact(&mut answer)).await.unwrap().unwrap();
    assert_eq!(&answer, b"gap");
}

async fn a_draining_client_finishes_its_users_and_leaves_new_ones_to_the_next(way: Way) {
    let linger = Duration::from_millis(50);
    let server = Server::start(way, ServerOptions { linger, ..ServerOptions::default() }).await;
    let client = server.client(echo().await);
    let mut old = server.user().await;
    exchange(&mut old, "old").await.unwrap();

    let draining = tokio::spawn(async move { client.drain(LIMIT).await });
    let _next = server.client(shout().await);
    // Who comes before the server knows of the drain is still the old client's.
    let answers = async { while exchange(&mut server.user().await, "new").await.unwrap() != "NEW" {} };
    timeout(LIMIT, answers).await.unwrap();
    assert_eq!(exchange(&mut old, "still there").await.unwrap(), "still there");
    // The target ends when the user does.
    drop(old);
    assert_eq!(timeout(LIMIT, draining).await.unwrap().unwrap(), 0, "nobody was cut");
    assert_eq!(server.tunnel.counts().failed, 0);
}

async fn a_draining_server_finishes_its_users(way: Way) {
    let linger = Duration::from_millis(50);
    let server = Server::start(way, ServerOptions { linger, ..ServerOptions::default() }).await;
    let _client = server.client(echo().await);
    let mut users = Vec::new();
    for _ in 0..3 {
        let mut user = server.user().await;
        exchange(&mut user, "before").await.unwrap();
        users.push(user);
    }
    let public = server.public;
    let draining = tokio::spawn(async move { (server.tunnel.drain(LIMIT).await, server.tunnel.counts()) });
    let closed = async { while TcpStream::connect(public).await.is_ok() {} };
    timeout(LIMIT, closed).await.unwrap();
    for mut user in users {
        assert_eq!(exchange(&mut user, "meanwhile").await.unwrap(), "meanwhile");
    }
    let (left, counts) = timeout(LIMIT, draining).await.unwrap().unwrap();
    assert_eq!((left, counts.failed), (0, 0));
}

async fn an_end_that_is_stopped_cuts_both_sides_so_that_nothing_looks_complete(way: Way) {
    for stop_server in [true, false] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = Server::start(way, ServerOptions::default()).await;
        let client = server.client(listener.local_addr().unwrap());
        let mut user = server.user().await;
        user.write_all(b"half a ques").await.unwrap();
        let (mut target, _) = timeout(LIMIT, listener.accept()).await.unwrap().unwrap();
        let mut heard = [0; 11];
        target.read_exact(&mut heard).await.unwrap();
        target.write_all(b"half an ans").await.unwrap();
        timeout(LIMIT, user.read_exact(&mut heard)).await.unwrap().unwrap();
        if stop_server {
            server.tunnel.abort()
        } else {
            client.abort()
        }
        for end in [&mut user, &mut target] {
            let cut = timeout(LIMIT, end.read(&mut heard)).await.unwrap();
            assert_eq!(cut.unwrap_err().kind(), ErrorKind::ConnectionReset);
        }
    }
}

async fn a_dead_target_resets_the_user_and_nobody_else(way: Way) {
    let server = Server::start(way, ServerOptions::default()).await;
    let client = server.client(nowhere().await);
    // The reset may come before the user knows of having connected.
    let hello = async { exchange(&mut TcpStream::connect(server.public).await?, "hello").await };
    let refused = timeout(LIMIT, hello).await.unwrap();
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::ConnectionReset);
    assert_eq!(server.tunnel.counts().failed, 1);
    client.abort();

    let _client = server.client(echo().await);
    let answer = timeout(LIMIT, async { exchange(&mut server.user().await, "hello").await }).await.unwrap();
    assert_eq!(answer.unwrap(), "hello");
}

async fn a_user_is_turned_away_when_no_client_comes(way: Way) {
    let patience = Duration::from_millis(50);
    let server = Server::start(way, ServerOptions { patience, ..ServerOptions::default() }).await;
    let mut user = server.user().await;
    let mut end = [0];
    let refused = timeout(LIMIT, user.read(&mut end)).await.unwrap();
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::ConnectionReset);
    assert_eq!(server.tunnel.drain(LIMIT).await, 0);
}
