//! What a server does about too much of something, over real sockets.

mod support;

use std::time::Duration;

use npws_driver::{
    AcceptError, AddressLimitsConfig, ConfigError, HeadLimits, OriginPolicy, Rejection, ServerTls, TlsError,
};
use support::{Result, WAIT, bind, dial, open, request, server, status, until, upgrade};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

fn at_most(handshakes: usize) -> AddressLimitsConfig {
    AddressLimitsConfig { max_handshakes: Some(handshakes), ..AddressLimitsConfig::default() }
}

#[tokio::test]
async fn a_handshake_too_many_is_answered_503_where_that_can_be_heard() -> Result {
    let pool = bind(server().limits(at_most(3))).await?;
    let mut silent = Vec::new();
    for _ in 0..3 {
        silent.push(dial(&pool).await?);
    }
    until(|| pool.stats().handshakes == 3).await?;
    for _ in 0..5 {
        let (_socket, answer) = upgrade(&pool, "/", &[]).await?;
        assert!(answer.starts_with("HTTP/1.1 503 Service Unavailable\r\n"), "{answer}");
        assert!(answer.ends_with("\r\n\r\nService Unavailable\n"), "{answer}");
    }
    assert_eq!((pool.stats().turned_away_total, pool.stats().handshakes), (5, 3));
    let error = pool.last_accept_error().ok_or("it is told")?;
    assert!(matches!(&*error, AcceptError::TurnedAway(Rejection::Full)), "{error}");
    drop(silent);
    until(|| pool.stats().handshakes == 0).await?;
    open(&pool, &[]).await?;
    Ok(())
}

#[tokio::test]
async fn under_tls_a_handshake_too_many_is_closed_at_once() -> Result {
    let pool = bind(server().tls(ServerTls::self_signed(["localhost"])?).limits(at_most(1))).await?;
    let _silent = dial(&pool).await?;
    until(|| pool.stats().handshakes == 1).await?;
    let mut socket = dial(&pool).await?;
    assert_eq!(timeout(WAIT, socket.read(&mut [0; 16])).await?.unwrap_or(0), 0);
    assert_eq!(pool.stats().turned_away_total, 1);
    Ok(())
}

#[tokio::test]
async fn the_size_of_a_head_and_the_number_of_its_fields_are_what_was_asked_for() -> Result {
    let limits = HeadLimits { max_bytes: 1024, max_fields: 8 };
    let pool = bind(server().head_limits(limits)).await?;
    let padded = |length: usize| format!("X-Padding: {}", "x".repeat(length - request("/", &["X-Padding: "]).len()));
    assert_eq!(request("/", &[&padded(1024)]).len(), 1024);
    assert_eq!(status(&pool, "/", &[&padded(1024)]).await?, 101);
    assert_eq!(status(&pool, "/", &[&padded(1025)]).await?, 431);
    assert_eq!(status(&pool, "/", &["A: 1", "B: 2", "C: 3"]).await?, 101, "five are there already");
    assert_eq!(status(&pool, "/", &["A: 1", "B: 2", "C: 3", "D: 4"]).await?, 431);

    pool.set_head_limits(HeadLimits { max_bytes: 32 * 1024, max_fields: 200 })?;
    let many: Vec<_> = (0..190).map(|number| format!("X-Field-{number}: {}", "x".repeat(100))).collect();
    let many: Vec<_> = many.iter().map(String::as_str).collect();
    assert_eq!(status(&pool, "/", &many).await?, 101);
    let error = pool.set_head_limits(HeadLimits { max_fields: 1, ..limits }).unwrap_err();
    assert_eq!(error.to_string(), "max_fields is 1, accepted is 5 to 4096");
    assert_eq!(status(&pool, "/", &many).await?, 101, "it goes on as before");

    let error = server().head_limits(HeadLimits { max_bytes: 10, max_fields: 8 }).bind("127.0.0.1:0").await;
    assert!(error.is_err_and(|error| error.to_string().starts_with("max_bytes is 10, accepted is 256 to ")));
    Ok(())
}

