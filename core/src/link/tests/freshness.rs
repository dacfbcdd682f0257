//! Round trips, probes and the age limit.

use super::*;

const PING: LinkOutput = LinkOutput::Send(LinkMessage::Ping);
const V2: PeerGeneration = PeerGeneration::V2;

const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[test]
fn a_round_trip_runs_from_the_ping_to_its_pong() {
    let mut link = server(V2);
    assert_eq!(link.round_trip(), None);
    let pinged = link.poll_timeout().unwrap();
    link.handle_timeout(pinged);
    // Proof of life, but no pong.
    link.handle_arrival(pinged + secs(1));
    link.handle_ping(pinged + secs(2));
    assert_eq!(outputs(&mut link), [PING]);
    link.handle_pong(pinged + secs(3));
    link.handle_pong(pinged + secs(4));
    assert_eq!(outputs(&mut link), [LinkOutput::RoundTrip(secs(3))], "the second pong answers nothing");
    assert_eq!(link.round_trip(), Some(secs(3)));
    link.take(pinged + secs(5));
    assert_eq!(link.round_trip(), Some(secs(3)));
}

#[test]
fn of_two_pings_nobody_knows_which_one_was_answered() {
    let mut link = server(V2);
    for _ in 0..2 {
        let pinged = link.poll_timeout().unwrap();
        link.handle_timeout(pinged);
        link.handle_arrival(pinged + secs(1));
    }
    link.handle_pong(at(100));
    assert_eq!(outputs(&mut link), [PING, PING]);
    assert!(link.probe(at(200)));
    link.handle_pong(at(201));
    assert_eq!(outputs(&mut link), [PING, LinkOutput::Proved, LinkOutput::RoundTrip(secs(1))]);
}

#[test]
fn a_pong_that_may_have_waited_measures_nothing() {
    let disturbances: [StepAt; 5] = [
        |link, now| link.handle_text(now, "claim"),
        |link, now| link.handle_binary(now, vec![1]),
        |link, now| link.handle_backpressure(now),
        |link, now| link.take(now),
        |link, now| link.announce(now),
    ];
    for disturb in disturbances {
        let mut link = server(V2);
        let pinged = link.poll_timeout().unwrap();
        link.handle_timeout(pinged);
        disturb(&mut link, pinged);
        let _ = outputs(&mut link);
        link.handle_pong(pinged + secs(60));
        assert_eq!((outputs(&mut link), link.round_trip()), (Vec::new(), None));
    }
    let mut link = server(PeerGeneration::V1);
    let pinged = link.poll_timeout().unwrap();
    link.handle_timeout(pinged);
    link.handle_pong(pinged + secs(60));
    assert_eq!((outputs(&mut link), link.round_trip()), (vec![PING], None));
}

#[test]
fn a_clock_that_goes_back_measures_no_negative_time() {
    let mut link = server(V2);
    assert!(link.probe(at(10)));
    link.handle_pong(at(5));
    assert_eq!(link.round_trip(), Some(Duration::ZERO));
}

#[test]
fn a_probe_is_answered_by_the_pong() {
    for keepalive in [None, Some(secs(30))] {
        let mut link = server_with(LinkConfig { keepalive, ..LinkConfig::default() }, V2);
        assert!(link.probe(at(1)));
        assert_eq!((outputs(&mut link), link.poll_timeout()), (vec![PING], Some(at(11))));
        assert!(link.is_stale(at(2), Duration::ZERO));
        link.handle_pong(at(2));
        assert!(!link.is_stale(at(2), Duration::ZERO));
        assert_eq!(outputs(&mut link), [LinkOutput::Proved, LinkOutput::RoundTrip(secs(1))]);
        link.handle_pong(at(3));
        assert_eq!(outputs(&mut link), [], "told once");
    }
}

#[test]
fn what_was_under_way_before_the_probe_does_not_answer_it_but_is_no_silence() {
    let signs: [StepAt; 3] = [
        |link, now| link.handle_ping(now),
        |link, now| link.handle_arrival(now),
        |link, now| link.handle_text(now, "?"),
    ];
    for sign in signs {
        let mut link = server(V2);
        assert!(link.probe(at(1)));
        assert_eq!(outputs(&mut link), [PING]);
        sign(&mut link, at(2));
        assert_eq!((outputs(&mut link), link.poll_timeout()), (vec![], Some(at(12))), "the pong may be behind it");
        link.handle_timeout(at(12));
        assert_eq!(outputs(&mut link), [LinkOutput::Closed(CloseReason::KeepaliveTimeout)]);
    }
}

