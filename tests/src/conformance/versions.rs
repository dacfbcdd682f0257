//! The header by which both ends tell what they speak.

use npws::PeerGeneration;

use crate::pools::{bind, client, filled, server, take_pair, talk};
use crate::raw::{Raw, field};
use crate::testbed::{SOON, Testbed, thread};
use crate::v1_peer::V1Server;

pub async fn both_ends_speak_v2_if_both_want_to<R: Testbed>() {
    for (server_v2, client_v2) in [(true, true), (true, false), (false, true), (false, false)] {
        let (server, address) = bind(server::<R>().v2(server_v2)).await;
        let client = client::<R>(address, 2).v2(client_v2).connect().unwrap();
        filled(&server, &client, 2).await;
        let (mut accepted, mut dialed) = take_pair(&server, &client).await;
        let expected = if server_v2 && client_v2 { PeerGeneration::V2 } else { PeerGeneration::V1 };
        assert_eq!((accepted.peer_generation(), dialed.peer_generation()), (expected, expected));
        talk(&mut accepted, &mut dialed).await;
    }
}

pub async fn the_header_is_answered_only_where_it_was_asked<R: Testbed>() {
    let (_server, address) = bind(server::<R>()).await;
    let (_quiet, quiet_address) = bind(server::<R>().v2(false)).await;
    let answers = thread(move || {
        let ask = |address, fields| field(Raw::upgrade(address, fields).head(), "Npws-Version").map(str::to_owned);
        [
            ask(address, ""),
            ask(address, "Npws-Version: 2\r\n"),
            ask(address, "npws-version: 2; open\r\n"),
            ask(address, "Npws-Version: 3\r\n"),
            ask(quiet_address, "Npws-Version: 2\r\n"),
        ]
    });
    let two = Some("2".to_owned());
    assert_eq!(answers.join().await, [None, two.clone(), two, None, None]);
}

pub async fn a_client_offers_v2_and_takes_silence_for_v1<R: Testbed>() {
    for (v2, offered) in [(true, Some("2")), (false, None)] {
        let original = V1Server::default();
        let client = client::<R>(original.address(), 1).v2(v2).connect().unwrap();
        let raw = thread(move || original.accept(crate::pools::id(1))).join().await;
        assert_eq!(field(raw.head(), "Npws-Version"), offered);
        assert_eq!(client.take(crate::pools::id(1), SOON).await.unwrap().peer_generation(), PeerGeneration::V1);
    }
}
