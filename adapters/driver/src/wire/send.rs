//! What goes to the peer.

use std::io::IoSlice;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures::{AsyncWrite, Sink};
use npws_core::{LinkMessage, Role};
use tungstenite::protocol::CloseFrame;
use tungstenite::{Error, Message};

use super::{Goodbye, Wire};
use crate::runtime::Background;

/// What may still be in this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Unsent {
    Nothing,
    /// The user's data, of which tungstenite does not know.
    Data,
    /// Frames of tungstenite's, and perhaps data.
    Frames,
}

impl Wire {
    pub(crate) fn start_send(&mut self, message: Message) -> Result<(), Error> {
        self.unsent = Unsent::Frames;
        Pin::new(&mut self.socket).start_send(message)
    }

    /// Sends of `bufs`, which are the user's, what may leave at once, and ends with how many bytes that are. All that was
    /// sent before must have been flushed.
    pub(crate) fn send_data(&mut self, cx: &mut Context<'_>, bufs: &[IoSlice<'_>]) -> Result<usize, Error> {
        self.unsent = self.unsent.max(Unsent::Data);
        // RFC 6455 section 10.3: nobody may be able to foresee it.
        let mask = matches!(self.role, Role::Client).then(rand::random);
        Ok(self.socket.get_mut().send_data(cx, mask, bufs)?)
    }

    /// From now on data leaves together with what follows it soon; no flush waits for it.
    pub(crate) fn write_behind(&mut self, background: &dyn Background) {
        self.socket.get_mut().transport_mut().socket_mut().write_behind(background);
    }

    /// From now on data leaves at once, and what waits does with the next flush.
    pub(crate) fn write_at_once(&mut self) {
        self.unsent = self.unsent.max(Unsent::Data);
        self.socket.get_mut().transport_mut().socket_mut().write_at_once();
    }

    pub(crate) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        loop {
            if self.unsent > Unsent::Nothing {
                let frames = match self.unsent {
                    Unsent::Frames => ready!(Pin::new(&mut self.socket).poll_flush(cx)),
                    _ => Ok(()),
                };
                // A server's tungstenite flushes nothing more once it has seen the peer's close frame.
                let data = ready!(Pin::new(self.socket.get_mut()).poll_flush(cx)).map_err(Error::Io);
                if self.goodbye != Goodbye::Said {
                    frames.and(data)?;
                }
                self.unsent = Unsent::Nothing;
            }
            let Goodbye::Due(code) = self.goodbye else { return Poll::Ready(Ok(())) };
            self.goodbye = Goodbye::Said;
            // Refused after a close frame of another's, which is as good.
            let _ = self.start_send(close_message(code));
        }
    }

    pub(super) fn send(&mut self, message: LinkMessage) {
        let message = match message {
            LinkMessage::Id(id) => Message::Binary(Bytes::copy_from_slice(&id.to_bytes())),
            LinkMessage::Word(word) => Message::Text(word.as_str().into()),
            LinkMessage::Ping => Message::Ping(Bytes::new()),
            LinkMessage::Close { code } => {
                self.goodbye = Goodbye::Due(code);
                return;
            }
            _ => return,
        };
        // It fails if the peer reads nothing and the buffer is full, when another ping would tell it nothing, and with
        // the transport, of which the next flush or read will tell.
        let _ = self.start_send(message);
    }
}

/// A close frame with this code.
pub(crate) fn close_message(code: u16) -> Message {
    Message::Close(Some(CloseFrame { code: code.into(), reason: "".into() }))
}
