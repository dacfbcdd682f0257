//! Pings, the deadline of their answer, and when there is none.

use super::*;

const PING: LinkOutput = LinkOutput::Send(LinkMessage::Ping);

/// Lets the link's next timer fire, exactly when it is due.
fn fire(link: &mut Link<Vec<u8>>) -> (Instant, Vec<LinkOutput>) {
    let due = link.poll_timeout().unwrap();
    link.handle_timeout(due);
    (due, outputs(link))
}

#[test]
fn pings_after_a_jittered_silence() {
    let mut link = server(PeerGeneration::V1);
    let mut last = at(0);
    let mut waits = Vec::new();
    for _ in 0..200 {
        let (due, sent) = fire(&mut link);
        assert_eq!(sent, [PING]);
        waits.push(due - last);
        last = due;
    }
    assert!(waits.iter().all(|wait| (Duration::from_secs(27)..=Duration::from_secs(30)).contains(wait)));
    assert!(waits.iter().any(|wait| *wait < Duration::from_secs(28)));
    assert!(waits.iter().any(|wait| *wait > Duration::from_secs(29)));
}

#[test]
fn two_seeds_do_not_ping_together() {
    let timer = |seed| {
        Link::<Vec<u8>>::server(LinkConfig::default(), PeerGeneration::V1, seed, at(0), ID).poll_timeout().unwrap()
    };
    assert_ne!(timer(1), timer(2));
}

#[test]
fn a_v1_peer_is_pinged_1000_times_and_never_given_up() {
    let mut link = server(PeerGeneration::V1);
    let mut pings = 0;
    while link.poll_timeout().is_some() && pings <= 1000 {
        let (due, sent) = fire(&mut link);
        assert_eq!(sent, [PING]);
        pings += 1;
        // Even a peer that does answer could stop to, unread.
        link.handle_pong(due);
    }
    assert_eq!(pings, 1000);
    link.handle_timeout(at(1_000_000_000));
    assert_eq!((outputs(&mut link), link.end()), (Vec::new(), None));
}

#[test]
fn a_v2_peer_that_answers_is_pinged_without_end() {
    let mut link = server_with(LinkConfig { max_v1_pings: 3, ..LinkConfig::default() }, PeerGeneration::V2);
    for _ in 0..100 {
        let (due, sent) = fire(&mut link);
        assert_eq!(sent, [PING]);
        assert_eq!(link.poll_timeout(), Some(due + Duration::from_secs(10)));
        link.handle_pong(due + Duration::from_secs(9));
        assert_eq!(outputs(&mut link), [LinkOutput::RoundTrip(Duration::from_secs(9))]);
    }
}

#[test]
fn a_v2_peer_that_does_not_answer_is_given_up() {
    let mut link = server(PeerGeneration::V2);
    let (pinged, _) = fire(&mut link);
    link.handle_timeout(pinged + Duration::from_secs(9));
    assert_eq!(outputs(&mut link), []);
    let (given_up, news) = fire(&mut link);
    assert_eq!(given_up - pinged, Duration::from_secs(10));
    assert_eq!(news, [LinkOutput::Closed(CloseReason::KeepaliveTimeout)]);
    assert_over(&mut link, CloseReason::KeepaliveTimeout);
}

#[test]
fn anything_from_a_v2_peer_answers_the_ping() {
    let signs: [StepAt; 5] = [
        |link, now| link.handle_pong(now),
        |link, now| link.handle_ping(now),
        |link, now| link.handle_arrival(now),
        |link, now| link.handle_text(now, "?"),
        |link, now| link.handle_binary(now, Vec::new()),
    ];
    for sign in signs {
        let mut link = server(PeerGeneration::V2);
        let (pinged, _) = fire(&mut link);
        let sign_at = pinged + Duration::from_secs(5);
        sign(&mut link, sign_at);
        assert_eq!(link.last_alive(), Some(sign_at));
        let _ = outputs(&mut link);
        let (next, sent) = fire(&mut link);
        assert_eq!(sent, [PING]);
        assert!(next - sign_at >= Duration::from_secs(27));
    }
}

