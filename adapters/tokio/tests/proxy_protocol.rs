//! Connections that a proxy carries, which says in front of them where they come from. Over real sockets, in raw bytes.

mod support;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use npws_driver::{
    AcceptError, AddressLimitsConfig, AllowList, ForwardedHeader, HeadLimits, IpRange, ProxyHeaderError, ProxyProtocol,
    ServerTls,
};
use npws_tokio::{ClientPool, ServerPool, Tokio};
use support::{Result, WAIT, answer_of, bind, dial, open_over, request, server, until};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

const V1: &[u8] = b"PROXY TCP4 192.0.2.7 10.0.0.1 40000 443\r\n";

fn loopback() -> Result<[IpRange; 1]> {
    Ok(["127.0.0.0/8".parse()?])
}

fn required() -> Result<ProxyProtocol> {
    Ok(ProxyProtocol::required(loopback()?))
}

/// Version 2 with this command, this family and what follows.
fn v2(command: u8, family: u8, body: &[u8]) -> Vec<u8> {
    let length = (body.len() as u16).to_be_bytes();
    [b"\r\n\r\n\0\r\nQUIT\n", &[command, family][..], &length, body].concat()
}

fn v2_from(source: SocketAddr) -> Vec<u8> {
    let port = source.port().to_be_bytes();
    match source.ip() {
        IpAddr::V4(ip) => v2(0x21, 0x11, &[&ip.octets()[..], &[10, 0, 0, 1], &port, &[1, 187]].concat()),
        IpAddr::V6(ip) => v2(0x21, 0x21, &[&ip.octets()[..], &[0; 16], &port, &[1, 187]].concat()),
    }
}

/// The status of an upgrade behind `header`, if there is any answer.
async fn ask(pool: &ServerPool, header: &[u8]) -> Result<Option<u16>> {
    let mut socket = dial(pool).await?;
    socket.write_all(&[header, request("/", &[]).as_bytes()].concat()).await?;
    let answer = answer_of(&mut socket).await?;
    Ok(answer.split(' ').nth(1).map(str::parse).transpose()?)
}

fn refused_for(pool: &ServerPool, expected: ProxyHeaderError) -> bool {
    pool.last_accept_error().is_some_and(|error| match &*error {
        AcceptError::ProxyHeader(error) => *error == expected,
        _ => false,
    })
}

#[tokio::test]
async fn both_versions_say_where_a_connection_comes_from() -> Result {
    let pool = bind(server().proxy_protocol(required()?)).await?;
    for (header, source) in [
        (V1.to_vec(), "192.0.2.7:40000"),
        (b"PROXY TCP6 2001:db8::7 ::1 40001 443\r\n".to_vec(), "[2001:db8::7]:40001"),
        (b"PROXY TCP6 ::ffff:192.0.2.7 ::ffff:10.0.0.1 40002 443\r\n".to_vec(), "192.0.2.7:40002"),
        (v2_from("192.0.2.7:40003".parse()?), "192.0.2.7:40003"),
        (v2_from("[2001:db8::7]:40004".parse()?), "[2001:db8::7]:40004"),
        (v2_from("[::ffff:192.0.2.7]:40005".parse()?), "192.0.2.7:40005"),
    ] {
        let mut socket = dial(&pool).await?;
        socket.write_all(&header).await?;
        open_over(&pool, &mut socket).await?;
        let (_id, connection) = pool.take_next(WAIT).await?;
        assert_eq!(connection.peer_addr(), Some(source.parse()?));
    }
    Ok(())
}

#[tokio::test]
async fn a_proxy_that_speaks_for_itself_is_known_by_its_socket() -> Result {
    let pool = bind(server().proxy_protocol(required()?)).await?;
    for header in [b"PROXY UNKNOWN\r\n".to_vec(), v2(0x20, 0, b""), v2(0x21, 0, b""), v2(0x20, 0x11, &[7; 12])] {
        let mut socket = dial(&pool).await?;
        socket.write_all(&header).await?;
        open_over(&pool, &mut socket).await?;
        let (_id, connection) = pool.take_next(WAIT).await?;
        assert_eq!(connection.peer_addr(), Some(socket.local_addr()?));
    }
    Ok(())
}