#[test]
fn data_ends_a_probe() {
    let claims: [StepAt; 2] =
        [|link, now| link.handle_text(now, "claim"), |link, now| link.handle_binary(now, vec![1])];
    for claim in claims {
        let mut link = server(V2);
        assert!(link.probe(at(1)));
        claim(&mut link, at(2));
        assert_eq!(outputs(&mut link), [PING, LinkOutput::Claimed]);
    }
}

#[test]
fn what_waited_while_this_end_slept_proves_nothing() {
    let signs: [StepAt; 4] = [
        |link, now| link.handle_ping(now),
        |link, now| link.handle_arrival(now),
        |link, now| link.handle_text(now, "?"),
        // Of bytes the link hears first, of the pong that they are then.
        |link, now| {
            link.handle_arrival(now);
            link.handle_pong(now);
        },
    ];
    for sign in signs {
        for was_pinged in [false, true] {
            let mut link = server(V2);
            link.handle_ping(at(1));
            if was_pinged {
                link.handle_timeout(at(40));
            }
            let due = link.poll_timeout().unwrap();
            let _ = outputs(&mut link);
            sign(&mut link, at(1000));
            assert_eq!((link.last_alive(), link.round_trip()), (Some(at(1)), None));
            assert!(link.is_stale(at(1000), Duration::MAX), "longer than it takes to give a peer up");
            assert_eq!((outputs(&mut link), link.poll_timeout()), (vec![], Some(due)), "to be asked at once");
            link.handle_timeout(at(1000));
            assert_eq!((outputs(&mut link), link.poll_timeout()), (vec![PING], Some(at(1010))));
            link.handle_pong(at(1001));
            assert_eq!(link.last_alive(), Some(at(1001)));
            assert!(!link.is_stale(at(1001), Duration::ZERO));
        }
    }
}

#[test]
fn a_probe_outlasts_the_sleep_of_its_own_end() {
    let mut link = server(V2);
    assert!(link.probe(at(1)));
    link.handle_pong(at(1000));
    assert_eq!(outputs(&mut link), [PING], "that pong may be from before");
    link.handle_timeout(at(1000));
    link.handle_pong(at(1001));
    assert_eq!(outputs(&mut link), [PING, LinkOutput::Proved, LinkOutput::RoundTrip(secs(1))]);
}

#[test]
fn a_peer_that_would_have_been_given_up_is_stale_whatever_the_limit() {
    let mut link = server(V2);
    link.handle_ping(at(1));
    assert!(!link.is_stale(at(41), Duration::MAX), "30 s of silence and 10 s for the pong");
    assert!(link.is_stale(at(42), Duration::MAX));
    let link = server_with(LinkConfig { keepalive: None, ..LinkConfig::default() }, V2);
    assert!(!link.is_stale(at(1_000_000), Duration::MAX), "without pings nobody is given up");
}

#[test]
fn a_probe_that_is_not_answered_gives_up() {
    let mut link = server_with(LinkConfig { keepalive: None, ..LinkConfig::default() }, V2);
    assert!(link.probe(at(1)));
    link.handle_timeout(at(10));
    assert_eq!(outputs(&mut link), [PING]);
    link.handle_timeout(at(11));
    assert_eq!(outputs(&mut link), [LinkOutput::Closed(CloseReason::KeepaliveTimeout)]);
    assert_over(&mut link, CloseReason::KeepaliveTimeout);
}

#[test]
fn a_probe_uses_the_ping_that_is_under_way_and_its_deadline() {
    let mut link = server(V2);
    let pinged = link.poll_timeout().unwrap();
    link.handle_timeout(pinged);
    assert!(link.probe(pinged + secs(5)) && link.probe(pinged + secs(6)));
    assert_eq!(outputs(&mut link), [PING]);
    assert_eq!(link.poll_timeout(), Some(pinged + secs(10)));
    link.handle_pong(pinged + secs(7));
    assert_eq!(outputs(&mut link), [LinkOutput::Proved, LinkOutput::RoundTrip(secs(7))]);
}

