//! The ID step: the first four bytes of the binary stream, whatever lies between them.

use core::time::Duration;

use npws_core::{CloseReason, ConnectionId, Instant, Link, LinkConfig, LinkMessage, LinkOutput};
use npws_core::{PeerGeneration, Violation};

use super::reader::Reader;

/// Reads `data` as the messages of a server, cut and mixed in any way, and checks that the client's link makes of them
/// what it makes of the same bytes in one message.
///
/// The first byte says what generation the peer is and how much time there is. Then every byte is one event: its lower
/// three bits say what, the rest how much; the payload of a binary message follows it.
///
/// ```
/// npws_sim::fuzz::id_handshake(b"any bytes at all");
/// ```
pub fn id_handshake(data: &[u8]) {
    let mut reader = Reader::new(data);
    let setup = reader.or_zero();
    let peer = if setup & 1 == 0 { PeerGeneration::V1 } else { PeerGeneration::V2 };
    let deadline = Instant::ZERO + Duration::from_millis(u64::from(setup >> 1));
    let config = LinkConfig { keepalive: None, early_data_limit: usize::MAX, ..LinkConfig::default() };

    let mut now = Instant::ZERO;
    let mut link = Link::client(config.clone(), peer, 0, now, deadline);
    let mut outputs = Vec::new();
    let mut stream = Vec::new();
    let (mut messages, mut id_messages, mut leftover) = (0, 0, 0);
    let mut end = None;
    while let Some(event) = reader.byte() {
        let amount = usize::from(event >> 3);
        match event & 7 {
            0..=2 => {
                let payload = reader.bytes(amount);
                messages += 1;
                let in_id_step = stream.len() < 4;
                stream.extend_from_slice(payload);
                if in_id_step {
                    id_messages = messages;
                    leftover = stream.len().saturating_sub(4);
                }
                link.handle_binary(now, payload.to_vec());
            }
            3 => link.handle_ping(now),
            4 => link.handle_pong(now),
            5 => link.handle_arrival(now),
            6 => {
                link.handle_text(now, "text");
                if peer == PeerGeneration::V1 {
                    end = Some(CloseReason::Violation(Violation::Text));
                }
            }
            _ => {
                now = now + Duration::from_millis(event.into());
                link.handle_timeout(now);
                if now >= deadline && stream.len() < 4 {
                    end = Some(CloseReason::HandshakeFailed);
                }
            }
        }
        outputs.extend(core::iter::from_fn(|| link.poll_output()));
        assert_eq!(link.end(), end);
        assert_eq!(link.poll_timeout(), (stream.len() < 4 && end.is_none()).then_some(deadline));
        assert_eq!((link.id_messages(), link.id_leftover()), (id_messages, leftover));
        if end.is_some() {
            break;
        }
    }

    let id = stream.first_chunk().copied().map(ConnectionId::from_bytes);
    let data = stream.get(4..).unwrap_or_default();
    let mut expected = Vec::from_iter(id.map(LinkOutput::Established));
    if !data.is_empty() {
        expected.push(LinkOutput::Claimed);
    }
    let mut whole = Link::client(config, peer, 0, Instant::ZERO, deadline);
    whole.handle_binary(Instant::ZERO, stream.clone());
    assert!(core::iter::from_fn(|| whole.poll_output()).eq(expected.iter().copied()));
    match end {
        Some(reason @ CloseReason::Violation(_)) => {
            expected.extend([LinkOutput::Send(LinkMessage::Close { code: 1003 }), LinkOutput::Closed(reason)]);
        }
        Some(reason) => expected.push(LinkOutput::Closed(reason)),
        None => {}
    }
    assert_eq!(outputs, expected);
    assert_eq!((link.id(), whole.id()), (id, id));
    assert_eq!(read_all(&mut link), data);
    assert_eq!(read_all(&mut whole), data);
}

fn read_all(link: &mut Link<Vec<u8>>) -> Vec<u8> {
    let mut read = Vec::new();
    while let Some(chunk) = link.chunk() {
        let length = chunk.len();
        assert!(length > 0, "an empty chunk would read as the end of the stream");
        read.extend_from_slice(chunk);
        link.consume(length);
    }
    assert_eq!(link.buffered(), 0);
    read
}
