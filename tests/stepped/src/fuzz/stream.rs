//! A taken or idle connection under whatever frames a peer sends, with the byte stream known beforehand.

use arbitrary::{Arbitrary, Unstructured};
use futures::{AsyncReadExt, AsyncWriteExt};
use npws_driver::{Connection, ConnectionId};
use tungstenite::handshake::derive_accept_key;

use super::ends::{Accepting, Dialing};
use super::response::key_of;
use crate::frames::{BINARY, CLOSE, FIN, PING, PONG, TEXT, frame, next_frame};
use crate::pipe::Remote;
use crate::runtime::Stepped;

const ID: [u8; 4] = [0xa1, 0xb2, 0xc3, 0xd4];

#[derive(Debug, Arbitrary)]
struct Session {
    is_server: bool,
    is_v2: bool,
    /// How many bytes are read at once.
    piece: u16,
    deeds: Vec<Deed>,
}

#[derive(Debug, Arbitrary)]
enum Deed {
    /// The peer sends one message, in several frames, with a ping between them or not.
    Data {
        length: u16,
        frames: u8,
        with_pings: bool,
    },
    Ping(u8),
    Pong(u8),
    Claim,
    UnknownWord(u8),
    Fin,
    Close(Option<u16>),
    Violate(Violation),
    Garbage(Vec<u8>),
    /// The local user does.
    Take,
    Read(u16),
    Write(u16),
    Finish,
}

#[derive(Debug, Clone, Copy, Arbitrary)]
enum Violation {
    ReservedBit,
    ReservedOpcode,
    WrongMask,
    LongPing,
    FragmentedPing,
    ContinuationOfNothing,
    BadText,
    HalfACode,
}

/// How the peer's half of the stream stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Incoming {
    Open,
    /// It ended as it should.
    Ended,
    /// It broke a rule, or gave up.
    Broken,
    /// It sent bytes that may mean anything.
    Unknown,
}

/// Reads the bytes as what happens to one connection.
///
/// # Panics
/// When the driver does, when a byte is lost, added or changed, or when the end of the stream is told wrongly.
pub fn connection_stream(data: &[u8]) {
    let Ok(session) = Session::arbitrary_take_rest(Unstructured::new(data)) else { return };
    let piece = usize::from(session.piece);
    if session.is_server {
        let accepting = Accepting::new(|builder| builder.no_keepalive());
        let remote = accepting.connect(piece);
        let id = request(&accepting.runtime, &remote, session.is_v2);
        let pool = accepting.pool.clone();
        let take = || accepting.runtime.settle(pool.take(id, std::time::Duration::ZERO));
        Story::new(&accepting.runtime, &remote, &session).play(take);
        drop(pool);
        accepting.finish(&remote);
    } else {
        let (dialing, remote) = Dialing::new(piece, |builder| builder.no_keepalive());
        answer(&dialing.runtime, &remote, session.is_v2);
        let pool = dialing.pool.clone();
        let id = ConnectionId::from_bytes(ID);
        let take = || dialing.runtime.settle(pool.take(id, std::time::Duration::ZERO));
        Story::new(&dialing.runtime, &remote, &session).play(take);
        drop(pool);
        dialing.finish(&remote);
    }
}

fn version(is_v2: bool) -> &'static str {
    if is_v2 { "Npws-Version: 2\r\n" } else { "" }
}

/// The upgrade as a client does it.
fn request(runtime: &Stepped, remote: &Remote, is_v2: bool) -> ConnectionId {
    let fields = "Host: fuzz.example\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
                  Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    remote.send(format!("GET / HTTP/1.1\r\n{fields}{}\r\n", version(is_v2)).as_bytes());
    runtime.run();
    let mut heard = remote.received();
    let end = heard.windows(4).position(|window| window == b"\r\n\r\n").expect("an answer");
    heard.drain(..end + 4);
    let (first, id) = next_frame(&mut heard).expect("the ID");
    assert_eq!(first, BINARY);
    ConnectionId::from_bytes(id.try_into().expect("four bytes"))
}

