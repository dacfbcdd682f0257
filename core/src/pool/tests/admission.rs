//! Tokens, origins, proxies and limits at the door of a server.

use core::net::IpAddr;

use super::*;
use crate::{AddressLimitsConfig, AllowList, ForwardedHeader, HandshakeRate, IpRange, OriginPolicy, Rejection, Tokens};

const A: &str = "192.0.2.1";
const B: &str = "198.51.100.1";
const PROXY: &str = "10.0.0.1";

type Fields = [(&'static str, &'static [u8])];
const TOKEN: &Fields = &[("authorization", b"Bearer secret")];

fn ip(text: &str) -> Option<IpAddr> {
    Some(text.parse().unwrap())
}

fn list(ranges: &[&str]) -> AllowList {
    ranges.iter().map(|range| range.parse::<IpRange>().unwrap()).collect()
}

fn tokens(tokens: &[&str]) -> Option<Tokens> {
    Some(Tokens::new(tokens).unwrap())
}

/// Asks and, if it is let in, is registered with a v1 peer's payload 0.
fn ask(pool: &mut Server, address: &str, head: RequestHead<'_>) -> Result<ConnectionKey, Rejection> {
    let accept = pool.handle_incoming(at(0), ip(address)).expect("there are not too many");
    let answer = pool.handle_request(at(0), accept, head);
    let key = match answer {
        Ok(_) => Ok(pool.handle_accepted(at(0), accept, V1, 0).expect("it was let in")),
        Err(rejection) => {
            pool.handle_accept_failed(at(0), accept);
            Err(rejection)
        }
    };
    pool.assert_consistent();
    key
}

fn knock(pool: &mut Server, address: &str) -> Result<ConnectionKey, Rejection> {
    ask(pool, address, "/".into())
}

fn limited(limits: AddressLimitsConfig) -> Server {
    server_with(ServerConfig { capacity: 64, limits, ..ServerConfig::default() })
}

#[test]
fn what_is_wrong_is_told_in_an_order_that_gives_nothing_away() {
    let mut pool = server_with(ServerConfig {
        path: Some("/pool".into()),
        allow: Some(list(&["192.0.2.0/24", "10.0.0.1"])),
        tokens: tokens(&["secret"]),
        origins: OriginPolicy::NoBrowsers,
        limits: AddressLimitsConfig { max_connections_per_address: Some(1), ..AddressLimitsConfig::default() },
        proxies: Some((list(&[PROXY]), ForwardedHeader::XForwardedFor)),
        ..ServerConfig::default()
    });
    let forwarded = |value: &'static [u8]| [("X-Forwarded-For", value)];
    let with_origin = [TOKEN[0], ("Origin", b"https://app.example")];
    let (other, pool_path) = (RequestHead::from("/other"), RequestHead::from("/pool"));
    let no_upgrade = Err(Rejection::UpgradeRequired);
    let mut steps = [
        (PROXY, other.with_fields(&forwarded(b"nonsense")), Rejection::Malformed),
        (PROXY, other.with_fields(&forwarded(b"198.51.100.1")), Rejection::Forbidden),
        (B, RequestHead::unreadable(Rejection::HeadTooLarge), Rejection::Forbidden),
        (A, RequestHead::unreadable(Rejection::HeadTooLarge), Rejection::HeadTooLarge),
        (A, other.with_upgrade(no_upgrade), Rejection::NotFound),
        (A, pool_path.with_upgrade(no_upgrade), Rejection::Unauthorized),
        (A, pool_path.with_upgrade(no_upgrade).with_fields(&with_origin), Rejection::Forbidden),
        (A, pool_path.with_upgrade(no_upgrade).with_fields(TOKEN), Rejection::UpgradeRequired),
    ]
    .into_iter()
    .map(|(address, head, expected)| (ask(&mut pool, address, head), expected))
    .collect::<Vec<_>>();
    assert!(ask(&mut pool, A, pool_path.with_fields(TOKEN)).unwrap().id().is_control(), "none of them cost an ID");
    steps.push((ask(&mut pool, A, pool_path.with_fields(TOKEN)), Rejection::TooMany));
    steps.push((ask(&mut pool, "192.0.2.2", pool_path.with_fields(TOKEN)), Rejection::Full));
    for (number, (answer, expected)) in steps.into_iter().enumerate() {
        assert_eq!(answer, Err(expected), "step {number}");
    }
    assert_eq!(pool.stats().rejected_total, 10);
}

