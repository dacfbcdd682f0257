//! What comes before a request is known: TLS and the head.

use std::io;
use std::sync::{Mutex, PoisonError};

use futures_rustls::TlsAcceptor;
use npws_core::{PeerGeneration, PeerHeader, Rejection, RequestHead};

use crate::read_ahead::ReadAhead;
use crate::socket::Socket;
use crate::tcp::TcpOptions;
use crate::tls::{ServerTls, TlsConfigError};
use crate::transport::Transport;
use crate::upgrade::server::{HeadError, HeadLimits, Request, read_request, reject};

/// How sockets are received, whichever pool they are for.
#[derive(Debug)]
pub(super) struct Front {
    pub(super) tcp: TcpOptions,
    /// For the handshakes to come: it can be changed at run time.
    tls: Mutex<Option<Acceptor>>,
}

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
    pub(super) fn new(tcp: TcpOptions, tls: &ServerTls) -> Result<Self, TlsConfigError> {
        Ok(Self { tcp, tls: Mutex::new(build(tls)?) })
    }

    pub(super) fn set_tls(&self, tls: &ServerTls) -> Result<(), TlsConfigError> {
        let acceptor = build(tls)?;
        *self.tls.lock().unwrap_or_else(PoisonError::into_inner) = acceptor;
        Ok(())
    }

    /// TLS, after which `secured` is told, and the head of a request. Whoever calls sets the deadlines.
    pub(super) async fn receive(&self, socket: Socket, secured: impl FnOnce()) -> io::Result<Arrival> {
        let acceptor = self.tls.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let mut transport = match acceptor {
            None => Transport::plain(socket),
            Some(Acceptor(acceptor)) => {
                let transport = Transport::tls(acceptor.accept(ReadAhead::new(socket)).await?);
                secured();
                transport
            }
        };
        let request = match read_request(&mut transport, HeadLimits::default()).await {
            Ok(request) => Ok(request),
            Err(HeadError::TooLarge) => Err(Rejection::HeadTooLarge),
            Err(HeadError::Malformed) => Err(Rejection::Malformed),
            Err(HeadError::Ended) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Err(HeadError::Io(error)) => return Err(error),
        };
        Ok(Arrival { transport, request })
    }
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
            Ok(()) => io::Error::other(rejection.to_string()),
            Err(error) => error,
        }
    }
}
