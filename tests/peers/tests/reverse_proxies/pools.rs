//! Our pools with a proxy in between.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::{AsyncReadExt, AsyncWriteExt};
use npws::rustls::ClientConfig;
use npws::tokio::{ServerPool, Tokio};
use npws::{
    ClientPoolBuilder, CloseReason, Connection, ForwardedHeader, PeerGeneration, ProxyProtocol, ServerPoolBuilder,
};
use npws_tests::pools::{client, closed_by, filled, server, take_pair, talk};
use npws_tests::testbed::{SOON, ms, sleep, thread};
use socket2::{Domain, Socket, Type};

use crate::load::{secured, trust};
use crate::proxy::{Kind, ReverseProxy, Servers};

const PROXY: Ipv4Addr = Ipv4Addr::LOCALHOST;

/// A server pool behind the proxy, as `npws-tunnel` sets one up.
fn serving(kind: Kind) -> ServerPoolBuilder<Tokio> {
    let builder = server::<Tokio>().path("/tunnel").control_id(false);
    match kind {
        Kind::Nginx => builder.behind_proxies([PROXY], ForwardedHeader::XForwardedFor),
        Kind::Haproxy => builder.proxy_protocol(ProxyProtocol::required([PROXY])),
    }
}

fn dialing(proxy: &ReverseProxy, count: usize) -> ClientPoolBuilder<Tokio> {
    client::<Tokio>(proxy.address, count).path("/tunnel").tls(proxy.tls())
}

async fn bind(builder: ServerPoolBuilder<Tokio>, servers: &Servers) -> ServerPool {
    builder.bind(&servers.listen[0].to_string()).await.unwrap()
}

pub(crate) async fn both_generations_meet_and_claims_pass(kind: Kind) {
    for (server_v2, client_v2) in [(true, true), (true, false), (false, true)] {
        let servers = Servers::new();
        let proxy = ReverseProxy::start(kind, &format!("v2-{server_v2}-{client_v2}"), &servers, None).await;
        let server = bind(serving(kind).v2(server_v2), &servers).await;
        let client = dialing(&proxy, 4).v2(client_v2).connect().unwrap();
        filled(&server, &client, 4).await;
        let expected = if server_v2 && client_v2 { PeerGeneration::V2 } else { PeerGeneration::V1 };
        for _ in 0..4 {
            let (mut accepted, mut dialed) = take_pair(&server, &client).await;
            assert_eq!([accepted.peer_generation(), dialed.peer_generation()], [expected; 2]);
            talk(&mut accepted, &mut dialed).await;
        }
        if expected == PeerGeneration::V2 {
            let (id, mut accepted) = server.take_next(SOON).await.unwrap();
            let (claimed, mut dialed) = client.accept(SOON).await.unwrap();
            assert_eq!(claimed, id);
            talk(&mut accepted, &mut dialed).await;
            filled(&server, &client, 4).await;
            server.drain(SOON).await;
            assert_eq!(closed_by(&server.stats(), CloseReason::Drained), 4, "the client heard and gave them up");
            talk(&mut accepted, &mut dialed).await;
        }
    }
}

pub(crate) async fn the_client_is_known_by_its_own_address(kind: Kind) {
    let servers = Servers::new();
    let proxy = ReverseProxy::start(kind, "addresses", &servers, None).await;
    let known = Ipv4Addr::new(127, 0, 0, 2);
    let _server = bind(serving(kind).allow(known), &servers).await;
    for (from, status) in [(known, "101"), (PROXY, "403")] {
        let (address, config) = (proxy.address, trust(&proxy));
        let asking = async || {
            let config = config.clone();
            thread(move || status_for(from, address, &config)).join().await
        };
        // HAProxy knows only after a check that the server is there.
        let mut answer = asking().await;
        let deadline = Instant::now() + SOON;
        while answer == "503" && Instant::now() < deadline {
            answer = asking().await;
        }
        assert_eq!(answer, status, "from {from}");
    }
}

/// The status of the answer to an upgrade from this address, whatever it says of itself.
fn status_for(from: Ipv4Addr, proxy: SocketAddr, config: &Arc<ClientConfig>) -> String {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::from((from, 0)).into()).unwrap();
    socket.connect(&proxy.into()).unwrap();
    let mut stream = secured(socket.into(), config);
    let request = "GET /tunnel HTTP/1.1\r\nHost: tunnel.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                   Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
                   X-Forwarded-For: 127.0.0.2\r\n\r\n";
    stream.write_all(request.as_bytes()).unwrap();
    let mut line = [0; 12];
    stream.read_exact(&mut line).unwrap();
    String::from_utf8_lossy(&line[9..]).into_owned()
}

pub(crate) async fn connections_that_the_proxy_ends_are_replaced_and_none_is_handed_out_dead(kind: Kind) {
    /// Between the end at the proxy and the knowledge of both ends, on a busy machine.
    const BOUND: Duration = Duration::from_secs(3);
    /// One is taken every 100 ms, the oldest first, so that some get older than the timeout.
    const COUNT: usize = 16;
    let timeout = Duration::from_secs(1);
    let servers = Servers::new();
    let proxy = ReverseProxy::start(kind, "shorter", &servers, Some("1s")).await;
    let server = bind(serving(kind), &servers).await;
    let client = dialing(&proxy, COUNT).connect().unwrap();
    filled(&server, &client, COUNT).await;
    let (mut talked, begin) = (0, Instant::now());
    while client.stats().closed_total < 12 {
        assert!(begin.elapsed() < 3 * SOON, "{:?}", client.stats());
        let (id, mut accepted) = server.take_next(SOON).await.unwrap();
        if let Ok(mut dialed) = client.take(id, SOON).await {
            let age = dialed.last_alive().unwrap().elapsed();
            match greet(&mut accepted, &mut dialed).await {
                Ok(()) => talked += 1,
                Err(error) => assert!(age < timeout + BOUND, "dead after {age:?}: {error}"),
            }
        }
        sleep::<Tokio>(ms(100)).await;
    }
    assert!(talked > 0);
    assert_eq!(client.stats().dial_failures.total(), 0);
    filled(&server, &client, COUNT).await;
}

async fn greet(accepted: &mut Connection, dialed: &mut Connection) -> io::Result<()> {
    let mut greeting = [0; 5];
    accepted.write_all(b"there").await?;
    dialed.read_exact(&mut greeting).await?;
    dialed.write_all(b"back!").await?;
    accepted.read_exact(&mut greeting).await
}

pub(crate) async fn connections_that_are_kept_alive_outlive_the_timeouts_of_the_proxy(kind: Kind) {
    let servers = Servers::new();
    let proxy = ReverseProxy::start(kind, "longer", &servers, Some("3s")).await;
    let server = bind(serving(kind).keepalive(ms(300)), &servers).await;
    let client = dialing(&proxy, 4).keepalive(ms(300)).connect().unwrap();
    filled(&server, &client, 4).await;
    // Time is what this is about: three timeouts.
    sleep::<Tokio>(ms(9500)).await;
    for stats in [server.stats(), client.stats()] {
        assert_eq!((stats.registered_total, stats.idle), (4, 4), "{stats:?}");
    }
    for _ in 0..4 {
        let (mut accepted, mut dialed) = take_pair(&server, &client).await;
        talk(&mut accepted, &mut dialed).await;
    }
}
