//! Ending a TCP connection so that the other end cannot take it for complete.

use tokio::net::TcpStream;

/// Drops `stream` with a reset.
pub(crate) fn reset(stream: TcpStream) {
    // Refused for a socket that is dead already.
    let _ = stream.set_zero_linger();
    drop(stream);
}
