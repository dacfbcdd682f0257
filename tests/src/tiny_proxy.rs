//! A proxy as small as can be, which leads to one address whatever it is asked for.

use std::io::{self, ErrorKind};
use std::net::{SocketAddr, TcpListener};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use futures::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use futures_rustls::TlsAcceptor;
use npws::rustls::ServerConfig;

use crate::testbed::{Testbed, current};

/// `user:secret` as HTTP shows it.
const BASIC: &str = "Proxy-Authorization: Basic dXNlcjpzZWNyZXQ=\r\n";

/// What it speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Speaks {
    /// HTTP `CONNECT`, with `Basic` credentials.
    Http,
    /// SOCKS5, with username and password.
    Socks5,
}

/// Wants the user `user` with the password `secret`.
#[derive(Debug, Clone)]
pub struct TinyProxy {
    address: SocketAddr,
    state: Arc<State>,
}

#[derive(Debug)]
struct State {
    speaks: Speaks,
    target: SocketAddr,
    /// A SOCKS reply code; HTTP answers 502 for any. Zero leads to the target.
    refusal: AtomicU8,
    asked_for: Mutex<Vec<String>>,
}

impl TinyProxy {
    /// Starts one in front of `target`.
    pub fn start<R: Testbed>(speaks: Speaks, target: SocketAddr, tls: Option<Arc<ServerConfig>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
        let address = listener.local_addr().expect("it is bound");
        let state = Arc::new(State { speaks, target, refusal: AtomicU8::new(0), asked_for: Mutex::default() });
        let runtime = current::<R>();
        let listener = runtime.listen(listener).expect("the runtime takes it");
        runtime.clone().spawn(accept(runtime, listener, tls, state.clone()));
        Self { address, state }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// From now on refuses with this SOCKS reply code, or with 502; with zero it serves.
    pub fn refuse(&self, code: u8) {
        self.state.refusal.store(code, Ordering::SeqCst);
    }

    /// The servers that it was asked for by those who had the password.
    pub fn asked_for(&self) -> Vec<String> {
        self.state.asked_for.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

async fn accept<R: Testbed>(runtime: R, listener: R::Listener, tls: Option<Arc<ServerConfig>>, state: Arc<State>) {
    while let Ok((client, _)) = runtime.accept(&listener).await {
        let (state, tls, again) = (state.clone(), tls.clone(), runtime.clone());
        runtime.spawn(async move {
            let _ = match tls {
                None => serve(again, client, &state).await,
                Some(config) => match TlsAcceptor::from(config).accept(client).await {
                    Ok(client) => serve(again, client, &state).await,
                    Err(error) => Err(error),
                },
            };
        });
    }
}

async fn serve<R: Testbed>(
    runtime: R,
    mut client: impl AsyncRead + AsyncWrite + Unpin,
    state: &State,
) -> io::Result<()> {
    let asked = match state.speaks {
        Speaks::Http => http(&mut client, state).await?,
        Speaks::Socks5 => socks5(&mut client, state).await?,
    };
    state.asked_for.lock().unwrap_or_else(PoisonError::into_inner).push(asked);
    client.flush().await?;
    let (from_client, mut to_client) = client.split();
    let (from_server, mut to_server) = runtime.connect(state.target).await?.split();
    let up = async {
        futures::io::copy(from_client, &mut to_server).await?;
        to_server.close().await
    };
    let down = async {
        futures::io::copy(from_server, &mut to_client).await?;
        to_client.close().await
    };
    futures::try_join!(up, down).map(drop)
}

async fn http(client: &mut (impl AsyncRead + AsyncWrite + Unpin), state: &State) -> io::Result<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(read::<1>(client).await?[0]);
    }
    let head = String::from_utf8(head).map_err(io::Error::other)?;
    let is_known = head.contains(BASIC);
    let answer = match (is_known, state.refusal.load(Ordering::SeqCst)) {
        (false, _) => "407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm=\"proxy\"",
        (true, 0) => "200 Connection established",
        (true, _) => "502 Bad Gateway",
    };
    client.write_all(format!("HTTP/1.1 {answer}\r\n\r\n").as_bytes()).await?;
    let asked = head.strip_prefix("CONNECT ").and_then(|rest| rest.split_once(' ')).map(|(asked, _)| asked.to_owned());
    asked.filter(|_| answer.starts_with("200")).ok_or_else(refused)
}

async fn socks5(client: &mut (impl AsyncRead + AsyncWrite + Unpin), state: &State) -> io::Result<String> {
    const PASSWORD: u8 = 2;
    let [5, count] = read(client).await? else { return Err(refused()) };
    let mut methods = vec![0; count.into()];
    client.read_exact(&mut methods).await?;
    if !methods.contains(&PASSWORD) {
        client.write_all(&[5, 0xff]).await?;
        return Err(refused());
    }
    client.write_all(&[5, PASSWORD]).await?;
    let [1] = read(client).await? else { return Err(refused()) };
    let (user, password) = (text(client).await?, text(client).await?);
    let is_known = (&*user, &*password) == ("user", "secret");
    client.write_all(&[1, u8::from(!is_known)]).await?;
    let [5, 1, 0, 3] = read(client).await? else { return Err(refused()) };
    let host = text(client).await?;
    let port = u16::from_be_bytes(read(client).await?);
    let code = state.refusal.load(Ordering::SeqCst);
    client.write_all(&[5, code, 0, 1, 192, 0, 2, 1, 0, 80]).await?;
    if code == 0 { Ok(format!("{host}:{port}")) } else { Err(refused()) }
}

async fn text(client: &mut (impl AsyncRead + Unpin)) -> io::Result<String> {
    let [length] = read(client).await?;
    let mut text = vec![0; length.into()];
    client.read_exact(&mut text).await?;
    String::from_utf8(text).map_err(io::Error::other)
}

async fn read<const N: usize>(client: &mut (impl AsyncRead + Unpin)) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    client.read_exact(&mut bytes).await?;
    Ok(bytes)
}

fn refused() -> io::Error {
    ErrorKind::PermissionDenied.into()
}