/// The upgrade as a server does it.
fn answer(runtime: &Stepped, remote: &Remote, is_v2: bool) {
    let accept = derive_accept_key(&key_of(&remote.received()));
    let fields = format!("Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n");
    remote.send(format!("HTTP/1.1 101 Switching Protocols\r\n{fields}{}\r\n", version(is_v2)).as_bytes());
    remote.send(&frame(BINARY, &ID, false));
    runtime.run();
}

struct Story<'a> {
    runtime: &'a Stepped,
    remote: &'a Remote,
    session: &'a Session,
    incoming: Incoming,
    connection: Option<Connection>,
    was_tried: bool,
    has_finished: bool,
    sent: Vec<u8>,
    heard: Vec<u8>,
    written: Vec<u8>,
    /// What the peer has received and not taken apart.
    received: Vec<u8>,
    understood: Vec<u8>,
}

impl<'a> Story<'a> {
    fn new(runtime: &'a Stepped, remote: &'a Remote, session: &'a Session) -> Self {
        Self {
            runtime,
            remote,
            session,
            incoming: Incoming::Open,
            connection: None,
            was_tried: false,
            has_finished: false,
            sent: Vec::new(),
            heard: Vec::new(),
            written: Vec::new(),
            received: Vec::new(),
            understood: Vec::new(),
        }
    }

    fn play(mut self, take: impl Fn() -> Option<Result<Connection, npws_driver::TakeError>>) {
        let session = self.session;
        for deed in &session.deeds {
            match deed {
                Deed::Take => self.take(&take),
                Deed::Read(most) => drop(self.read(usize::from(*most))),
                Deed::Write(length) => self.write(usize::from(*length)),
                Deed::Finish => self.finish(),
                deed if self.incoming == Incoming::Open => self.receive(deed),
                _ => {}
            }
            self.runtime.run();
        }
        self.take(&take);
        self.remote.end();
        self.runtime.run();
        self.read_to_end();
        self.check_written();
    }

    fn send(&self, first: u8, payload: &[u8]) {
        self.remote.send(&frame(first, payload, self.session.is_server));
    }

    fn receive(&mut self, deed: &Deed) {
        match deed {
            Deed::Data { length, frames, with_pings } => self.send_data(usize::from(*length), *frames, *with_pings),
            Deed::Ping(length) => self.send(PING, &vec![b'p'; usize::from(*length % 126)]),
            Deed::Pong(length) => self.send(PONG, &vec![b'p'; usize::from(*length % 126)]),
            Deed::Claim => self.send_word("claim"),
            Deed::UnknownWord(word) => self.send_word(&format!("word {word}")),
            Deed::Fin if self.session.is_v2 => {
                self.send_word("fin");
                self.incoming = Incoming::Ended;
            }
            Deed::Close(code) => {
                self.send(CLOSE, &code.map_or(Vec::new(), |code| code.to_be_bytes().to_vec()));
                let is_good = matches!(code, None | Some(1000 | 1001));
                self.incoming = if is_good { Incoming::Ended } else { Incoming::Broken };
            }
            Deed::Violate(violation) => {
                self.violate(*violation);
                self.incoming = Incoming::Broken;
            }
            Deed::Garbage(bytes) if !bytes.is_empty() => {
                self.remote.send(bytes);
                self.incoming = Incoming::Unknown;
            }
            _ => {}
        }
    }

    fn send_data(&mut self, length: usize, frames: u8, with_pings: bool) {
        let from = self.sent.len();
        self.sent.extend((from..from + length).map(|at| (at % 251) as u8));
        let frames = usize::from(frames % 8) + 1;
        for number in 0..frames {
            let piece = &self.sent[from + length * number / frames..from + length * (number + 1) / frames];
            let opcode = if number == 0 { BINARY & !FIN } else { 0 };
            let fin = if number + 1 == frames { FIN } else { 0 };
            self.send(opcode | fin, piece);
            if with_pings {
                self.send(PING, b"");
            }
        }
    }

