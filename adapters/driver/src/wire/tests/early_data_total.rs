//! Connections that share what their pool may hold of early data.

use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use npws_core::{CloseReason, EarlyDataBudget, LinkConfig, PeerGeneration};

use super::{START, frames};
use crate::early_data::EarlyData;
use crate::testing::{Count, End, established_client, frame};
use crate::wire::{FRAME_ROOM, WatchEvent, Wire};

const STEP: usize = EarlyDataBudget::<u64>::STEP;
/// Far more than any test sends.
const OWN_LIMIT: usize = 1 << 20;
/// Tiny messages cost more than they are long, and are noticed a read at a time.
const OVERSHOOT: usize = 8 * FRAME_ROOM;

fn connection(pool: &Arc<EarlyData>) -> (Wire, End) {
    let config = LinkConfig { early_data_limit: OWN_LIMIT, ..LinkConfig::default() };
    let (wire, far) = established_client(PeerGeneration::V1, config);
    (wire.sharing(pool.share()), far)
}

/// Lets it read all that it will; gives how much it holds.
fn watch(wire: &mut Wire, waker: &Waker) -> usize {
    while wire.poll_watch(&mut Context::from_waker(waker), START).is_ready() {}
    wire.link.cost() + wire.socket.get_ref().unsettled().len()
}

/// What a user gets out of it once it is taken.
fn read_all(wire: &mut Wire) -> Vec<u8> {
    wire.take(START);
    let mut all = Vec::new();
    while wire.poll_fill(&mut Context::from_waker(Waker::noop()), START, 1).is_ready() && wire.end().is_none() {
        let chunk = wire.chunk().unwrap().to_vec();
        wire.consume(chunk.len());
        all.extend(chunk);
    }
    all
}

/// Messages of this size, and what they carry.
fn messages(count: usize, size: usize) -> (Vec<u8>, Vec<u8>) {
    let payloads: Vec<Vec<u8>> = (0..count).map(|number| vec![number as u8; size]).collect();
    (payloads.iter().flat_map(|payload| frame(0x82, payload)).collect(), payloads.concat())
}

#[test]
fn all_connections_together_hold_no_more_than_the_total_and_nothing_is_lost() {
    for (count, size) in [(200, 500), (40, 3000), (1, 60_000), (8000, 1)] {
        let pool = EarlyData::new(5 * STEP);
        let (sent, carried) = messages(count, size);
        let mut all: Vec<_> = (0..4).map(|_| connection(&pool)).collect();
        let mut held = 0;
        for (wire, far) in &mut all {
            far.send(&sent);
            held += watch(wire, Waker::noop());
        }
        assert!(held <= 5 * STEP + 4 * OVERSHOOT, "{count} of {size}: {held} bytes are held");
        // One after the other is taken, and the others live on.
        while !all.is_empty() {
            let (mut wire, _far) = all.remove(0);
            assert!(read_all(&mut wire) == carried, "{count} of {size}");
            let held: usize = all.iter_mut().map(|(wire, _)| watch(wire, Waker::noop())).sum();
            assert!(held <= 5 * STEP + all.len() * OVERSHOOT, "{count} of {size}: {held} bytes are held");
        }
    }
}

#[test]
fn who_waits_goes_on_when_another_is_taken_or_gone() {
    let release: [fn(Wire); 2] = [|mut wire| wire.take(START), drop];
    for release in release {
        let pool = EarlyData::new(2 * STEP);
        let (sent, carried) = messages(20, 1000);
        let (mut first, mut far) = connection(&pool);
        far.send(&sent);
        watch(&mut first, Waker::noop());
        let (mut second, mut far) = connection(&pool);
        far.send(&sent);
        let (woken, waker) = Count::new();
        let before = watch(&mut second, &waker);
        assert!(before <= OVERSHOOT, "{before}");
        assert!(far.unread() > 0, "it waits at the peer");
        let reads = far.reads();
        assert_eq!((watch(&mut second, &waker), far.reads()), (before, reads), "it is not even asked for");
        let quiet = woken.count();
        release(first);
        assert!(woken.count() > quiet, "it is woken");
        assert!(watch(&mut second, &waker) > before + STEP);
        assert!(read_all(&mut second) == carried);
    }
}

#[test]
fn control_frames_are_answered_while_others_hold_all() {
    let pool = EarlyData::new(STEP);
    let (mut greedy, mut far) = connection(&pool);
    far.send(&messages(20, 1000).0);
    watch(&mut greedy, Waker::noop());
    let (mut idle, mut far) = connection(&pool);
    for _ in 0..1000 {
        far.send(&frame(0x89, b"are you there?"));
        watch(&mut idle, Waker::noop());
        assert_eq!(frames(&mut far), [(0x8a, b"are you there?".to_vec())]);
    }
    far.send(&frame(0x88, &1000_u16.to_be_bytes()));
    let closed = idle.poll_watch(&mut Context::from_waker(Waker::noop()), START);
    assert_eq!(closed, Poll::Ready(WatchEvent::Closed(CloseReason::PeerClosed(Some(1000)))));
}

#[test]
fn what_cannot_be_read_is_a_claim_all_the_same() {
    let pool = EarlyData::new(STEP);
    let (mut greedy, mut far) = connection(&pool);
    far.send(&messages(20, 1000).0);
    watch(&mut greedy, Waker::noop());
    let (mut late, mut far) = connection(&pool);
    far.send(&frame(0x82, &[7; 10_000]));
    let told = late.poll_watch(&mut Context::from_waker(Waker::noop()), START);
    assert_eq!(told, Poll::Ready(WatchEvent::Claimed));
}

#[test]
fn the_limit_of_a_connection_still_holds() {
    let pool = EarlyData::new(1 << 30);
    let config = LinkConfig { early_data_limit: 10_000, ..LinkConfig::default() };
    let (wire, mut far) = established_client(PeerGeneration::V1, config);
    let mut wire = wire.sharing(pool.share());
    let (sent, carried) = messages(100, 1000);
    far.send(&sent);
    let held = watch(&mut wire, Waker::noop());
    assert!((10_000..10_000 + OVERSHOOT).contains(&held), "{held}");
    assert!(read_all(&mut wire) == carried);
}
