//! Flush and close, at either end.

use std::time::{Duration, Instant};

use futures::AsyncReadExt;
use npws::tokio::Tokio;
use npws::{CloseReason, Connection, ConnectionId, TakeError};
use npws_tests::pools::closed_by;
use npws_tests::testbed::until;

use crate::setup::{Setup, Side, filled, ours_first, talk, theirs_first};

const COUNT: usize = 5;

/// How long the original waits for an answer to its close, and so has everybody wait who does not answer.
const ITS_PATIENCE: Duration = Duration::from_secs(5);

pub(crate) async fn a_flush_of_the_original_is_noticed_and_made_good(setup: Setup) {
    let (ours, theirs) = setup.pools(COUNT).await;
    let begin = Instant::now();
    theirs.order("flush").await;
    assert!(begin.elapsed() < ITS_PATIENCE, "our idle connections answer its close");
    let closed = || closed_by(&ours.stats(), CloseReason::PeerClosed(None));
    until::<Tokio>("all are known to be closed", || closed() == COUNT as u64).await;
    filled(&ours, &theirs, COUNT).await;
    talk(&mut theirs_first(&ours, &theirs).await, &theirs).await;
    talk(&mut ours_first(&ours, &theirs).await, &theirs).await;
}

pub(crate) async fn our_flush_leaves_ghosts_with_the_original_which_its_flush_removes(setup: Setup) {
    let (ours, theirs) = setup.pools(COUNT).await;
    // Held, so that the control ID, which is the only one that comes again, does not.
    let mut held = Vec::new();
    while held.iter().all(|connection: &Connection| connection.id() != ConnectionId::CONTROL) {
        held.push(theirs_first(&ours, &theirs).await);
    }
    filled(&ours, &theirs, COUNT).await;
    ours.flush();
    assert_eq!(closed_by(&ours.stats(), CloseReason::Flushed), COUNT as u64);
    // The original reads nothing that is idle, so what it hands out now is dead. At least that shows at once.
    let ghost = theirs.next().await;
    assert_eq!(theirs.rest(ghost).await, b"");
    assert_eq!(ours.try_take(ghost, Duration::MAX).await.map(drop), Err(TakeError::Gone(CloseReason::Flushed)));
    // Our client has refilled all, and knows what the original has now: its own client, only what it misses.
    let (fresh, believed) = if setup.ours == Side::Client { (COUNT, 2 * COUNT - 1) } else { (1, COUNT) };
    until::<Tokio>("some are fresh", || ours.active() == fresh).await;
    theirs.filled(believed).await;
    theirs.order("flush").await;
    filled(&ours, &theirs, COUNT).await;
    talk(&mut theirs_first(&ours, &theirs).await, &theirs).await;
    talk(&mut ours_first(&ours, &theirs).await, &theirs).await;
}

pub(crate) async fn closing_the_original_is_noticed(setup: Setup) {
    let (ours, theirs) = setup.pools(COUNT).await;
    let mut taken = theirs_first(&ours, &theirs).await;
    talk(&mut taken, &theirs).await;
    theirs.order("close").await;
    until::<Tokio>("no connection is left", || ours.active() == 0).await;
    // It also cuts what it has handed out, when that is next used.
    let id = taken.id();
    theirs.try_order(&format!("read {id} 1")).await.expect_err("its context is cancelled");
    // Its host then closes it, which ends it here in good order or not.
    let _ = theirs.try_order(&format!("end {id}")).await;
    let mut rest = Vec::new();
    let _ = taken.read_to_end(&mut rest).await;
    assert_eq!(rest, b"");
}

pub(crate) async fn closing_ours_does_not_wait_for_the_original(setup: Setup) {
    let (ours, theirs) = setup.pools(COUNT).await;
    let mut taken = theirs_first(&ours, &theirs).await;
    let begin = Instant::now();
    ours.close();
    assert!(begin.elapsed() < ITS_PATIENCE / 5, "it took {:?}", begin.elapsed());
    assert_eq!(ours.active(), 0);
    // What was taken before outlives the pool.
    talk(&mut taken, &theirs).await;
    assert_eq!(ours.try_take(ConnectionId::CONTROL, Duration::MAX).await.map(drop), Err(TakeError::Closed));
}
