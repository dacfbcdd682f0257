//! Random stories, told to the pools and to a naive model of them.

use std::time::Duration;

use npws_core::PeerHeader;
use npws_sim::model::{Op, Upgrade, check_client, check_server};
use proptest::collection::vec;
use proptest::prelude::*;

fn story() -> impl Strategy<Value = Vec<Op>> {
    vec(any::<[u8; 4]>().prop_map(Op::from_bytes), 0..300)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_client_pool_does_what_the_naive_one_does(ops in story()) {
        check_client(ops);
    }

    #[test]
    fn a_server_pool_does_what_the_naive_one_does(ops in story()) {
        check_server(ops);
    }
}

fn peer() -> impl Strategy<Value = PeerHeader> {
    prop_oneof![Just(None), Just(Some("2")), Just(Some("2; open"))].prop_map(PeerHeader::from_header)
}

/// Stories in which dials succeed as fast as they can, and users lose interest in what they waited for.
fn busy_client_story() -> impl Strategy<Value = Vec<Op>> {
    let arrival = (0..16_u8, peer()).prop_map(|(id, peer)| Op::Arrive { handshake: 0, id, peer });
    let waiter = Just(Op::TakeNext { timeout: Duration::MAX });
    let any_op = any::<[u8; 4]>().prop_map(Op::from_bytes);
    vec(prop_oneof![4 => arrival, 1 => waiter, 1 => Just(Op::Cancel(0)), 4 => any_op], 0..400)
}

/// Stories in which connections come as fast as they can, so that there are many to choose from.
fn busy_server_story() -> impl Strategy<Value = Vec<Op>> {
    let arrival = peer().prop_map(|peer| {
        let request = Op::Request { handshake: 0, path: true, upgrade: Upgrade::Asked, peer };
        vec![Op::Incoming { allowed: true }, request, Op::Arrive { handshake: 0, id: 0, peer }]
    });
    let any_op = any::<[u8; 4]>().prop_map(|bytes| vec![Op::from_bytes(bytes)]);
    let next = Just(vec![Op::TakeNext { timeout: Duration::ZERO }, Op::Complete(0)]);
    vec(prop_oneof![2 => arrival, 1 => next, 3 => any_op], 0..200).prop_map(|parts| parts.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_busy_server_pool_does_what_the_naive_one_does(ops in busy_server_story()) {
        check_server(ops);
    }

    #[test]
    fn a_busy_client_pool_does_what_the_naive_one_does(ops in busy_client_story()) {
        check_client(ops);
    }
}
