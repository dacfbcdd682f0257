//! Addresses on loopback for programs that cannot tell which port they were given.

use std::net::{SocketAddr, TcpListener, TcpStream};

use npws::tokio::Tokio;
use npws_tests::testbed::until;

/// An address with a port that nobody uses now.
///
/// # Panics
/// When loopback has none.
pub fn free_address() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
    listener.local_addr().expect("it is bound")
}

/// Waits until somebody listens at `address`.
pub async fn reachable(address: SocketAddr) {
    until::<Tokio>("somebody listens", || TcpStream::connect(address).is_ok()).await;
}
