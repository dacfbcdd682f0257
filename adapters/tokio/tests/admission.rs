//! Who is let in over real sockets, asked in raw HTTP.

use std::error::Error;
use std::time::Duration;

use npws_driver::{
    AddressLimitsConfig, AllowList, DialError, ForwardedHeader, HandshakeRate, IpRange, OriginPolicy, Tokens,
    UpgradeError,
};
use npws_tokio::{ClientPool, ServerPool, Tokio};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

type Result<T = ()> = std::result::Result<T, Box<dyn Error>>;
type Builder = npws_driver::ServerPoolBuilder<Tokio>;

/// Long enough for a busy machine; nothing waits for it to pass.
const WAIT: Duration = Duration::from_secs(20);
const TOKEN: &str = "Authorization: Bearer secret";

fn server() -> Builder {
    ServerPool::builder().capacity(100)
}

async fn bind(builder: Builder) -> Result<ServerPool> {
    Ok(builder.bind("127.0.0.1:0").await?)
}

fn port(pool: &ServerPool) -> Result<u16> {
    Ok(pool.local_addr().ok_or("no listener")?.port())
}

/// Asks for an upgrade with these fields added. The socket lives as long as the connection is wanted.
async fn upgrade(pool: &ServerPool, path: &str, fields: &[&str]) -> Result<(TcpStream, String)> {
    let fields: String = fields.iter().map(|field| format!("{field}\r\n")).collect();
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: pool.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{fields}\r\n"
    );
    exchange(pool, &request).await
}

/// Sends `request` and reads the answer: all of it when it is a rejection, its head otherwise.
async fn exchange(pool: &ServerPool, request: &str) -> Result<(TcpStream, String)> {
    let mut socket = TcpStream::connect(("127.0.0.1", port(pool)?)).await?;
    socket.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    let read = async {
        while answer.len() < 3 || !(answer.starts_with(b"HTTP/1.1 101") && answer.ends_with(b"\r\n\r\n")) {
            match socket.read_u8().await {
                Ok(byte) => answer.push(byte),
                Err(_) => break,
            }
        }
    };
    timeout(WAIT, read).await?;
    Ok((socket, String::from_utf8(answer)?))
}

async fn status(pool: &ServerPool, path: &str, fields: &[&str]) -> Result<u16> {
    let (_socket, answer) = upgrade(pool, path, fields).await?;
    Ok(answer.split(' ').nth(1).ok_or("no answer")?.parse()?)
}

/// Opens a connection and waits until it is idle in the pool.
async fn open(pool: &ServerPool, fields: &[&str]) -> Result<TcpStream> {
    let (mut socket, answer) = upgrade(pool, "/", fields).await?;
    assert!(answer.starts_with("HTTP/1.1 101 "), "{answer}");
    // The ID is a frame of four bytes behind a header of two.
    timeout(WAIT, socket.read_exact(&mut [0; 6])).await??;
    timeout(WAIT, async {
        while pool.stats().handshakes > 0 {
            tokio::task::yield_now().await;
        }
    })
    .await?;
    Ok(socket)
}

fn range(text: &str) -> Result<IpRange> {
    Ok(text.parse()?)
}

#[tokio::test]
async fn rejections_come_in_order_and_reveal_nothing() -> Result {
    let pool = server().capacity(1).path("/pool").tokens(Tokens::new(["secret"])?);
    let pool = bind(pool.origins(OriginPolicy::Allow(["https://app.example".parse()?].into()))).await?;
    let evil = "Origin: https://evil.example";
    assert_eq!(status(&pool, "/", &[TOKEN]).await?, 404);
    assert_eq!(status(&pool, "/pool", &[evil]).await?, 401);
    assert_eq!(status(&pool, "/pool", &[TOKEN, evil]).await?, 403);
    let plain = format!("GET /pool HTTP/1.1\r\nHost: pool.example\r\n{TOKEN}\r\n\r\n");
    assert!(exchange(&pool, &plain).await?.1.starts_with("HTTP/1.1 426 "));
    for (fields, head, body) in [
        (vec!["Authorization: Bearer wrong"], "401 Unauthorized\r\n", "Unauthorized\n"),
        (vec![TOKEN, "Origin: null"], "403 Forbidden\r\n", "Forbidden\n"),
    ] {
        let (_socket, answer) = upgrade(&pool, "/pool", &fields).await?;
        assert!(answer.starts_with(&format!("HTTP/1.1 {head}")), "{answer}");
        assert_eq!(answer.contains("\r\nWWW-Authenticate: Bearer\r\n"), head.starts_with("401"), "{answer}");
        assert_eq!(answer.split_once("\r\n\r\n").map(|(_, body)| body), Some(body));
        assert!(!answer.contains("secret") && !answer.contains("wrong") && !answer.contains("example"), "{answer}");
    }
    let (_open, answer) = upgrade(&pool, "/pool", &[TOKEN, "Origin: https://app.example"]).await?;
    assert!(answer.starts_with("HTTP/1.1 101 "), "{answer}");
    assert_eq!(status(&pool, "/pool", &[TOKEN]).await?, 503);
    assert_eq!(pool.stats().rejected_total, 7);
    Ok(())
}

