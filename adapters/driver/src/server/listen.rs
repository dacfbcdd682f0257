//! Where a server's sockets come from.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use futures::future::BoxFuture;
use futures::stream::{BoxStream, StreamExt};
use socket2::{Domain, Protocol, Socket as RawSocket, Type};

use super::front::Front;
use crate::runtime::Runtime;
use crate::socket::Socket;
use crate::tcp::TcpSocket;

/// Peers that wait in the kernel until they are accepted; a refilling client dials many at once.
const BACKLOG: i32 = 1024;

/// Whoever accepts sockets: a pool, or a listener for several.
pub(super) trait Host<R: Runtime>: Send + Sync + 'static {
    fn runtime(&self) -> &R;
    fn front(&self) -> &Arc<Front>;
    /// Begins the handshake in a task of its own: a slow peer delays nobody.
    fn begin(self: &Arc<Self>, socket: Socket);
    /// Accepting failed: ends when it is to be tried again.
    fn pause(self: &Arc<Self>) -> BoxFuture<'static, ()>;
}

/// Binds the first of `addresses` that can be bound.
pub(super) fn bind(addresses: &[SocketAddr]) -> io::Result<TcpListener> {
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for address in addresses {
        match bind_to(*address) {
            Ok(listener) => return Ok(listener),
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn bind_to(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = RawSocket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // A restarted server finds its port still in TIME_WAIT. On Windows the option means something else.
    #[cfg(unix)]
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// Accepts until it is aborted. A failing listener is asked again after a pause: it may be out of file descriptors.
pub(super) async fn serve_listener<R: Runtime>(host: Arc<impl Host<R>>, listener: R::Listener) {
    let runtime = host.runtime().clone();
    loop {
        match runtime.accept(&listener).await {
            Ok((stream, peer)) => {
                // A peer that is gone already makes this fail, and its handshake will say so.
                let _ = host.front().tcp.apply(R::socket(&stream));
                let local = R::socket(&stream).local_addr().ok().and_then(|address| address.as_socket());
                host.begin(Socket::tcp(TcpSocket::<R>::new(stream)).with_addrs(local, Some(peer)));
            }
            Err(error) => pause(&host, &error).await,
        }
    }
}

/// The same for sockets that the user accepts.
pub(super) async fn serve_incoming<R: Runtime>(
    host: Arc<impl Host<R>>,
    mut incoming: BoxStream<'static, io::Result<Socket>>,
) {
    while let Some(accepted) = incoming.next().await {
        match accepted {
            Ok(socket) => host.begin(socket),
            Err(error) => pause(&host, &error).await,
        }
    }
}

async fn pause<R: Runtime>(host: &Arc<impl Host<R>>, error: &io::Error) {
    tracing::warn!(%error, "accepting failed");
    host.pause().await;
}
