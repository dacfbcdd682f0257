//! Servers that go and come back at the same address.

use npws::Runtime;
use npws::tokio::Tokio;
use npws_peers::original::Original;
use npws_tests::pools::server;
use npws_tests::testbed::{SOON, current, ms, sleep, until};

use crate::setup::{Ours, ROOM, Setup, filled, ours_first, talk, theirs_first};

const COUNT: usize = 5;

pub(crate) async fn a_restarted_server_is_found_again(setup: Setup) {
    let (ours, theirs) = setup.pools(COUNT).await;
    match ours {
        Ours::Client(_) => their_server(setup, &ours, theirs).await,
        Ours::Server(_) => our_server(setup, ours, &theirs).await,
    }
}

async fn their_server(setup: Setup, ours: &Ours, theirs: Original) {
    let address = theirs.address();
    drop(theirs);
    until::<Tokio>("our client knows", || ours.active() == 0).await;
    let theirs = Original::server_again(setup.mode, address, ROOM).await;
    filled(ours, &theirs, COUNT).await;
    talk(&mut theirs_first(ours, &theirs).await, &theirs).await;
    talk(&mut ours_first(ours, &theirs).await, &theirs).await;
}

async fn our_server(setup: Setup, ours: Ours, theirs: &Original) {
    let address = theirs.address();
    drop(ours);
    let runtime = current::<Tokio>();
    let deadline = runtime.now() + SOON;
    let ours = loop {
        match server().tls(setup.mode.server()).bind(&address.to_string()).await {
            Ok(pool) => break Ours::Server(pool),
            // An outgoing connection of another process may have been given the port meanwhile.
            Err(error) => assert!(runtime.now() < deadline, "{error}"),
        }
        sleep::<Tokio>(ms(100)).await;
    };
    // Its client reads nothing that is idle, so it still believes in the old connections. They are over when tried.
    for _ in 0..2 {
        let ghost = theirs.next().await;
        assert_eq!(theirs.rest(ghost).await, b"");
    }
    until::<Tokio>("it has refilled", || ours.active() == 2).await;
    // What its host does when too much fails.
    theirs.order("flush").await;
    theirs.filled(COUNT).await;
    talk(&mut theirs_first(&ours, theirs).await, theirs).await;
    talk(&mut ours_first(&ours, theirs).await, theirs).await;
}
