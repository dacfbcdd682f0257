use core::time::Duration;

use super::*;
use crate::HandshakeRate;

mod model;

fn at(milliseconds: u64) -> Instant {
    Instant::from_epoch(Duration::from_millis(milliseconds))
}

fn address(text: &str) -> Option<IpAddr> {
    Some(text.parse().unwrap())
}

/// No limit but those that the test sets.
fn unlimited() -> AddressLimitsConfig {
    AddressLimitsConfig { max_handshakes: None, ..AddressLimitsConfig::default() }
}

fn limits(config: AddressLimitsConfig) -> AddressLimits {
    AddressLimits::new(config).unwrap()
}

/// `burst` at once, and one more every 100 ms.
fn with_rate(burst: u32, max_addresses: usize) -> AddressLimits {
    let rate = HandshakeRate { burst, refill: Duration::from_millis(100) };
    limits(AddressLimitsConfig { handshake_rate: Some(rate), max_addresses, ..unlimited() })
}

const A: &str = "192.0.2.1";
const B: &str = "192.0.2.2";
const C: &str = "192.0.2.3";

#[test]
fn handshakes_are_limited_in_total() {
    let mut limits = limits(AddressLimitsConfig { max_handshakes: Some(3), ..unlimited() });
    for peer in [address(A), address(B), None] {
        assert_eq!(limits.begin(at(0), peer), Ok(()));
    }
    for peer in [address(A), address(C), None] {
        assert_eq!(limits.begin(at(0), peer), Err(Limited::Handshakes));
    }
    limits.end_handshake(None);
    assert_eq!(limits.begin(at(0), address(C)), Ok(()));
    limits.connected(address(A));
    assert_eq!(limits.handshakes(), 2, "a connection is no handshake any more");
    assert_eq!(limits.begin(at(0), None), Ok(()));
}

#[test]
fn handshakes_are_limited_per_address_and_one_does_not_keep_others_out() {
    let mut limits = limits(AddressLimitsConfig { max_handshakes_per_address: Some(2), ..unlimited() });
    for answer in [Ok(()), Ok(()), Err(Limited::HandshakesOfAddress)] {
        assert_eq!(limits.begin(at(0), address(A)), answer);
        assert_eq!(limits.begin(at(0), address(B)), answer);
        assert_eq!(limits.begin(at(0), None), Ok(()), "without an address there is nothing to go by");
    }
    limits.end_handshake(address(A));
    assert_eq!(limits.begin(at(0), address(A)), Ok(()));
    assert_eq!(limits.begin(at(0), address(B)), Err(Limited::HandshakesOfAddress));
}

#[test]
fn handshakes_in_flight_count_towards_the_connections_of_an_address() {
    let mut limits = limits(AddressLimitsConfig { max_connections_per_address: Some(2), ..unlimited() });
    limits.begin(at(0), address(A)).unwrap();
    limits.begin(at(0), address(A)).unwrap();
    assert_eq!(limits.begin(at(0), address(A)), Err(Limited::ConnectionsOfAddress));
    limits.connected(address(A));
    limits.connected(address(A));
    assert_eq!(limits.begin(at(0), address(A)), Err(Limited::ConnectionsOfAddress));
    limits.disconnected(address(A));
    assert_eq!(limits.begin(at(0), address(A)), Ok(()));
}

#[test]
fn a_bucket_gives_its_burst_and_then_its_rate() {
    let mut limits = with_rate(3, 10);
    let mut granted = |now| {
        let mut count = 0;
        while limits.begin(at(now), address(A)).is_ok() {
            limits.end_handshake(address(A));
            count += 1;
        }
        count
    };
    assert_eq!([0, 99, 100, 150, 199, 200, 500, 100_000].map(&mut granted), [3, 0, 1, 0, 0, 1, 3, 3]);
}

#[test]
fn what_is_refused_costs_nothing() {
    let rate = Some(HandshakeRate { burst: 2, refill: Duration::from_millis(100) });
    let mut limits =
        limits(AddressLimitsConfig { max_handshakes_per_address: Some(1), handshake_rate: rate, ..unlimited() });
    limits.begin(at(0), address(A)).unwrap();
    for _ in 0..10 {
        assert_eq!(limits.begin(at(0), address(A)), Err(Limited::HandshakesOfAddress));
    }
    limits.end_handshake(address(A));
    assert_eq!(limits.begin(at(0), address(A)), Ok(()));
    limits.end_handshake(address(A));
    for now in 0..100 {
        assert_eq!(limits.begin(at(now), address(A)), Err(Limited::Rate));
    }
    assert_eq!(limits.begin(at(100), address(A)), Ok(()));
}

#[test]
fn time_that_goes_backwards_gives_nothing_away() {
    let mut limits = with_rate(1, 10);
    assert_eq!(limits.begin(at(1000), address(A)), Ok(()));
    assert_eq!(limits.begin(at(0), address(A)), Err(Limited::Rate));
    assert_eq!(limits.begin(at(1100), address(A)), Ok(()));
}