#[tokio::test]
async fn allow_list_limits_and_forwarding_fields_go_by_the_address_that_is_named() -> Result {
    let allowed = "192.0.2.0/24".parse::<IpRange>()?;
    let one = AddressLimitsConfig { max_connections_per_address: Some(1), ..AddressLimitsConfig::default() };
    let forwarder: IpRange = "172.16.0.1".parse()?;
    let pool = server().allow(allowed).limits(one).proxy_protocol(required()?);
    let pool = bind(pool.behind_proxies([forwarder], ForwardedHeader::XForwardedFor)).await?;
    assert_eq!(ask(&pool, b"PROXY TCP4 198.51.100.1 10.0.0.1 40000 443\r\n").await?, Some(403));
    assert_eq!(ask(&pool, b"PROXY UNKNOWN\r\n").await?, Some(403), "the proxy itself is not allowed");
    let mut first = dial(&pool).await?;
    first.write_all(V1).await?;
    open_over(&pool, &mut first).await?;
    assert_eq!(ask(&pool, V1).await?, Some(429), "it has its one connection");
    assert_eq!(ask(&pool, &v2_from("192.0.2.8:1".parse()?)).await?, Some(101));

    let mut chained = dial(&pool).await?;
    let request = request("/", &["X-Forwarded-For: 192.0.2.9"]);
    chained.write_all(format!("PROXY TCP4 172.16.0.1 10.0.0.1 1 443\r\n{request}").as_bytes()).await?;
    assert!(answer_of(&mut chained).await?.starts_with("HTTP/1.1 101 "));
    Ok(())
}

#[tokio::test]
async fn a_header_may_come_byte_by_byte_and_in_front_of_tls() -> Result {
    let tls = ServerTls::self_signed(["localhost"])?;
    let pin = tls.fingerprint().ok_or("it has one")?;
    let pool = bind(server().tls(tls).proxy_protocol(required()?)).await?;
    // A proxy as simple as can be, which writes its word and then carries bytes.
    let front = TcpListener::bind("127.0.0.1:0").await?;
    let (front_addr, back_addr) = (front.local_addr()?, pool.local_addr().ok_or("it listens")?);
    let carrying = tokio::spawn(async move {
        for header in [V1.to_vec(), v2_from(([192, 0, 2, 8], 40_001).into())] {
            let (mut near, _) = front.accept().await?;
            let mut far = TcpStream::connect(back_addr).await?;
            far.set_nodelay(true)?;
            for byte in header {
                far.write_all(&[byte]).await?;
                tokio::task::yield_now().await;
            }
            tokio::spawn(async move { tokio::io::copy_bidirectional(&mut near, &mut far).await });
        }
        std::io::Result::Ok(())
    });
    let tls = npws_driver::ClientTls::pinned(pin);
    let client = ClientPool::builder(front_addr.to_string()).capacity(2..=2).tls(tls).connect()?;
    let mut sources = Vec::new();
    for _ in 0..2 {
        let (id, mut here) = pool.take_next(WAIT).await?;
        let mut there = client.take(id, WAIT).await?;
        sources.extend(here.peer_addr().map(|source| source.ip()));
        here.write_all(b"through").await?;
        here.shutdown().await?;
        let mut text = String::new();
        timeout(WAIT, there.read_to_string(&mut text)).await??;
        assert_eq!(text, "through");
    }
    sources.sort_unstable();
    assert_eq!(sources, [IpAddr::from([192, 0, 2, 7]), IpAddr::from([192, 0, 2, 8])]);
    carrying.await??;
    Ok(())
}

