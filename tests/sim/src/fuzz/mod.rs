//! The bodies of the fuzz targets. They panic when the machine breaks a promise, and at nothing else.

mod admission;
mod id_handshake;
mod link;
mod link_model;
mod proxy_header;
mod reader;
#[cfg(test)]
mod tests;

pub use self::admission::admission;
pub use self::id_handshake::id_handshake;
pub use self::proxy_header::proxy_header;

/// Reads `data` as a configuration and a list of things that happen to a link of either role and either generation of
/// peer, and compares all that the link says and does with a naive model.
///
/// ```
/// npws_sim::fuzz::link(b"any bytes at all");
/// ```
pub fn link(data: &[u8]) {
    let _ = link::run(data);
}
