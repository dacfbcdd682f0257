//! A modest number of storms; `.ci/run` plays many more.

use std::collections::BTreeSet;

use npws_core::CloseReason;
use npws_sim::storm::{run, swarm};

#[test]
fn the_pools_keep_their_promises_in_a_thousand_storms() {
    let steps = swarm(0..1000).unwrap_or_else(|failure| panic!("{failure}"));
    assert!(steps > 100_000, "{steps} events are no storm");
}

#[test]
fn a_seed_tells_the_same_story_to_the_last_byte() {
    for seed in 0..20 {
        let (first, second, silent) = (run(seed, true), run(seed, true), run(seed, false));
        assert_eq!(first, second, "seed {seed}");
        assert!(first.trace.lines().count() > 10, "seed {seed} tells nothing");
        assert_eq!((silent.steps, silent.time), (first.steps, first.time), "recording seed {seed} changes it");
    }
}

#[test]
fn storms_are_not_all_alike() {
    let stories: Vec<_> = (0..50).map(|seed| run(seed, false)).collect();
    let taken: u64 = stories.iter().map(|story| story.taken).sum();
    assert!(taken > 100, "{taken} connections were taken in 50 storms");
    assert!(stories.windows(2).all(|two| two[0] != two[1]), "two seeds tell the same story");
}

#[test]
fn storms_close_connections_for_every_reason_there_is() {
    use CloseReason::*;
    let mut left = BTreeSet::from([
        PeerClosed(Some(1000)),
        TransportEnded,
        TransportFailed,
        KeepaliveTimeout,
        Violation(npws_core::Violation::Frame),
        HandshakeFailed,
        Flushed,
        PoolClosed,
        Drained,
        Surplus,
        Replaced,
        RetentionExpired,
        ClaimsCrossed,
        PeerDrained,
        IdleAge,
    ]);
    for seed in 0..3000 {
        for reason in run(seed, false).reasons {
            left.remove(&reason);
        }
        if left.is_empty() {
            return;
        }
    }
    panic!("no storm closes a connection because of {left:?}");
}
