//! Pre-warmed WebSocket connections, paired by ID, for tunnels, relays and proxies.
//!
//! Both ends hold a pool over the same connections: a [`ClientPool`] dials, a [`ServerPool`] accepts. One end takes the
//! next connection that is ready ([`take_next`](Pool::take_next)) and learns its [`ConnectionId`]; the other end takes
//! the same connection by that ID ([`take`](Pool::take)). So a request that comes in never waits for TCP, TLS and the
//! HTTP upgrade.
//!
//! Turn on the feature of a runtime and use the pools of the module that it adds: `npws::tokio`, `npws::smol` or
//! `npws::async_std`.
//!
//! ```
//! # #[cfg(feature = "tokio")]
//! # mod example {
//! use futures::{AsyncReadExt, AsyncWriteExt};
//! use npws::tokio::{ClientPool, ServerPool};
//! use npws::{ClientTls, ServerTls};
//! use std::time::Duration;
//!
//! async fn greet() -> Result<String, Box<dyn std::error::Error>> {
//!     let tls = ServerTls::self_signed(["localhost"])?;
//!     let pin = tls.fingerprint().ok_or("no certificate")?;
//!     let server = ServerPool::builder().capacity(100).tls(tls).bind("127.0.0.1:8443").await?;
//!     let client = ClientPool::builder("127.0.0.1:8443")
//!         .capacity(5..=20)
//!         .keepalive(Duration::from_secs(20))
//!         .tls(ClientTls::pinned(pin))
//!         .connect()?;
//!
//!     let wait = Duration::from_secs(5);
//!     let (id, mut there) = server.take_next(wait).await?;
//!     let mut here = client.take(id, wait).await?;
//!     there.write_all(b"hello").await?;
//!     there.close().await;
//!     let mut greeting = String::new();
//!     here.read_to_string(&mut greeting).await?;
//!     Ok(greeting)
//! }
//! # }
//! ```
//!
//! # What is where
//!
//! | To | see |
//! |---|---|
//! | set up a pool | [`ClientPoolBuilder`], [`ServerPoolBuilder`], [`TcpOptions`], [`Policy`] |
//! | serve several pools on one address, each on its path | [`Listener`] |
//! | take connections, watch and end a pool | [`Pool`], [`Stats`] |
//! | use several servers | [`PoolGroup`], [`PoolGroupBuilder`], [`Strategy`], [`GroupTakeError`] |
//! | use a connection | [`Connection`], a byte stream; [`into_websocket`](Connection::into_websocket) for messages |
//! | encrypt | [`ClientTls`], [`ServerTls`], [`Fingerprint`], [`TlsInfo`] |
//! | know what went wrong | [`BuildError`], [`TakeError`], [`DialError`], [`TlsError`], [`StreamError`], [`CloseReason`] |
//! | dial through a proxy | [`Proxy`], [`ProxyError`] |
//! | bring sockets of your own | [`ClientPoolBuilder::dialer`], [`ServerPoolBuilder::serve`], [`Socket`] |
//! | bring a runtime of your own | [`Runtime`] |
//! | do without a runtime | [`core`], the state machines behind the pools |
//!
//! The names of the Go package that this one is wire compatible with, such as `OutgoingGet`, find their counterparts in
//! the search.
//!
//! # Which end takes which connection
//!
//! An ID has to travel from the end that took the next connection to the other. Where nothing else connects the two,
//! the connection [`ConnectionId::CONTROL`] does: with `control_channel(true)` at both ends it is taken by its ID only.
//!
//! ```
//! # #[cfg(feature = "smol")]
//! # mod example {
//! use futures::AsyncWriteExt;
//! use npws::smol::ClientPool;
//! use npws::{Connection, ConnectionId};
//! use std::time::Duration;
//!
//! const WAIT: Duration = Duration::from_secs(5);
//!
//! /// Takes a connection and tells the server which one, by four bytes on the control connection.
//! async fn open(pool: &ClientPool, control: &mut Connection) -> Result<Connection, Box<dyn std::error::Error>> {
//!     let (id, connection) = pool.take_next(WAIT).await?;
//!     control.write_all(&id.to_bytes()).await?;
//!     Ok(connection)
//! }
//!
//! async fn start(address: &str) -> Result<(ClientPool, Connection), Box<dyn std::error::Error>> {
//!     let pool = ClientPool::builder(address).capacity(5..=20).control_channel(true).connect()?;
//!     let control = pool.take(ConnectionId::CONTROL, WAIT).await?;
//!     Ok((pool, control))
//! }
//! # }
//! ```
//!
//! # Features
//!
//! None is on by default, and none changes what another does.
//!
//! | Feature | adds |
//! |---|---|
//! | `tokio` | `npws::tokio`, and tokio's `AsyncRead`, `AsyncBufRead` and `AsyncWrite` on [`Connection`]; turns on `ring` |
//! | `smol` | `npws::smol`; turns on `ring` |
//! | `async-std` | `npws::async_std`; turns on `ring`. async-std is discontinued upstream |
//! | `ring` | TLS by ring, which is quick to build |
//! | `aws-lc-rs` | TLS by aws-lc-rs, which takes longer to build and is used instead of ring where both are on |
#![cfg_attr(docsrs, feature(doc_cfg))]
#![forbid(unsafe_code)]

#[cfg(feature = "async-std")]
#[cfg_attr(docsrs, doc(cfg(feature = "async-std")))]
pub use npws_async_std as async_std;
/// The machines behind the pools, to be driven by hand.
pub use npws_core as core;
pub use npws_driver::*;
#[cfg(feature = "smol")]
#[cfg_attr(docsrs, doc(cfg(feature = "smol")))]
pub use npws_smol as smol;
#[cfg(feature = "tokio")]
#[cfg_attr(docsrs, doc(cfg(feature = "tokio")))]
pub use npws_tokio as tokio;
