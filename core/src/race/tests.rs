use alloc::vec::Vec;

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

const DELAY: Duration = Duration::from_millis(250);

fn at(milliseconds: u64) -> Instant {
    Instant::ZERO + Duration::from_millis(milliseconds)
}

fn v6(host: u16) -> SocketAddr {
    SocketAddr::from(([0x2001, 0xdb8, 0, 0, 0, 0, 0, host], 443))
}

fn v4(host: u8) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, host], 443))
}

fn order(addresses: &[SocketAddr]) -> Vec<SocketAddr> {
    interleave(addresses.iter().copied()).into()
}

#[test]
fn families_take_turns_and_ipv6_goes_first() {
    assert_eq!(order(&[v4(1), v4(2), v4(3), v6(1), v6(2)]), [v6(1), v4(1), v6(2), v4(2), v4(3)]);
    assert_eq!(order(&[v6(2), v6(1), v6(3), v4(9)]), [v6(2), v4(9), v6(1), v6(3)]);
    assert_eq!(order(&[v4(2), v4(1)]), [v4(2), v4(1)], "within a family the resolver's order stays");
    assert_eq!(order(&[v4(2), v4(1), v4(2), v6(1), v6(1)]), [v6(1), v4(2), v4(1)], "twice named is once tried");
}

#[test]
fn an_attempt_that_hangs_is_joined_by_the_next_after_the_delay() {
    let mut race = Race::new(at(5), [v6(1), v4(1), v6(2)], DELAY);
    assert_eq!(race.poll_attempt(at(4)), None);
    assert_eq!(race.poll_attempt(at(5)), Some(v6(1)));
    assert_eq!(race.poll_timeout(), Some(at(255)));
    assert_eq!(race.poll_attempt(at(254)), None);
    assert_eq!(race.poll_attempt(at(255)), Some(v4(1)));
    assert_eq!(race.poll_attempt(at(255)), None);
    assert_eq!(race.poll_attempt(at(900)), Some(v6(2)), "a late one does not bring the rest with it");
    assert_eq!(race.poll_timeout(), None);
    assert!(!race.is_lost());
}

#[test]
fn a_failed_attempt_is_followed_at_once_and_the_last_failure_loses_the_race() {
    let mut race = Race::new(at(0), [v6(1), v4(1), v6(2), v4(2)], DELAY);
    assert_eq!(race.poll_attempt(at(0)), Some(v6(1)));
    race.handle_failed(at(3));
    assert_eq!(race.poll_timeout(), Some(at(3)));
    assert_eq!(race.poll_attempt(at(3)), Some(v4(1)));
    assert_eq!(race.poll_attempt(at(252)), None, "the new one has its own delay");
    assert_eq!(race.poll_attempt(at(253)), Some(v6(2)));
    // Two fail between two polls: one attempt follows at once.
    race.handle_failed(at(260));
    race.handle_failed(at(261));
    assert_eq!(race.poll_attempt(at(261)), Some(v4(2)));
    assert!(!race.is_lost());
    race.handle_failed(at(300));
    assert!(race.is_lost());
    race.handle_failed(at(301));
    assert!(race.is_lost(), "what was never begun cannot fail");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Every address is tried once, never two within the delay unless an attempt failed in between, and the race is
    /// lost when the last has failed and not before.
    #[test]
    fn every_address_has_its_turn(hosts in vec((any::<bool>(), 0..6_u8), 0..12), steps in vec((0..400_u64, any::<bool>()), 0..80)) {
        let addresses: Vec<_> = hosts.iter().map(|(six, host)| if *six { v6((*host).into()) } else { v4(*host) }).collect();
        let expected = order(&addresses);
        let mut race = Race::new(at(0), addresses, DELAY);
        let (mut now, mut tried, mut failed, mut last) = (0, Vec::new(), 0, None);
        for (pause, fails) in steps {
            now += pause;
            let excused = fails && failed < tried.len();
            if excused {
                failed += 1;
                race.handle_failed(at(now));
            }
            let due = excused || last.is_none_or(|last| now >= last + 250);
            let attempt = race.poll_attempt(at(now));
            prop_assert_eq!(attempt.is_some(), due && tried.len() < expected.len());
            if let Some(address) = attempt {
                tried.push(address);
                last = Some(now);
            }
            prop_assert_eq!(race.poll_attempt(at(now)), None);
            prop_assert_eq!(&expected[..tried.len()], &tried[..]);
            prop_assert_eq!(race.is_lost(), failed == expected.len());
        }
    }
}
