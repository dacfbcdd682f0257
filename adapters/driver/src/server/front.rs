//! What comes before a request is known: a PROXY header, TLS and the head.

use std::io;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use futures::future::{self, Either};
use futures::{AsyncReadExt, AsyncWriteExt};
use futures_rustls::TlsAcceptor;
use npws_core::{HeadLimits, PeerGeneration, PeerHeader, ProxyRule, Rejection, RequestHead};

use super::accept_error::AcceptError;
use crate::clock::Clock;
use crate::read_ahead::ReadAhead;
use crate::runtime::Runtime;
use crate::socket::Socket;
use crate::sync::{Mutex, MutexGuard};
use crate::tcp::TcpOptions;
use crate::tls::{ServerTls, TlsConfigError};
use crate::transport::Transport;
use crate::upgrade::server::{HeadError, Request, read_request, reject};

/// How sockets are received, whichever pool they are for.
#[derive(Debug)]
pub(super) struct Front {
    pub(super) tcp: TcpOptions,
    /// For the handshakes to come: it can be changed at run time.
    tls: Mutex<Option<Acceptor>>,
    head_limits: Mutex<HeadLimits>,
    /// One clone for each peer that is being told that there are too many.
    farewells: Arc<()>,
}

/// How many peers beyond the limits are told so at once, and how long one may take to hear it. Those for whom there is
/// no room even here are closed without a word.
const FAREWELLS: usize = 64;
const FAREWELL: Duration = Duration::from_secs(1);

#[derive(Clone)]
struct Acceptor(TlsAcceptor);

impl std::fmt::Debug for Acceptor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Acceptor")
    }
}

/// A peer that has said what it wants, or something that cannot be read.
#[derive(Debug)]
pub(super) struct Arrival {
    transport: Transport,
    request: Result<Request, Rejection>,
}

impl Front {
    pub(super) fn new(tcp: TcpOptions, tls: &ServerTls, head_limits: HeadLimits) -> Result<Self, TlsConfigError> {
        let (tls, head_limits) = (Mutex::new(build(tls)?), Mutex::new(head_limits));
        Ok(Self { tcp, tls, head_limits, farewells: Arc::default() })
    }

    pub(super) fn set_tls(&self, tls: &ServerTls) -> Result<(), TlsConfigError> {
        let acceptor = build(tls)?;
        *lock(&self.tls) = acceptor;
        Ok(())
    }

    pub(super) fn set_head_limits(&self, limits: HeadLimits) {
        *lock(&self.head_limits) = limits;
    }

    /// TLS, after which `secured` is told, and the head of a request. Whoever calls sets the deadlines.
    pub(super) async fn receive(&self, mut socket: Socket, secured: impl FnOnce()) -> io::Result<Arrival> {
        let acceptor = lock(&self.tls).clone();
        let mut transport = match acceptor {
            None => Transport::plain(socket),
            Some(Acceptor(acceptor)) => {
                // The request may be there already, and its answer then leaves with the session's tickets.
                socket.hold();
                let stream = match acceptor.accept(ReadAhead::new(socket)).into_fallible().await {
                    Ok(stream) => stream,
                    Err((error, mut refused)) => {
                        // The peer is owed the alert.
                        refused.get_mut().release();
                        let _ = refused.flush().await;
                        return Err(error);
                    }
                };
                secured();
                Transport::tls(stream)
            }
        };
        let limits = *lock(&self.head_limits);
        let head = read_request(&mut transport, limits).await;
        transport.socket_mut().release();
        let request = match head {
            Ok(request) => Ok(request),
            Err(HeadError::TooLarge) => Err(Rejection::HeadTooLarge),
            Err(HeadError::Malformed) => Err(Rejection::Malformed),
            Err(HeadError::Ended) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Err(HeadError::Io(error)) => return Err(error),
        };
        Ok(Arrival { transport, request })
    }

    /// Refuses a peer before its request: by an answer where there is no TLS that it would have to come through. Whoever
    /// calls sets the deadline.
    pub(super) async fn refuse(&self, socket: Socket, rejection: Rejection) -> io::Result<()> {
        if lock(&self.tls).is_none() { reject(Transport::plain(socket), rejection).await } else { Ok(()) }
    }

