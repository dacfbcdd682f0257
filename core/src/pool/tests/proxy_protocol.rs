//! Handshakes whose peer is named by a PROXY header.

use core::net::IpAddr;

use super::*;
use crate::{AddressLimitsConfig, AllowList, ForwardedHeader, IpRange, ProxyProtocol, ProxyRule, Rejection};

const PROXY: &str = "10.0.0.1";
const A: &str = "192.0.2.1";
const B: &str = "198.51.100.1";

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn list(ranges: &[&str]) -> AllowList {
    ranges.iter().map(|range| range.parse::<IpRange>().unwrap()).collect()
}

fn behind_proxy(config: ServerConfig) -> Server {
    let proxy_protocol = Some(ProxyProtocol::required(list(&["10.0.0.0/8"])));
    server_with(ServerConfig { capacity: 64, proxy_protocol, ..config })
}

fn incoming(pool: &mut Server, socket: &str) -> AcceptId {
    pool.handle_incoming(at(0), Some(ip(socket))).expect("there are not too many")
}

/// A whole handshake through the proxy; `source` is `None` when the proxy speaks for itself.
fn through(pool: &mut Server, source: Option<&str>, head: RequestHead<'_>) -> Result<(), Rejection> {
    let accept = incoming(pool, PROXY);
    let named = source.map_or(Ok(()), |source| pool.handle_proxied(at(0), accept, ip(source)));
    let answer = named.and_then(|()| pool.handle_request(at(0), accept, head));
    match answer {
        Ok(_) => drop(pool.handle_accepted(at(0), accept, V1, 0).expect("it was let in")),
        Err(_) => pool.handle_accept_failed(at(0), accept),
    }
    pool.assert_consistent();
    answer.map(|_| ())
}

#[test]
fn the_address_that_is_named_is_the_one_that_is_allowed_and_limited() {
    let limits = AddressLimitsConfig { max_connections_per_address: Some(1), ..AddressLimitsConfig::default() };
    let allow = Some(list(&["192.0.2.0/24", PROXY]));
    let mut pool = behind_proxy(ServerConfig { allow, limits, ..ServerConfig::default() });
    assert_eq!(through(&mut pool, Some(B), "/".into()), Err(Rejection::Forbidden));
    assert_eq!(through(&mut pool, Some(A), "/".into()), Ok(()));
    assert_eq!(through(&mut pool, Some("::ffff:192.0.2.1"), "/".into()), Err(Rejection::TooMany), "it is the same");
    assert_eq!(through(&mut pool, Some("192.0.2.2"), "/".into()), Ok(()));
    assert_eq!(through(&mut pool, None, "/".into()), Ok(()), "the proxy for itself is allowed, and counts by itself");
    assert_eq!(through(&mut pool, None, "/".into()), Err(Rejection::TooMany));
}

#[test]
fn handshakes_through_a_proxy_are_limited_by_the_address_that_is_named() {
    let limits = AddressLimitsConfig { max_handshakes_per_address: Some(1), ..AddressLimitsConfig::default() };
    let mut pool = behind_proxy(ServerConfig { limits, ..ServerConfig::default() });
    // Before their headers they are nobody's in particular.
    let [first, second, third] = [(); 3].map(|()| incoming(&mut pool, PROXY));
    assert_eq!(pool.handle_proxied(at(0), first, ip(A)), Ok(()));
    assert_eq!(pool.handle_proxied(at(0), second, ip(A)), Err(Rejection::TooMany));
    assert_eq!(pool.handle_proxied(at(0), third, ip(B)), Ok(()));
    assert_eq!(pool.stats().turned_away_total, 1);
    assert_eq!(pool.handle_request(at(0), second, "/"), Err(Rejection::Full), "it had its answer");
    for accept in [second, first] {
        pool.handle_accept_failed(at(0), accept);
        pool.assert_consistent();
    }
    let again = incoming(&mut pool, PROXY);
    assert_eq!(pool.handle_proxied(at(0), again, ip(A)), Ok(()), "there is room again");
    assert_eq!(pool.handle_proxied(at(0), again, ip(B)), Err(Rejection::TooMany), "whatever it was before");
    let elsewhere = incoming(&mut pool, PROXY);
    assert_eq!(pool.handle_proxied(at(0), elsewhere, ip("192.0.2.9")), Ok(()));
    assert_eq!(pool.handle_proxied(at(0), elsewhere, ip("192.0.2.10")), Ok(()), "the last word counts");
    let there = incoming(&mut pool, PROXY);
    assert_eq!(pool.handle_proxied(at(0), there, ip("192.0.2.9")), Ok(()), "and gives the place before back");
    pool.handle_timeout(at(10_000));
    assert_eq!(pool.stats().handshakes, 0);
    assert_eq!(through(&mut pool, Some(B), "/".into()), Ok(()), "all are given back");
}

