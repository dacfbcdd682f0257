//! The connection as a byte stream, against raw frames and against itself.

mod bursts;
mod last_words;
#[cfg(any(feature = "ring", feature = "aws-lc-rs"))]
mod over_tls;
mod past_tungstenite;
mod whole_messages;

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWriteExt};
use npws_core::{CloseReason, LinkConfig, PeerGeneration, Role, Violation};

use super::{Connection, StreamError};
use crate::clock::Clock;
use crate::testing::{
    Count, End, ID, TestTime, establish, established_client, frame, next_frame, pipe, poll_once, transport, wire,
};

/// One whose user takes some time between two writes.
fn connection(wire: crate::wire::Wire) -> Connection {
    connection_by(wire, TestTime::passing().clock())
}

fn connection_by(wire: crate::wire::Wire, clock: Clock) -> Connection {
    Connection::new(Box::new(wire), ID, clock, Duration::from_secs(1), npws_core::Instant::ZERO, Box::new(()))
}

/// A client's connection and the raw end of its peer, which has sent `early` behind the ID.
fn client(early: &[u8]) -> (Connection, End) {
    let (wire, mut far) = established_client(PeerGeneration::V1, LinkConfig::default());
    far.send(early);
    (connection(wire), far)
}

/// Both ends over a pipe that holds `capacity` bytes.
fn pair(capacity: usize) -> (Connection, Connection) {
    let (near, far) = pipe(capacity);
    let wire_of = |end, role| wire(transport(end), role, PeerGeneration::V2, LinkConfig::default());
    let (mut client, mut server) = (wire_of(near, Role::Client), wire_of(far, Role::Server));
    smol::block_on(futures::future::join(establish(&mut client), establish(&mut server)));
    (connection(client), connection(server))
}

fn frames(end: &mut End) -> Vec<(u8, Vec<u8>)> {
    let mut received = end.receive();
    std::iter::from_fn(|| next_frame(&mut received)).collect()
}

fn read(connection: &mut Connection) -> Poll<io::Result<Vec<u8>>> {
    let mut buf = [0; 64];
    poll_once(connection.read(&mut buf)).map_ok(|n| buf[..n].to_vec())
}

fn write(connection: &mut Connection, data: &[u8]) -> Poll<io::Result<usize>> {
    poll_once(connection.write(data))
}

fn reason(error: &io::Error) -> CloseReason {
    error.get_ref().unwrap().downcast_ref::<StreamError>().unwrap().reason()
}

#[test]
fn message_borders_mean_nothing() {
    let early = [frame(0x82, b"ab"), frame(0x82, &[]), frame(0x02, b"c"), frame(0x89, &[]), frame(0x80, b"de")];
    let (mut connection, _far) = client(&early.concat());
    let mut buf = [0; 4];
    smol::block_on(connection.read_exact(&mut buf)).unwrap();
    assert_eq!(&buf, b"abcd");
    assert!(matches!(read(&mut connection), Poll::Ready(Ok(data)) if data == b"e"));
    assert!(read(&mut connection).is_pending());
}

#[test]
fn an_orderly_close_is_the_end_of_the_stream() {
    for payload in [&[][..], &[0x03, 0xe8], &[0x03, 0xe9]] {
        let (mut connection, mut far) = client(&[frame(0x82, b"all"), frame(0x88, payload)].concat());
        assert!(matches!(read(&mut connection), Poll::Ready(Ok(data)) if data == b"all"));
        for _ in 0..2 {
            assert!(matches!(read(&mut connection), Poll::Ready(Ok(data)) if data.is_empty()));
        }
        assert_eq!(frames(&mut far), [(0x88, payload.to_vec())]);
    }
}

#[test]
fn a_stream_that_is_cut_never_looks_complete() {
    type Cut = fn(End) -> Option<End>;
    let cases: [(Cut, CloseReason, io::ErrorKind); 4] = [
        (|_| None, CloseReason::TransportEnded, io::ErrorKind::UnexpectedEof),
        (
            |mut end| {
                end.fail(io::ErrorKind::TimedOut);
                Some(end)
            },
            CloseReason::TransportFailed,
            io::ErrorKind::ConnectionReset,
        ),
        (
            |mut end| {
                end.send(&frame(0x88, &[0x03, 0xf3]));
                Some(end)
            },
            CloseReason::PeerClosed(Some(1011)),
            io::ErrorKind::ConnectionAborted,
        ),
        (
            |mut end| {
                end.send(&[0xff, 0]);
                Some(end)
            },
            CloseReason::Violation(Violation::Frame),
            io::ErrorKind::InvalidData,
        ),
    ];
    for (cut, expected, kind) in cases {
        let (mut connection, far) = client(&frame(0x82, b"part"));
        let _far = cut(far);
        assert!(matches!(read(&mut connection), Poll::Ready(Ok(data)) if data == b"part"));
        for _ in 0..2 {
            let Poll::Ready(Err(error)) = read(&mut connection) else { panic!("{expected}") };
            assert_eq!((reason(&error), error.kind()), (expected, kind));
        }
        let Poll::Ready(Err(error)) = write(&mut connection, b"x") else { panic!("{expected}") };
        assert_eq!((reason(&error), error.kind()), (expected, io::ErrorKind::BrokenPipe));
    }
}

