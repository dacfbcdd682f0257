//! Pre-warmed WebSocket connections, paired by ID, for tunnels, relays and proxies.
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
