//! Peers that speak just enough of the protocol.

use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use npws_tests::raw::request;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinSet;

/// How many of a crowd connect at once: as many as a listener's queue takes for sure.
const AT_ONCE: usize = 200;

/// Runs `count` peers, and gives what came of them.
pub async fn crowd<T, F>(count: usize, mut peer: impl FnMut(usize) -> F) -> Vec<T>
where
    F: Future<Output = T> + Send + 'static,
    T: Send + 'static,
{
    let mut running = JoinSet::new();
    let mut outcomes = Vec::with_capacity(count);
    for index in 0..count {
        if running.len() == AT_ONCE {
            outcomes.extend(running.join_next().await.map(|outcome| outcome.expect("no peer panics")));
        }
        running.spawn(peer(index));
    }
    while let Some(outcome) = running.join_next().await {
        outcomes.push(outcome.expect("no peer panics"));
    }
    outcomes
}

/// Opens a socket from this address.
///
/// # Errors
/// When the server does not want it.
pub async fn connect_from(source: IpAddr, address: SocketAddr) -> io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.bind((source, 0).into())?;
    socket.connect(address).await
}

/// Sends an upgrade with these fields and reads the head of the answer.
///
/// # Errors
/// When the server hangs up before.
pub async fn ask(stream: &mut TcpStream, fields: &str) -> io::Result<String> {
    stream.write_all(request("/", fields).as_bytes()).await?;
    read_head(stream).await
}

/// Reads up to the empty line.
///
/// # Errors
/// When the server hangs up before.
pub async fn read_head(stream: &mut TcpStream) -> io::Result<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await?);
    }
    Ok(String::from_utf8_lossy(&head).into_owned())
}

/// An idle connection, as the original has it: it has read its ID and reads nothing more by itself.
pub async fn idle(address: SocketAddr) -> (TcpStream, [u8; 4]) {
    let mut stream = TcpStream::connect(address).await.expect("it listens");
    let id = name(&mut stream).await;
    (stream, id)
}

/// Upgrades a socket and reads the ID.
pub async fn name(stream: &mut TcpStream) -> [u8; 4] {
    let head = ask(stream, "").await.expect("it answers");
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    let mut frame = [0; 6];
    stream.read_exact(&mut frame).await.expect("the ID comes first");
    assert_eq!(frame[..2], [0x82, 4]);
    [frame[2], frame[3], frame[4], frame[5]]
}

/// A frame as a client sends it: `first` is the byte with the flags and the opcode.
pub fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![first];
    match payload.len() {
        length @ 0..=125 => frame.push(0x80 | length as u8),
        length @ 126..=65_535 => {
            frame.push(0x80 | 126);
            frame.extend((length as u16).to_be_bytes());
        }
        length => {
            frame.push(0x80 | 127);
            frame.extend((length as u64).to_be_bytes());
        }
    }
    // A mask of zeros is one as good as any other.
    frame.extend([0; 4]);
    frame.extend(payload);
    frame
}

/// Sends up to `limit` bytes of `chunk` again and again, until the server takes no more for as long as `patience`. Gives
/// how many it took.
pub async fn pour(stream: &mut TcpStream, chunk: &[u8], limit: usize, patience: Duration) -> usize {
    let mut sent = 0;
    while sent < limit {
        let written = tokio::time::timeout(patience, stream.write(&chunk[sent % chunk.len()..])).await;
        match written {
            Ok(Ok(written)) => sent += written,
            // It has hung up, or takes no more.
            Ok(Err(_)) | Err(_) => break,
        }
    }
    sent
}

/// Reads until the server hangs up, in good order or not.
pub async fn hung_up(stream: &mut TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    // A reset is an end as well.
    let _ = stream.read_to_end(&mut bytes).await;
    bytes
}