#[test]
fn a_header_does_not_put_the_deadline_off() {
    let mut pool = behind_proxy(ServerConfig { handshake_timeout: ms(100), ..ServerConfig::default() });
    let accept = incoming(&mut pool, PROXY);
    assert_eq!(pool.handle_proxied(at(90), accept, ip(A)), Ok(()));
    pool.handle_timeout(at(100));
    assert_eq!(pool.stats().handshakes, 0);
    assert_eq!(pool.handle_proxied(at(101), accept, ip(A)), Ok(()), "what comes late counts for nothing");
    pool.assert_consistent();
}

#[test]
fn a_forwarding_field_is_believed_by_the_address_that_is_named() {
    let proxies = Some((list(&["172.16.0.0/12"]), ForwardedHeader::XForwardedFor));
    let allow = Some(list(&[A]));
    let mut pool = behind_proxy(ServerConfig { allow, proxies, ..ServerConfig::default() });
    let field = [("x-forwarded-for", A.as_bytes())];
    let head = RequestHead::from("/").with_fields(&field);
    assert_eq!(through(&mut pool, Some("172.16.0.1"), head), Ok(()));
    assert_eq!(through(&mut pool, Some(B), head), Err(Rejection::Forbidden));
    assert_eq!(through(&mut pool, None, head), Err(Rejection::Forbidden), "the proxy in front is not that one");
}

#[test]
fn who_is_believed_changes_while_the_pool_runs() {
    let mut pool = server_with(ServerConfig { capacity: 64, ..ServerConfig::default() });
    let before = incoming(&mut pool, PROXY);
    assert_eq!(pool.proxy_rule(before), ProxyRule::Ignored);
    assert!(pool.handle_request(at(0), before, "/").is_ok());
    let key = pool.handle_accepted(at(0), before, V1, 0);
    pool.set_proxy_protocol(Some(ProxyProtocol::optional([ip(PROXY)]))).unwrap();
    for (socket, rule) in [(PROXY, ProxyRule::Optional), (A, ProxyRule::Forbidden)] {
        let accept = incoming(&mut pool, socket);
        assert_eq!(pool.proxy_rule(accept), rule, "{socket}");
    }
    let limits = AddressLimitsConfig { max_handshakes_per_address: Some(1), ..AddressLimitsConfig::default() };
    let mut limited = behind_proxy(ServerConfig { limits, ..ServerConfig::default() });
    let accept = incoming(&mut limited, PROXY);
    limited.set_proxy_protocol(None).unwrap();
    limited.handle_accept_failed(at(0), accept);
    let accept = incoming(&mut limited, PROXY);
    assert_eq!(limited.handle_incoming(at(0), Some(ip(PROXY))), Err(Rejection::TooMany), "it is one of many now");
    limited.handle_accept_failed(at(0), accept);
    assert!(limited.handle_incoming(at(0), Some(ip(PROXY))).is_ok());
    assert!(key.is_some() && pool.active() == 1, "who is in stays");
}
