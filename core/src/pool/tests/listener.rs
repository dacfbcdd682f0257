//! What a listener for several pools does before a pool has a handshake.

use super::*;
use core::net::IpAddr;

use crate::{AllowList, IpRange, ProxyProtocol, ProxyRule, Rejection};

const PATIENCE: Duration = Duration::from_secs(10);

fn listener(config: ListenerConfig) -> Listener<&'static str> {
    let mut listener = Listener::new(ListenerConfig { handshake_timeout: PATIENCE, ..config }, 7).unwrap();
    listener.add(Some("/blue"), "blue").unwrap();
    listener
}

fn aborted(listener: &mut Listener<&'static str>) -> Vec<AcceptId> {
    let mut aborted = Vec::new();
    while let Some(output) = listener.poll_output() {
        if let Output::AbortAccept(accept) = output {
            aborted.push(accept);
        }
    }
    aborted
}

#[test]
fn each_path_has_its_pool_and_what_is_left_goes_to_the_pool_without_one() {
    let mut listener = listener(ListenerConfig::default());
    listener.add(Some("/green"), "green").unwrap();
    assert_eq!(listener.pool_for(&"/blue".into()), Ok(&"blue"));
    assert_eq!(listener.pool_for(&"/green".into()), Ok(&"green"));
    for path in ["/", "/blue/", "/Blue", "/bl", ""] {
        assert_eq!(listener.pool_for(&path.into()), Err(Rejection::NotFound), "{path}");
    }
    listener.add(None, "any").unwrap();
    assert_eq!(listener.pool_for(&"/".into()), Ok(&"any"));
    assert_eq!(listener.pool_for(&"/blue".into()), Ok(&"blue"));
    assert_eq!(listener.add(Some("/blue"), "indigo").unwrap(), Some("blue"));
    listener.remove(|pool| *pool == "blue");
    assert_eq!(listener.pool_for(&"/blue".into()), Ok(&"indigo"), "who was replaced removes nobody");
    listener.remove(|pool| *pool == "indigo");
    assert_eq!(listener.pool_for(&"/blue".into()), Ok(&"any"));
}

#[test]
fn an_upgrade_in_bad_form_is_for_the_pool_to_judge_and_an_unreadable_head_is_not() {
    let listener = listener(ListenerConfig::default());
    let blue = RequestHead::from("/blue").with_upgrade(Err(Rejection::UpgradeRequired));
    assert_eq!(listener.pool_for(&blue), Ok(&"blue"));
    let unreadable = RequestHead::unreadable(Rejection::Malformed);
    assert_eq!(listener.pool_for(&unreadable), Err(Rejection::Malformed));
}

#[test]
fn each_phase_has_its_deadline_and_what_a_pool_has_has_none_here() {
    let mut listener = listener(ListenerConfig::default());
    let silent = listener.handle_incoming(at(0), None).unwrap();
    let secured = listener.handle_incoming(at(0), None).unwrap();
    let rejected = listener.handle_incoming(at(0), None).unwrap();
    let passed_on = listener.handle_incoming(at(0), None).unwrap();
    let begin = at(0) + PATIENCE / 2;
    listener.handle_secured(begin, secured);
    assert!(listener.handle_routed(begin, rejected, Err(Rejection::NotFound)));
    assert!(listener.handle_routed(begin, passed_on, Ok(())));
    listener.handle_timeout(at(0) + PATIENCE);
    assert_eq!(aborted(&mut listener), [silent]);
    listener.handle_timeout(begin + PATIENCE);
    assert_eq!(aborted(&mut listener), [secured, rejected]);
    let stats = listener.stats();
    assert_eq!((stats.handshakes, stats.accepted_total, stats.passed_on_total), (0, 4, 1));
    assert_eq!((stats.accept_failures, stats.rejected_total), (2, 1));
    assert_eq!(listener.poll_timeout(), None);
}

