//! Echo over pooled wss connections, on tokio.
//!
//! The client takes whichever connection is ready and names its ID on the control connection, by which the server takes
//! the same one. Without arguments both ends run here; `server ADDR` and `client ADDR FINGERPRINT` run one each. The
//! server serves one client after the other.

use std::env;
use std::error::Error;
use std::time::Duration;

use npws::tokio::{ClientPool, ServerPool};
use npws::{ClientTls, ConnectionId, Fingerprint, ServerTls};
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy, split};

type Result<T = ()> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

const WAIT: Duration = Duration::from_secs(5);

#[tokio::main]
async fn main() -> Result {
    let args: Vec<String> = env::args().skip(1).collect();
    match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => {
            let (server, pin) = listen("127.0.0.1:0").await?;
            let address = server.local_addr().ok_or("the server has no address")?;
            tokio::spawn(serve(server));
            call(&address.to_string(), pin).await
        }
        ["server", address] => serve(listen(address).await?.0).await,
        ["client", address, pin] => call(address, pin.parse()?).await,
        _ => Err("usage: tokio_echo [server ADDR | client ADDR FINGERPRINT]".into()),
    }
}

async fn listen(address: &str) -> Result<(ServerPool, Fingerprint)> {
    let tls = ServerTls::self_signed(["localhost"])?;
    let pin = tls.fingerprint().ok_or("the certificate has no fingerprint")?;
    let pool = ServerPool::builder().capacity(100).control_channel(true).tls(tls).bind(address).await?;
    println!("listening on {}, certificate {pin}", pool.local_addr().ok_or("the server has no address")?);
    Ok((pool, pin))
}

async fn serve(pool: ServerPool) -> Result {
    loop {
        let mut control = pool.take(ConnectionId::CONTROL, Duration::MAX).await?;
        let mut id = [0; 4];
        while control.read_exact(&mut id).await.is_ok() {
            match pool.take(ConnectionId::from_bytes(id), WAIT).await {
                Ok(connection) => {
                    let (mut reader, mut writer) = split(connection);
                    tokio::spawn(async move { copy(&mut reader, &mut writer).await });
                }
                Err(error) => println!("{}: {error}", ConnectionId::from_bytes(id)),
            }
        }
    }
}

async fn call(address: &str, pin: Fingerprint) -> Result {
    let builder = ClientPool::builder(address).capacity(4..=8).control_channel(true);
    let pool = builder.tls(ClientTls::pinned(pin)).connect()?;
    let mut control = pool.take(ConnectionId::CONTROL, WAIT).await?;
    for word in ["warm", "paired", "ready"] {
        let (id, mut connection) = pool.take_next(WAIT).await?;
        control.write_all(&id.to_bytes()).await?;
        connection.write_all(word.as_bytes()).await?;
        let mut echo = vec![0; word.len()];
        connection.read_exact(&mut echo).await?;
        println!("{id}: sent {word:?}, got {:?}", String::from_utf8(echo)?);
        connection.close().await;
    }
    control.close().await;
    println!("done");
    Ok(())
}
