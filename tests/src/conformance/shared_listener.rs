//! Several pools on one listener, each on a path of its own.

use std::net::{IpAddr, SocketAddr};

use futures::future::select_all;
use npws::{
    BuildError, ClientTls, ConnectionId, DialError, HeadLimits, Listener, ProxyProtocol, ServerTls, TcpOptions, Tokens,
    UpgradeError,
};

use super::answers::ask;
use crate::pools::{NEVER, client, filled, server, take_pair, talk};
use crate::raw::{Raw, request};
use crate::testbed::{SOON, Testbed, ms, thread, until};
use crate::v1_peer::V1Client;

async fn listen<R: Testbed>() -> (Listener<R>, SocketAddr) {
    let listener = Listener::builder().bind("127.0.0.1:0").await.expect("loopback has a free port");
    let address = listener.local_addr().expect("it has a socket");
    (listener, address)
}

pub async fn each_path_has_its_own_pool<R: Testbed>() {
    let (listener, address) = listen::<R>().await;
    let blue = listener.add(server().path("/blue").control_channel(true)).unwrap();
    let green = listener.add(server().path("/green").control_channel(true)).unwrap();
    assert_eq!((blue.local_addr(), green.local_addr()), (Some(address), Some(address)));
    let blues = client::<R>(address, 3).path("/blue").connect().unwrap();
    let greens = client::<R>(address, 5).path("/green?tint=dark").connect().unwrap();
    filled(&blue, &blues, 3).await;
    filled(&green, &greens, 5).await;
    for (server, client) in [(&blue, &blues), (&green, &greens)] {
        // Each has a control ID of its own.
        let mut accepted = server.take(ConnectionId::CONTROL, SOON).await.unwrap();
        let mut dialed = client.take(ConnectionId::CONTROL, SOON).await.unwrap();
        talk(&mut accepted, &mut dialed).await;
        let (mut accepted, mut dialed) = take_pair(server, client).await;
        talk(&mut accepted, &mut dialed).await;
    }
    let (stats, passed_on) = (listener.stats(), blue.stats().accepted_total + green.stats().accepted_total);
    assert!((8..=passed_on).contains(&stats.passed_on_total), "{stats:?}");
}

pub async fn an_unknown_path_gets_404_unless_a_pool_takes_what_is_left<R: Testbed>() {
    let (listener, address) = listen::<R>().await;
    assert_eq!(ask(address, request("/", "")).await, 404);
    let blue = listener.add(server().path("/blue")).unwrap();
    for path in ["/", "/blue/", "/BLUE", "/blue2"] {
        assert_eq!(ask(address, request(path, "")).await, 404, "{path}");
    }
    // Neither is a head that cannot be read for any pool.
    assert_eq!(ask(address, "\u{1}nonsense\r\n\r\n").await, 400);
    assert_eq!(ask(address, request("/blue", &format!("X-Long: {}\r\n", "y".repeat(20_000)))).await, 431);
    until::<R>("the last is over", || listener.stats().handshakes == 0).await;
    let stats = listener.stats();
    assert_eq!((stats.accepted_total, stats.rejected_total, stats.passed_on_total), (7, 7, 0));
    assert_eq!(blue.stats().accepted_total, 0);
    let rest = listener.add(server()).unwrap();
    let peer = thread(move || V1Client::connect(address)).join().await;
    rest.take(peer.id, SOON).await.unwrap();
    assert_eq!(blue.stats().accepted_total, 0);
}

pub async fn each_pool_has_its_own_capacity_tokens_and_allow_list<R: Testbed>() {
    let (listener, address) = listen::<R>().await;
    let other: IpAddr = "192.0.2.1".parse().unwrap();
    let small = listener.add(server().path("/small").capacity(1)).unwrap();
    let secret = listener.add(server().path("/secret").tokens(Tokens::new(["secret"]).unwrap())).unwrap();
    let remote = listener.add(server().path("/remote").allow(other)).unwrap();
    let open = listener.add(server().path("/open")).unwrap();
    let resident = client::<R>(address, 1).path("/small").connect().unwrap();
    filled(&small, &resident, 1).await;
    let token = "Authorization: Bearer secret\r\n";
    for fields in ["", token] {
        assert_eq!(ask(address, request("/small", fields)).await, 503);
        assert_eq!(ask(address, request("/remote", fields)).await, 403);
    }
    assert_eq!(ask(address, request("/secret", "")).await, 401);
    // Whose upgrade is in bad form is answered by the pool as well, in its own order.
    let bad = |path| request(path, "").replace("Upgrade: websocket\r\n", "");
    assert_eq!(ask(address, bad("/secret")).await, 401);
    assert_eq!(ask(address, bad("/open")).await, 426);
    let trusted = client::<R>(address, 2).path("/secret").bearer_token("secret").connect().unwrap();
    filled(&secret, &trusted, 2).await;
    let anybody = client::<R>(address, 4).path("/open").connect().unwrap();
    filled(&open, &anybody, 4).await;
    for (pool, rejected) in [(&small, 2), (&secret, 2), (&remote, 2), (&open, 1)] {
        until::<R>("they are counted", || pool.stats().rejected_total == rejected).await;
    }
    assert_eq!(listener.stats().rejected_total, 0, "all of it was for the pools to decide");
    remote.set_allow(None);
    let local = client::<R>(address, 1).path("/remote").connect().unwrap();
    filled(&remote, &local, 1).await;
}

