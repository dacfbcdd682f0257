//! What comes from the peer, on its way to the link.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures::Stream;
use npws_core::{Instant, Violation};
use tungstenite::error::ProtocolError;
use tungstenite::{Error, Message};

use super::send::Unsent;
use super::{FRAME_ROOM, Wire, close_message};
use crate::early_data::Share;

impl Wire {
    /// Hands one message, or the end, to the link.
    pub(super) fn poll_receive(&mut self, cx: &mut Context<'_>, now: Instant) -> Poll<()> {
        let received = Pin::new(&mut self.socket).poll_next(cx);
        self.stamp_arrival(now);
        match received {
            Poll::Ready(Some(Ok(message))) => self.handle_message(now, message),
            Poll::Ready(Some(Err(error))) => self.handle_error(now, error),
            Poll::Ready(None) => self.link.handle_end(now),
            Poll::Pending => {
                if self.poll_room(cx).is_ready() {
                    return Poll::Ready(());
                }
                let is_stopped = self.socket.get_ref().is_stopped();
                if std::mem::replace(&mut self.stopped, is_stopped) || !is_stopped {
                    return Poll::Pending;
                }
                // News for the link, which may have something to say to it.
                self.link.handle_backpressure(now);
            }
        }
        Poll::Ready(())
    }

    fn stamp_arrival(&mut self, now: Instant) {
        let arrived = self.socket.get_ref().arrived();
        if arrived != self.seen {
            self.seen = arrived;
            self.link.handle_arrival(now);
        }
    }

    /// Reads data into `buf` that needs to pass neither tungstenite nor the link, as much as is likely to be there. Ready
    /// with 0 when that is none: what comes next is for [`poll_receive`](Self::poll_receive).
    pub(crate) fn poll_direct(
        &mut self,
        cx: &mut Context<'_>,
        now: impl Fn() -> Instant,
        buf: &mut [u8],
    ) -> Poll<usize> {
        let mut filled = 0;
        let is_streaming = self.replay.is_none() && self.link.is_streaming();
        while is_streaming && filled < buf.len() && (filled == 0 || self.socket.get_ref().has_more()) {
            match self.socket.get_mut().poll_payload(cx, &mut buf[filled..]) {
                Poll::Ready(Ok(Some(n @ 1..))) => filled += n,
                Poll::Ready(Ok(None)) => break,
                Poll::Ready(Ok(Some(_))) => {
                    self.handle_error(now(), Error::Protocol(ProtocolError::ResetWithoutClosingHandshake));
                    break;
                }
                Poll::Ready(Err(error)) => {
                    self.handle_error(now(), Error::Io(error));
                    break;
                }
                Poll::Pending if filled == 0 => return Poll::Pending,
                Poll::Pending => break,
            }
        }
        if filled > 0 {
            self.stamp_arrival(now());
        }
        Poll::Ready(filled)
    }

    fn handle_message(&mut self, now: Instant, message: Message) {
        match message {
            Message::Binary(payload) => {
                self.socket.get_mut().settle_data();
                self.handle_binary(now, payload);
            }
            Message::Text(text) => {
                self.socket.get_mut().settle_data();
                self.link.handle_text(now, text.as_str());
            }
            Message::Ping(_) => {
                self.socket.get_mut().settle_control();
                self.unsent = Unsent::Frames;
                self.link.handle_ping(now);
            }
            Message::Pong(_) => {
                self.socket.get_mut().settle_control();
                self.link.handle_pong(now);
            }
            Message::Close(frame) => {
                // Not settled: who asks for whole messages gets to see it.
                self.unsent = Unsent::Frames;
                self.link.handle_close(now, frame.map(|frame| frame.code.into()));
            }
            // Tungstenite takes such frames and never gives any.
            Message::Frame(_) => {}
        }
    }

    fn handle_binary(&mut self, now: Instant, payload: Bytes) {
        let is_stream = self.link.id().is_some();
        let before = self.link.buffered();
        if let Some(replay) = &mut self.replay {
            let kept = payload.clone();
            self.link.handle_binary(now, payload);
            let added = self.link.buffered() - before;
            if is_stream || added > 0 {
                replay.push(kept.slice(kept.len() - added.min(kept.len())..));
            }
        } else {
            self.link.handle_binary(now, payload);
        }
        self.bound_reading();
    }

    /// How much of unfinished messages may be read for the connection's own limit, and for that of its pool.
    fn room(&self) -> (usize, usize) {
        let own = self.early_data_limit.saturating_sub(self.link.buffered()).saturating_add(FRAME_ROOM);
        let granted = self.share.as_ref().map_or(usize::MAX, Share::granted);
        (own, granted.saturating_add(FRAME_ROOM).saturating_sub(self.link.cost()))
    }

    pub(super) fn bound_reading(&mut self) {
        if !self.taken {
            let (own, shared) = self.room();
            self.socket.get_mut().set_budget(Some(own.min(shared)));
        }
    }

    /// Ready when reading had stopped for what the pool may hold, and goes on with more.
    fn poll_room(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let (own, shared) = self.room();
        match &mut self.share {
            Some(share) if shared < own && self.socket.get_ref().is_stopped() => ready!(share.poll_more(cx)),
            _ => return Poll::Pending,
        }
        self.bound_reading();
        Poll::Ready(())
    }

    pub(super) fn handle_error(&mut self, now: Instant, error: Error) {
        match &error {
            Error::ConnectionClosed
            | Error::AlreadyClosed
            | Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => self.link.handle_end(now),
            // TLS says so of a transport that ended without TLS's own goodbye.
            Error::Io(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => self.link.handle_end(now),
            Error::Io(_) | Error::Tls(_) => self.link.handle_failure(now),
            refused => {
                let code = match refused {
                    Error::Capacity(_) => 1009,
                    Error::Utf8(_) => 1007,
                    _ => 1002,
                };
                // Before the link's own, less specific one; whichever comes second is not sent.
                let _ = self.start_send(close_message(code));
                self.link.handle_violation(now, Violation::Frame);
            }
        }
        self.failure = Some(Arc::new(error));
    }
}