#[tokio::test]
async fn what_is_wrong_in_front_of_a_connection_closes_it_and_is_told() -> Result {
    let pool = bind(server().proxy_protocol(required()?)).await?;
    let endless = [&b"PROXY TCP4 "[..], &[b'1'; 200]].concat();
    let mut too_long = v2(0x21, 0x11, &[]);
    too_long[14..].copy_from_slice(&[0xff, 0xff]);
    let cases = [
        (&b""[..], ProxyHeaderError::Missing),
        (b"PROXY TCP4 192.0.2.7\r\n", ProxyHeaderError::Malformed),
        (b"PROXY TCP4 192.0.2.7 10.0.0.1 40000 443 \r\n", ProxyHeaderError::Malformed),
        (&endless, ProxyHeaderError::TooLong),
        (&too_long, ProxyHeaderError::TooLong),
    ];
    for (header, expected) in cases {
        assert_eq!(ask(&pool, header).await?, None, "{header:?}");
        until(|| refused_for(&pool, expected)).await?;
    }
    until(|| pool.stats().handshakes == 0).await?;
    assert_eq!((pool.stats().accept_failures, pool.stats().rejected_total), (5, 0));
    assert_eq!(ask(&pool, V1).await?, Some(101), "and harms nobody else");
    Ok(())
}

#[tokio::test]
async fn who_is_not_trusted_is_not_believed() -> Result {
    let elsewhere = || ProxyProtocol::required([Ipv4Addr::new(10, 0, 0, 1)]);
    let pool = bind(server().proxy_protocol(elsewhere())).await?;
    for header in [V1.to_vec(), v2_from("192.0.2.7:1".parse()?)] {
        assert_eq!(ask(&pool, &header).await?, None);
        until(|| refused_for(&pool, ProxyHeaderError::Untrusted)).await?;
    }
    assert_eq!(ask(&pool, b"").await?, Some(101), "without a header it is a peer like any other");

    let pool = bind(server().tls(ServerTls::self_signed(["localhost"])?).proxy_protocol(elsewhere())).await?;
    assert_eq!(ask(&pool, V1).await?, None);
    until(|| refused_for(&pool, ProxyHeaderError::Untrusted)).await?;

    let pool = bind(server()).await?;
    assert_eq!(ask(&pool, V1).await?, Some(400), "where nobody asked for it, it is garbage");
    Ok(())
}

#[tokio::test]
async fn where_it_is_optional_a_proxy_may_say_nothing() -> Result {
    let pool = bind(server().proxy_protocol(ProxyProtocol::optional(loopback()?))).await?;
    let mut named = dial(&pool).await?;
    named.write_all(V1).await?;
    open_over(&pool, &mut named).await?;
    let mut unnamed = dial(&pool).await?;
    open_over(&pool, &mut unnamed).await?;
    let mut sources = Vec::new();
    for _ in 0..2 {
        sources.push(pool.take_next(WAIT).await?.1.peer_addr());
    }
    assert_eq!(sources, [Some("192.0.2.7:40000".parse()?), Some(unnamed.local_addr()?)]);
    Ok(())
}

#[tokio::test]
async fn a_header_that_never_ends_runs_into_the_deadline_of_the_handshake() -> Result {
    let pool = server().proxy_protocol(required()?).handshake_timeout(Duration::from_millis(200));
    let pool = bind(pool).await?;
    for beginning in [&b""[..], b"PROXY TCP4 192.0.2.7", b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x0c\xc0"] {
        let mut socket = dial(&pool).await?;
        socket.write_all(beginning).await?;
        assert_eq!(timeout(WAIT, socket.read(&mut [0])).await?.unwrap_or(0), 0, "it is closed");
        until(|| pool.last_accept_error().is_some_and(|error| matches!(&*error, AcceptError::Timeout))).await?;
    }
    assert_eq!(pool.stats().accept_failures, 3);
    Ok(())
}

