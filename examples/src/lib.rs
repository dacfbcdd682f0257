//! Small programs to start from. Each runs to its end by itself: `cargo run -p npws-examples --bin NAME`.
//!
//! | `NAME` | shows |
//! |---|---|
//! | `tokio_echo`, `smol_echo`, `async_std_echo` | a server and a client that agree on IDs over a control connection |
//! | `load_balancing` | a group over three servers, of which one fails |
//! | `graceful_shutdown` | how `drain` ends a pool without cutting anyone short |
//! | `core_by_hand` | the state machines without sockets, runtime or clock |
//!
//! The echo programs also run one end at a time, on any mixture of runtimes: `server ADDR` and
//! `client ADDR FINGERPRINT`.

/// The code in the README is compiled and run with the tests of this crate, which has every runtime at hand.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
pub struct Readme;
