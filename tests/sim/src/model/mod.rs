//! The pools of npws-core against a model of a pool that is too naive to be wrong: plain lists, searched from the front.
//!
//! [`check_client`] and [`check_server`] do the same things to a machine and to the model, and panic where what comes
//! of them differs: outcomes of takes, who is woken, what is closed and why, counts, timers and, on a client, the
//! promises about dials.

mod client;
mod ending;
mod events;
mod lockstep;
mod op;
mod pool;
mod server;

use core::time::Duration;

pub use client::check_client;
use npws_core::{ConnectionId, LinkConfig, PoolConfig};
pub use op::{Op, Upgrade};
pub use server::check_server;

fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

fn id(number: u8) -> ConnectionId {
    ConnectionId::from_bytes([0, 0, 0, number])
}

/// Limits short enough for a story of a few hundred steps to cross them.
fn short_lived(opens: bool) -> PoolConfig {
    let link = LinkConfig { pong_timeout: ms(200), ..LinkConfig::default() };
    PoolConfig { retention: ms(300), tombstone: ms(400), control_channel: true, opens, link, ..PoolConfig::default() }
}
