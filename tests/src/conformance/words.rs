//! The control words of v2, and what stands for them towards an original peer.

use std::time::Duration;

use futures::{AsyncReadExt, AsyncWriteExt, FutureExt, join};
use npws::{CloseReason, PeerGeneration, StreamError, TakeError};

use crate::pools::{NEVER, bind, client, closed_by, filled, pair, pattern, receive_all, send, server, take_pair, talk};
use crate::testbed::{SOON, Testbed, ms, sleep, thread, until};
use crate::v1_peer::V1Client;

pub async fn what_the_peer_takes_is_accepted_at_either_end<R: Testbed>() {
    let (server, client) = pair::<R>(4).await;
    for _ in 0..20 {
        let (id, mut taken) = server.take_next(SOON).await.unwrap();
        let (accepted_id, mut accepted) = client.accept(SOON).await.unwrap();
        assert_eq!(accepted_id, id);
        talk(&mut taken, &mut accepted).await;

        let (id, mut taken) = client.take_next(SOON).await.unwrap();
        let (accepted_id, mut accepted) = server.accept(SOON).await.unwrap();
        assert_eq!(accepted_id, id);
        talk(&mut taken, &mut accepted).await;
    }
}

pub async fn who_accepts_is_woken_by_the_claim<R: Testbed>() {
    let (server, client) = pair::<R>(1).await;
    let (accepted, taken) = join!(client.accept(SOON), server.take_next(SOON));
    assert_eq!(accepted.unwrap().0, taken.unwrap().0);
}

pub async fn what_is_accepted_is_replaced_without_waiting_for_a_round<R: Testbed>() {
    let (server, address) = bind(server::<R>()).await;
    let client = client::<R>(address, 2).interval(NEVER..=NEVER).connect().unwrap();
    for _ in 0..20 {
        let (accepted, taken) = join!(client.accept(SOON), server.take_next(SOON));
        assert_eq!(accepted.unwrap().0, taken.unwrap().0);
    }
    filled(&server, &client, 2).await;
    assert_eq!(client.stats().dials_total, 22);
}

pub async fn who_takes_by_id_goes_before_who_accepts<R: Testbed>() {
    let (server, client) = pair::<R>(1).await;
    let (id, _taken) = server.take_next(SOON).await.unwrap();
    let (by_id, accepted) = join!(client.take(id, SOON), client.accept(ms(50)));
    assert_eq!(accepted.unwrap_err(), TakeError::Timeout);
    assert_eq!(by_id.unwrap().id(), id);
}

pub async fn an_original_peer_is_accepted_by_its_first_data<R: Testbed>() {
    let (server, address) = bind(server::<R>()).await;
    let peer = thread(move || {
        let mut peer = V1Client::connect(address);
        peer.raw.send_binary(b"hello");
        peer
    });
    let (id, mut accepted) = server.accept(SOON).await.unwrap();
    let peer = peer.join().await;
    assert_eq!((id, accepted.peer_generation()), (peer.id, PeerGeneration::V1));
    let mut data = [0; 5];
    accepted.read_exact(&mut data).await.unwrap();
    assert_eq!(&data, b"hello");
}

pub async fn what_was_taken_and_ended_before_it_is_accepted_is_not_lost<R: Testbed>() {
    let (server, client) = pair::<R>(1).await;
    let (id, mut taken) = server.take_next(SOON).await.unwrap();
    send(&mut taken, b"in a hurry").await;
    taken.close().await;
    let (accepted_id, mut accepted) = client.accept(SOON).await.unwrap();
    assert_eq!(accepted_id, id);
    assert_eq!(receive_all(&mut accepted).await, b"in a hurry");
}

pub async fn what_was_finished_and_dropped_before_it_is_accepted_is_not_lost<R: Testbed>() {
    let (server, client) = pair::<R>(1).await;
    let (id, mut taken) = server.take_next(SOON).await.unwrap();
    send(&mut taken, b"in a hurry").await;
    AsyncWriteExt::close(&mut taken).await.unwrap();
    drop(taken);
    until::<R>("the client knows that it is gone", || client.stats().claimed == 0 && client.active() < 2).await;
    let (accepted_id, mut accepted) = client.accept(SOON).await.unwrap();
    assert_eq!(accepted_id, id);
    assert_eq!(receive_all(&mut accepted).await, b"in a hurry");
}

pub async fn a_closed_write_half_ends_one_direction_only<R: Testbed>() {
    let (server, client) = pair::<R>(1).await;
    let (mut left, mut right) = take_pair(&server, &client).await;
    let answer = pattern(10 << 20, 5);
    left.write_all(b"question").await.unwrap();
    AsyncWriteExt::close(&mut left).await.unwrap();
    assert_eq!(receive_all(&mut right).await, b"question");
    let answering = async {
        right.write_all(&answer).await.unwrap();
        AsyncWriteExt::close(&mut right).await.unwrap();
        // Both have finished, which ends the connection in good order for both.
        assert_eq!(receive_all(&mut right).await, b"");
    };
    let (received, ()) = join!(receive_all(&mut left), answering);
    assert!(received == answer);
    let error = left.write_all(b"more").await.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::BrokenPipe);
}

