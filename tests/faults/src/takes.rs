//! Takes at both ends, with data both ways.

use crate::process::Peer;

/// More than a socket takes at once.
const BYTES: usize = 100_000;

/// The server takes the next connection, the client the same by its ID, and both send. Panics when any of it fails.
pub fn exchange(server: &Peer, client: &Peer, count: usize) {
    for _ in 0..count {
        let taken = server.ask("take-next 30000");
        finish(server, client, &taken);
    }
}

/// The rest of [`exchange`] after the server's take gave `taken`.
pub fn finish(server: &Peer, client: &Peer, taken: &str) {
    let id = taken.strip_prefix("taken ").unwrap_or_else(|| panic!("the server's take failed: {taken}"));
    let taken = client.ask(&format!("take {id} 30000"));
    assert_eq!(taken, format!("taken {id}"), "the client's take failed");
    talk(server, client, id);
    for peer in [server, client] {
        peer.ask(&format!("end {id}"));
    }
}

/// Sends data both ways on a connection that both have taken.
pub fn talk(server: &Peer, client: &Peer, id: &str) {
    for (from, to) in [(server, client), (client, server)] {
        let written = from.begin(&format!("write {id} {BYTES}"));
        assert_eq!(to.ask(&format!("read {id} {BYTES}")), "ok");
        assert_eq!(written.wait(), "ok");
    }
}
