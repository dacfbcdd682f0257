//! A writer who neither flushes nor reads, however much tokio has let its task do before.
#![allow(clippy::unwrap_used, reason = "all of this is tests")]

use std::time::Duration;

use npws_driver::{ClientTls, ServerTls};
use npws_tokio::{ClientPool, ServerPool};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::task::consume_budget;

const SOON: Duration = Duration::from_secs(20);

#[tokio::test]
async fn a_write_leaves_although_its_task_has_spent_its_budget() {
    let secured = (ServerTls::self_signed(["localhost"]).unwrap(), ClientTls::dangerous_accept_any());
    for (server_tls, client_tls) in [(ServerTls::plain(), ClientTls::plain()), secured] {
        let server = ServerPool::builder().capacity(1).tls(server_tls).bind("127.0.0.1:0").await.unwrap();
        let address = server.local_addr().unwrap().to_string();
        let client = ClientPool::builder(address).tls(client_tls).connect().unwrap();
        let (id, mut writer) = server.take_next(SOON).await.unwrap();
        let mut reader = client.take(id, SOON).await.unwrap();
        for spent in 0..300 {
            let written = tokio::spawn(async move {
                for _ in 0..spent {
                    consume_budget().await;
                }
                writer.write_all(b"ten bytes.").await.unwrap();
                writer
            });
            let read = tokio::time::timeout(SOON, reader.read_exact(&mut [0; 10])).await;
            assert!(read.is_ok(), "it stays behind {spent} other steps");
            writer = written.await.unwrap();
        }
    }
}
