//! The async driver of the npws connection pool, generic over the [`Runtime`].
//!
//! It carries out what the machines of `npws-core` decide: sockets, TLS, WebSocket, timers and tasks. Users add the
//! crate `npws`, which names the pools for each runtime; this crate is for those who bring a runtime of their own.
#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod address;
#[cfg(feature = "async-io")]
mod async_io_stream;
mod client;
mod clock;
mod connection;
mod descriptors;
mod early_data;
mod error;
mod gate;
mod group;
mod link_timers;
mod observer;
mod pool;
mod proxy;
mod read_ahead;
mod runtime;
mod sentinel;
mod server;
mod settings;
mod shared;
mod slot;
mod socket;
mod sync;
mod take;
mod tcp;
#[cfg(test)]
mod testing;
mod timer;
mod tls;
mod transport;
mod upgrade;
mod wire;
mod write_behind;

#[cfg(feature = "async-io")]
pub use async_io_stream::AsyncIoStream;
pub use async_tungstenite;
pub use client::{ClientPool, ClientPoolBuilder, ConnectError, DialTarget, Dials};
pub use connection::{Connection, IntoWebSocketError, StreamError};
pub use error::{BuildError, DialError};
pub use gate::Gate;
pub use group::{Endpoint, EndpointCause, EndpointStats, GroupStats, GroupTakeError, PoolGroup, PoolGroupBuilder};
pub use npws_core::{
    AddressLimitsConfig, AllowList, BreakerState, CloseReason, ConfigError, ConnectionId, DialFailure, DialFailures,
    EndpointId, ForwardedHeader, HandshakeRate, HeadLimits, IpRange, ListenerStats, Origin, OriginPolicy, ParseIdError,
    ParseOriginError, ParseRangeError, PeerGeneration, Policy, ProxyHeaderError, ProxyProtocol, Rejection, Stats,
    Strategy, TakeError, Tokens,
};
pub use pool::Pool;
pub use proxy::{Proxy, ProxyError};
pub use runtime::Runtime;
pub use server::{AcceptError, Accepts, Listener, ListenerBuilder, ServerPool, ServerPoolBuilder};
pub use socket::{Io, Socket};
pub use tcp::TcpOptions;
pub use tls::*;
pub use upgrade::client::UpgradeError;
