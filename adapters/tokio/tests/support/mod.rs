//! A peer in raw HTTP.
#![allow(dead_code, reason = "each test program uses a part of it")]

use std::error::Error;
use std::time::Duration;

use npws_tokio::{ServerPool, Tokio};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

pub(crate) type Result<T = ()> = std::result::Result<T, Box<dyn Error>>;
pub(crate) type Builder = npws_driver::ServerPoolBuilder<Tokio>;

/// Long enough for a busy machine; nothing waits for it to pass.
pub(crate) const WAIT: Duration = Duration::from_secs(20);

pub(crate) fn server() -> Builder {
    ServerPool::builder().capacity(100)
}

pub(crate) async fn bind(builder: Builder) -> Result<ServerPool> {
    Ok(builder.bind("127.0.0.1:0").await?)
}

pub(crate) fn port(pool: &ServerPool) -> Result<u16> {
    Ok(pool.local_addr().ok_or("no listener")?.port())
}

pub(crate) async fn dial(pool: &ServerPool) -> Result<TcpStream> {
    Ok(TcpStream::connect(("127.0.0.1", port(pool)?)).await?)
}

/// A request to upgrade with these fields added.
pub(crate) fn request(path: &str, fields: &[&str]) -> String {
    let fields: String = fields.iter().map(|field| format!("{field}\r\n")).collect();
    format!(
        "GET {path} HTTP/1.1\r\nHost: pool.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{fields}\r\n"
    )
}

/// Asks for an upgrade with these fields added. The socket lives as long as the connection is wanted.
pub(crate) async fn upgrade(pool: &ServerPool, path: &str, fields: &[&str]) -> Result<(TcpStream, String)> {
    exchange(pool, &request(path, fields)).await
}

/// Sends `request` and reads the answer.
pub(crate) async fn exchange(pool: &ServerPool, request: &str) -> Result<(TcpStream, String)> {
    let mut socket = dial(pool).await?;
    socket.write_all(request.as_bytes()).await?;
    let answer = answer_of(&mut socket).await?;
    Ok((socket, answer))
}

/// The answer that comes: all of it when it is a rejection, its head otherwise.
pub(crate) async fn answer_of(socket: &mut TcpStream) -> Result<String> {
    let mut answer = Vec::new();
    let read = async {
        while answer.len() < 3 || !(answer.starts_with(b"HTTP/1.1 101") && answer.ends_with(b"\r\n\r\n")) {
            match socket.read_u8().await {
                Ok(byte) => answer.push(byte),
                Err(_) => break,
            }
        }
    };
    timeout(WAIT, read).await?;
    Ok(String::from_utf8(answer)?)
}

pub(crate) async fn status(pool: &ServerPool, path: &str, fields: &[&str]) -> Result<u16> {
    let (_socket, answer) = upgrade(pool, path, fields).await?;
    Ok(answer.split(' ').nth(1).ok_or("no answer")?.parse()?)
}

/// Opens a connection and waits until it is idle in the pool.
pub(crate) async fn open(pool: &ServerPool, fields: &[&str]) -> Result<TcpStream> {
    let (mut socket, answer) = upgrade(pool, "/", fields).await?;
    opened(pool, &mut socket, &answer).await?;
    Ok(socket)
}

/// The same over a socket that may have said something before.
pub(crate) async fn open_over(pool: &ServerPool, socket: &mut TcpStream) -> Result {
    socket.write_all(request("/", &[]).as_bytes()).await?;
    let answer = answer_of(socket).await?;
    opened(pool, socket, &answer).await
}

async fn opened(pool: &ServerPool, socket: &mut TcpStream, answer: &str) -> Result {
    assert!(answer.starts_with("HTTP/1.1 101 "), "{answer}");
    // The ID is a frame of four bytes behind a header of two.
    timeout(WAIT, socket.read_exact(&mut [0; 6])).await??;
    until(|| pool.stats().handshakes == 0).await
}

pub(crate) async fn until(mut condition: impl FnMut() -> bool) -> Result {
    timeout(WAIT, async {
        while !condition() {
            tokio::task::yield_now().await;
        }
    })
    .await?;
    Ok(())
}