#[test]
fn arrivals_put_the_ping_off() {
    let mut link = server(PeerGeneration::V2);
    for second in (0..1000).step_by(20) {
        link.handle_arrival(at(second));
        link.handle_timeout(at(second));
    }
    assert_eq!(outputs(&mut link), []);
}

#[test]
fn the_deadline_is_suspended_once_claimed_or_unread() {
    let suspends: [StepAt; 4] = [
        |link, now| link.handle_binary(now, vec![1]),
        |link, now| link.handle_text(now, "claim"),
        |link, now| link.handle_text(now, "fin"),
        |link, now| link.handle_backpressure(now),
    ];
    for suspend in suspends {
        for ping_first in [false, true] {
            let mut link = server(PeerGeneration::V2);
            let now = if ping_first { fire(&mut link).0 } else { at(1) };
            suspend(&mut link, now);
            let _ = outputs(&mut link);
            let mut pings = 0;
            while link.poll_timeout().is_some() && pings <= 1000 {
                assert_eq!(fire(&mut link).1, [PING]);
                pings += 1;
            }
            assert_eq!((pings, link.end()), (1000, None), "unread pings are bounded");
        }
    }
}

#[test]
fn take_ends_pings_and_deadlines() {
    for peer in BOTH {
        for ping_first in [false, true] {
            let mut link = server(peer);
            if ping_first {
                let _ = fire(&mut link);
            }
            link.take(at(40));
            assert_eq!(link.poll_timeout(), None);
            link.handle_arrival(at(41));
            link.handle_backpressure(at(41));
            link.handle_timeout(at(1_000_000));
            assert_eq!((outputs(&mut link), link.poll_timeout(), link.end()), (Vec::new(), None, None));
        }
    }
}

#[test]
fn no_keepalive_no_pings() {
    for peer in BOTH {
        let mut link = server_with(LinkConfig { keepalive: None, ..LinkConfig::default() }, peer);
        link.handle_arrival(at(1));
        assert_eq!(link.poll_timeout(), None);
    }
    let link = server_with(LinkConfig { max_v1_pings: 0, ..LinkConfig::default() }, PeerGeneration::V1);
    assert_eq!(link.poll_timeout(), None);
}

#[test]
fn no_unanswered_ping_beyond_the_limit_when_the_deadline_is_suspended() {
    let mut link = server_with(LinkConfig { max_v1_pings: 0, ..LinkConfig::default() }, PeerGeneration::V2);
    link.handle_binary(at(1), vec![1]);
    assert_eq!(link.poll_timeout(), None);
}

#[test]
fn a_clock_that_leaps_sends_one_ping_and_then_waits_for_its_answer() {
    let mut link = server(PeerGeneration::V2);
    link.handle_timeout(at(100_000));
    link.handle_timeout(at(100_000));
    assert_eq!(outputs(&mut link), [PING]);
    assert_eq!(link.poll_timeout(), Some(at(100_010)));
}

#[test]
fn a_clock_that_goes_back_does_not_unprove_life() {
    let mut link = server(PeerGeneration::V2);
    link.handle_pong(at(20));
    link.handle_pong(at(10));
    assert_eq!(link.last_alive(), Some(at(20)));
}

#[test]
fn durations_without_end_do_not_overflow() {
    let endless = LinkConfig { keepalive: Some(Duration::MAX), pong_timeout: Duration::MAX, ..LinkConfig::default() };
    let mut link = server_with(endless, PeerGeneration::V2);
    link.handle_timeout(Instant::from_epoch(Duration::MAX));
    assert_eq!(outputs(&mut link), [PING]);
    assert_eq!(link.poll_timeout(), Some(Instant::from_epoch(Duration::MAX)));
}
