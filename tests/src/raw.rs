//! A peer made by hand: a blocking socket, HTTP heads and WebSocket frames.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};

use npws::async_tungstenite::tungstenite::handshake::derive_accept_key;

use crate::testbed::SOON;

/// RFC 6455 section 1.3: this key and its answer.
const KEY: (&str, &str) = ("dGhlIHNhbXBsZSBub25jZQ==", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");

/// A continuation of the message before.
pub const CONTINUATION: u8 = 0;
/// A text message.
pub const TEXT: u8 = 1;
/// A binary message.
pub const BINARY: u8 = 2;
/// A close frame.
pub const CLOSE: u8 = 8;
/// A ping.
pub const PING: u8 = 9;
/// A pong.
pub const PONG: u8 = 10;

/// One WebSocket frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// Whether it is the last of its message.
    pub fin: bool,
    /// What kind of frame it is.
    pub opcode: u8,
    /// What it carries, unmasked.
    pub payload: Vec<u8>,
}

/// One end of a connection.
#[derive(Debug)]
pub struct Raw {
    stream: TcpStream,
    masks: bool,
    head: String,
}

impl Raw {
    /// Opens a connection and says nothing.
    pub fn connect(address: SocketAddr) -> Self {
        Self::new(TcpStream::connect(address).expect("it listens"), true)
    }

    /// Opens a connection and upgrades it, with these fields on top.
    pub fn upgrade(address: SocketAddr, fields: &str) -> Self {
        let mut raw = Self::connect(address);
        raw.send(request("/", fields).as_bytes());
        raw.head = raw.read_head();
        assert!(raw.head.starts_with("HTTP/1.1 101 "), "{}", raw.head);
        assert_eq!(field(&raw.head, "Sec-WebSocket-Accept"), Some(KEY.1));
        raw
    }

    /// Accepts a connection and answers its upgrade, with these fields on top.
    pub fn accept(listener: &TcpListener, fields: &str) -> Self {
        let mut raw = Self::new(listener.accept().expect("a peer dials").0, false);
        raw.head = raw.read_head();
        let key = field(&raw.head, "Sec-WebSocket-Key").expect("an upgrade has a key");
        let answer = format!(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Accept: {}\r\n{fields}\r\n",
            derive_accept_key(key.as_bytes())
        );
        raw.send(answer.as_bytes());
        raw
    }

    /// The accepting end of a connection that has not been upgraded.
    pub fn of(stream: TcpStream) -> Self {
        Self::new(stream, false)
    }

    fn new(stream: TcpStream, masks: bool) -> Self {
        stream.set_read_timeout(Some(SOON)).expect("it is not zero");
        stream.set_nodelay(true).expect("it is a TCP socket");
        Self { stream, masks, head: String::new() }
    }

    /// What the other end said in its upgrade.
    pub fn head(&self) -> &str {
        &self.head
    }

    /// This end's address.
    pub fn local_addr(&self) -> SocketAddr {
        self.stream.local_addr().expect("it is connected")
    }

    /// Sends bytes as they are.
    pub fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).expect("the peer is there");
    }

    /// As [`send`](Self::send), if the peer is still there.
    ///
    /// # Errors
    /// When it is not.
    pub fn try_send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)
    }

    /// Reads up to the empty line.
    pub fn read_head(&mut self) -> String {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.extend(self.read(1));
        }
        String::from_utf8(head).expect("a head is text")
    }

    /// Reads exactly `length` bytes.
    pub fn read(&mut self, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        self.stream.read_exact(&mut bytes).expect("that much comes");
        bytes
    }

    /// Reads until the peer is done, in good order or not.
    pub fn read_to_end(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        match self.stream.read_to_end(&mut bytes) {
            Err(error) if error.kind() != io::ErrorKind::ConnectionReset => panic!("the peer never ends: {error}"),
            _ => bytes,
        }
    }

    /// The bytes of a frame as this end sends it.
    pub fn frame(&self, fin: bool, opcode: u8, payload: &[u8]) -> Vec<u8> {
        let mask_bit = if self.masks { 0x80 } else { 0 };
        let mut frame = vec![if fin { 0x80 | opcode } else { opcode }];
        match payload.len() {
            length @ 0..=125 => frame.push(mask_bit | length as u8),
            length @ 126..=65_535 => {
                frame.push(mask_bit | 126);
                frame.extend((length as u16).to_be_bytes());
            }
            length => {
                frame.push(mask_bit | 127);
                frame.extend((length as u64).to_be_bytes());
            }
        }
        if self.masks {
            let mask = [0x37, 0xfa, 0x21, 0x3d];
            frame.extend(mask);
            frame.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
        } else {
            frame.extend(payload);
        }
        frame
    }

    /// Sends a frame.
    pub fn send_frame(&mut self, fin: bool, opcode: u8, payload: &[u8]) {
        let frame = self.frame(fin, opcode, payload);
        self.send(&frame);
    }

    /// Sends a binary message.
    pub fn send_binary(&mut self, payload: &[u8]) {
        self.send_frame(true, BINARY, payload);
    }

    /// Sends a close frame with this code.
    pub fn send_close(&mut self, code: u16) {
        self.send_frame(true, CLOSE, &code.to_be_bytes());
    }

    /// Reads a frame.
    pub fn read_frame(&mut self) -> Frame {
        let [first, second] = self.read(2).try_into().expect("two bytes");
        assert_eq!(second & 0x80 != 0, !self.masks, "a client masks, a server does not");
        let length = match second & 0x7f {
            126 => u16::from_be_bytes(self.read(2).try_into().expect("two bytes")).into(),
            127 => u64::from_be_bytes(self.read(8).try_into().expect("eight bytes")) as usize,
            length => usize::from(length),
        };
        let mask = if self.masks { vec![0] } else { self.read(4) };
        let payload = self.read(length);
        let payload = payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask).collect();
        Frame { fin: first & 0x80 != 0, opcode: first & 0x0f, payload }
    }

    /// Reads `length` bytes of binary messages, over control frames.
    pub fn read_data(&mut self, length: usize) -> Vec<u8> {
        let mut data = Vec::new();
        while data.len() < length {
            let frame = self.read_frame();
            match frame.opcode {
                BINARY | CONTINUATION => data.extend(frame.payload),
                PING | PONG => {}
                other => panic!("a frame of kind {other} where data should be"),
            }
        }
        data
    }

    /// Reads up to a close frame and gives its code.
    pub fn read_close(&mut self) -> Option<u16> {
        loop {
            let frame = self.read_frame();
            if frame.opcode == CLOSE {
                return frame.payload.first_chunk().map(|code| u16::from_be_bytes(*code));
            }
        }
    }
}

/// A request to upgrade, with these fields on top.
pub fn request(path: &str, fields: &str) -> String {
    format!(
        "GET {path} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {}\r\n{fields}\r\n",
        KEY.0
    )
}

/// The value of a field in a head.
pub fn field<'head>(head: &'head str, name: &str) -> Option<&'head str> {
    let fields = head.lines().filter_map(|line| line.split_once(':'));
    fields.filter(|(other, _)| other.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim()).next()
}
