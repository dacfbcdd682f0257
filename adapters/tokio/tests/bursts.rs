//! A writer who neither flushes nor reads, however much tokio lets it do at once.
#![allow(clippy::unwrap_used, reason = "all of this is tests")]

use std::time::Duration;

use npws_driver::{ClientTls, ServerTls};
use npws_tokio::{ClientPool, ServerPool};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const SOON: Duration = Duration::from_secs(20);

#[tokio::test]
async fn all_of_a_burst_leaves_without_a_flush() {
    let secured = (ServerTls::self_signed(["localhost"]).unwrap(), ClientTls::dangerous_accept_any());
    for (server_tls, client_tls) in [(ServerTls::plain(), ClientTls::plain()), secured] {
        let server = ServerPool::builder().capacity(1).tls(server_tls).bind("127.0.0.1:0").await.unwrap();
        let address = server.local_addr().unwrap().to_string();
        let client = ClientPool::builder(address).tls(client_tls).connect().unwrap();
        let (id, mut writer) = server.take_next(SOON).await.unwrap();
        let mut reader = client.take(id, SOON).await.unwrap();
        for count in 1..300 {
            let written = tokio::spawn(async move {
                for _ in 0..count {
                    writer.write_all(b"ten bytes.").await.unwrap();
                }
                writer
            });
            let mut all = vec![0; count * 10];
            let read = tokio::time::timeout(SOON, reader.read_exact(&mut all)).await;
            assert!(read.is_ok(), "not all of {count} writes left");
            writer = written.await.unwrap();
        }
    }
}
