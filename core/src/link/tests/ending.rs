//! How a link ends, in which phase, and what is left of it.

use super::*;
use crate::Violation;

const AFTER_FIN: Violation = Violation::DataAfterFin;

/// A link in every phase that an established one can have.
fn in_each_phase(peer: PeerGeneration) -> [(&'static str, Link<Vec<u8>>); 4] {
    let (idle, mut claimed, mut taken, mut taken_after_data) = (server(peer), server(peer), server(peer), server(peer));
    claimed.handle_binary(at(1), b"data".to_vec());
    taken.take(at(1));
    taken_after_data.handle_binary(at(1), b"data".to_vec());
    taken_after_data.take(at(1));
    let mut links = [("idle", idle), ("claimed", claimed), ("taken", taken), ("taken after data", taken_after_data)];
    for (_, link) in &mut links {
        let _ = outputs(link);
    }
    links
}

#[test]
fn a_clean_close_after_early_data_retains_it() {
    for peer in BOTH {
        for code in [None, Some(1000), Some(1001), Some(1005)] {
            let reason = CloseReason::PeerClosed(code);
            for (phase, mut link) in in_each_phase(peer) {
                link.handle_close(at(2), code);
                let expected =
                    if phase == "claimed" { LinkOutput::Retained(reason) } else { LinkOutput::Closed(reason) };
                assert_eq!(outputs(&mut link), [expected], "{phase}");
                assert_over(&mut link, reason);
                let expected: &[u8] = if matches!(phase, "claimed" | "taken after data") { b"data" } else { b"" };
                assert_eq!(read_all(&mut link), expected, "{phase}");
                assert_eq!(link.end(), Some(reason));
            }
        }
    }
}

#[test]
fn early_data_that_was_read_already_is_retained_all_the_same() {
    let mut link = server(PeerGeneration::V1);
    link.handle_binary(at(1), vec![1]);
    link.consume(1);
    link.handle_close(at(1), Some(1000));
    assert_eq!(outputs(&mut link).last(), Some(&LinkOutput::Retained(CloseReason::PeerClosed(Some(1000)))));
}

#[test]
fn a_leftover_of_the_id_message_counts_as_early_data() {
    let mut link = client(PeerGeneration::V1);
    link.handle_binary(at(1), b"\x01\x02\x03\x04all".to_vec());
    link.handle_close(at(1), Some(1000));
    assert_eq!(outputs(&mut link).last(), Some(&LinkOutput::Retained(CloseReason::PeerClosed(Some(1000)))));
    assert_eq!(read_all(&mut link), b"all");
}

#[test]
fn who_finished_and_went_is_retained_without_a_close_frame() {
    let ends: [(Step, CloseReason); 2] = [
        (|link| link.handle_end(at(2)), CloseReason::TransportEnded),
        (|link| link.handle_failure(at(2)), CloseReason::TransportFailed),
    ];
    for (end, reason) in ends {
        let mut link = server(PeerGeneration::V2);
        link.handle_binary(at(1), b"all".to_vec());
        link.handle_text(at(1), "fin");
        end(&mut link);
        assert_eq!(outputs(&mut link).last(), Some(&LinkOutput::Retained(reason)));
        assert!(link.is_finished_by_peer());
        assert_eq!(read_all(&mut link), b"all");
    }
}

#[test]
fn other_ends_close_in_every_phase_and_leave_the_data_readable() {
    let ends: [(Step, Option<u16>, CloseReason); 7] = [
        (|link| link.handle_close(at(2), Some(1002)), None, CloseReason::PeerClosed(Some(1002))),
        (|link| link.handle_close(at(2), Some(4000)), None, CloseReason::PeerClosed(Some(4000))),
        (|link| link.handle_end(at(2)), None, CloseReason::TransportEnded),
        (|link| link.handle_failure(at(2)), None, CloseReason::TransportFailed),
        (|link| link.handle_violation(at(2), Violation::Frame), Some(1002), CloseReason::Violation(Violation::Frame)),
        (|link| link.handle_violation(at(2), Violation::Text), Some(1003), CloseReason::Violation(Violation::Text)),
        (|link| link.handle_violation(at(2), AFTER_FIN), Some(1002), CloseReason::Violation(AFTER_FIN)),
    ];
    for peer in BOTH {
        for (end, code, reason) in ends {
            for (phase, mut link) in in_each_phase(peer) {
                let buffered = link.buffered();
                end(&mut link);
                let mut expected = Vec::from_iter(code.map(|code| LinkOutput::Send(LinkMessage::Close { code })));
                expected.push(LinkOutput::Closed(reason));
                assert_eq!(outputs(&mut link), expected, "{phase}");
                assert_over(&mut link, reason);
                assert_eq!(read_all(&mut link).len(), buffered, "{phase}");
            }
        }
    }
}

#[test]
fn who_closes_what_nobody_here_had_says_so_to_a_v2_peer_and_drops_what_came() {
    let reason = CloseReason::PoolClosed;
    let end = [LinkOutput::Send(LinkMessage::Close { code: 1000 }), LinkOutput::Closed(reason)];
    for peer in BOTH {
        for (phase, mut link) in in_each_phase(peer) {
            let is_refused = peer == PeerGeneration::V2 && matches!(phase, "idle" | "claimed");
            let buffered = if is_refused { 0 } else { link.buffered() };
            link.close(at(2), reason);
            let mut expected = Vec::from_iter(is_refused.then_some(word(ControlWord::Drain)));
            expected.extend(end);
            assert_eq!(outputs(&mut link), expected, "{phase}");
            assert_over(&mut link, reason);
            assert_eq!(read_all(&mut link).len(), buffered, "{phase}");
        }
    }
}

#[test]
fn text_after_the_id_is_a_violation_by_v1_and_ignored_from_v2() {
    let reason = CloseReason::Violation(Violation::Text);
    let close = LinkOutput::Send(LinkMessage::Close { code: 1003 });
    for (phase, mut link) in in_each_phase(PeerGeneration::V1) {
        link.handle_text(at(2), "claim");
        assert_eq!(outputs(&mut link), [close, LinkOutput::Closed(reason)], "{phase}");
        assert_over(&mut link, reason);
    }
    for (phase, mut link) in in_each_phase(PeerGeneration::V2) {
        for text in ["", "Claim", "claim ", "claims", "dra", "fin\n", "ping"] {
            link.handle_text(at(2), text);
        }
        assert_eq!(outputs(&mut link), [], "{phase}");
        assert_eq!((link.end(), link.last_alive()), (None, Some(at(2))), "{phase}");
    }
}

#[test]
fn the_local_reason_is_kept_and_told_once() {
    for reason in [CloseReason::Flushed, CloseReason::Surplus, CloseReason::Replaced] {
        let mut link = client(PeerGeneration::V2);
        link.close(at(1), reason);
        link.close(at(1), CloseReason::PoolClosed);
        let close = LinkOutput::Send(LinkMessage::Close { code: 1000 });
        assert_eq!(outputs(&mut link), [close, LinkOutput::Closed(reason)]);
        assert_over(&mut link, reason);
    }
}
