//! Many pairs.

use futures::future::join_all;
use npws::Connection;
use npws_peers::original::Original;
use npws_tests::pools::{pattern, receive, send};

use crate::setup::{Setup, Side, ours_first, talk, theirs_first};

pub(crate) async fn a_thousand_pairs_by_id_and_in_turn_at_either_end(setup: Setup) {
    const HALF: usize = 500;
    let (ours, theirs) = setup.pools(2 * HALF).await;
    for round in 0..HALF {
        let mut connection = theirs_first(&ours, &theirs).await;
        talk(&mut connection, &theirs).await;
        echo(connection, &theirs, round).await;
    }
    // The other way about comes second: the original removes the wrong IDs from its queue when it takes by ID.
    for round in 0..HALF {
        let mut connection = ours_first(&ours, &theirs).await;
        talk(&mut connection, &theirs).await;
        echo(connection, &theirs, round).await;
    }
    let stats = ours.stats();
    assert_eq!((stats.taken_total, stats.closed_total), (2 * HALF as u64, 0), "{stats:?}");
}

/// Has the original send back more than a message of ours holds, now and then, and closes.
async fn echo(mut connection: Connection, theirs: &Original, round: usize) {
    theirs.order(&format!("echo {}", connection.id())).await;
    let length = if round.is_multiple_of(100) { 200_000 } else { 1 + round * 7 };
    let data = pattern(length, round as u64);
    send(&mut connection, &data).await;
    assert!(receive(&mut connection, length).await == data, "round {round}: {length} bytes");
    connection.close().await;
}

pub(crate) async fn takes_that_wait_at_either_end_are_served(setup: Setup) {
    // Far more takes than connections: most of them wait for a dial.
    const TAKES: usize = 100;
    let (ours, theirs) = setup.pools(4).await;
    let pairs = (0..TAKES).map(|_| async {
        // As the original loses connections when takes wait for the next one at its server, none does so there.
        let mut connection = match setup.ours {
            Side::Server => theirs_first(&ours, &theirs).await,
            Side::Client => ours_first(&ours, &theirs).await,
        };
        talk(&mut connection, &theirs).await;
    });
    join_all(pairs).await;
    assert_eq!(ours.stats().taken_total, TAKES as u64);
}
