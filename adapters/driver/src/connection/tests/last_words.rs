//! What becomes of the last that is said.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use npws_core::{CloseReason, LinkConfig, PeerGeneration, Role};

use super::{connection, frames, reason, write};
use crate::connection::Connection;
use crate::socket::Socket;
use crate::testing::{Count, End, ID, establish, frame, pipe, transport, wire};
use crate::transport::Transport;

/// Hangs up after so many writes.
struct HangsUp {
    end: End,
    writes: usize,
}

impl AsyncRead for HangsUp {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.end).poll_read(cx, buf)
    }
}

impl AsyncWrite for HangsUp {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match self.writes.checked_sub(1) {
            Some(left) => {
                self.writes = left;
                Pin::new(&mut self.end).poll_write(cx, buf)
            }
            None => Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.end).poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.end).poll_close(cx)
    }
}

/// A client's connection to a peer that has finished, has been read to the end, and takes so many writes more.
fn to_a_peer_that_finished(writes: usize) -> (Connection, End) {
    let (end, mut far) = pipe(1 << 20);
    far.send(&[frame(0x82, &ID.to_bytes()), frame(0x81, b"fin")].concat());
    let transport = Transport::plain(Socket::new(HangsUp { end, writes }));
    let mut wire = wire(transport, Role::Client, PeerGeneration::V2, LinkConfig::default());
    smol::block_on(establish(&mut wire));
    let mut connection = connection(wire);
    assert_eq!(smol::block_on(connection.read(&mut [0])).unwrap(), 0);
    (connection, far)
}

#[test]
fn a_peer_that_hangs_up_once_it_has_heard_all_is_no_failure() {
    let (mut connection, _far) = to_a_peer_that_finished(2);
    smol::block_on(connection.write_all(b"all")).unwrap();
    smol::block_on(AsyncWriteExt::close(&mut connection)).unwrap();
}

#[test]
fn a_peer_that_hangs_up_before_it_has_heard_all_is_a_failure() {
    let (mut connection, _far) = to_a_peer_that_finished(1);
    smol::block_on(connection.write_all(b"all")).unwrap();
    let error = smol::block_on(AsyncWriteExt::close(&mut connection)).unwrap_err();
    assert_eq!((error.kind(), reason(&error)), (io::ErrorKind::BrokenPipe, CloseReason::Finished));
}

#[test]
fn whoever_closes_is_woken_when_there_is_room_for_the_last_word() {
    let (near, mut far) = pipe(100);
    far.send(&frame(0x82, &ID.to_bytes()));
    let mut wire = wire(transport(near), Role::Client, PeerGeneration::V2, LinkConfig::default());
    smol::block_on(establish(&mut wire));
    let mut connection = connection(wire);
    // With its header it leaves no room at all.
    assert!(matches!(write(&mut connection, &[7; 94]), Poll::Ready(Ok(94))));
    let (woken, waker) = Count::new();
    let mut cx = Context::from_waker(&waker);
    assert!(Pin::new(&mut connection).poll_close(&mut cx).is_pending());
    let before = woken.count();
    far.receive();
    assert!(woken.count() > before);
    assert!(matches!(Pin::new(&mut connection).poll_close(&mut cx), Poll::Ready(Ok(()))));
    assert_eq!(frames(&mut far), [(0x81, b"fin".to_vec())]);
}