#[test]
fn an_address_keeps_its_place_until_its_connection_is_taken_or_closed() {
    let limits = AddressLimitsConfig { max_connections_per_address: Some(2), ..AddressLimitsConfig::default() };
    let mut pool = limited(limits);
    let first = knock(&mut pool, A).unwrap();
    let second = knock(&mut pool, "::ffff:192.0.2.1").unwrap();
    assert_eq!(knock(&mut pool, A), Err(Rejection::TooMany));
    knock(&mut pool, B).unwrap();
    pool.handle_closed(at(0), first, DIED);
    let third = knock(&mut pool, A).unwrap();
    assert_eq!(knock(&mut pool, A), Err(Rejection::TooMany));
    assert_eq!(try_id(&mut pool, at(0), u32::from_be_bytes(second.id().to_bytes())), Ok(0));
    pool.handle_claimed(at(0), third);
    knock(&mut pool, A).unwrap();
    assert_eq!(knock(&mut pool, A), Err(Rejection::TooMany), "what the peer took is still here");
    pool.flush(at(0));
    knock(&mut pool, A).unwrap();
    knock(&mut pool, A).unwrap();
    assert_eq!(knock(&mut pool, A), Err(Rejection::TooMany));
}

#[test]
fn a_handshake_that_fails_or_is_given_up_gives_its_place_back() {
    let limits = AddressLimitsConfig { max_connections_per_address: Some(1), ..AddressLimitsConfig::default() };
    let mut pool = limited(limits);
    let begin = |pool: &mut Server, now| {
        let accept = pool.handle_incoming(now, ip(A)).unwrap();
        (accept, pool.handle_request(now, accept, "/").map(|admitted| admitted.id))
    };
    let (failing, admitted) = begin(&mut pool, at(0));
    assert!(admitted.is_ok());
    assert_eq!(begin(&mut pool, at(0)).1, Err(Rejection::TooMany));
    pool.handle_accept_failed(at(0), failing);
    let (late, admitted) = begin(&mut pool, at(0));
    assert!(admitted.is_ok());
    pool.handle_timeout(at(10_000));
    assert!(pool.handle_accepted(at(10_000), late, V1, 0).is_none());
    assert!(begin(&mut pool, at(10_000)).1.is_ok());
    pool.assert_consistent();
}

#[test]
fn a_full_pool_takes_no_place_of_an_address() {
    let limits = AddressLimitsConfig { max_connections_per_address: Some(1), ..AddressLimitsConfig::default() };
    let mut pool = server_with(ServerConfig { limits, ..ServerConfig::default() });
    knock(&mut pool, B).unwrap();
    for _ in 0..3 {
        let accept = pool.handle_incoming(at(0), ip(A)).unwrap();
        assert_eq!(pool.handle_request(at(0), accept, "/"), Err(Rejection::Full), "while the others are answered");
    }
    assert_eq!(try_next(&mut pool, at(0)), Ok(0));
    knock(&mut pool, A).unwrap();
}

#[test]
fn addresses_that_nothing_limits_are_not_remembered() {
    let mut pool = limited(AddressLimitsConfig { max_addresses: 1, ..AddressLimitsConfig::default() });
    for address in [A, B, PROXY] {
        knock(&mut pool, address).unwrap();
    }
}

#[test]
fn handshakes_that_come_too_fast_are_told_429() {
    let handshake_rate = Some(HandshakeRate { burst: 2, refill: ms(100) });
    let mut pool = limited(AddressLimitsConfig { handshake_rate, ..AddressLimitsConfig::default() });
    knock(&mut pool, A).unwrap();
    knock(&mut pool, A).unwrap();
    assert_eq!(knock(&mut pool, A), Err(Rejection::TooMany));
    knock(&mut pool, B).unwrap();
    let accept = pool.handle_incoming(at(100), ip(A)).unwrap();
    assert!(pool.handle_request(at(100), accept, "/").is_ok());
}

