//! As much HTTP as it takes.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;

/// What a small answer says, in bytes.
const SMALL: usize = 100;
const CHUNK: usize = 64 << 10;
/// As many users as the target serves at a time.
const SEATS: usize = 64;

/// Starts the target: `GET /N` is answered with N bytes, `PUT /N` takes as many. A connection that asks for it is closed
/// after the answer.
pub(super) fn serve() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
    for _ in 0..SEATS {
        let listener = listener.try_clone().expect("there are file descriptors");
        thread::spawn(move || {
            for user in listener.incoming().flatten() {
                // A user may leave as it likes.
                let _ = attend(&user);
            }
        });
    }
    listener.local_addr().expect("it is bound")
}

fn attend(user: &TcpStream) -> io::Result<()> {
    user.set_nodelay(true)?;
    let mut reader = BufReader::with_capacity(CHUNK, user);
    let mut line = String::new();
    while reader.read_line(&mut line)? > 0 {
        let (is_put, size) = asked(&line).ok_or(io::ErrorKind::InvalidData)?;
        let mut closes = false;
        loop {
            line.clear();
            reader.read_line(&mut line)?;
            match line.trim_end() {
                "" => break,
                field => closes |= field == "Connection: close",
            }
        }
        if is_put {
            io::copy(&mut (&mut reader).take(size as u64), &mut io::sink())?;
            answer(user, 0)?;
        } else {
            answer(user, size)?;
        }
        if closes {
            break;
        }
        line.clear();
    }
    Ok(())
}

/// Whether it is a PUT, and the number in the path.
fn asked(line: &str) -> Option<(bool, usize)> {
    let mut words = line.split(' ');
    let is_put = words.next()? == "PUT";
    Some((is_put, words.next()?.strip_prefix('/')?.parse().ok()?))
}

fn head(size: usize) -> String {
    format!("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {size}\r\n\r\n")
}

fn answer(mut user: &TcpStream, size: usize) -> io::Result<()> {
    let mut data = head(size).into_bytes();
    data.resize(data.len() + size.min(CHUNK), b'.');
    user.write_all(&data)?;
    send(user, size.saturating_sub(CHUNK))
}

fn send(mut peer: &TcpStream, size: usize) -> io::Result<()> {
    let chunk = [b'.'; CHUNK];
    let mut left = size;
    while left > 0 {
        let count = left.min(CHUNK);
        peer.write_all(&chunk[..count])?;
        left -= count;
    }
    Ok(())
}

/// One that knows what the target answers.
#[derive(Debug)]
pub(super) struct User {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl User {
    pub(super) fn connect(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: Vec::new() })
    }

    /// A request that is the last of its connection.
    pub(super) fn ask_once(mut self) -> io::Result<()> {
        self.stream
            .write_all(format!("GET /{SMALL} HTTP/1.1\r\nHost: target\r\nConnection: close\r\n\r\n").as_bytes())?;
        self.hear(SMALL)?;
        if self.stream.read(&mut [0])? == 0 { Ok(()) } else { Err(io::ErrorKind::InvalidData.into()) }
    }

    /// A request after which others may follow.
    pub(super) fn ask(&mut self) -> io::Result<()> {
        self.download(SMALL)
    }

    pub(super) fn download(&mut self, size: usize) -> io::Result<()> {
        self.stream.write_all(format!("GET /{size} HTTP/1.1\r\nHost: target\r\n\r\n").as_bytes())?;
        self.hear(size)
    }

    pub(super) fn upload(&mut self, size: usize) -> io::Result<()> {
        let head = format!("PUT /{size} HTTP/1.1\r\nHost: target\r\nContent-Length: {size}\r\n\r\n");
        self.stream.write_all(head.as_bytes())?;
        send(&self.stream, size)?;
        self.hear(0)
    }

    fn hear(&mut self, size: usize) -> io::Result<()> {
        let mut left = head(size).len() + size;
        self.buffer.resize(left.min(CHUNK), 0);
        while left > 0 {
            let most = left.min(CHUNK);
            match self.stream.read(&mut self.buffer[..most])? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                count => left -= count,
            }
        }
        Ok(())
    }
}
