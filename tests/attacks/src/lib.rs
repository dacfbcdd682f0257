//! Attacks on a server pool, over real sockets, and what they cost it.
//!
//! The pool runs in a process of its own, `npws-attacked`, whose memory and file descriptors the tests read.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "all of this is tests")]

pub mod attackers;
pub mod tls;
pub mod victim;