pub async fn the_path_of_a_draining_or_closed_pool_answers_503_while_others_go_on<R: Testbed>() {
    let (listener, address) = listen::<R>().await;
    let blue = listener.add(server().path("/blue")).unwrap();
    let green = listener.add(server().path("/green")).unwrap();
    let peer = thread(move || {
        let mut raw = Raw::connect(address);
        raw.send(request("/blue", "").as_bytes());
        raw.read_head();
        raw.read_frame();
        raw
    });
    let _idle = peer.join().await;
    blue.wait_ready(SOON).await.unwrap();
    // It goes on until the peer, which knows of no draining, is done.
    let mut draining = Box::pin(blue.drain(NEVER));
    assert!(futures::poll!(&mut draining).is_pending());
    let greens = client::<R>(address, 2).path("/green").connect().unwrap();
    for end in ["draining", "closed"] {
        assert_eq!(ask(address, request("/blue", "")).await, 503, "{end}");
        let (mut accepted, mut dialed) = take_pair(&green, &greens).await;
        talk(&mut accepted, &mut dialed).await;
        blue.close();
    }
    drop(draining);
    drop(blue);
    assert_eq!(ask(address, request("/blue", "")).await, 503);
    assert_eq!(ask(address, request("/other", "")).await, 404);
}

pub async fn the_path_of_a_dropped_pool_is_forgotten_when_another_comes<R: Testbed>() {
    let (listener, address) = listen::<R>().await;
    let kept = listener.add(server().path("/kept")).unwrap();
    drop(listener.add(server().path("/blue")).unwrap());
    assert_eq!(ask(address, request("/blue", "")).await, 503);
    // What a dropped pool runs ends by and by.
    loop {
        let _next = listener.add(server().path("/next")).unwrap();
        match ask(address, request("/blue", "")).await {
            503 => {}
            status => break assert_eq!(status, 404),
        }
    }
    let kept_on = client::<R>(address, 1).path("/kept").connect().unwrap();
    filled(&kept, &kept_on, 1).await;
    kept.close();
    drop(listener.add(server().path("/next")).unwrap());
    assert_eq!(ask(address, request("/kept", "")).await, 503, "it is closed, and not gone");
}

pub async fn pools_come_go_and_take_each_others_place_at_run_time<R: Testbed>() {
    let (listener, address) = listen::<R>().await;
    let clients = client::<R>(address, 2).path("/blue").connect().unwrap();
    let refused = || {
        matches!(clients.last_dial_error().as_deref(), Some(DialError::Upgrade(error))
        if matches!(error, UpgradeError::Rejected { status: 404 }))
    };
    until::<R>("nobody is there yet", refused).await;
    let first = listener.add(server().path("/blue")).unwrap();
    filled(&first, &clients, 2).await;

    let second = listener.add(server().path("/blue")).unwrap();
    assert_eq!(first.active(), 2, "what it has it keeps");
    let (mut accepted, mut dialed) = take_pair(&first, &clients).await;
    talk(&mut accepted, &mut dialed).await;
    until::<R>("the next goes to its successor", || second.active() == 1).await;
    listener.remove(&first);
    let bad = request("/blue", "").replace("Upgrade: websocket\r\n", "");
    assert_eq!(ask(address, bad).await, 426, "who was replaced removes nobody");

    listener.remove(&second);
    assert_eq!(ask(address, request("/blue", "")).await, 404);
    assert_eq!((first.is_closed(), second.is_closed()), (false, false));
    let (mut accepted, mut dialed) = take_pair(&second, &clients).await;
    talk(&mut accepted, &mut dialed).await;
}

pub async fn what_comes_before_the_head_is_limited_by_the_listener<R: Testbed>() {
    let builder = Listener::<R>::builder().handshake_timeout(ms(300)).max_handshakes_per_address(3);
    let listener = builder.bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let pool = listener.add(server().path("/blue").handshake_timeout(NEVER)).unwrap();
    let silent: Vec<_> = (0..10).map(|_| thread(move || Raw::connect(address).read_to_end())).collect();
    for peer in silent {
        let answer = peer.join().await;
        assert!(answer.is_empty() || answer.starts_with(b"HTTP/1.1 429 "), "{answer:?}");
    }
    until::<R>("all are counted", || listener.stats().handshakes == 0).await;
    let stats = listener.stats();
    assert_eq!(stats.accept_failures + stats.turned_away_total, 10);
    assert!(stats.turned_away_total > 0, "{stats:?}");
    assert_eq!(pool.stats().accepted_total, 0);
    let client = client::<R>(address, 3).max_concurrent_dials(1).path("/blue").connect().unwrap();
    filled(&pool, &client, 3).await;
}