    fn send_word(&mut self, word: &str) {
        self.send(TEXT, word.as_bytes());
        if !self.session.is_v2 {
            self.incoming = Incoming::Broken;
        }
    }

    fn violate(&self, violation: Violation) {
        match violation {
            Violation::ReservedBit => self.send(BINARY | 0x40, b"x"),
            Violation::ReservedOpcode => self.send(0x83, b"x"),
            Violation::WrongMask => self.remote.send(&frame(BINARY, b"x", !self.session.is_server)),
            Violation::LongPing => self.send(PING, &[0; 126]),
            Violation::FragmentedPing => self.send(PING & !FIN, b""),
            Violation::ContinuationOfNothing => self.send(FIN, b"x"),
            Violation::BadText => self.send(TEXT, &[0xff]),
            Violation::HalfACode => self.send(CLOSE, &[3]),
        }
    }

    fn take(&mut self, take: impl Fn() -> Option<Result<Connection, npws_driver::TakeError>>) {
        if std::mem::replace(&mut self.was_tried, true) {
            return;
        }
        let outcome = take().expect("a try does not wait");
        assert!(outcome.is_ok() || self.incoming != Incoming::Open, "a connection in good order was not to be had");
        if self.incoming == Incoming::Ended && !self.sent.is_empty() {
            assert!(outcome.is_ok(), "what a peer sent before it ended in good order was lost");
        }
        self.connection = outcome.ok();
    }

    /// Reads at most so many bytes. Gives how the stream ended, if it has.
    fn read(&mut self, most: usize) -> Option<bool> {
        let connection = self.connection.as_mut()?;
        let mut buf = vec![0; most.max(1)];
        let outcome = self.runtime.settle(connection.read(&mut buf))?;
        let ending = match outcome {
            Ok(0) => Some(true),
            Ok(n) => {
                self.heard.extend_from_slice(&buf[..n]);
                None
            }
            Err(_) => Some(false),
        };
        let is_prefix = self.sent.starts_with(&self.heard);
        assert!(is_prefix || self.incoming == Incoming::Unknown && self.heard.starts_with(&self.sent), "other bytes");
        ending
    }

    fn read_to_end(&mut self) {
        if self.connection.is_none() {
            return;
        }
        let mut before = usize::MAX;
        let ended_well = loop {
            if let Some(ending) = self.read(4096) {
                break ending;
            }
            assert_ne!(before, self.heard.len(), "reading neither goes on nor ends");
            before = self.heard.len();
        };
        // Who says goodbye to a v1 peer has ended both directions.
        if self.incoming == Incoming::Unknown || self.has_finished && !self.session.is_v2 {
            return;
        }
        assert_eq!(self.heard.len(), self.sent.len(), "what was sent is read");
        assert_eq!(ended_well, self.incoming == Incoming::Ended, "the end of the stream after {:?}", self.incoming);
    }

    fn write(&mut self, length: usize) {
        let Some(connection) = &mut self.connection else { return };
        let from = self.written.len();
        let bytes: Vec<u8> = (from..from + length).map(|at| (at % 241) as u8).collect();
        let written = self.runtime.settle(connection.write(&bytes)).expect("there is always room");
        if let Ok(written) = written {
            assert!(!self.has_finished || written == 0, "written after the goodbye");
            self.written.extend_from_slice(&bytes[..written]);
        }
        // What is written at the same moment as what came before leaves when others have their turn.
        self.runtime.run();
        self.check_written();
    }

    fn finish(&mut self) {
        let Some(connection) = &mut self.connection else { return };
        let _ = self.runtime.settle(AsyncWriteExt::close(connection)).expect("there is always room");
        self.has_finished = true;
    }

    /// What the peer got is what was written.
    fn check_written(&mut self) {
        self.received.extend(self.remote.received());
        while let Some((first, payload)) = next_frame(&mut self.received) {
            if first == BINARY {
                self.understood.extend(payload);
            }
        }
        assert_eq!(self.understood, self.written);
    }
}
