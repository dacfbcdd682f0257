//! One handshake, from the accepted socket to the ID.

use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use futures::future::{AbortHandle, Abortable};
use futures_rustls::TlsAcceptor;
use npws_core::{AcceptId, Link, LinkConfig, PeerGeneration, PeerHeader, Rejection, RequestHead, Role};
use tungstenite::protocol::WebSocketConfig;

use super::Accepts;
use crate::read_ahead::ReadAhead;
use crate::runtime::Runtime;
use crate::shared::Shared;
use crate::slot::{Slot, watch};
use crate::socket::Socket;
use crate::tcp::TcpOptions;
use crate::transport::Transport;
use crate::upgrade::server::{HeadError, HeadLimits, Request, accept, read_request, reject};
use crate::wire::Wire;

/// What every handshake of a pool needs, checked once.
pub(super) struct Plan<R> {
    pub(super) runtime: R,
    pub(super) tcp: TcpOptions,
    /// For the handshakes to come: it can be changed at run time.
    pub(super) tls: Mutex<Option<TlsAcceptor>>,
    pub(super) websocket: WebSocketConfig,
    pub(super) link: LinkConfig,
    /// What this end says of itself to a v2 peer.
    pub(super) own: PeerHeader,
}

impl<R> fmt::Debug for Plan<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Plan").field("tcp", &self.tcp).field("own", &self.own).finish_non_exhaustive()
    }
}

/// Begins the handshake in a task of its own: a slow peer delays nobody.
pub(super) fn begin<R: Runtime>(shared: &Arc<Shared<Accepts<R>>>, socket: Socket) {
    let address = socket.peer_addr().map(|peer| peer.ip());
    let (handle, registration) = AbortHandle::new_pair();
    let Some(id) = shared.with(|state, now| {
        let id = state.machine.handle_incoming(now, address)?;
        shared.driven.lock().insert(id, handle);
        Some(id)
    }) else {
        return;
    };
    let shared = shared.clone();
    shared.driven.plan.runtime.clone().spawn(async move {
        // An aborted handshake has ended in the machine already.
        let Ok(outcome) = Abortable::new(handshake(&shared, id, socket), registration).await else { return };
        shared.driven.lock().remove(&id);
        if let Err(error) = outcome {
            tracing::debug!(?address, %error, "handshake failed");
            shared.with(|state, now| state.machine.handle_accept_failed(now, id));
        }
    });
}

async fn handshake<R: Runtime>(shared: &Arc<Shared<Accepts<R>>>, id: AcceptId, socket: Socket) -> io::Result<()> {
    let plan = &shared.driven.plan;
    let acceptor = plan.tls.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let mut transport = match acceptor {
        None => Transport::plain(socket),
        Some(acceptor) => {
            let transport = Transport::tls(acceptor.accept(ReadAhead::new(socket)).await?);
            shared.with(|state, now| state.machine.handle_secured(now, id));
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
    let v1 = PeerHeader::from(PeerGeneration::V1);
    let fields = request.as_ref().map_or_else(|_| Vec::new(), Request::fields);
    let (head, peer) = match &request {
        Ok(request) => {
            let peer = if plan.own.generation == PeerGeneration::V2 { request.peer() } else { v1 };
            let head = RequestHead::from(request.path()).with_upgrade(request.check_upgrade());
            (head.with_peer(peer).with_fields(&fields), peer)
        }
        Err(rejection) => (RequestHead::unreadable(*rejection), v1),
    };
    let verdict = shared.with(|state, now| state.machine.handle_request(now, id, head));
    drop(fields);
    let (request, admitted) = match (request, verdict) {
        (Ok(request), Ok(admitted)) => (request, admitted),
        (_, verdict) => {
            let rejection = verdict.err().unwrap_or(Rejection::Malformed);
            reject(transport, rejection).await?;
            return Err(io::Error::other(rejection.to_string()));
        }
    };
    let connection_id = admitted.id;
    let websocket = accept(transport, request, plan.own, admitted.subprotocol, plan.websocket).await?;
    let now = shared.clock.now();
    let link = Link::server(plan.link.clone(), peer.generation, rand::random(), now, connection_id);
    let mut wire = Box::new(Wire::new(websocket, link, Role::Server, plan.link.early_data_limit));
    let established = std::future::poll_fn(|cx| wire.poll_establish(cx, shared.clock.now())).await;
    established.map_err(|reason| io::Error::other(reason.to_string()))?;
    tracing::debug!(id = %connection_id, peer = %peer.generation, "accepted");
    let slot = Slot::new(connection_id, wire);
    let registered = slot.clone();
    let key = shared.with(|state, now| state.machine.handle_accepted(now, id, peer, registered));
    if let Some(key) = key {
        plan.runtime.spawn(watch(shared.clone(), slot, key));
    }
    Ok(())
}