    /// The same for a peer whom nobody counts: with a deadline, and in small numbers.
    pub(super) fn turn_away<R: Runtime>(
        self: &Arc<Self>,
        runtime: &R,
        clock: &Clock,
        socket: Socket,
        rejection: Rejection,
    ) {
        tracing::debug!(address = ?socket.peer_addr(), %rejection, "turned away");
        if let Some(farewell) = self.farewell(clock, socket, rejection) {
            runtime.spawn(farewell);
        }
    }

    fn farewell(
        self: &Arc<Self>,
        clock: &Clock,
        socket: Socket,
        rejection: Rejection,
    ) -> Option<impl Future<Output = ()> + Send + 'static + use<>> {
        let permit = self.farewells.clone();
        // This front has one, and so has each farewell. Where there is TLS in the way, there is nothing to hear.
        let is_heard = Arc::strong_count(&permit) <= FAREWELLS + 1 && lock(&self.tls).is_none();
        let deadline = clock.sleep_until(clock.now() + FAREWELL);
        let front = self.clone();
        let farewell = async move {
            let telling = std::pin::pin!(front.refuse(socket, rejection));
            if let Either::Left((Err(error), _)) = future::select(telling, deadline).await {
                tracing::trace!(%error, "a peer that was turned away did not hear it");
            }
            drop(permit);
        };
        is_heard.then_some(farewell)
    }
}

/// What a proxy says in front of the connection, if `rule` wants to hear it: moves `socket` behind it, and the address of
/// its peer to where the proxy says. Returns whether it does. Whoever calls sets the deadline.
pub(super) async fn read_proxy_header(socket: &mut Socket, rule: ProxyRule) -> io::Result<bool> {
    let mut read = Vec::new();
    loop {
        let found = rule.read(&read).map_err(|error| AcceptError::ProxyHeader(error).into_io())?;
        if let Some(header) = found {
            socket.unread(read.split_off(header.length));
            if let Some(source) = header.source {
                socket.set_peer_addr(source);
            }
            return Ok(header.source.is_some());
        }
        let mut chunk = [0; 256];
        match socket.read(&mut chunk).await? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            n => read.extend_from_slice(&chunk[..n]),
        }
    }
}

/// Nothing panics while one of these is locked.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn build(tls: &ServerTls) -> Result<Option<Acceptor>, TlsConfigError> {
    Ok(tls.build()?.map(|config| Acceptor(config.into())))
}

impl Arrival {
    /// What the peer says of itself, as far as this end, which is of this generation, wants to know.
    pub(super) fn peer(&self, own: PeerGeneration) -> PeerHeader {
        match &self.request {
            Ok(request) if own == PeerGeneration::V2 => request.peer(),
            _ => PeerGeneration::V1.into(),
        }
    }

    /// Shows the head to who decides on it.
    pub(super) fn show<T>(&self, peer: PeerHeader, decide: impl FnOnce(RequestHead<'_>) -> T) -> T {
        match &self.request {
            Ok(request) => {
                let fields = request.fields();
                let head = RequestHead::from(request.path()).with_upgrade(request.check_upgrade());
                decide(head.with_peer(peer).with_fields(&fields))
            }
            Err(rejection) => decide(RequestHead::unreadable(*rejection)),
        }
    }

    /// As much of the head as tells which pool it is for.
    pub(super) fn outline(&self) -> RequestHead<'_> {
        match &self.request {
            Ok(request) => RequestHead::from(request.path()),
            Err(rejection) => RequestHead::unreadable(*rejection),
        }
    }

    /// The request and what it came over, if it can be read.
    pub(super) fn into_parts(self) -> Option<(Transport, Request)> {
        self.request.ok().map(|request| (self.transport, request))
    }

    /// Turns the peer away, and says what the handshake has failed with.
    pub(super) async fn reject(self, rejection: Rejection) -> io::Error {
        match reject(self.transport, rejection).await {
            Ok(()) => AcceptError::Rejected(rejection).into_io(),
            Err(error) => error,
        }
    }
}

#[cfg(test)]
mod tests;
