//! The state machines of the npws connection pool, without any IO, clock or randomness of their own.
//!
//! npws keeps pre-warmed WebSocket connections, paired by a 4-byte ID, between a client pool and a server pool. This
//! crate decides everything above a WebSocket message and does nothing: time is passed in, randomness is passed in, and
//! what is to be done is polled out. So an event loop of any kind can drive it, and a test can replay a failure from
//! its seed.
//!
//! - [`ClientPool`] and [`ServerPool`] hold the connections of one end: who may take which, when to dial, whom to let
//!   in. A connection is whatever the driver registers; the pools never look inside.
//! - [`Listener`] stands before several server pools and knows which path is whose.
//! - [`Link`] is one connection above WebSocket messages: the ID step, early data, keep-alive, control words, and how it
//!   ends.
//! - [`Group`] looks after several client pools as one: which to take from, which is out, which there are.
//! - [`Race`] tries the addresses of a name.
//!
//! Most users want the `npws` crate, which runs these machines on tokio, smol or async-std.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

#[macro_use]
mod mutation;

mod admission;
mod backoff;
mod config;
mod early_data;
mod error;
mod group;
mod id;
mod keyed;
mod link;
mod peer;
mod pool;
mod race;
mod random;
mod reason;
mod rejection;
mod time;

pub use admission::{
    AddressLimits, AddressLimitsConfig, AllowList, Credentials, ForwardedError, ForwardedHeader, HandshakeRate,
    HeadLimits, IpRange, Limited, Origin, OriginPolicy, ParseOriginError, ParseRangeError, ProxyHeader,
    ProxyHeaderError, ProxyProtocol, ProxyRule, Tokens, client_address,
};
pub use config::{ClientConfig, PoolConfig, ServerConfig};
pub use early_data::EarlyDataBudget;
pub use error::{ConfigError, TakeError};
pub use group::{BreakerState, EndpointId, Group, GroupConfig, GroupOutput, Load, NameId, Strategy};
pub use id::{ConnectionId, IdSource, ParseIdError};
pub use link::{ControlWord, Link, LinkConfig, LinkMessage, LinkOutput};
#[cfg(npws_mutations)]
pub use mutation::Mutation;
pub use peer::{PeerGeneration, PeerHeader, Role, may_take};
pub use pool::{
    AcceptId, Accepting, Admitted, ClientPool, ConnectionKey, DialFailure, DialFailures, DialId, Dialing, Listener,
    ListenerConfig, ListenerStats, Output, Policy, Pool, RequestHead, ServerPool, Side, Stats, Taken, WaiterId,
};
pub use race::Race;
pub use reason::{CloseReason, Violation};
pub use rejection::Rejection;
pub use time::Instant;
