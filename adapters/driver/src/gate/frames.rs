//! Where one frame ends and the next begins, so that payloads can go around tungstenite.

use std::io::{self, Cursor};
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};

use futures::AsyncRead;
use tungstenite::protocol::frame::FrameHeader;
use tungstenite::protocol::frame::coding::{Data, OpCode};

use super::mask::apply;

/// The longest header of a frame.
const HEADER: usize = 14;

/// Which payloads may go around tungstenite: those of whole binary messages in which there is nothing to object to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Direct {
    /// Whether they are masked, as a server gets them.
    pub(crate) is_masked: bool,
    /// In bytes.
    pub(crate) longest: usize,
}

/// Reads frame by frame: a payload that is data and nothing else for a user who asks, and whatever that user must not
/// have for tungstenite, which therefore sees only whole frames, and decides on all but the plain ones.
#[derive(Debug)]
pub(super) struct Frames {
    direct: Direct,
    /// The header of the frame at hand, as far as it was read.
    header: [u8; HEADER],
    read: usize,
    /// How much of the header tungstenite has got.
    given: usize,
    at: At,
    /// Tungstenite has the beginning of a message, and what is data now continues it.
    in_message: bool,
    /// How many messages tungstenite has got, or is about to get the end of, that it has not handed out.
    unsettled: usize,
}

#[derive(Debug)]
enum At {
    Header,
    /// In a frame of tungstenite's, of whose payload so much is to come.
    Frame(u64),
    /// In a payload of the user's.
    Payload {
        left: u64,
        mask: Option<[u8; 4]>,
    },
    /// No frame begins here. That is for tungstenite to say.
    Garbage,
}

impl Frames {
    /// Goes on behind `given`, all of which tungstenite has got.
    pub(super) fn behind(mut given: &[u8], direct: Direct) -> Self {
        let at = At::Header;
        let mut frames = Self { direct, header: [0; HEADER], read: 0, given: 0, at, in_message: false, unsettled: 0 };
        let (mut cx, mut sink) = (Context::from_waker(Waker::noop()), [0; 256]);
        while matches!(frames.poll_read(&mut given, &mut cx, &mut sink), Poll::Ready(Ok(1..))) {}
        frames.given = frames.read;
        frames
    }

    /// Reads of the payload at hand, or of the next if that may go around tungstenite. `None` if it may not: tungstenite
    /// is to read it.
    pub(super) fn poll_payload(
        &mut self,
        from: &mut (impl AsyncRead + Unpin),
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<Option<usize>>> {
        loop {
            match &mut self.at {
                At::Payload { left: 0, .. } => self.begin(),
                At::Payload { left, mask } => {
                    let limit = usize::try_from(*left).map_or(buf.len(), |left| left.min(buf.len()));
                    let n = ready!(Pin::new(from).poll_read(cx, &mut buf[..limit]))?;
                    *left -= n as u64;
                    if let Some(mask) = mask {
                        apply(*mask, &mut buf[..n]);
                        mask.rotate_left(n % 4);
                    }
                    return Poll::Ready(Ok(Some(n)));
                }
                At::Frame(0) if self.given == self.read => self.begin(),
                At::Header if self.given == 0 && !self.in_message && self.unsettled == 0 => {
                    if !ready!(self.poll_header(from, cx))? {
                        return Poll::Ready(Ok(Some(0)));
                    }
                    match self.parse() {
                        Some((header, left)) if self.is_direct(&header, left) => {
                            self.at = At::Payload { left, mask: header.mask };
                        }
                        frame => self.pass(frame),
                    }
                }
                _ => return Poll::Ready(Ok(None)),
            }
        }
    }

    /// Reads for tungstenite, never beyond the end of a frame. What is left of a payload becomes a frame of its own.
    pub(super) fn poll_read(
        &mut self,
        from: &mut (impl AsyncRead + Unpin),
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        loop {
            if !matches!(self.at, At::Header | At::Payload { .. }) && self.given < self.read {
                let rest = &self.header[self.given..self.read];
                let n = rest.len().min(buf.len());
                buf[..n].copy_from_slice(&rest[..n]);
                self.given += n;
                return Poll::Ready(Ok(n));
            }
            match self.at {
                At::Frame(0) | At::Payload { left: 0, .. } => self.begin(),
                At::Frame(left) => {
                    let limit = usize::try_from(left).map_or(buf.len(), |left| left.min(buf.len()));
                    let n = ready!(Pin::new(from).poll_read(cx, &mut buf[..limit]))?;
                    self.at = At::Frame(left - n as u64);
                    return Poll::Ready(Ok(n));
                }
                At::Payload { left, mask } => {
                    let header = FrameHeader { opcode: OpCode::Data(Data::Binary), mask, ..FrameHeader::default() };
                    let mut written = Cursor::new(&mut self.header[..]);
                    // The longest header fits.
                    let _ = header.format(left, &mut written);
                    (self.read, self.given) = (header.len(left), 0);
                    self.at = At::Frame(left);
                }
                At::Header => {
                    if !ready!(self.poll_header(from, cx))? {
                        return Poll::Ready(Ok(0));
                    }
                    let frame = self.parse();
                    self.pass(frame);
                }
                At::Garbage => return Pin::new(from).poll_read(cx, buf),
            }
        }
    }

    /// Tungstenite has handed out a message.
    pub(super) fn settle(&mut self) {
        self.unsettled = self.unsettled.saturating_sub(1);
    }

    fn begin(&mut self) {
        (self.read, self.given) = (0, 0);
        self.at = At::Header;
    }

    /// Reads the rest of the header and nothing behind it; `false` if the bytes end before.
    fn poll_header(&mut self, from: &mut (impl AsyncRead + Unpin), cx: &mut Context<'_>) -> Poll<io::Result<bool>> {
        loop {
            let length = match self.header[..self.read] {
                [_, second, ..] => {
                    let extended = match second & 0x7f {
                        126 => 2,
                        127 => 8,
                        _ => 0,
                    };
                    2 + extended + if second & 0x80 == 0 { 0 } else { 4 }
                }
                _ => 2,
            };
            if self.read == length {
                return Poll::Ready(Ok(true));
            }
            match ready!(Pin::new(&mut *from).poll_read(cx, &mut self.header[self.read..length]))? {
                0 => return Poll::Ready(Ok(false)),
                n => self.read += n,
            }
        }
    }

    /// The header, if it is one.
    fn parse(&self) -> Option<(FrameHeader, u64)> {
        FrameHeader::parse(&mut Cursor::new(&self.header[..self.read])).ok()?
    }

    fn is_direct(&self, header: &FrameHeader, length: u64) -> bool {
        let plain = FrameHeader { opcode: OpCode::Data(Data::Binary), mask: header.mask, ..FrameHeader::default() };
        let is_short = usize::try_from(length).is_ok_and(|length| (1..=self.direct.longest).contains(&length));
        *header == plain && header.mask.is_some() == self.direct.is_masked && is_short
    }

    /// The frame at hand is tungstenite's.
    fn pass(&mut self, frame: Option<(FrameHeader, u64)>) {
        self.at = match frame {
            Some((header, length)) => {
                let is_data = matches!(header.opcode, OpCode::Data(_));
                self.in_message = if is_data { !header.is_final } else { self.in_message };
                self.unsettled += usize::from(header.is_final);
                At::Frame(length)
            }
            None => At::Garbage,
        };
    }
}