pub async fn tls_is_the_listeners_and_is_renewed_for_all_pools<R: Testbed>() {
    let [old, new] = [(); 2].map(|()| ServerTls::self_signed(["127.0.0.1"]).expect("a certificate can be made"));
    let pin = |tls: &ServerTls| ClientTls::pinned(tls.fingerprint().expect("it has a certificate"));
    let listener = Listener::<R>::builder().tls(old.clone()).bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    for builder in [server().tls(new.clone()), server().tcp(TcpOptions { nodelay: false, ..TcpOptions::default() })] {
        assert!(matches!(listener.add(builder.path("/blue")), Err(BuildError::Config(_))));
    }
    let blue = listener.add(server().path("/blue")).unwrap();
    let green = listener.add(server().path("/green")).unwrap();
    let blues = client::<R>(address, 2).tls(pin(&old)).path("/blue").connect().unwrap();
    filled(&blue, &blues, 2).await;
    listener.set_tls(new.clone()).unwrap();
    let greens = client::<R>(address, 2).tls(pin(&new)).path("/green").connect().unwrap();
    filled(&green, &greens, 2).await;
    let (mut accepted, mut dialed) = take_pair(&green, &greens).await;
    assert!(accepted.tls().is_some());
    talk(&mut accepted, &mut dialed).await;
    assert_eq!(blue.active(), 2);
}

pub async fn a_listener_listens_as_long_as_it_or_one_of_its_pools_is_there<R: Testbed>() {
    let (listener, address) = listen::<R>().await;
    let pool = listener.add(server().path("/blue")).unwrap();
    drop(listener);
    let clients = client::<R>(address, 2).path("/blue").connect().unwrap();
    filled(&pool, &clients, 2).await;
    clients.close();
    let mut silent = thread(move || Raw::connect(address)).join().await;
    pool.close();
    // It is cut, or told so if it had not been accepted yet.
    thread(move || silent.read_to_end()).join().await;
    until::<R>("nobody listens", || std::net::TcpStream::connect(address).is_err()).await;

    let (listener, address) = listen::<R>().await;
    let pool = listener.add(server().path("/blue")).unwrap();
    let clients = client::<R>(address, 2).path("/blue").connect().unwrap();
    filled(&pool, &clients, 2).await;
    listener.close();
    assert!(listener.is_closed());
    until::<R>("nobody listens", || std::net::TcpStream::connect(address).is_err()).await;
    let (mut accepted, mut dialed) = take_pair(&pool, &clients).await;
    talk(&mut accepted, &mut dialed).await;
}

pub async fn a_proxy_says_to_all_pools_where_a_connection_comes_from<R: Testbed>() {
    let proxy: IpAddr = "127.0.0.1".parse().unwrap();
    let builder = Listener::<R>::builder().proxy_protocol(ProxyProtocol::required([proxy]));
    let listener = builder.max_handshakes_per_address(1).bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let friend: IpAddr = "192.0.2.1".parse().unwrap();
    let pool = listener.add(server().path("/blue").allow(friend)).unwrap();
    let upgrade = |source: &str| format!("PROXY TCP4 {source} 10.0.0.1 40000 443\r\n{}", request("/blue", ""));
    assert_eq!(ask(address, upgrade("192.0.2.2")).await, 403);
    // Two that have said where they come from, and nothing else: one is too many.
    let silent = [(); 2].map(|()| {
        let peer = thread(move || {
            let mut raw = Raw::connect(address);
            raw.send(b"PROXY TCP4 192.0.2.7 10.0.0.1 40000 443\r\n");
            raw.read_to_end()
        });
        Box::pin(peer.join())
    });
    let (answer, ..) = select_all(silent).await;
    assert!(answer.starts_with(b"HTTP/1.1 429 "), "{answer:?}");
    let greeting = upgrade("192.0.2.1");
    let peer = thread(move || {
        let mut raw = Raw::connect(address);
        raw.send(greeting.as_bytes());
        assert!(raw.read_head().starts_with("HTTP/1.1 101 "));
        raw
    });
    let _peer = peer.join().await;
    let (_, connection) = pool.take_next(SOON).await.unwrap();
    assert_eq!(connection.peer_addr().map(|peer| peer.ip()), Some(friend));
    for (pool, field) in [
        (server().proxy_protocol(ProxyProtocol::required([proxy])), "proxy_protocol"),
        (server().head_limits(HeadLimits { max_fields: 32, ..HeadLimits::default() }), "head_limits"),
        (server().backoff(ms(1)..=ms(2)), "backoff"),
    ] {
        let refused = listener.add(pool).map(drop);
        assert!(matches!(&refused, Err(BuildError::Config(error)) if error.field() == field), "{refused:?}");
    }
    let nameless = thread(move || {
        let mut raw = Raw::connect(address);
        raw.send(request("/blue", "").as_bytes());
        raw.read_to_end()
    });
    assert_eq!(nameless.join().await, b"", "who is no proxy is not heard");
}
