//! Python's `websockets` as the peer.

use npws::tokio::Tokio;
use npws_peers::process::Process;
use npws_peers::tools::{installed, source};
use npws_tests::pools::{bind, pattern, receive, send, server};
use npws_tests::testbed::{SOON, run};

#[test]
fn a_client_of_it_echoes_what_our_server_sends() {
    run::<Tokio, _>(|| async {
        let (server, address) = bind(server::<Tokio>()).await;
        let mut peer = start("client.py", [format!("ws://{address}/")]);
        let (id, mut accepted) = server.take_next(SOON).await.unwrap();
        assert_eq!(peer.line().await, format!("id {id}"));
        let data = pattern(300_000, 5);
        send(&mut accepted, &data).await;
        assert!(receive(&mut accepted, data.len()).await == data);
        accepted.close().await;
        assert_eq!(peer.line().await, "closed 1000");
    });
}

fn start<const N: usize>(program: &str, arguments: [String; N]) -> Process {
    let program = source("python").join(program).display().to_string();
    Process::start(&installed("python/bin/python"), [vec!["-u".to_owned(), program], arguments.to_vec()].concat())
}
