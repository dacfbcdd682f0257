//! The connection over which a host's two ends agree on IDs.

use npws::ConnectionId;

use crate::setup::{Setup, ours_first, talk, theirs_first};

pub(crate) async fn the_control_id_comes_first_at_both_ends(setup: Setup) {
    let (ours, theirs) = setup.pools_with(3, true).await;
    let mut control = ours.take(ConnectionId::CONTROL).await;
    theirs.take(ConnectionId::CONTROL).await;
    talk(&mut control, &theirs).await;
    // It stays while others come and go.
    for _ in 0..3 {
        talk(&mut ours_first(&ours, &theirs).await, &theirs).await;
        talk(&mut theirs_first(&ours, &theirs).await, &theirs).await;
    }
    talk(&mut control, &theirs).await;
}
