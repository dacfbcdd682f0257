//! Who is let in over real sockets, asked in raw HTTP.

mod support;

use std::time::Duration;

use npws_driver::{
    AddressLimitsConfig, AllowList, DialError, ForwardedHeader, HandshakeRate, IpRange, OriginPolicy, Tokens,
    UpgradeError,
};
use npws_tokio::{ClientPool, ServerPool};
use support::{Result, WAIT, answer_of, bind, exchange, open, port, server, status, until, upgrade};
use tokio::net::TcpStream;

const TOKEN: &str = "Authorization: Bearer secret";

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

/// Answers, but for the time of day that none of them tells.
async fn whole_answers(pool: &ServerPool, requests: &[&[&str]]) -> Result<Vec<String>> {
    let mut answers = Vec::new();
    for fields in requests {
        answers.push(upgrade(pool, "/", fields).await?.1);
    }
    Ok(answers)
}

#[tokio::test]
async fn what_is_answered_with_401_or_403_does_not_say_what_was_wrong() -> Result {
    let tokens = Tokens::new(["secret", "another-secret-that-is-longer"])?;
    let pool = bind(server().tokens(tokens).origins(OriginPolicy::NoBrowsers)).await?;
    let unauthorized: [&[&str]; 9] = [
        &[],
        &["Authorization: Bearer wrong"],
        &["Authorization: Bearer secreT"],
        &["Authorization: Bearer secretsecret"],
        &["Authorization: Bearer"],
        &["Authorization: Basic c2VjcmV0"],
        &[TOKEN, TOKEN],
        &["Sec-WebSocket-Protocol: npws, npws.bearer.wrong"],
        &["Authorization: Bearer wrong", "Origin: https://evil.example"],
    ];
    let answers = whole_answers(&pool, &unauthorized).await?;
    assert!(answers[0].starts_with("HTTP/1.1 401 "), "{}", answers[0]);
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:#?}");

    let by_origin = whole_answers(&pool, &[&[TOKEN, "Origin: https://evil.example"], &[TOKEN, "Origin: null"]]).await?;
    pool.set_allow(Some(AllowList::from([range("10.0.0.0/8")?])));
    let by_address = whole_answers(&pool, &[&[], &[TOKEN], &["Origin: https://evil.example"]]).await?;
    let answers = [by_origin, by_address].concat();
    assert!(answers[0].starts_with("HTTP/1.1 403 "), "{}", answers[0]);
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:#?}");
    Ok(())
}

#[tokio::test]
async fn tokens_are_not_guessed_faster_than_the_address_may_ask() -> Result {
    let handshake_rate = Some(HandshakeRate { burst: 3, refill: Duration::from_secs(3600) });
    let limits = AddressLimitsConfig { handshake_rate, ..AddressLimitsConfig::default() };
    let pool = bind(server().tokens(Tokens::new(["secret"])?).limits(limits)).await?;
    let mut answers = Vec::new();
    for guess in ["a", "b", "c", "d", "secret"] {
        answers.push(upgrade(&pool, "/", &[&format!("Authorization: Bearer {guess}")]).await?.1);
    }
    let codes: Vec<_> = answers.iter().filter_map(|answer| answer.split(' ').nth(1)).collect();
    assert_eq!(codes, ["401", "401", "401", "429", "429"]);
    assert!(answers[4].contains("\r\nRetry-After: ") && answers[3] == answers[4], "{answers:?}");
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
    let allowed = || Result::Ok(server().allow(range("192.0.2.0/24")?));
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
    until(|| pool.stats().closed_total > 0).await?;
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
    assert!(answer_of(&mut fourth).await?.starts_with("HTTP/1.1 429 "));
    assert_eq!(pool.stats().turned_away_total, 1);
    drop(silent);
    until(|| pool.stats().handshakes == 0).await?;
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
    until(|| refused.last_dial_error().is_some()).await?;
    let error = refused.last_dial_error().ok_or("it was refused")?;
    let is_401 = matches!(&*error, DialError::Upgrade(UpgradeError::Rejected { status: 401 }));
    assert!(is_401, "{error:?}");

    let error = with("se cret").connect().err().ok_or("it is no token")?;
    assert!(error.to_string().starts_with("bearer_token is a text of 7 bytes"), "{error}");
    Ok(())
}
