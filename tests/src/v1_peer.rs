//! Peers that speak the original protocol: they know nothing of `Npws-Version` and never read an idle connection.

use std::net::{SocketAddr, TcpListener};

use npws::ConnectionId;

use crate::raw::{BINARY, Raw};

/// An original client with one connection.
#[derive(Debug)]
pub struct V1Client {
    /// The connection, for whatever the case does with it.
    pub raw: Raw,
    /// Its ID.
    pub id: ConnectionId,
}

impl V1Client {
    /// Dials, upgrades and reads the ID, and then nothing more by itself.
    pub fn connect(address: SocketAddr) -> Self {
        let mut raw = Raw::upgrade(address, "");
        let frame = raw.read_frame();
        assert!(frame.fin && frame.opcode == BINARY, "the ID comes first and as one message: {frame:?}");
        let id = frame.payload.try_into().expect("an ID has four bytes");
        Self { raw, id: ConnectionId::from_bytes(id) }
    }
}

/// An original server.
#[derive(Debug)]
pub struct V1Server {
    listener: TcpListener,
}

impl Default for V1Server {
    fn default() -> Self {
        Self { listener: TcpListener::bind("127.0.0.1:0").expect("loopback has a free port") }
    }
}

impl V1Server {
    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.listener.local_addr().expect("it is bound")
    }

    /// Accepts a connection and upgrades it, but does not name it.
    pub fn accept_unnamed(&self) -> Raw {
        Raw::accept(&self.listener, "")
    }

    /// Accepts a connection and names it as the original does: four bytes in one message.
    pub fn accept(&self, id: ConnectionId) -> Raw {
        let mut raw = self.accept_unnamed();
        raw.send_binary(&id.to_bytes());
        raw
    }
}