#[tokio::test]
async fn limits_and_origins_change_while_the_pool_runs_and_who_is_in_stays() -> Result {
    let pool = bind(server()).await?;
    let _first = open(&pool, &[]).await?;
    let _second = open(&pool, &["Origin: https://app.example"]).await?;
    let two = AddressLimitsConfig { max_connections_per_address: Some(2), ..AddressLimitsConfig::default() };
    pool.set_limits(two.clone())?;
    assert_eq!(status(&pool, "/", &[]).await?, 429, "those of before count");
    let refused: ConfigError = pool.set_limits(at_most(0)).unwrap_err();
    assert_eq!(refused.field(), "max_handshakes");
    assert_eq!(status(&pool, "/", &[]).await?, 429, "it goes on as before");
    let (_id, _taken) = pool.take_next(WAIT).await?;
    pool.set_origins(OriginPolicy::NoBrowsers);
    assert_eq!(status(&pool, "/", &["Origin: https://app.example"]).await?, 403);
    let _third = open(&pool, &[]).await?;
    assert_eq!((pool.active(), pool.stats().closed_total), (2, 0));
    Ok(())
}

#[tokio::test]
async fn what_came_of_the_last_handshake_that_failed_is_told() -> Result {
    let pool = bind(server().path("/pool").handshake_timeout(Duration::from_millis(200))).await?;
    assert!(pool.last_accept_error().is_none());
    let told = |expected: &str| pool.last_accept_error().is_some_and(|error| error.to_string() == expected);
    assert_eq!(status(&pool, "/", &[]).await?, 404);
    until(|| told("the request was answered with 404 Not Found")).await?;
    drop(dial(&pool).await?);
    until(|| told("the connection was lost during the handshake: unexpected end of file")).await?;
    let _silent = dial(&pool).await?;
    until(|| told("the handshake took too long")).await?;

    let pool = bind(server().tls(ServerTls::self_signed(["localhost"])?)).await?;
    let mut stranger = dial(&pool).await?;
    stranger.write_all(b"nothing that is TLS\r\n\r\n").await?;
    until(|| pool.last_accept_error().is_some_and(|error| matches!(&*error, AcceptError::Tls(TlsError::Other(_)))))
        .await?;
    Ok(())
}

/// A binary frame as a client sends it, under the mask of all zeros.
fn frame(is_last: bool, opcode: u8, payload: &[u8]) -> Vec<u8> {
    let length = (payload.len() as u16).to_be_bytes();
    [&[u8::from(is_last) << 7 | opcode, 0x80 | 126], &length[..], &[0; 4], payload].concat()
}

#[tokio::test]
async fn frames_have_a_limit_apart_from_that_of_messages() -> Result {
    let pool = bind(server().max_message_size(10_000).max_frame_size(1000)).await?;
    let mut good = open(&pool, &[]).await?;
    let message: Vec<u8> =
        (0..9).flat_map(|part| frame(part == 8, if part == 0 { 2 } else { 0 }, &[7; 1000])).collect();
    good.write_all(&message).await?;
    let (_id, mut connection) = pool.accept(WAIT).await?;
    let mut read = [0; 9000];
    timeout(WAIT, connection.read_exact(&mut read)).await??;
    assert_eq!(read, [7; 9000]);

    let too_long = frame(true, 2, &[7; 1001]);
    let too_many: Vec<u8> =
        (0..11).flat_map(|part| frame(part == 10, if part == 0 { 2 } else { 0 }, &[7; 1000])).collect();
    for refused in [too_long, too_many] {
        let mut socket = open(&pool, &[]).await?;
        socket.write_all(&refused).await?;
        let mut close = [0; 4];
        timeout(WAIT, socket.read_exact(&mut close)).await??;
        assert_eq!(close, [0x88, 2, 0x03, 0xf1], "a close frame with 1009");
    }
    let error = server().max_message_size(10_000).max_frame_size(10_001).bind("127.0.0.1:0").await;
    let expected = "max_frame_size is 10001, accepted is 125 to the max_message_size of 10000";
    assert!(error.is_err_and(|error| error.to_string() == expected));
    let error = server().early_data_total(4095).bind("127.0.0.1:0").await;
    assert!(error.is_err_and(|error| error.to_string() == "early_data_total is 4095, accepted is 4096 to 4294967295"));
    Ok(())
}