#[tokio::test]
async fn tokens_rotate_without_dropping_idle_connections() -> Result {
    let pool = bind(server().tokens(Tokens::new(["secret"])?)).await?;
    let new = "Authorization: Bearer better";
    let _first = open(&pool, &[TOKEN]).await?;
    assert_eq!(status(&pool, "/", &[new]).await?, 401);
    pool.set_tokens(Some(Tokens::new(["secret", "better"])?));
    let _second = open(&pool, &[TOKEN]).await?;
    let _third = open(&pool, &[new]).await?;
    pool.set_tokens(Some(Tokens::new(["better"])?));
    assert_eq!(status(&pool, "/", &[TOKEN]).await?, 401);
    let _fourth = open(&pool, &[new]).await?;
    assert_eq!((pool.active(), pool.stats().closed_total), (4, 0));
    for _ in 0..4 {
        pool.take_next(WAIT).await?;
    }
    Ok(())
}

#[tokio::test]
async fn blocks_of_addresses_are_served_and_change_while_the_pool_runs() -> Result {
    let pool = bind(server().allow(range("10.0.0.0/8")?).allow(range("2001:db8::/32")?)).await?;
    assert_eq!(status(&pool, "/", &[]).await?, 403);
    pool.set_allow(Some(AllowList::from([range("127.0.0.0/8")?])));
    let _first = open(&pool, &[]).await?;
    pool.set_allow(Some(AllowList::from([range("10.0.0.0/8")?])));
    assert_eq!(status(&pool, "/", &[]).await?, 403);
    assert_eq!(pool.active(), 1, "who is in stays");
    pool.set_allow(None);
    assert_eq!(status(&pool, "/", &[]).await?, 101);
    Ok(())
}

#[tokio::test]
async fn on_a_dual_stack_listener_an_ipv4_peer_goes_by_its_ipv4_address() -> Result {
    let pool = server().allow(range("127.0.0.0/8")?).bind("[::]:0").await?;
    let _open = open(&pool, &[]).await?;
    pool.set_allow(Some(AllowList::from([range("::ffff:10.0.0.0/104")?])));
    assert_eq!(status(&pool, "/", &[]).await?, 403);
    Ok(())
}

#[tokio::test]
async fn only_a_trusted_proxy_says_where_a_request_comes_from() -> Result {
    let allowed = || Ok::<_, Box<dyn Error>>(server().allow(range("192.0.2.0/24")?));
    for (header, client, stranger, nonsense) in [
        (
            ForwardedHeader::XForwardedFor,
            "X-Forwarded-For: 198.51.100.1, 192.0.2.7",
            "X-Forwarded-For: 192.0.2.7, 198.51.100.1",
            "X-Forwarded-For: nonsense",
        ),
        (
            ForwardedHeader::Forwarded,
            "Forwarded: for=\"198.51.100.1:7\", for=192.0.2.7;proto=https",
            "Forwarded: for=192.0.2.7, for=198.51.100.1",
            "Forwarded: for=\"",
        ),
    ] {
        let pool = bind(allowed()?.behind_proxies([range("127.0.0.0/8")?], header)).await?;
        let mut answers = Vec::new();
        for field in [client, stranger, nonsense] {
            answers.push(status(&pool, "/", &[field]).await?);
        }
        answers.push(status(&pool, "/", &[]).await?);
        assert_eq!(answers, [101, 403, 400, 403], "{header:?}");
        let pool = bind(allowed()?.behind_proxies([range("10.0.0.1")?], header)).await?;
        assert_eq!(status(&pool, "/", &[client]).await?, 403, "not from whom it trusts");
    }
    Ok(())
}