pub async fn a_peer_that_finishes_and_goes_has_sent_all<R: Testbed>() {
    let (server, client) = pair::<R>(1).await;
    let (mut left, mut right) = take_pair(&server, &client).await;
    left.write_all(b"all of it").await.unwrap();
    AsyncWriteExt::close(&mut left).await.unwrap();
    drop(left);
    assert_eq!(receive_all(&mut right).await, b"all of it");
    // Its own direction is another matter: nobody is there to read.
    until::<R>("the loss shows", || right.write(b"?").now_or_never().is_some_and(|written| written.is_err())).await;
}

pub async fn towards_an_original_peer_it_ends_both<R: Testbed>() {
    let (server, address) = bind(server::<R>()).await;
    let peer = thread(move || V1Client::connect(address));
    let (_, mut taken) = server.take_next(SOON).await.unwrap();
    let mut peer = peer.join().await;
    AsyncWriteExt::close(&mut taken).await.unwrap();
    let closed = thread(move || peer.raw.read_close());
    assert_eq!(closed.join().await, Some(1000));
}

pub async fn a_stream_that_was_half_closed_and_then_cut_does_not_look_complete<R: Testbed>() {
    let (server, client) = pair::<R>(1).await;
    let (mut left, mut right) = take_pair(&server, &client).await;
    AsyncWriteExt::close(&mut left).await.unwrap();
    right.write_all(b"half an ans").await.unwrap();
    right.flush().await.unwrap();
    drop(right);
    let mut received = Vec::new();
    let error = left.read_to_end(&mut received).await.unwrap_err();
    let reason = error.get_ref().and_then(|inner| inner.downcast_ref::<StreamError>()).map(StreamError::reason);
    assert!(matches!(reason, Some(CloseReason::TransportEnded | CloseReason::TransportFailed)), "{error:?}");
}

pub async fn a_drain_asks_peers_to_give_idle_connections_up<R: Testbed>() {
    let (server, address) = bind(server::<R>()).await;
    let client = client::<R>(address, 8).connect().unwrap();
    filled(&server, &client, 8).await;
    let (id, mut taken) = server.take_next(SOON).await.unwrap();
    let mut other_end = client.take(id, SOON).await.unwrap();
    // It ends long before its deadline: all of them are given up, and what is taken is no longer the pool's.
    server.drain(Duration::from_secs(3600)).await;
    assert!(closed_by(&server.stats(), CloseReason::Drained) >= 7, "{:?}", server.stats());
    until::<R>("the client gave them up", || closed_by(&client.stats(), CloseReason::PeerDrained) >= 7).await;
    talk(&mut taken, &mut other_end).await;
}

pub async fn two_ends_that_open_never_take_the_same<R: Testbed>() {
    let (server, address) = bind(server::<R>().opens(true)).await;
    let client = client::<R>(address, 8).opens(true).connect().unwrap();
    for _ in 0..50 {
        let (here, there) = join!(server.take_next(SOON), client.take_next(SOON));
        let (mut here, mut there) = (here.unwrap().1, there.unwrap().1);
        let last_bits = [here.id().to_bytes()[3] & 1, there.id().to_bytes()[3] & 1];
        assert_eq!(last_bits, [0, 1]);
        let (accepted_there, accepted_here) = join!(client.accept(SOON), server.accept(SOON));
        talk(&mut here, &mut accepted_there.unwrap().1).await;
        talk(&mut there, &mut accepted_here.unwrap().1).await;
    }
}

pub async fn a_stale_connection_proves_itself_before_it_is_handed_out<R: Testbed>() {
    let (server, address) = bind(server::<R>().no_keepalive().max_staleness(ms(20))).await;
    let client = client::<R>(address, 1).no_keepalive().connect().unwrap();
    filled(&server, &client, 1).await;
    sleep::<R>(ms(30)).await;
    let (_, taken) = server.take_next(SOON).await.unwrap();
    assert!(taken.round_trip().is_some(), "it was not asked");
}

pub async fn round_trips_are_measured<R: Testbed>() {
    let (server, address) = bind(server::<R>().keepalive(ms(5))).await;
    let client = client::<R>(address, 1).connect().unwrap();
    filled(&server, &client, 1).await;
    until::<R>("one was measured", || server.stats().round_trip.is_some()).await;
    let (_, taken) = server.take_next(SOON).await.unwrap();
    assert!(taken.round_trip().is_some_and(|time| time < SOON));
}

pub async fn old_idle_connections_are_made_anew<R: Testbed>() {
    let (server, address) = bind(server::<R>()).await;
    let client = client::<R>(address, 4).max_idle_age(ms(100)).connect().unwrap();
    until::<R>("all were made anew", || closed_by(&client.stats(), CloseReason::IdleAge) >= 8).await;
    let (id, _taken) = client.take_next(SOON).await.unwrap();
    server.take(id, SOON).await.unwrap();
}