#[test]
fn who_guesses_tokens_is_told_429_before_they_are_compared() {
    let limits = AddressLimitsConfig {
        handshake_rate: Some(HandshakeRate { burst: 2, refill: ms(100) }),
        max_connections_per_address: Some(2),
        ..AddressLimitsConfig::default()
    };
    let config = ServerConfig { capacity: 64, tokens: tokens(&["secret"]), limits, ..ServerConfig::default() };
    let mut pool = server_with(config);
    let wrong = [("authorization", &b"Bearer guess"[..])];
    for expected in [Rejection::Unauthorized, Rejection::Unauthorized, Rejection::TooMany] {
        assert_eq!(ask(&mut pool, A, RequestHead::from("/").with_fields(&wrong)), Err(expected));
    }
    let right = RequestHead::from("/").with_fields(TOKEN);
    assert_eq!(ask(&mut pool, A, right), Err(Rejection::TooMany), "nor does the right one tell that it is");
    ask(&mut pool, B, right).unwrap();
    // What was turned away holds no place of its address, not even while it is being told.
    let accept = pool.handle_incoming(at(200), ip(A)).unwrap();
    assert_eq!(pool.handle_request(at(200), accept, "/"), Err(Rejection::Unauthorized));
    let accept = pool.handle_incoming(at(300), ip(A)).unwrap();
    assert!(pool.handle_request(at(300), accept, right).is_ok());
    pool.assert_consistent();
}

#[test]
fn silent_handshakes_are_limited_in_total_and_from_one_address() {
    let limits = AddressLimitsConfig {
        max_handshakes: Some(4),
        max_handshakes_per_address: Some(2),
        ..AddressLimitsConfig::default()
    };
    let mut pool = limited(limits);
    let silent = [A, A].map(|address| pool.handle_incoming(at(0), ip(address)).unwrap());
    assert_eq!(pool.handle_incoming(at(0), ip(A)), Err(Rejection::TooMany));
    for _ in 0..3 {
        knock(&mut pool, B).unwrap();
    }
    for _ in 0..2 {
        assert!(pool.handle_incoming(at(0), None).is_ok());
    }
    assert_eq!(pool.handle_incoming(at(0), ip(B)), Err(Rejection::Full), "there are four");
    assert_eq!(pool.stats().turned_away_total, 2);
    pool.handle_accept_failed(at(0), silent[0]);
    assert!(pool.handle_incoming(at(0), ip(A)).is_ok());
    pool.handle_timeout(at(10_000));
    assert_eq!(pool.stats().handshakes, 0);
    knock(&mut pool, A).unwrap();
    pool.close(at(10_000));
    pool.assert_consistent();
}

#[test]
fn behind_a_proxy_it_is_the_client_that_counts() {
    let mut pool = server_with(ServerConfig {
        capacity: 64,
        allow: Some(list(&["192.0.2.0/24"])),
        limits: AddressLimitsConfig {
            max_handshakes_per_address: Some(1),
            max_connections_per_address: Some(1),
            ..AddressLimitsConfig::default()
        },
        proxies: Some((list(&["10.0.0.0/8"]), ForwardedHeader::XForwardedFor)),
        ..ServerConfig::default()
    });
    let from = |pool: &mut Server, socket: &str, value: &[u8]| {
        ask(pool, socket, RequestHead::from("/").with_fields(&[("x-forwarded-for", value)])).map(|_| ())
    };
    // Handshakes of a proxy are not one client's.
    let silent = [(); 3].map(|()| pool.handle_incoming(at(0), ip(PROXY)));
    assert!(silent.iter().all(Result::is_ok));
    assert_eq!(from(&mut pool, PROXY, b"192.0.2.1"), Ok(()));
    assert_eq!(from(&mut pool, PROXY, b"192.0.2.1"), Err(Rejection::TooMany));
    assert_eq!(from(&mut pool, PROXY, b"192.0.2.7, 10.3.2.1"), Ok(()));
    assert_eq!(from(&mut pool, PROXY, b"192.0.2.8, 198.51.100.1"), Err(Rejection::Forbidden), "the last one counts");
    assert_eq!(from(&mut pool, B, b"192.0.2.9"), Err(Rejection::Forbidden), "who is not trusted is not believed");
    assert_eq!(from(&mut pool, "192.0.2.10", b"198.51.100.1"), Ok(()), "nor against itself");
    assert_eq!(knock(&mut pool, PROXY), Err(Rejection::Forbidden), "the proxy for itself");
}

