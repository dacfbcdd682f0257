//! Builders that check what they are told, and getters that tell it.

use std::time::Duration;

use futures::FutureExt;
use npws::{BuildError, ClientPool, ClientTls, Policy, ServerPool, ServerTls};

use crate::pools::{NEVER, bind, client, filled, pair, server};
use crate::testbed::{Testbed, ms, until};

pub async fn a_wrong_setting_is_named_with_its_value_and_range<R: Testbed>() {
    type Client<R> = npws::ClientPoolBuilder<R>;
    let told = |change: fn(Client<R>) -> Client<R>| match change(ClientPool::builder("localhost:1")).connect() {
        Err(BuildError::Config(error)) => error.to_string(),
        other => panic!("{other:?}"),
    };
    assert_eq!(told(|it| it.capacity(0..=5)), "capacity is 0, accepted is 1 to 65536");
    #[expect(clippy::reversed_empty_ranges, reason = "the mistake to be caught")]
    let reversed = told(|it| it.capacity(20..=5));
    assert!(reversed.starts_with("capacity is 20..=5, "), "{reversed}");
    assert_eq!(told(|it| it.interval(Duration::ZERO..=ms(1))), "interval is 0ns, accepted is 1ms to 3600s");
    assert_eq!(told(|it| it.dial_timeout(Duration::ZERO)), "dial_timeout is 0ns, accepted is 1ms to 3600s");
    assert_eq!(told(|it| it.max_concurrent_dials(0)), "max_concurrent_dials is 0, accepted is 1 to 65536");
    assert!(told(|it| it.backoff(ms(1)..=2 * NEVER)).starts_with("backoff is 7200s, "));
    assert!(told(|it| it.keepalive(Duration::ZERO)).starts_with("keepalive is 0ns, "));
    assert!(told(|it| it.pong_timeout(Duration::ZERO)).starts_with("pong_timeout is 0ns, "));
    assert!(told(|it| it.early_data_limit(0)).starts_with("early_data_limit is 0, "));
    assert!(told(|it| it.retention(Duration::ZERO)).starts_with("retention is 0ns, "));
    assert!(told(|it| it.max_message_size(1)).starts_with("max_message_size is 1, "));
    assert!(told(|it| it.close_timeout(NEVER)).starts_with("close_timeout is 3600s, "));
    assert!(told(|it| it.header("no name", "x")).starts_with("header is "));
    assert!(told(|it| it.path("no slash")).starts_with("path is "));
    assert!(told(|it| it.tls(ClientTls::dangerous_accept_any()).server_name("?")).starts_with("server_name is "));
    for address in ["", "localhost", ":80", "localhost:port", "localhost:65536", "::1:80", "[::1]", "[::1:80"] {
        let error = ClientPool::<R>::builder(address).connect().map(drop).expect_err(address);
        assert!(matches!(error, BuildError::Config(ref error) if error.field() == "address"), "{address:?}: {error}");
    }

    type Server<R> = npws::ServerPoolBuilder<R>;
    for (change, field) in [
        ((|it| it.capacity(70_000)) as fn(Server<R>) -> Server<R>, "capacity"),
        (|it| it.handshake_timeout(Duration::ZERO), "handshake_timeout"),
        (|it| it.path("no slash"), "path"),
        (|it| it.backoff(Duration::ZERO..=ms(1)), "backoff"),
        (|it| it.early_data_limit(0), "early_data_limit"),
    ] {
        match change(ServerPool::builder()).bind("127.0.0.1:0").await {
            Err(BuildError::Config(error)) => assert_eq!(error.field(), field),
            other => panic!("{field}: {other:?}"),
        }
    }
}

pub async fn a_wrong_certificate_or_address_is_told_where_the_pool_is_made<R: Testbed>() {
    let authority = crate::certificates::Authority::default();
    let (one, other) = (authority.server("a.example"), authority.server("b.example"));
    let mixed = ServerTls::from_pem(one.certificate.as_bytes(), other.key.as_bytes()).unwrap();
    let error = server::<R>().tls(mixed).bind("127.0.0.1:0").await.map(drop).unwrap_err();
    assert!(matches!(error, BuildError::Tls(_)), "{error}");
    let (taken, address) = bind(server::<R>()).await;
    let error = server::<R>().bind(&address.to_string()).await.map(drop).unwrap_err();
    assert!(matches!(&error, BuildError::Bind(cause) if cause.kind() == std::io::ErrorKind::AddrInUse), "{error}");
    drop(taken);
}

pub async fn getters_tell_what_is<R: Testbed>() {
    let (server, address) = bind(server::<R>().capacity(9)).await;
    let client = client::<R>(address, 3).interval(ms(70)..=ms(70)).policy(Policy::Fixed).connect().unwrap();
    filled(&server, &client, 3).await;
    assert_eq!((server.capacity(), client.capacity(), client.interval()), (9, 3, ms(70)));
    assert_eq!((server.stats().capacity, client.stats().capacity), (9, 3));
    assert_eq!((server.stats().interval, client.stats().interval), (Duration::ZERO, ms(70)));
    assert!(server.ready() && client.ready());
    assert_eq!(server.local_addr(), Some(address));
    assert_eq!((server.stats().accepted_total, client.stats().dials_total), (3, 3));
    assert_eq!((server.is_closed(), client.is_closed()), (false, false));
    assert!(client.last_dial_error().is_none());
    assert!(format!("{server:?} {client:?}").contains("idle: 3"));
}

pub async fn the_capacity_follows_the_demand_within_its_range<R: Testbed>() {
    let (server, address) = bind(server::<R>()).await;
    let builder = client::<R>(address, 2).capacity(2..=6).interval(ms(50)..=ms(50));
    let client = builder.connect().unwrap();
    // Whoever takes all that there is makes it grow; whoever takes nothing lets it shrink.
    let mut held = Vec::new();
    until::<R>("it has grown", || {
        while let Some(Ok(taken)) = client.take_next(Duration::ZERO).now_or_never() {
            held.push(taken);
        }
        client.capacity() == 6
    })
    .await;
    drop(held);
    until::<R>("it has shrunk, and the surplus is gone", || client.capacity() == 2 && client.active() == 2).await;
    until::<R>("at the other end too", || server.active() == 2).await;
}

pub async fn errors_of_the_user_are_counted_and_forgotten<R: Testbed>() {
    let (server, client) = pair::<R>(1).await;
    for _ in 0..3 {
        server.add_error();
        client.add_error();
    }
    assert_eq!((server.error_count(), client.error_count()), (3, 3));
    assert_eq!((server.stats().errors, client.stats().errors), (3, 3));
    server.reset_error();
    client.reset_error();
    assert_eq!((server.error_count(), client.error_count()), (0, 0));
}
