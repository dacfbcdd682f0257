//! A target, and both ends of a tunnel to it.

use std::net::SocketAddr;
use std::time::Duration;

use npws::tokio::{ClientPool, ServerPool};
use npws::{ClientTls, ServerTls};
use npws_tunnel::{ClientOptions, ServerOptions, TunnelClient, TunnelServer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Long enough for a busy machine, short enough to notice what hangs.
pub(crate) const LIMIT: Duration = Duration::from_secs(30);

/// What the ends speak, and which of them decides it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    V2,
    V1Server,
    V1Client,
}

pub(crate) struct Server {
    way: Way,
    pub(crate) tunnel: TunnelServer,
    pub(crate) public: SocketAddr,
    pub(crate) listen: SocketAddr,
    tls: ClientTls,
}

impl Server {
    pub(crate) async fn start(way: Way, options: ServerOptions) -> Self {
        let tls = ServerTls::self_signed(["localhost"]).unwrap();
        let pinned = ClientTls::pinned(tls.fingerprint().unwrap());
        let builder = ServerPool::builder().capacity(64).control_channel(true).v2(way != Way::V1Server).tls(tls);
        let pool = builder.bind("127.0.0.1:0").await.unwrap();
        let public = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Self {
            way,
            public: public.local_addr().unwrap(),
            listen: pool.local_addr().unwrap(),
            tunnel: TunnelServer::start(pool, public, options),
            tls: pinned,
        }
    }

    pub(crate) fn pool(&self) -> ClientPool {
        let builder = ClientPool::builder(self.listen.to_string()).capacity(4..=8).control_channel(true);
        let interval = Duration::from_millis(10)..=Duration::from_millis(100);
        builder.interval(interval).v2(self.way != Way::V1Client).tls(self.tls.clone()).connect().unwrap()
    }

    pub(crate) fn client(&self, target: SocketAddr) -> TunnelClient {
        TunnelClient::start(self.pool(), target.to_string(), ClientOptions::default())
    }

    pub(crate) async fn user(&self) -> TcpStream {
        TcpStream::connect(self.public).await.unwrap()
    }
}

/// Sends back what comes, and says goodbye when the sender does.
pub(crate) async fn echo() -> SocketAddr {
    answer(|_| {}).await
}

/// The same in upper case.
pub(crate) async fn shout() -> SocketAddr {
    answer(<[u8]>::make_ascii_uppercase).await
}

async fn answer(change: fn(&mut [u8])) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut buffer = [0; 4096];
                while let Ok(count @ 1..) = stream.read(&mut buffer).await {
                    change(&mut buffer[..count]);
                    if stream.write_all(&buffer[..count]).await.is_err() {
                        return;
                    }
                }
            });
        }
    });
    address
}

/// Where nobody listens.
pub(crate) async fn nowhere() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap()
}

pub(crate) async fn exchange(user: &mut TcpStream, text: &str) -> std::io::Result<String> {
    user.write_all(text.as_bytes()).await?;
    let mut answer = vec![0; text.len()];
    user.read_exact(&mut answer).await?;
    Ok(String::from_utf8(answer).unwrap())
}
