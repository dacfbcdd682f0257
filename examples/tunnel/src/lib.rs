//! A reverse TCP tunnel over a pool of WebSocket connections.
//!
//! [`TunnelServer`] listens where users come in, [`TunnelClient`] stands next to the target that cannot be reached from
//! there. A user's connection is carried by a connection of the pool that is ready already, so nobody waits for TCP, TLS
//! and the upgrade.
//!
//! Between ends that speak v2 the pool itself tells the client which connection was taken. With a v1 end the server tells
//! the client by a line on the control connection. Each connection says which way is its own.
#![forbid(unsafe_code)]

mod answer;
pub mod args;
mod client;
mod control;
mod counters;
pub mod demo;
mod early;
mod failure;
mod hangup;
mod observer;
mod relay;
mod reset;
mod server;
mod session;
mod shutdown;
mod status;
mod word;

pub use client::{ClientOptions, TunnelClient};
pub use counters::{Counters, Counts};
pub use failure::Failure;
pub use observer::Observer;
pub use server::{ServerOptions, TunnelServer};
pub use shutdown::{Shutdown, run_until_shutdown};
