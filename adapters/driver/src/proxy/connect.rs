//! HTTP `CONNECT`.

use futures::{AsyncReadExt, AsyncWriteExt};

use super::ProxyError;
use super::credentials::Credentials;
use crate::client::DialTarget;
use crate::read_ahead::ReadAhead;
use crate::socket::Socket;
use crate::upgrade::may_end_head;

/// All heads that a proxy answers with, interim ones among them.
const MAX_HEAD: usize = 16 * 1024;
const MAX_FIELDS: usize = 128;

/// Asks for a way to `target`. What comes behind the answer is read from what this returns.
pub(super) async fn open(
    mut socket: Socket,
    target: &DialTarget,
    credentials: Option<&Credentials>,
) -> Result<Socket, ProxyError> {
    socket.write_all(request(target, credentials).as_bytes()).await?;
    socket.flush().await?;
    let (status, leftover) = read_answer(&mut socket).await?;
    match status {
        200..=299 if leftover.is_empty() => Ok(socket),
        200..=299 => {
            let (local, peer) = (socket.local_addr(), socket.peer_addr());
            Ok(Socket::new(ReadAhead::with_read(socket, leftover)).with_addrs(local, peer))
        }
        // tinyproxy says 401 to wrong credentials, and 407 to none.
        401 | 407 => Err(ProxyError::Unauthorized),
        other => Err(ProxyError::Status(other)),
    }
}

fn request(target: &DialTarget, credentials: Option<&Credentials>) -> String {
    let DialTarget { host, port } = target;
    let authority = if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") };
    let authorization = credentials
        .map_or_else(String::new, |credentials| format!("Proxy-Authorization: {}\r\n", credentials.to_basic()));
    format!("CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n{authorization}\r\n")
}

/// The status of the final answer, and what came behind its head.
async fn read_answer(socket: &mut Socket) -> Result<(u16, Vec<u8>), ProxyError> {
    const STEP: usize = 1024;
    let mut read = Vec::new();
    let mut begin = 0;
    loop {
        let before = read.len();
        if before >= MAX_HEAD {
            return Err(ProxyError::Malformed);
        }
        read.resize(MAX_HEAD.min(before + STEP), 0);
        let n = socket.read(&mut read[before..]).await?;
        read.truncate(before + n);
        if n == 0 {
            return Err(ProxyError::Io(std::io::ErrorKind::UnexpectedEof.into()));
        }
        if !may_end_head(&read[begin..], before - begin) {
            continue;
        }
        while let Some((status, length)) = parse(&read[begin..])? {
            begin += length;
            // RFC 9110 section 15.2: interim ones are skipped, and 101 was not asked for.
            if !matches!(status, 100 | 102..=199) {
                return Ok((status, read.split_off(begin)));
            }
        }
    }
}

/// The status in the head at the front of `read`, and the head's length; `None` if more must come.
fn parse(read: &[u8]) -> Result<Option<(u16, usize)>, ProxyError> {
    let mut fields = [httparse::EMPTY_HEADER; MAX_FIELDS];
    let mut head = httparse::Response::new(&mut fields);
    match head.parse(read) {
        Ok(httparse::Status::Complete(length)) => Ok(head.code.map(|status| (status, length))),
        Ok(httparse::Status::Partial) => Ok(None),
        Err(_) => Err(ProxyError::Malformed),
    }
}
