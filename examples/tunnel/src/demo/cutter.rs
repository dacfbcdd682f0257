//! Holds the sockets of the tunnel server, to cut them under its feet.

use std::collections::HashMap;
use std::io;
use std::net::{Shutdown, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use futures::{AsyncRead, AsyncWrite, Stream, stream};
use npws::Socket;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::compat::{Compat, TokioAsyncReadCompatExt};

/// All sockets of the server that are open, by the client's address.
#[derive(Debug, Default)]
pub(super) struct Cutter(Mutex<Sockets>);

#[derive(Debug, Default)]
struct Sockets {
    accepted: u64,
    open: HashMap<SocketAddr, Held>,
}

#[derive(Debug)]
struct Held {
    /// A second handle on the socket that the pool has.
    socket: std::net::TcpStream,
    number: u64,
    is_taken: bool,
    cut_at: Option<Instant>,
}

impl Cutter {
    fn lock(&self) -> MutexGuard<'_, Sockets> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The sockets that come to `listener`, for the pool.
    pub(super) fn accept(
        self: &Arc<Self>,
        listener: TcpListener,
    ) -> impl Stream<Item = io::Result<Socket>> + Send + use<> {
        stream::unfold((self.clone(), listener), |(cutter, listener)| async move {
            let accepted = match listener.accept().await {
                Ok((stream, peer)) => cutter.hold(stream, peer),
                Err(error) => Err(error),
            };
            Some((accepted, (cutter, listener)))
        })
    }

    fn hold(self: &Arc<Self>, stream: TcpStream, peer: SocketAddr) -> io::Result<Socket> {
        stream.set_nodelay(true)?;
        let local = stream.local_addr()?;
        let stream = stream.into_std()?;
        let socket = stream.try_clone()?;
        let mut sockets = self.lock();
        let number = sockets.accepted;
        sockets.accepted += 1;
        sockets.open.insert(peer, Held { socket, number, is_taken: false, cut_at: None });
        drop(sockets);
        let io = HeldStream { stream: TcpStream::from_std(stream)?.compat(), peer, cutter: self.clone() };
        Ok(Socket::new(io).with_addrs(Some(local), Some(peer)))
    }

    /// Cuts `count` connections that nobody has taken, the oldest, which are surely idle. Returns how many it cut.
    pub(super) fn cut(&self, count: usize) -> usize {
        let mut sockets = self.lock();
        let mut idle: Vec<_> =
            sockets.open.values_mut().filter(|held| !held.is_taken && held.cut_at.is_none()).collect();
        idle.sort_by_key(|held| held.number);
        let mut cut = 0;
        for held in idle.into_iter().take(count) {
            // Both ends get the bare end of TCP: no goodbye of TLS or WebSocket.
            if held.socket.shutdown(Shutdown::Both).is_ok() {
                held.cut_at = Some(Instant::now());
                cut += 1;
            }
        }
        cut
    }

    /// Somebody took the connection of this client address. Returns how long ago it was cut, if it was.
    pub(super) fn take(&self, peer: SocketAddr) -> Option<Duration> {
        let mut sockets = self.lock();
        let held = sockets.open.get_mut(&peer)?;
        held.is_taken = true;
        held.cut_at.map(|at| at.elapsed())
    }
}

/// A socket that is forgotten when the pool drops it.
struct HeldStream {
    stream: Compat<TcpStream>,
    peer: SocketAddr,
    cutter: Arc<Cutter>,
}

impl Drop for HeldStream {
    fn drop(&mut self) {
        self.cutter.lock().open.remove(&self.peer);
    }
}

impl AsyncRead for HeldStream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for HeldStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_close(cx)
    }
}
