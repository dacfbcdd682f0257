//! TLS for both ends of a pool, with rustls: what a user asks for, what is built from it, and what can go wrong.
//!
//! Everything built here speaks TLS 1.3 only, offers no ALPN and names its crypto provider explicitly: with two
//! providers compiled in, the process-wide default of rustls panics. A configuration that a user brings is used as is.

mod client;
mod config_error;
mod error;
mod fingerprint;
mod identity;
mod info;
mod pem;
mod provider;
mod self_signed;
mod server;
#[cfg(test)]
#[cfg(any(feature = "ring", feature = "aws-lc-rs"))]
mod tests;
mod tickets;
mod verify;

pub use client::ClientTls;
pub use config_error::{TlsConfigError, TlsInput};
pub use error::TlsError;
pub use fingerprint::{Fingerprint, InvalidFingerprint};
/// The version of rustls that the TLS types are made of.
pub use futures_rustls::rustls;
pub use info::TlsInfo;
pub use server::ServerTls;
