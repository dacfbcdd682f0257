//! What stands before a server and fails: a proxy that refuses, is silent, stalls or dribbles.

use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// What becomes of the connections that are accepted from now on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Conduct {
    /// All is well.
    Carry,
    /// Nobody listens.
    Refuse,
    /// They are accepted, and nothing more.
    BeSilent,
    /// The server's first so many bytes arrive, and nothing more.
    StallAfter(usize),
    /// The server's answer to the upgrade arrives, and nothing more.
    StallAfterHead,
    /// The server's bytes arrive one by one, after this pause each.
    Dribble(Duration),
}

/// A proxy on loopback.
#[derive(Debug)]
pub struct Front {
    address: SocketAddr,
    target: SocketAddr,
    conduct: Arc<Mutex<Conduct>>,
    tasks: JoinSet<()>,
    hushed: watch::Sender<bool>,
}

impl Front {
    /// Stands before `target`.
    pub async fn new(target: SocketAddr, conduct: Conduct) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback has a free port");
        let address = listener.local_addr().expect("it is bound");
        let mut front = Self {
            address,
            target,
            conduct: Arc::new(Mutex::new(conduct)),
            tasks: JoinSet::new(),
            hushed: watch::Sender::new(false),
        };
        if conduct != Conduct::Refuse {
            front.listen(listener);
        }
        front
    }

    /// Where it listens, unless it refuses.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// From now on nothing gets through what it carries, and no end is told.
    pub fn hush(&self) {
        self.hushed.send_replace(true);
    }

    /// Conducts itself so from now on. What it carried so far is cut.
    pub async fn turn(&mut self, conduct: Conduct) {
        self.tasks.shutdown().await;
        *self.conduct.lock().unwrap() = conduct;
        self.hushed.send_replace(false);
        if conduct != Conduct::Refuse {
            let listener = TcpListener::bind(self.address).await.expect("the port is ours");
            self.listen(listener);
        }
    }

    fn listen(&mut self, listener: TcpListener) {
        let (target, conduct, hushed) = (self.target, self.conduct.clone(), self.hushed.clone());
        self.tasks.spawn(async move {
            // Dropped with this task, which cuts them.
            let mut carried = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                let conduct = *conduct.lock().unwrap();
                let mut hushed = hushed.subscribe();
                carried.spawn(async move {
                    let mut carrying = pin!(carry(client, target, conduct));
                    tokio::select! {
                        _ = &mut carrying => {}
                        // Its sockets stay open, and nobody looks after them.
                        _ = async { hushed.wait_for(|hushed| *hushed).await.map(drop) } => std::future::pending().await,
                    }
                });
            }
        });
    }
}

async fn carry(client: TcpStream, target: SocketAddr, conduct: Conduct) -> io::Result<()> {
    if conduct == Conduct::BeSilent {
        return hold(client).await;
    }
    let server = TcpStream::connect(target).await?;
    for stream in [&client, &server] {
        stream.set_nodelay(true)?;
    }
    let (mut from_client, to_client) = client.into_split();
    let (from_server, mut to_server) = server.into_split();
    let up = async {
        tokio::io::copy(&mut from_client, &mut to_server).await?;
        to_server.shutdown().await
    };
    tokio::try_join!(up, answer(from_server, to_client, conduct)).map(drop)
}

async fn answer(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, conduct: Conduct) -> io::Result<()> {
    let mut carried = Vec::new();
    let mut buf = vec![0; 16 * 1024];
    loop {
        let n = from.read(&mut buf).await?;
        if n == 0 {
            return to.shutdown().await;
        }
        let before = carried.len();
        let allowed = match conduct {
            Conduct::StallAfter(bytes) => n.min(bytes - before),
            Conduct::StallAfterHead => {
                carried.extend_from_slice(&buf[..n]);
                let end = carried.windows(4).position(|bytes| bytes == b"\r\n\r\n");
                end.map_or(n, |end| end + 4 - before)
            }
            Conduct::Dribble(pause) => {
                for byte in &buf[..n] {
                    tokio::time::sleep(pause).await;
                    to.write_all(&[*byte]).await?;
                }
                continue;
            }
            _ => n,
        };
        if let Conduct::StallAfter(_) = conduct {
            carried.extend_from_slice(&buf[..allowed]);
        }
        to.write_all(&buf[..allowed]).await?;
        if allowed < n {
            return std::future::pending().await;
        }
    }
}

/// Keeps a connection open and does nothing with it.
async fn hold(client: TcpStream) -> io::Result<()> {
    let _client = client;
    std::future::pending().await
}