#[test]
fn what_is_written_leaves_without_a_flush() {
    let (mut connection, mut far) = client(&[]);
    assert!(matches!(write(&mut connection, b"hello"), Poll::Ready(Ok(5))));
    assert_eq!(frames(&mut far), [(0x82, b"hello".to_vec())]);
    assert!(matches!(write(&mut connection, b""), Poll::Ready(Ok(0))));
    assert!(frames(&mut far).is_empty());
}

#[test]
fn a_vectored_write_is_one_message() {
    let (mut connection, mut far) = client(&[]);
    let bufs = [IoSlice::new(&[0, 5]), IoSlice::new(&[]), IoSlice::new(b"hello")];
    assert_eq!(smol::block_on(connection.write_vectored(&bufs)).unwrap(), 7);
    assert_eq!(frames(&mut far), [(0x82, b"\0\x05hello".to_vec())]);

    let large = vec![1; 50_000];
    let bufs = [IoSlice::new(&large), IoSlice::new(&large)];
    assert_eq!(smol::block_on(connection.write_vectored(&bufs)).unwrap(), 64 * 1024);
}

#[test]
fn one_message_at_most_waits_for_a_peer_that_does_not_read() {
    let (near, mut far) = pipe(100);
    far.send(&frame(0x82, &ID.to_bytes()));
    let mut wire = wire(transport(near), Role::Client, PeerGeneration::V1, LinkConfig::default());
    smol::block_on(establish(&mut wire));
    let mut connection = connection(wire);
    let data = vec![7; 100_000];
    assert!(matches!(write(&mut connection, &data), Poll::Ready(Ok(n)) if n == 64 * 1024));
    assert!(write(&mut connection, &data).is_pending());
    assert!(poll_once(connection.flush()).is_pending());

    // Who only reads sends it all the same.
    let mut received = Vec::new();
    while received.len() < 64 * 1024 {
        let before = received.len();
        received.extend(far.receive());
        assert!(received.len() > before, "stuck at {before}");
        assert!(read(&mut connection).is_pending());
    }
    assert_eq!(next_frame(&mut received), Some((0x82, data[..64 * 1024].to_vec())));
    assert!(matches!(write(&mut connection, b"x"), Poll::Ready(Ok(1))));
}

#[test]
fn pings_are_answered_by_whoever_uses_the_connection() {
    let (mut connection, mut far) = client(&[]);
    far.send(&frame(0x89, b"1"));
    assert!(read(&mut connection).is_pending());
    assert_eq!(frames(&mut far), [(0x8a, b"1".to_vec())]);

    let (mut connection, mut far) = client(&[]);
    for n in 0..3 {
        far.send(&[frame(0x82, b"unread"), frame(0x89, &[n])].concat());
        assert!(matches!(write(&mut connection, b"x"), Poll::Ready(Ok(1))));
        let mut sent = frames(&mut far);
        sent.sort();
        assert_eq!(sent, [(0x82, b"x".to_vec()), (0x8a, vec![n])]);
    }
    // The one right behind a write only sends.
    assert!(poll_once(connection.flush()).is_ready());
    far.send(&frame(0x89, b"f"));
    assert!(poll_once(connection.flush()).is_ready());
    assert_eq!(frames(&mut far), [(0x8a, b"f".to_vec())]);
    assert!(matches!(read(&mut connection), Poll::Ready(Ok(data)) if data == b"unreadunreadunread"));
}

#[test]
fn a_writer_reads_ahead_only_so_much_and_wakes_the_reader() {
    let (mut connection, mut far) = client(&[]);
    let (woken, waker) = Count::new();
    let mut cx = Context::from_waker(&waker);
    assert!(Pin::new(&mut connection).poll_read(&mut cx, &mut [0; 8]).is_pending());
    far.send(&frame(0x82, &[1; 10_000]).repeat(50));
    assert!(woken.count() > 0);

    assert!(matches!(write(&mut connection, b"x"), Poll::Ready(Ok(1))));
    assert!(far.unread() > 350_000, "{} unread", far.unread());
    let mut all = vec![0; 500_000];
    smol::block_on(connection.read_exact(&mut all)).unwrap();
    assert!(all.iter().all(|byte| *byte == 1));
}

#[test]
fn a_socket_that_has_nothing_is_not_asked_again() {
    let (mut connection, mut far) = client(&[]);
    assert!(read(&mut connection).is_pending());
    let reads = far.reads();
    for _ in 0..5 {
        assert!(read(&mut connection).is_pending());
        assert!(matches!(write(&mut connection, b"x"), Poll::Ready(Ok(1))));
    }
    assert_eq!(far.reads(), reads);
    far.send(&frame(0x82, b"news"));
    assert!(matches!(read(&mut connection), Poll::Ready(Ok(data)) if data == b"news"));
}

