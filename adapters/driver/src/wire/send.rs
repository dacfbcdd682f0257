//! What goes to the peer, from the link and from the user.

use std::io::IoSlice;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures::Sink;
use npws_core::{LinkMessage, Role};
use tungstenite::protocol::CloseFrame;
use tungstenite::{Error, Message};

use super::Wire;
use super::farewell::Goodbye;

/// What waits to be sent, as far as the last flush did not get.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unsent {
    Nothing,
    /// Data, past tungstenite. More of it may join.
    Data,
    /// Perhaps a part of one of tungstenite's frames, which nothing must break into.
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
        self.unsent = Unsent::Data;
        let mask = self.mask();
        Ok(self.socket.get_mut().send_data(cx, mask, bufs)?)
    }

    /// Has `bufs` leave behind the data that waits, with the next flush. `None` if there is no room, or something else
    /// waits; ends with how many bytes there was room for.
    pub(crate) fn join_data(&mut self, bufs: &[IoSlice<'_>]) -> Option<usize> {
        let mask = self.mask();
        (self.unsent == Unsent::Data).then(|| self.socket.get_mut().join_data(mask, bufs))?
    }

    /// RFC 6455 section 10.3: nobody may be able to foresee it.
    fn mask(&self) -> Option<[u8; 4]> {
        matches!(self.role, Role::Client).then(rand::random)
    }

    pub(crate) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        loop {
            if self.unsent != Unsent::Nothing {
                let flushed = ready!(Pin::new(&mut self.socket).poll_flush(cx));
                self.unsent = Unsent::Nothing;
                if self.goodbye != Goodbye::Said {
                    flushed?;
                }
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