#[test]
fn ipv6_goes_by_64_bits_and_mapped_ipv4_by_the_ipv4_address() {
    let one = || limits(AddressLimitsConfig { max_handshakes_per_address: Some(1), ..unlimited() });
    for (first, second, is_same) in [
        ("2001:db8::1", "2001:db8::ffff:ffff:ffff:ffff", true),
        ("2001:db8::1", "2001:db8:0:1::1", false),
        ("192.0.2.1", "::ffff:192.0.2.1", true),
        ("::ffff:192.0.2.1", "::ffff:192.0.2.2", false),
        ("192.0.2.1", "192.0.2.2", false),
    ] {
        let mut limits = one();
        limits.begin(at(0), address(first)).unwrap();
        assert_eq!(limits.begin(at(0), address(second)).is_err(), is_same, "{first} and {second}");
        limits.end_handshake(address(if is_same { second } else { first }));
        assert_eq!(limits.begin(at(0), address(first)), Ok(()));
    }
}

#[test]
fn an_address_that_becomes_known_later_is_limited_then() {
    let mut limits =
        limits(AddressLimitsConfig { max_handshakes: Some(3), max_handshakes_per_address: Some(1), ..unlimited() });
    let client = address(A).unwrap();
    limits.begin(at(0), None).unwrap();
    assert_eq!(limits.identify(at(0), client), Ok(()));
    assert_eq!(limits.handshakes(), 1, "it is the same handshake");
    limits.begin(at(0), None).unwrap();
    assert_eq!(limits.identify(at(0), client), Err(Limited::HandshakesOfAddress));
    assert_eq!(limits.handshakes(), 2, "it is still in flight, for its rejection is being written");
    limits.end_handshake(None);
    limits.end_handshake(Some(client));
    assert_eq!((limits.handshakes(), limits.addresses()), (0, 0));
}

#[test]
fn ends_of_what_never_began_are_ignored() {
    let mut limits = limits(AddressLimitsConfig { max_connections_per_address: Some(1), ..unlimited() });
    for peer in [address(A), None] {
        limits.end_handshake(peer);
        limits.connected(peer);
        limits.disconnected(peer);
    }
    assert_eq!((limits.handshakes(), limits.addresses()), (0, 0));
    limits.begin(at(0), address(A)).unwrap();
    limits.end_handshake(None);
    limits.end_handshake(address(B));
    limits.disconnected(address(A));
    assert_eq!(limits.handshakes(), 1);
    assert_eq!(limits.begin(at(0), address(A)), Err(Limited::ConnectionsOfAddress));
}

#[test]
fn without_room_the_bucket_nearest_to_full_is_forgotten() {
    let mut limits = with_rate(3, 2);
    for (peer, count) in [(A, 2), (B, 1)] {
        for _ in 0..count {
            limits.begin(at(0), address(peer)).unwrap();
            limits.end_handshake(address(peer));
        }
    }
    assert_eq!(limits.begin(at(0), address(C)), Ok(()));
    assert_eq!(limits.addresses(), 2);
    // A was remembered: one is left of its three.
    assert_eq!(limits.begin(at(0), address(A)), Ok(()));
    assert_eq!(limits.begin(at(0), address(A)), Err(Limited::Rate));
}

#[test]
fn addresses_with_something_alive_are_never_forgotten() {
    let mut limits = with_rate(9, 2);
    limits.begin(at(0), address(A)).unwrap();
    limits.begin(at(0), address(B)).unwrap();
    limits.connected(address(B));
    assert_eq!(limits.begin(at(1000), address(C)), Err(Limited::Addresses));
    assert_eq!(limits.begin(at(1000), address(A)), Ok(()), "there is room for those that are known");
    assert_eq!(limits.begin(at(1000), None), Ok(()));
    limits.disconnected(address(B));
    assert_eq!(limits.begin(at(1000), address(C)), Ok(()));
    assert_eq!(limits.handshakes(), 4);
}

#[test]
fn a_flood_from_ever_new_addresses_takes_bounded_memory_and_is_forgotten_afterwards() {
    let mut limits = with_rate(1, 1000);
    for number in 0..10_000_u32 {
        let peer = Some(IpAddr::V4(number.into()));
        assert_eq!(limits.begin(at(0), peer), Ok(()));
        limits.end_handshake(peer);
        assert!(limits.addresses() <= 1000);
    }
    assert_eq!(limits.addresses(), 1000);
    for _ in 0..1000 {
        limits.begin(at(1_000_000), address("2001:db8::1")).unwrap_or_default();
        limits.end_handshake(address("2001:db8::1"));
    }
    assert_eq!(limits.addresses(), 1);
}
