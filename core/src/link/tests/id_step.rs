//! The first four bytes of the stream, however they come.

use super::*;
use crate::Violation;

/// Every way to cut `bytes` into messages, none of them empty.
fn splits(bytes: &[u8]) -> impl Iterator<Item = Vec<Vec<u8>>> {
    (0..1_u32 << (bytes.len() - 1)).map(move |cuts| {
        let mut messages = vec![Vec::new()];
        for (index, byte) in bytes.iter().enumerate() {
            if index > 0 && cuts & (1 << (index - 1)) != 0 {
                messages.push(Vec::new());
            }
            messages.last_mut().unwrap().push(*byte);
        }
        messages
    })
}

#[test]
fn any_split_with_or_without_empty_messages_gives_the_id_and_the_rest() {
    for messages in splits(&[1, 2, 3, 4, 5, 6, 7]) {
        for empties in 0..3 {
            let mut link = client(PeerGeneration::V1);
            let (mut sent, mut expected_messages) = (0, 0);
            let mut seen = Vec::new();
            for message in &messages {
                for _ in 0..empties {
                    link.handle_binary(at(1), Vec::new());
                }
                if sent < 4 {
                    expected_messages += 1 + empties;
                }
                sent += message.len();
                link.handle_binary(at(1), message.clone());
                assert_eq!(link.id(), (sent >= 4).then_some(ID));
                seen.extend(outputs(&mut link));
            }
            assert_eq!(seen, [LinkOutput::Established(ID), LinkOutput::Claimed], "{messages:?}");
            assert_eq!(link.id_messages(), expected_messages);
            let leftover = messages.iter().scan(0, |sum, message| {
                *sum += message.len();
                Some(*sum)
            });
            assert_eq!(link.id_leftover(), leftover.into_iter().find(|sum| *sum >= 4).unwrap() - 4);
            assert_eq!(read_all(&mut link), [5, 6, 7]);
        }
    }
}

#[test]
fn the_id_alone_is_no_early_data() {
    let mut link = client(PeerGeneration::V1);
    link.handle_binary(at(1), vec![1, 2, 3, 4]);
    link.handle_binary(at(1), Vec::new());
    assert_eq!(outputs(&mut link), [LinkOutput::Established(ID)]);
    assert_eq!((link.chunk(), link.buffered(), link.id_leftover()), (None, 0, 0));
}

#[test]
fn control_frames_between_the_bytes_do_not_disturb_or_extend_the_deadline() {
    let mut link = client(PeerGeneration::V2);
    link.handle_binary(at(1), vec![1, 2]);
    link.handle_ping(at(2));
    link.handle_pong(at(3));
    link.handle_arrival(at(4));
    assert_eq!(link.poll_timeout(), Some(at(10)));
    link.handle_timeout(at(9));
    link.handle_binary(at(9), vec![3, 4]);
    assert_eq!(outputs(&mut link), [LinkOutput::Established(ID)]);
    assert_eq!(link.last_alive(), Some(at(9)));
}

#[test]
fn an_id_that_is_late_fails_the_handshake() {
    for peer in BOTH {
        let mut link = client(peer);
        link.handle_binary(at(1), vec![1, 2, 3]);
        link.handle_timeout(at(10));
        assert_eq!(outputs(&mut link), [LinkOutput::Closed(CloseReason::HandshakeFailed)]);
        assert_eq!(link.id(), None);
        assert_over(&mut link, CloseReason::HandshakeFailed);
    }
}

#[test]
fn the_deadline_ends_with_the_id() {
    let mut link = client(PeerGeneration::V1);
    link.handle_binary(at(9), vec![1, 2, 3, 4]);
    let _ = outputs(&mut link);
    link.handle_timeout(at(11));
    assert_eq!(outputs(&mut link), []);
    assert!(link.poll_timeout() > Some(at(11)), "the next thing is a ping");
}

#[test]
fn a_deadline_in_the_past_is_due_at_once() {
    let link = Link::<Vec<u8>>::client(LinkConfig::default(), PeerGeneration::V1, 1, at(5), at(3));
    assert_eq!(link.poll_timeout(), Some(at(5)));
}

#[test]
fn text_before_the_id_is_a_violation_by_v1_and_ignored_from_v2() {
    for part in 0..4 {
        let mut link = client(PeerGeneration::V1);
        link.handle_binary(at(1), vec![0; part]);
        link.handle_text(at(1), "");
        let reason = CloseReason::Violation(Violation::Text);
        let close = LinkOutput::Send(LinkMessage::Close { code: 1003 });
        assert_eq!(outputs(&mut link), [close, LinkOutput::Closed(reason)]);
        assert_over(&mut link, reason);

        let mut link = client(PeerGeneration::V2);
        link.handle_binary(at(1), vec![0; part]);
        link.handle_text(at(1), "of a later version");
        link.handle_binary(at(1), vec![0; 4 - part]);
        assert_eq!(outputs(&mut link), [LinkOutput::Established(ConnectionId::CONTROL)]);
        assert_eq!(link.id_messages(), 2);
    }
}

#[test]
fn whatever_ends_the_connection_before_the_id_is_told_as_it_is() {
    let ends: [(Step, CloseReason); 4] = [
        (|link| link.handle_close(at(1), Some(1000)), CloseReason::PeerClosed(Some(1000))),
        (|link| link.handle_close(at(1), None), CloseReason::PeerClosed(None)),
        (|link| link.handle_end(at(1)), CloseReason::TransportEnded),
        (|link| link.handle_failure(at(1)), CloseReason::TransportFailed),
    ];
    for (end, reason) in ends {
        let mut link = client(PeerGeneration::V1);
        link.handle_binary(at(1), vec![1, 2, 3]);
        end(&mut link);
        assert_eq!(outputs(&mut link), [LinkOutput::Closed(reason)]);
        assert_over(&mut link, reason);
    }
}

#[test]
fn take_before_the_id_is_ignored() {
    let mut link = client(PeerGeneration::V1);
    link.take(at(1));
    assert_eq!(link.poll_timeout(), Some(at(10)));
    link.handle_binary(at(1), vec![1, 2, 3, 4, 5]);
    assert_eq!(outputs(&mut link), [LinkOutput::Established(ID), LinkOutput::Claimed]);
}

#[test]
fn the_server_looks_at_no_id_message() {
    let mut link = server(PeerGeneration::V1);
    link.handle_binary(at(1), vec![7, 7, 7, 7]);
    assert_eq!((link.id(), link.id_messages(), link.id_leftover()), (Some(ID), 0, 0));
    assert_eq!(read_all(&mut link), [7, 7, 7, 7]);
}
