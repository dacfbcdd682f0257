//! Faults on real networks: what breaks, how it is measured, and how the outcome is written down.
//!
//! Peers are processes of their own, `npws-fault-peer`, so that they can be killed, stopped and put into network
//! namespaces. Tests tell them what to do and read what they see.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "all of this is tests")]

pub mod front;
pub mod network;
pub mod process;
pub mod rig;
pub mod row;
pub mod takes;