#[tokio::test]
async fn an_address_gets_429_until_one_of_its_connections_is_gone() -> Result {
    let limits = AddressLimitsConfig { max_connections_per_address: Some(2), ..AddressLimitsConfig::default() };
    let pool = bind(server().limits(limits)).await?;
    let _first = open(&pool, &[]).await?;
    let _second = open(&pool, &[]).await?;
    let (socket, answer) = upgrade(&pool, "/", &[]).await?;
    drop(socket);
    assert!(answer.starts_with("HTTP/1.1 429 Too Many Requests\r\n"), "{answer}");
    assert!(answer.contains("\r\nRetry-After: 1\r\n"), "{answer}");
    let (_id, _taken) = pool.take_next(WAIT).await?;
    let third = open(&pool, &[]).await?;
    assert_eq!(status(&pool, "/", &[]).await?, 429);
    drop(third);
    timeout(WAIT, async {
        while pool.stats().closed_total == 0 {
            tokio::task::yield_now().await;
        }
    })
    .await?;
    open(&pool, &[]).await?;
    Ok(())
}

#[tokio::test]
async fn an_address_that_comes_too_fast_gets_429() -> Result {
    let handshake_rate = Some(HandshakeRate { burst: 2, refill: Duration::from_secs(3600) });
    let pool = bind(server().limits(AddressLimitsConfig { handshake_rate, ..AddressLimitsConfig::default() })).await?;
    let mut answers = Vec::new();
    for _ in 0..4 {
        answers.push(status(&pool, "/", &[]).await?);
    }
    assert_eq!(answers, [101, 101, 429, 429]);
    Ok(())
}

#[tokio::test]
async fn silent_handshakes_from_one_address_leave_it_no_more() -> Result {
    let limits = AddressLimitsConfig { max_handshakes_per_address: Some(3), ..AddressLimitsConfig::default() };
    let pool = bind(server().limits(limits)).await?;
    let mut silent = Vec::new();
    for _ in 0..3 {
        silent.push(TcpStream::connect(("127.0.0.1", port(&pool)?)).await?);
    }
    let mut fourth = TcpStream::connect(("127.0.0.1", port(&pool)?)).await?;
    assert_eq!(timeout(WAIT, fourth.read(&mut [0])).await?.unwrap_or(0), 0, "it is closed");
    assert_eq!(pool.stats().turned_away_total, 1);
    drop(silent);
    timeout(WAIT, async {
        while pool.stats().handshakes > 0 {
            tokio::task::yield_now().await;
        }
    })
    .await?;
    open(&pool, &[]).await?;
    Ok(())
}

#[tokio::test]
async fn a_browser_presents_its_token_as_a_subprotocol() -> Result {
    let pool = bind(server().tokens(Tokens::new(["secret"])?)).await?;
    let (_socket, answer) = upgrade(&pool, "/", &["Sec-WebSocket-Protocol: npws, npws.bearer.secret"]).await?;
    assert!(answer.starts_with("HTTP/1.1 101 "), "{answer}");
    assert!(answer.to_ascii_lowercase().contains("\r\nsec-websocket-protocol: npws\r\n"), "{answer}");
    assert!(!answer.contains("secret"), "{answer}");
    assert_eq!(status(&pool, "/", &["Sec-WebSocket-Protocol: npws, npws.bearer.wrong"]).await?, 401);
    Ok(())
}

#[tokio::test]
async fn a_client_pool_presents_its_token_and_keeps_it_to_itself() -> Result {
    let pool = bind(server().tokens(Tokens::new(["secret"])?)).await?;
    let address = format!("127.0.0.1:{}", port(&pool)?);
    let with = |token: &str| ClientPool::builder(&address).bearer_token(token);
    assert!(!format!("{:?}", with("secret")).contains("secret"));
    let client = with("secret").connect()?;
    assert!(!format!("{client:?}").contains("secret"));
    let (id, _here) = client.take_next(WAIT).await?;
    pool.take(id, WAIT).await?;

    let refused = with("wrong").connect()?;
    timeout(WAIT, async {
        while refused.last_dial_error().is_none() {
            tokio::task::yield_now().await;
        }
    })
    .await?;
    let error = refused.last_dial_error().ok_or("it was refused")?;
    let is_401 = matches!(&*error, DialError::Upgrade(UpgradeError::Rejected { status: 401 }));
    assert!(is_401, "{error:?}");

    let error = with("se cret").connect().err().ok_or("it is no token")?;
    assert!(error.to_string().starts_with("bearer_token is a text of 7 bytes"), "{error}");
    Ok(())
}