#[tokio::test]
async fn silent_handshakes_through_a_proxy_are_limited_by_the_address_that_is_named() -> Result {
    let limits = AddressLimitsConfig { max_handshakes_per_address: Some(2), ..AddressLimitsConfig::default() };
    let pool = bind(server().proxy_protocol(required()?).limits(limits)).await?;
    let mut silent = Vec::new();
    for _ in 0..2 {
        let mut socket = dial(&pool).await?;
        socket.write_all(V1).await?;
        silent.push(socket);
    }
    until(|| pool.stats().handshakes == 2).await?;
    let mut refused = None;
    // Until the server has read what the first two wrote, there is room.
    while refused.is_none() {
        let mut socket = dial(&pool).await?;
        socket.write_all(V1).await?;
        let mut answer = [0; 12];
        match timeout(Duration::from_millis(200), socket.read_exact(&mut answer)).await {
            Ok(read) => refused = Some(read.map(|_| answer)?),
            Err(_) => silent.push(socket),
        }
    }
    assert_eq!(refused.as_ref().map(|answer| &answer[..]), Some(&b"HTTP/1.1 429"[..]));
    assert_eq!(silent.len(), 2, "no more than two were let wait");
    assert_eq!(ask(&pool, b"PROXY TCP4 192.0.2.8 10.0.0.1 1 443\r\n").await?, Some(101), "others are let in");
    Ok(())
}

#[tokio::test]
async fn who_is_believed_changes_while_the_pool_runs() -> Result {
    let pool = bind(server()).await?;
    let mut first = dial(&pool).await?;
    open_over(&pool, &mut first).await?;
    pool.set_proxy_protocol(Some(required()?))?;
    assert_eq!(ask(&pool, b"").await?, None);
    let mut second = dial(&pool).await?;
    second.write_all(V1).await?;
    open_over(&pool, &mut second).await?;
    assert!(pool.set_proxy_protocol(Some(ProxyProtocol::required(AllowList::default()))).is_err());
    assert_eq!(ask(&pool, b"").await?, None, "it goes on as before");
    pool.set_proxy_protocol(None)?;
    let mut third = dial(&pool).await?;
    open_over(&pool, &mut third).await?;
    assert_eq!((pool.active(), pool.stats().closed_total), (3, 0), "who is in stays");
    Ok(())
}

#[tokio::test]
async fn a_listener_for_several_pools_hears_where_their_connections_come_from() -> Result {
    let listener = npws_driver::Listener::<Tokio>::builder().proxy_protocol(required()?);
    let listener = listener.head_limits(HeadLimits { max_bytes: 1024, max_fields: 8 }).bind("127.0.0.1:0").await?;
    let allowed = "192.0.2.0/24".parse::<IpRange>()?;
    let blue = listener.add(server().path("/blue").allow(allowed))?;
    let green = listener.add(server().path("/green"))?;
    let ask = async |path: &str, header: &[u8], fields: &[&str]| -> Result<String> {
        let mut socket = TcpStream::connect(listener.local_addr().ok_or("it listens")?).await?;
        socket.write_all(&[header, request(path, fields).as_bytes()].concat()).await?;
        Ok(answer_of(&mut socket).await?.split(' ').nth(1).unwrap_or_default().to_owned())
    };
    let stranger = b"PROXY TCP4 198.51.100.1 10.0.0.1 40000 443\r\n";
    assert_eq!(ask("/blue", V1, &[]).await?, "101");
    assert_eq!(ask("/blue", stranger, &[]).await?, "403");
    assert_eq!(ask("/green", stranger, &[]).await?, "101");
    assert_eq!(ask("/green", V1, &["A: 1", "B: 2", "C: 3", "D: 4"]).await?, "431");
    assert_eq!(ask("/green", b"", &[]).await?, "", "without a header");
    let error = blue.set_proxy_protocol(None).unwrap_err();
    assert_eq!(error.to_string(), "proxy_protocol is set on the pool, accepted is the listener's");
    assert!(listener.add(server().path("/red").proxy_protocol(required()?)).is_err());
    listener.set_proxy_protocol(None)?;
    assert_eq!(ask("/green", b"", &[]).await?, "101");
    drop(green);
    Ok(())
}
