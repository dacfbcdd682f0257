//! The Autobahn cases for RFC 6455, against an echo at either end of the WebSocket that is below every connection.
#![allow(clippy::expect_used, clippy::panic, reason = "the helpers are tests as well")]

mod nameless;
mod report;

use std::collections::HashMap;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_tungstenite::WebSocketStream;
use futures::channel::oneshot;
use futures::future::{Either, select};
use futures::{StreamExt, stream};
use npws::async_tungstenite::{self, tungstenite::Message};
use npws::tokio::Tokio;
use npws::{ClientPool, Gate, Runtime, ServerPool, Socket};
use npws_peers::process::Process;
use npws_peers::tools::{installed, source};
use npws_tests::testbed::{SOON, Testbed, current, sleep};

use self::nameless::{NamelessClient, NamelessServer, Opener};
use self::report::Report;

#[test]
fn our_server_passes_all_cases() {
    run_cases(async {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let openers = Openers::default();
        let server = serve(listener, openers.clone());
        current::<Tokio>().spawn(async move {
            while let Ok((_, connection)) = server.take_next(Duration::MAX).await {
                let peer = connection.peer_addr().expect("it has a TCP socket");
                let socket = connection.into_websocket().await.expect("nothing has been read");
                let opener = openers.lock().expect("nobody panics").remove(&peer).expect("it was accepted");
                opener.open();
                current::<Tokio>().spawn(echo(socket));
            }
        });
        let mut autobahn = start(["client", &format!("ws://{address}/")]);
        let report = Report::read(&mut autobahn).await;
        report.check("server");
    });
}

#[test]
fn our_client_passes_all_cases() {
    run_cases(async {
        let mut autobahn = start(["server"]);
        let line = autobahn.line().await;
        let port = line.strip_prefix("listening ").and_then(|port| port.parse().ok()).expect("it says its port");
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        let mut socket = dial(address, "/getCaseCount").await;
        let count: usize = match socket.next().await {
            Some(Ok(Message::Text(text))) => text.parse().expect("it is a number"),
            other => panic!("{other:?} is no number of cases"),
        };
        for case in 1..=count {
            echo(dial(address, &format!("/runCase?case={case}&agent=npws")).await).await;
        }
        echo(dial(address, "/updateReports?agent=npws").await).await;
        let report = Report::read(&mut autobahn).await;
        report.check("client");
    });
}

/// As `testbed::run`, for what takes longer.
fn run_cases(cases: impl Future<Output = ()>) {
    const DEADLINE: Duration = Duration::from_secs(300);
    Tokio::block_on(async {
        let is_over = matches!(select(pin!(cases), pin!(sleep::<Tokio>(DEADLINE))).await, Either::Left(_));
        assert!(is_over, "stuck: not all cases have ended within {DEADLINE:?}");
    });
}

type Openers = Arc<Mutex<HashMap<SocketAddr, Opener>>>;

/// A server whose peers know nothing of IDs.
fn serve(listener: std::net::TcpListener, openers: Openers) -> ServerPool<Tokio> {
    let runtime = current::<Tokio>();
    let listener = runtime.listen(listener).expect("it listens");
    let incoming = stream::unfold(listener, move |listener| {
        let (runtime, openers) = (runtime.clone(), openers.clone());
        async move {
            let accepted = runtime.accept(&listener).await.map(|(stream, peer)| {
                let (stream, opener) = NamelessClient::new(stream);
                openers.lock().expect("nobody panics").insert(peer, opener);
                Socket::new(stream).with_addrs(None, Some(peer))
            });
            Some((accepted, listener))
        }
    });
    ServerPool::builder().capacity(16).serve(incoming).expect("the settings are valid")
}

/// A connection to a server that knows nothing of IDs.
async fn dial(address: SocketAddr, path: &str) -> WebSocketStream<Gate> {
    let (sender, receiver) = oneshot::channel();
    // Each dial is a case, so there is one, whatever the pool would like.
    let sender = Mutex::new(Some(sender));
    let client = ClientPool::<Tokio>::builder(address.to_string())
        .path(path)
        .dialer(move |_| {
            let sender = sender.lock().expect("nobody panics").take();
            async move {
                let Some(sender) = sender else { return std::future::pending().await };
                let (stream, opener) = NamelessServer::new(current::<Tokio>().connect(address).await?);
                sender.send(opener).expect("the test waits for it");
                Ok(Socket::new(stream))
            }
        })
        .connect()
        .expect("the settings are valid");
    let (_, connection) = client.take_next(SOON).await.expect("the server upgrades");
    let socket = connection.into_websocket().await.expect("nothing has been read");
    receiver.await.expect("it was dialed").open();
    socket
}

/// Sends every message back until the connection ends, one way or another.
async fn echo(mut socket: WebSocketStream<Gate>) {
    while let Some(Ok(message)) = socket.next().await {
        if (message.is_text() || message.is_binary()) && socket.send(message).await.is_err() {
            break;
        }
    }
}

fn start<const N: usize>(arguments: [&str; N]) -> Process {
    let program = source("python/autobahn.py").display().to_string();
    Process::start(&installed("python/bin/python"), [vec![&*program], arguments.to_vec()].concat())
}
