//! One of our pools and one of the original's.

use std::net::SocketAddr;
use std::time::Duration;

use npws::tokio::Tokio;
use npws::{ClientPool, Connection, ConnectionId, ServerPool, Stats, TakeError};
use npws_peers::original::Original;
use npws_peers::tls::Mode;
use npws_tests::pools::{bind, client, receive, send, server};
use npws_tests::testbed::{SOON, ms, until};

/// More than any case has idle.
pub(crate) const ROOM: usize = 4096;

/// Which end is ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Server,
    Client,
}

/// What a case is run with.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Setup {
    pub(crate) mode: Mode,
    pub(crate) ours: Side,
}

/// Our pool.
pub(crate) enum Ours {
    Server(ServerPool<Tokio>),
    Client(ClientPool<Tokio>),
}

impl Setup {
    /// Both pools, with `count` idle connections between them.
    pub(crate) async fn pools(self, count: usize) -> (Ours, Original) {
        self.pools_with(count, false).await
    }

    /// As [`pools`](Self::pools), where the control ID is kept apart if `control` says so.
    pub(crate) async fn pools_with(self, count: usize, control: bool) -> (Ours, Original) {
        let (ours, theirs) = match self.ours {
            Side::Server => {
                let builder = server().capacity(ROOM).tls(self.mode.server()).control_channel(control);
                let (ours, address) = bind(builder).await;
                (Ours::Server(ours), Original::client(self.mode, address, count).await)
            }
            Side::Client => {
                let theirs = Original::server(self.mode, any_port(), ROOM).await.expect("loopback has a free port");
                (Ours::Client(self.client(theirs.address(), count, control)), theirs)
            }
        };
        filled(&ours, &theirs, count).await;
        (ours, theirs)
    }

    /// A client of ours. It does not refill at once: what comes while the original flushes is lost by it.
    pub(crate) fn client(self, address: SocketAddr, count: usize, control: bool) -> ClientPool<Tokio> {
        let builder =
            client(address, count).interval(ms(1000)..=ms(1000)).tls(self.mode.client()).control_channel(control);
        builder.connect().expect("the settings are valid")
    }
}

pub(crate) fn any_port() -> SocketAddr {
    ([127, 0, 0, 1], 0).into()
}

/// Waits until both pools have `count` idle connections.
pub(crate) async fn filled(ours: &Ours, theirs: &Original, count: usize) {
    until::<Tokio>("our pool is full", || ours.active() == count).await;
    theirs.filled(count).await;
}

impl Ours {
    pub(crate) fn active(&self) -> usize {
        self.stats().idle
    }

    pub(crate) fn stats(&self) -> Stats {
        match self {
            Self::Server(pool) => pool.stats(),
            Self::Client(pool) => pool.stats(),
        }
    }

    pub(crate) async fn try_take(&self, id: ConnectionId, timeout: Duration) -> Result<Connection, TakeError> {
        match self {
            Self::Server(pool) => pool.take(id, timeout).await,
            Self::Client(pool) => pool.take(id, timeout).await,
        }
    }

    pub(crate) async fn take(&self, id: ConnectionId) -> Connection {
        self.try_take(id, SOON).await.expect("it is there")
    }

    pub(crate) async fn next(&self) -> Connection {
        let (id, connection) = match self {
            Self::Server(pool) => pool.take_next(SOON).await,
            Self::Client(pool) => pool.take_next(SOON).await,
        }
        .expect("there is one");
        assert_eq!(connection.id(), id);
        connection
    }

    pub(crate) fn flush(&self) {
        match self {
            Self::Server(pool) => pool.flush(),
            Self::Client(pool) => pool.flush(),
        }
    }

    pub(crate) fn close(&self) {
        match self {
            Self::Server(pool) => pool.close(),
            Self::Client(pool) => pool.close(),
        }
    }
}

/// A pair by our `take_next` and their `OutgoingGet`.
pub(crate) async fn ours_first(ours: &Ours, theirs: &Original) -> Connection {
    let connection = ours.next().await;
    theirs.take(connection.id()).await;
    connection
}

/// A pair by their `IncomingGet` and our `take`.
pub(crate) async fn theirs_first(ours: &Ours, theirs: &Original) -> Connection {
    let id = theirs.next().await;
    ours.take(id).await
}

/// Sends data both ways and checks it: first what the original knows the connection as, then what we do.
pub(crate) async fn talk(connection: &mut Connection, theirs: &Original) {
    let id = connection.id();
    let name = id.to_string();
    theirs.write(id, name.as_bytes()).await;
    assert_eq!(receive(connection, name.len()).await, name.as_bytes());
    send(connection, name.as_bytes()).await;
    assert_eq!(theirs.read(id, name.len()).await, name.as_bytes());
}