#[test]
fn tokens_and_addresses_change_while_the_pool_runs_and_who_is_in_stays() {
    let mut pool = server_with(ServerConfig { capacity: 64, tokens: tokens(&["secret"]), ..ServerConfig::default() });
    let with = |value| [("Authorization", value)];
    let (old, new) = (with(&b"Bearer secret"[..]), with(b"Bearer better"));
    let try_both = |pool: &mut Server| {
        [&old, &new].map(|fields| ask(pool, A, RequestHead::from("/").with_fields(fields)).map(|_| ()))
    };
    assert_eq!(try_both(&mut pool), [Ok(()), Err(Rejection::Unauthorized)]);
    pool.set_tokens(tokens(&["secret", "better"]));
    assert_eq!(try_both(&mut pool), [Ok(()), Ok(())]);
    pool.set_tokens(tokens(&["better"]));
    assert_eq!(try_both(&mut pool), [Err(Rejection::Unauthorized), Ok(())]);
    pool.set_tokens(Some(Tokens::default()));
    assert_eq!(try_both(&mut pool), [Err(Rejection::Unauthorized); 2]);
    pool.set_tokens(None);
    pool.set_allow(Some(list(&["198.51.100.0/24"])));
    assert_eq!((knock(&mut pool, A), knock(&mut pool, B).is_ok()), (Err(Rejection::Forbidden), true));
    pool.set_allow(None);
    assert!(knock(&mut pool, A).is_ok());
    assert_eq!((pool.active(), pool.stats().closed_total), (6, 0));
}

#[test]
fn a_subprotocol_that_was_offered_is_answered() {
    let mut pool = server_with(ServerConfig { capacity: 64, tokens: tokens(&["secret"]), ..ServerConfig::default() });
    let mut offer = |value: &[u8]| {
        let accept = pool.handle_incoming(at(0), None).unwrap();
        let fields = [("Sec-WebSocket-Protocol", value)];
        let answer = pool.handle_request(at(0), accept, RequestHead::from("/").with_fields(&fields));
        answer.map(|admitted| admitted.subprotocol)
    };
    assert_eq!(offer(b"npws, npws.bearer.secret"), Ok(Some("npws")), "and not the one that holds the token");
    assert_eq!(offer(b"npws.bearer.secret"), Ok(None));
    assert_eq!(offer(b"npws"), Err(Rejection::Unauthorized));
    assert_eq!(offer(b"npws, npws.bearer.wrong"), Err(Rejection::Unauthorized));
}

#[test]
fn origins_and_proxies_change_while_the_pool_runs() {
    let mut pool = server_with(ServerConfig { capacity: 64, ..ServerConfig::default() });
    let browser = [("Origin", &b"https://app.example"[..]), ("X-Forwarded-For", A.as_bytes())];
    let head = RequestHead::from("/").with_fields(&browser);
    ask(&mut pool, PROXY, head).unwrap();
    pool.set_origins(OriginPolicy::NoBrowsers);
    assert_eq!(ask(&mut pool, PROXY, head), Err(Rejection::Forbidden));
    pool.set_origins(OriginPolicy::Any);
    pool.set_allow(Some(list(&[A])));
    assert_eq!(ask(&mut pool, PROXY, head), Err(Rejection::Forbidden));
    let trusting = |ranges: &[&str]| Some((list(ranges), ForwardedHeader::XForwardedFor));
    pool.set_proxies(trusting(&[PROXY])).unwrap();
    ask(&mut pool, PROXY, head).unwrap();
    assert_eq!(pool.set_proxies(trusting(&[])).unwrap_err().field(), "proxies");
    ask(&mut pool, PROXY, head).unwrap();
    pool.set_proxies(None).unwrap();
    assert_eq!(ask(&mut pool, PROXY, head), Err(Rejection::Forbidden));
    assert_eq!((pool.active(), pool.stats().closed_total), (3, 0), "who is in stays");
}