#[test]
fn what_was_given_up_goes_to_no_pool() {
    let mut listener = listener(ListenerConfig::default());
    let late = listener.handle_incoming(at(0), None).unwrap();
    listener.handle_timeout(at(0) + PATIENCE);
    assert!(!listener.handle_routed(at(0) + PATIENCE, late, Ok(())));
    let twice = listener.handle_incoming(at(0), None).unwrap();
    assert!(listener.handle_routed(at(0), twice, Err(Rejection::NotFound)));
    assert!(!listener.handle_routed(at(0), twice, Ok(())));
    assert_eq!(listener.stats().passed_on_total, 0);
}

#[test]
fn handshakes_are_limited_in_total_and_from_one_address_but_for_proxies() {
    let one: Option<IpAddr> = "192.0.2.1".parse().ok();
    let other: Option<IpAddr> = "192.0.2.2".parse().ok();
    let proxy: Option<IpAddr> = "10.0.0.1".parse().ok();
    let mut listener = listener(ListenerConfig {
        max_handshakes: Some(5),
        max_handshakes_per_address: Some(1),
        trusted: AllowList::from(["10.0.0.0/8".parse::<IpRange>().unwrap()]),
        ..ListenerConfig::default()
    });
    let first = listener.handle_incoming(at(0), one).unwrap();
    assert_eq!(listener.handle_incoming(at(0), one), Err(Rejection::TooMany));
    assert!(listener.handle_incoming(at(0), other).is_ok());
    for _ in 0..3 {
        assert!(listener.handle_incoming(at(0), proxy).is_ok());
    }
    assert_eq!(listener.handle_incoming(at(0), proxy), Err(Rejection::Full), "they count in total");
    assert!(listener.handle_routed(at(0), first, Ok(())), "from now on its pool counts it");
    assert!(listener.handle_incoming(at(0), one).is_ok());
    assert_eq!(listener.stats().turned_away_total, 2);
}

#[test]
fn a_closed_listener_gives_up_what_no_pool_has_and_takes_no_more() {
    let mut listener = listener(ListenerConfig::default());
    let accept = listener.handle_incoming(at(0), None).unwrap();
    listener.close();
    assert!(matches!(listener.poll_output(), Some(Output::StopListening)));
    assert_eq!(aborted(&mut listener), [accept]);
    assert_eq!(listener.handle_incoming(at(0), None), Err(Rejection::Full));
    listener.close();
    assert!(listener.poll_output().is_none());
}

#[test]
fn the_pause_after_a_failure_grows_until_one_succeeds() {
    let mut listener = listener(ListenerConfig::default());
    let first = listener.handle_listener_failure(at(0));
    let third = [(); 2].map(|()| listener.handle_listener_failure(at(0)))[1];
    assert!(third > first);
    let _accept = listener.handle_incoming(at(0), None);
    assert!(listener.handle_listener_failure(at(0)) < third);
    assert_eq!(listener.stats().listener_failures, 4);
}

#[test]
fn a_proxy_header_says_from_where_a_handshake_counts() {
    let proxy: IpAddr = "10.0.0.1".parse().unwrap();
    let source: IpAddr = "192.0.2.1".parse().unwrap();
    let mut listener = listener(ListenerConfig {
        max_handshakes_per_address: Some(2),
        proxy_protocol: Some(ProxyProtocol::required([proxy])),
        ..ListenerConfig::default()
    });
    let [first, second, third] = [(); 3].map(|()| listener.handle_incoming(at(0), Some(proxy)).unwrap());
    assert_eq!(listener.proxy_rule(first), ProxyRule::Required);
    assert_eq!(listener.handle_proxied(at(0), first, source), Ok(()));
    assert_eq!(listener.handle_proxied(at(0), second, source), Ok(()));
    assert_eq!(listener.handle_proxied(at(0), third, source), Err(Rejection::TooMany));
    listener.handle_accept_failed(third);
    assert!(listener.handle_routed(at(0), first, Ok(())));
    let fourth = listener.handle_incoming(at(0), Some(proxy)).unwrap();
    assert_eq!(listener.handle_proxied(at(0), fourth, source), Ok(()), "the first is gone from here");
}
