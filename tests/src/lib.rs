//! One conformance suite for every runtime, over real sockets and real TLS.
//!
//! A case is a function that is generic over the runtime; [`conformance!`] lists all of them and makes a test of each.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "all of this is tests")]

pub mod certificates;
pub mod conformance;
pub mod pools;
pub mod raw;
pub mod relay;
pub mod spy;
mod suite;
pub mod testbed;
pub mod tiny_proxy;
pub mod v1_peer;
