//! Control words: who says them, and what is left when they were said.

use super::*;
use crate::Violation;

const GOODBYE: LinkOutput = LinkOutput::Send(LinkMessage::Close { code: 1000 });
const V2: PeerGeneration = PeerGeneration::V2;

#[test]
fn the_texts_are_these() {
    for (control_word, text) in
        [(ControlWord::Claim, "claim"), (ControlWord::Fin, "fin"), (ControlWord::Drain, "drain")]
    {
        assert_eq!(control_word.as_str(), text);
        assert_eq!(ControlWord::from_text(text), Some(control_word));
    }
    for text in ["", "Claim", " claim", "claim\0", "final", "drained"] {
        assert_eq!(ControlWord::from_text(text), None);
    }
}

#[test]
fn a_v1_peer_never_hears_a_word() {
    let mut link = server_with(
        LinkConfig { max_idle_age: Some(Duration::from_secs(1)), keepalive: None, ..LinkConfig::default() },
        PeerGeneration::V1,
    );
    assert_eq!(link.poll_timeout(), None, "no age limit");
    link.drain(at(1));
    assert!(!link.probe(at(1)) && !link.finish(at(1)) && !link.is_stale(at(1_000), Duration::ZERO));
    assert_eq!((outputs(&mut link), link.poll_timeout()), (Vec::new(), None));
    link.announce(at(1));
    assert!(!link.finish(at(1)));
    link.handle_binary(at(2), vec![1]);
    link.drain(at(2));
    assert_eq!(outputs(&mut link), [], "data after taking is no claim, so it was taken");
    link.close(at(3), CloseReason::ClosedLocally);
    assert_eq!(outputs(&mut link), [GOODBYE, LinkOutput::Closed(CloseReason::ClosedLocally)]);
}

#[test]
fn the_peer_claims_once_however_it_says_so() {
    let ways: [StepAt; 3] = [
        |link, now| link.handle_binary(now, vec![1]),
        |link, now| link.handle_text(now, "claim"),
        |link, now| link.handle_text(now, "fin"),
    ];
    for first in ways {
        let mut link = server(V2);
        first(&mut link, at(1));
        assert_eq!(outputs(&mut link), [LinkOutput::Claimed]);
        assert!(link.is_claimed());
        link.handle_text(at(2), "claim");
        link.handle_text(at(2), "fin");
        assert_eq!(outputs(&mut link), []);
        link.take(at(3));
        assert!(link.is_claimed());
    }
}

#[test]
fn a_claim_that_was_closed_in_good_order_is_retained_with_or_without_data() {
    let stories: [&[Step]; 4] = [
        &[|link| link.handle_text(at(1), "claim")],
        &[|link| link.handle_text(at(1), "fin")],
        &[|link| link.handle_text(at(1), "claim"), |link| link.handle_text(at(1), "fin")],
        &[|link| link.handle_binary(at(1), vec![1]), |link| link.handle_text(at(1), "fin")],
    ];
    for story in stories {
        let mut link = server(V2);
        story.iter().for_each(|step| step(&mut link));
        link.handle_close(at(2), Some(1000));
        let reason = CloseReason::PeerClosed(Some(1000));
        assert_eq!(outputs(&mut link), [LinkOutput::Claimed, LinkOutput::Retained(reason)]);
        assert_over(&mut link, reason);
    }
}

#[test]
fn fin_ends_the_stream_after_what_is_buffered_and_nothing_else() {
    let mut link = server(V2);
    link.handle_binary(at(1), b"last ".to_vec());
    link.handle_binary(at(1), b"words".to_vec());
    assert!(!link.is_finished_by_peer());
    link.handle_text(at(1), "fin");
    link.take(at(2));
    assert!(link.is_finished_by_peer());
    assert_eq!((link.end(), link.accepts_input()), (None, true));
    assert_eq!(read_all(&mut link), b"last words");
    link.handle_binary(at(3), Vec::new());
    link.handle_ping(at(3));
    assert_eq!((outputs(&mut link), link.end()), (vec![LinkOutput::Claimed], None));
}

#[test]
fn data_after_fin_is_a_violation_and_not_part_of_the_stream() {
    for take in [false, true] {
        let mut link = server(V2);
        link.handle_binary(at(1), vec![1]);
        link.handle_text(at(1), "fin");
        if take {
            link.take(at(1));
        }
        let _ = outputs(&mut link);
        link.handle_binary(at(2), vec![2]);
        let reason = CloseReason::Violation(Violation::DataAfterFin);
        let close = LinkOutput::Send(LinkMessage::Close { code: 1002 });
        assert_eq!(outputs(&mut link), [close, LinkOutput::Closed(reason)]);
        assert_eq!(read_all(&mut link), [1]);
        assert_over(&mut link, reason);
    }
}

#[test]
fn fin_is_said_once_and_only_by_who_has_the_connection() {
    let mut link = server(V2);
    assert!(!link.finish(at(1)));
    link.handle_binary(at(1), vec![1]);
    assert!(!link.finish(at(1)));
    link.take(at(1));
    assert!(link.finish(at(1)));
    assert!(link.finish(at(2)));
    assert_eq!(outputs(&mut link), [LinkOutput::Claimed, word(ControlWord::Fin)]);
    link.handle_binary(at(2), vec![2]);
    assert_eq!(read_all(&mut link), [1, 2], "the other direction is open");
    link.handle_close(at(3), Some(1000));
    assert!(link.finish(at(4)), "it stays said");
}