#[test]
fn nothing_is_probed_that_is_not_idle_or_not_read() {
    let states: [Step; 6] = [
        |link| link.handle_text(at(1), "claim"),
        |link| link.take(at(1)),
        |link| link.announce(at(1)),
        |link| link.drain(at(1)),
        |link| link.handle_backpressure(at(1)),
        |link| link.close(at(1), CloseReason::Flushed),
    ];
    for state in states {
        let mut link = server(V2);
        state(&mut link);
        let _ = outputs(&mut link);
        assert!(!link.probe(at(2)));
        link.handle_arrival(at(3));
        assert_eq!(outputs(&mut link), []);
    }
    assert!(!client(V2).probe(at(1)));
}

#[test]
fn a_probe_ends_with_the_take_and_when_nothing_is_read() {
    let ends: [StepAt; 2] = [|link, now| link.take(now), |link, now| link.handle_backpressure(now)];
    for end in ends {
        let mut link = server_with(LinkConfig { max_v1_pings: 0, ..LinkConfig::default() }, V2);
        assert!(link.probe(at(1)));
        end(&mut link, at(2));
        assert!(!link.probe(at(2)));
        link.handle_pong(at(3));
        let said = outputs(&mut link);
        assert!(said.contains(&PING) && !said.contains(&LinkOutput::Proved), "{said:?}");
        assert_eq!(link.poll_timeout(), None);
    }
}

#[test]
fn staleness_counts_from_the_last_sign_of_life_and_only_beyond_the_limit() {
    let mut link = Link::<Vec<u8>>::server(LinkConfig::default(), V2, 1, at(100), ID);
    assert!(!link.is_stale(at(105), secs(5)), "the upgrade was a sign of life");
    assert!(link.is_stale(at(106), secs(5)));
    link.handle_ping(at(106));
    assert!(!link.is_stale(at(111), secs(5)));
    assert!(link.is_stale(at(112), secs(5)));
    assert!(!link.is_stale(at(50), Duration::ZERO), "the clock went back");
    let mut link = server(PeerGeneration::V1);
    link.handle_ping(at(1));
    assert!(!link.is_stale(at(1_000_000), Duration::ZERO));
}

fn aged(seed: u64) -> Link<Vec<u8>> {
    let config = LinkConfig { keepalive: None, max_idle_age: Some(secs(1000)), ..LinkConfig::default() };
    let mut link = Link::server(config, V2, seed, at(5), ID);
    let _ = outputs(&mut link);
    link
}

#[test]
fn an_idle_connection_closes_at_its_own_age_and_says_why() {
    let ages: Vec<Duration> = (0..200).map(|seed| aged(seed).poll_timeout().unwrap() - at(5)).collect();
    assert!(ages.iter().all(|age| (secs(900)..=secs(1000)).contains(age)));
    assert!(ages.iter().any(|age| *age < secs(910)) && ages.iter().any(|age| *age > secs(990)));

    let mut link = aged(1);
    let due = link.poll_timeout().unwrap();
    link.handle_pong(at(800));
    assert_eq!(link.poll_timeout(), Some(due), "signs of life do not make it younger");
    link.handle_timeout(due);
    let close = LinkOutput::Send(LinkMessage::Close { code: 1000 });
    assert_eq!(outputs(&mut link), [word(ControlWord::Drain), close, LinkOutput::Closed(CloseReason::IdleAge)]);
    assert_over(&mut link, CloseReason::IdleAge);
}

#[test]
fn what_is_not_idle_does_not_age() {
    let states: [Step; 4] = [
        |link| link.handle_text(at(6), "claim"),
        |link| link.handle_binary(at(6), vec![1]),
        |link| link.take(at(6)),
        |link| link.announce(at(6)),
    ];
    for state in states {
        let mut link = aged(1);
        state(&mut link);
        link.handle_timeout(at(1_000_000));
        assert_eq!((link.poll_timeout(), link.end()), (None, None));
    }
    let mut link = aged(1);
    link.drain(at(6));
    assert_eq!(link.poll_timeout(), Some(at(16)));
}

#[test]
fn the_earlier_of_ping_and_age_comes_first() {
    for (age, pings) in [(secs(20), 0..=0), (secs(300), 9..=11)] {
        let config = LinkConfig { max_idle_age: Some(age), ..LinkConfig::default() };
        let mut link = server_with(config, V2);
        let mut sent = 0;
        while link.end().is_none() {
            let now = link.poll_timeout().unwrap();
            link.handle_timeout(now);
            sent += outputs(&mut link).into_iter().filter(|output| *output == PING).count();
            link.handle_pong(now);
        }
        assert_eq!(link.end(), Some(CloseReason::IdleAge));
        assert!(pings.contains(&sent), "{sent} pings");
    }
}