#[test]
fn new_limits_count_what_is_there() {
    let mut pool = server_with(ServerConfig { capacity: 64, ..ServerConfig::default() });
    let first = knock(&mut pool, A).unwrap();
    knock(&mut pool, A).unwrap();
    let answering = pool.handle_incoming(at(0), ip(B)).unwrap();
    assert!(pool.handle_request(at(0), answering, "/").is_ok());
    let none = AddressLimitsConfig::default();
    let two = AddressLimitsConfig { max_connections_per_address: Some(2), ..none.clone() };
    assert!(pool.set_limits(at(0), AddressLimitsConfig { max_addresses: 0, ..none.clone() }).is_err());
    pool.set_limits(at(0), two.clone()).unwrap();
    pool.assert_consistent();
    assert_eq!(knock(&mut pool, A), Err(Rejection::TooMany), "both of before count");
    knock(&mut pool, B).unwrap();
    assert_eq!(knock(&mut pool, B), Err(Rejection::TooMany), "so does a handshake");
    assert!(pool.handle_accepted(at(0), answering, V1, 0).is_some());
    assert_eq!(knock(&mut pool, B), Err(Rejection::TooMany), "and once only");
    pool.handle_closed(at(0), first, DIED);
    let third = knock(&mut pool, A).unwrap();
    pool.set_limits(at(0), none).unwrap();
    knock(&mut pool, A).unwrap();
    pool.handle_closed(at(0), third, DIED);
    pool.set_limits(at(0), two).unwrap();
    assert_eq!(knock(&mut pool, A), Err(Rejection::TooMany), "what came and went without limits counts as well");
    pool.flush(at(0));
    knock(&mut pool, A).unwrap();
    pool.assert_consistent();
}

#[test]
fn a_rate_that_is_used_up_stays_so_under_new_limits() {
    let rate = |burst| AddressLimitsConfig {
        handshake_rate: Some(HandshakeRate { burst, refill: ms(100) }),
        ..AddressLimitsConfig::default()
    };
    let mut pool = limited(rate(8));
    for _ in 0..8 {
        knock(&mut pool, A).unwrap();
    }
    pool.set_limits(at(0), rate(2)).unwrap();
    assert_eq!(knock(&mut pool, A), Err(Rejection::TooMany));
    let accept = pool.handle_incoming(at(100), ip(A)).unwrap();
    assert!(pool.handle_request(at(100), accept, "/").is_ok(), "it does not pay for more than the new burst");
    assert_eq!(knock(&mut pool, A), Err(Rejection::TooMany));
}

#[test]
fn who_is_turned_away_under_new_limits_counts_until_its_handshake_ends() {
    let rate = HandshakeRate { burst: 8, refill: ms(100) };
    let mut pool = server_with(ServerConfig { capacity: 1, ..ServerConfig::default() });
    knock(&mut pool, A).unwrap();
    let accepts: Vec<_> = (0..3).map(|_| pool.handle_incoming(at(0), ip(B)).unwrap()).collect();
    let one =
        AddressLimitsConfig { max_handshakes: Some(1), handshake_rate: Some(rate), ..AddressLimitsConfig::default() };
    pool.set_limits(at(0), one).unwrap();
    assert_eq!(pool.handle_request(at(0), accepts[0], "/"), Err(Rejection::Full));
    pool.assert_consistent();
    for accept in accepts {
        assert_eq!(pool.handle_incoming(at(0), ip(B)), Err(Rejection::Full), "more than one are under way");
        pool.handle_accept_failed(at(0), accept);
        pool.assert_consistent();
    }
    assert!(pool.handle_incoming(at(0), ip(B)).is_ok());
}

#[test]
fn who_began_before_there_was_a_limit_of_an_address_counts_towards_it() {
    let mut pool = server_with(ServerConfig::default());
    let silent = [(); 2].map(|()| pool.handle_incoming(at(0), ip(A)).unwrap());
    let two = AddressLimitsConfig { max_handshakes_per_address: Some(2), ..AddressLimitsConfig::default() };
    pool.set_limits(at(0), two).unwrap();
    assert_eq!(pool.handle_incoming(at(0), ip(A)), Err(Rejection::TooMany));
    assert!(pool.handle_incoming(at(0), ip(B)).is_ok());
    pool.handle_accept_failed(at(0), silent[0]);
    assert!(pool.handle_incoming(at(0), ip(A)).is_ok());
}
