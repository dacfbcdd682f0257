//! What one end sends, and even closes, before the other one takes the connection.

use npws::Fingerprint;
use npws::tokio::Tokio;
use npws_peers::tls::Mode;
use npws_tests::pools::{pattern, receive, receive_all, send};
use npws_tests::testbed::until;

use crate::setup::{Setup, Side, talk};

pub(crate) async fn what_the_original_sends_before_our_take_is_kept(setup: Setup) {
    let (ours, theirs) = setup.pools(3).await;
    let id = theirs.next().await;
    let data = pattern(40_000, 3);
    // As a host sends datagrams: a length and then the payload.
    theirs.write(id, &data[..2]).await;
    theirs.write(id, &data[2..]).await;
    until::<Tokio>("it is claimed", || ours.stats().claimed == 1).await;
    let mut connection = ours.take(id).await;
    assert!(receive(&mut connection, data.len()).await == data);
    talk(&mut connection, &theirs).await;
}

pub(crate) async fn what_we_send_before_its_take_is_kept(setup: Setup) {
    let (ours, theirs) = setup.pools(3).await;
    let mut connection = ours.next().await;
    let data = pattern(40_000, 4);
    send(&mut connection, &data[..2]).await;
    send(&mut connection, &data[2..]).await;
    theirs.take(connection.id()).await;
    assert!(theirs.read(connection.id(), data.len()).await == data);
    talk(&mut connection, &theirs).await;
}

pub(crate) async fn what_the_original_sent_before_it_closed_is_kept(setup: Setup) {
    let (ours, theirs) = setup.pools(3).await;
    let id = theirs.next().await;
    theirs.write(id, b"last words").await;
    theirs.order(&format!("end {id}")).await;
    until::<Tokio>("it is retained", || ours.stats().retained == 1).await;
    let mut connection = ours.take(id).await;
    if setup.mode != Mode::Plain && setup.ours == Side::Client {
        let fingerprint = connection.tls().expect("it runs over TLS").peer_fingerprint();
        assert_eq!(fingerprint, setup.mode.server().fingerprint());
    }
    assert_eq!(receive_all(&mut connection).await, b"last words");
}

pub(crate) async fn what_we_sent_before_we_closed_is_kept(setup: Setup) {
    let (ours, theirs) = setup.pools(3).await;
    let mut connection = ours.next().await;
    let id = connection.id();
    send(&mut connection, b"last words").await;
    connection.close().await;
    theirs.take(id).await;
    if setup.mode != Mode::Plain && setup.ours == Side::Server {
        let fingerprint: Fingerprint = theirs.order(&format!("certificate {id}")).await.parse().expect("it is one");
        assert_eq!(Some(fingerprint), setup.mode.server().fingerprint());
    }
    assert_eq!(theirs.rest(id).await, b"last words");
}