#[test]
fn closing_sends_what_was_written_and_ends_writing() {
    let (mut connection, mut far) = client(&[]);
    smol::block_on(async {
        connection.write_all(b"last").await.unwrap();
        AsyncWriteExt::close(&mut connection).await.unwrap();
        AsyncWriteExt::close(&mut connection).await.unwrap();
    });
    assert_eq!(frames(&mut far), [(0x82, b"last".to_vec()), (0x88, vec![0x03, 0xe8])]);
    let Poll::Ready(Err(error)) = write(&mut connection, b"more") else { panic!("written") };
    assert_eq!((reason(&error), error.kind()), (CloseReason::ClosedLocally, io::ErrorKind::BrokenPipe));

    far.send(&frame(0x82, b"answer"));
    assert!(matches!(read(&mut connection), Poll::Ready(Ok(data)) if data == b"answer"));
    drop(far);
    assert!(matches!(read(&mut connection), Poll::Ready(Ok(data)) if data.is_empty()));
}

#[test]
fn both_halves_work_from_different_tasks() {
    let (client, server) = pair(1000);
    let data: Vec<u8> = (0..1_000_000_u32).map(|n| (n / 7) as u8).collect();
    smol::block_on(async {
        let echo = smol::spawn(async move {
            let (reader, mut writer) = server.split();
            futures::io::copy(reader, &mut writer).await.unwrap();
            writer.close().await.unwrap();
        });
        let (mut reader, mut writer) = client.split();
        let sent = data.clone();
        let writing = smol::spawn(async move {
            writer.write_all(&sent).await.unwrap();
            writer.flush().await.unwrap();
            writer
        });
        let mut received = vec![0; data.len()];
        reader.read_exact(&mut received).await.unwrap();
        assert!(received == data);
        writing.await.close().await.unwrap();
        assert_eq!(reader.read(&mut [0; 8]).await.unwrap(), 0);
        echo.await;
    });
}

#[test]
fn lines_can_be_read_in_place() {
    let (mut connection, _far) = client(&[frame(0x82, b"one\nt"), frame(0x82, b"wo\n"), frame(0x88, &[])].concat());
    let mut line = String::new();
    smol::block_on(async {
        assert_eq!(connection.read_line(&mut line).await.unwrap(), 4);
        assert_eq!(connection.read_line(&mut line).await.unwrap(), 4);
        assert_eq!(connection.read_line(&mut line).await.unwrap(), 0);
    });
    assert_eq!(line, "one\ntwo\n");
}

#[test]
fn its_futures_can_move_between_threads() {
    fn is_send<T: Send>(value: T) -> T {
        value
    }
    let (connection, _far) = is_send(client(&[]));
    drop(is_send(connection.into_websocket()));
    let (connection, _far) = client(&[]);
    drop(is_send(connection.close()));
}

#[test]
fn the_guard_goes_with_the_connection() {
    let (wire, _far) = established_client(PeerGeneration::V1, LinkConfig::default());
    let guard = Arc::new(());
    let watched = Arc::downgrade(&guard);
    let connection = Connection::new(
        Box::new(wire),
        ID,
        TestTime::new().clock(),
        Duration::from_secs(1),
        npws_core::Instant::ZERO,
        Box::new(guard),
    );
    assert_eq!(watched.strong_count(), 1);
    let socket = smol::block_on(connection.into_websocket()).unwrap();
    assert_eq!(watched.strong_count(), 1);
    drop(socket);
    assert_eq!(watched.strong_count(), 0);
}

#[cfg(feature = "tokio-io")]
#[test]
fn tokios_traits_do_the_same() {
    use std::task::Waker;

    use futures::AsyncWrite;
    use tokio::io::ReadBuf;

    let (mut connection, mut far) = client(&frame(0x82, b"hello"));
    let mut cx = Context::from_waker(Waker::noop());
    let mut connection = Pin::new(&mut connection);
    let mut space = [0; 3];
    for expected in [&b"hel"[..], b"lo"] {
        let mut buf = ReadBuf::new(&mut space);
        assert!(tokio::io::AsyncRead::poll_read(connection.as_mut(), &mut cx, &mut buf).is_ready());
        assert_eq!(buf.filled(), expected);
    }
    let written = tokio::io::AsyncWrite::poll_write(connection.as_mut(), &mut cx, b"hi");
    assert!(matches!(written, Poll::Ready(Ok(2))));
    assert!(tokio::io::AsyncWrite::poll_shutdown(connection.as_mut(), &mut cx).is_ready());
    assert_eq!(frames(&mut far), [(0x82, b"hi".to_vec()), (0x88, vec![0x03, 0xe8])]);
    assert!(AsyncWrite::poll_close(connection.as_mut(), &mut cx).is_ready());
}
