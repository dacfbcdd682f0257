mod breaker;
mod membership;
mod model;
mod selection;

use alloc::vec::Vec;
use core::net::SocketAddr;
use core::time::Duration;

use super::*;
use crate::{DialFailure, Instant};

const REFUSED: DialFailure = DialFailure::Connect;

fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

fn at(milliseconds: u64) -> Instant {
    Instant::ZERO + ms(milliseconds)
}

fn address(host: u8) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, host], 443))
}

fn group_of(config: GroupConfig, count: usize) -> (Group, Vec<EndpointId>) {
    let mut group = Group::new(config, 7).unwrap();
    let endpoints = (0..count).map(|_| group.add(4..=8).unwrap()).collect();
    assert_eq!(outputs(&mut group), []);
    (group, endpoints)
}

fn outputs(group: &mut Group) -> Vec<GroupOutput> {
    core::iter::from_fn(|| group.poll_output()).collect()
}

/// An endpoint with connections to take.
fn ready(in_use: usize) -> Load {
    Load { idle: 4, capacity: 4, in_use, round_trip: None }
}

#[test]
fn a_setting_out_of_range_is_named() {
    let good = GroupConfig::default();
    let nothing = Duration::ZERO..=Duration::ZERO;
    for (config, field) in [
        (GroupConfig { break_after: 1001, ..good.clone() }, "break_after"),
        (GroupConfig { probe_backoff: nothing, ..good.clone() }, "probe_backoff"),
        (GroupConfig { resolve_interval: Duration::ZERO, ..good.clone() }, "resolve_interval"),
        (GroupConfig { max_addresses: 0, ..good.clone() }, "max_addresses"),
        (GroupConfig { drain_timeout: Duration::MAX, ..good }, "drain_timeout"),
    ] {
        assert_eq!(Group::new(config, 1).unwrap_err().field(), field);
    }
    let mut group = Group::new(GroupConfig::default(), 1).unwrap();
    assert_eq!(group.add(0..=1).unwrap_err().field(), "capacity");
    assert_eq!(group.add_name(at(0), 1..=70_000).unwrap_err().field(), "capacity");
}