#[test]
fn two_fins_in_either_order_end_the_link_in_good_order() {
    let reason = CloseReason::Finished;
    assert!(reason.is_end_of_stream());

    let mut link = server(V2);
    link.take(at(1));
    link.handle_binary(at(1), vec![1]);
    assert!(link.finish(at(1)));
    link.handle_text(at(2), "fin");
    assert_eq!(outputs(&mut link), [word(ControlWord::Fin), GOODBYE, LinkOutput::Closed(reason)]);
    assert!(link.is_finished_by_peer());
    assert_over(&mut link, reason);
    assert_eq!(read_all(&mut link), [1]);

    let mut link = server(V2);
    link.handle_text(at(1), "fin");
    link.take(at(1));
    assert!(link.finish(at(2)));
    let expected = [LinkOutput::Claimed, word(ControlWord::Fin), GOODBYE, LinkOutput::Closed(reason)];
    assert_eq!(outputs(&mut link), expected);
    assert!(link.is_finished_by_peer());
    assert_over(&mut link, reason);
}

#[test]
fn crossed_claims_can_be_retried_and_nobody_sees_the_others_data() {
    for (theirs_first, data) in [(false, false), (true, false), (true, true)] {
        let mut link = server(V2);
        if theirs_first {
            link.handle_text(at(1), "claim");
        }
        if data {
            link.handle_binary(at(1), vec![1]);
        }
        link.announce(at(1));
        if !theirs_first {
            link.handle_text(at(1), "claim");
        }
        let close = LinkOutput::Send(LinkMessage::Close { code: 1013 });
        let mut expected = Vec::from_iter(theirs_first.then_some(LinkOutput::Claimed));
        expected.extend([word(ControlWord::Claim), close, LinkOutput::Closed(CloseReason::ClaimsCrossed)]);
        assert_eq!(outputs(&mut link), expected);
        assert_eq!(link.chunk(), None);
        assert_over(&mut link, CloseReason::ClaimsCrossed);
    }
    assert!(CloseReason::ClaimsCrossed.is_safe_to_retry());
    assert!(!CloseReason::ClaimsCrossed.is_end_of_stream());
}

#[test]
fn announcing_what_the_peer_took_by_its_id_crosses_nothing() {
    let ways: [Step; 2] = [|link| link.handle_binary(at(1), vec![1]), |link| link.handle_text(at(1), "fin")];
    for way in ways {
        let mut link = server(V2);
        way(&mut link);
        let buffered = link.buffered();
        link.announce(at(2));
        link.handle_text(at(3), "claim");
        assert_eq!(outputs(&mut link), [LinkOutput::Claimed, word(ControlWord::Claim)]);
        assert_eq!((link.end(), link.buffered(), link.poll_timeout()), (None, buffered, None));
    }
}

#[test]
fn once_data_was_exchanged_a_claim_crosses_nothing() {
    let mut link = server(V2);
    link.announce(at(1));
    link.handle_binary(at(1), vec![1]);
    for text in ["claim", "drain"] {
        link.handle_text(at(2), text);
    }
    assert_eq!((outputs(&mut link), link.end()), (vec![word(ControlWord::Claim)], None));
    assert_eq!(read_all(&mut link), [1]);
}

#[test]
fn the_drained_answer_in_time_or_not() {
    let drained = LinkOutput::Closed(CloseReason::Drained);
    let answers: [(Step, &[LinkOutput]); 7] = [
        (|link| link.handle_close(at(2), Some(1000)), &[drained]),
        (|link| link.handle_close(at(2), None), &[drained]),
        (|link| link.handle_text(at(2), "claim"), &[GOODBYE, drained]),
        (|link| link.handle_text(at(2), "drain"), &[GOODBYE, drained]),
        (|link| link.handle_binary(at(2), vec![1]), &[GOODBYE, drained]),
        (|link| link.handle_text(at(2), "fin"), &[GOODBYE, drained]),
        (|link| link.handle_timeout(at(11)), &[GOODBYE, drained]),
    ];
    for (answer, expected) in answers {
        let mut link = server(V2);
        link.drain(at(1));
        assert_eq!(outputs(&mut link), [word(ControlWord::Drain)]);
        // A sign of life is no answer.
        link.handle_pong(at(1));
        link.handle_text(at(1), "of a later version");
        link.drain(at(1));
        link.handle_timeout(at(10));
        assert_eq!((outputs(&mut link), link.poll_timeout()), (Vec::new(), Some(at(11))));
        answer(&mut link);
        assert_eq!(outputs(&mut link), expected);
        assert_eq!(link.chunk(), None, "no user here may see it");
        assert_over(&mut link, CloseReason::Drained);
    }
}

#[test]
fn a_take_that_crosses_drain_can_be_retried() {
    let reason = CloseReason::PeerDrained;
    assert!(reason.is_safe_to_retry() && !reason.is_end_of_stream());
    for take in [Link::take, Link::announce] {
        let mut link = server(V2);
        take(&mut link, at(1));
        let _ = outputs(&mut link);
        link.handle_text(at(1), "drain");
        assert_eq!(outputs(&mut link), [GOODBYE, LinkOutput::Closed(reason)]);
        assert_over(&mut link, reason);
    }
}

#[test]
fn words_before_the_id_are_ignored() {
    let mut link = client(V2);
    for text in ["claim", "fin", "drain"] {
        link.handle_text(at(1), text);
    }
    link.handle_binary(at(1), vec![1, 2, 3, 4]);
    assert_eq!(outputs(&mut link), [LinkOutput::Established(ID)]);
    assert!(!link.is_finished_by_peer());
}
