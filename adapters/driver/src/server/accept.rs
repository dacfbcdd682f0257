//! One handshake, from the accepted socket to the ID.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;

use futures::future::{AbortHandle, AbortRegistration, Abortable, BoxFuture};
use npws_core::{AcceptId, ConnectionKey, Link, LinkConfig, PeerHeader, Rejection, Role};
use tungstenite::protocol::WebSocketConfig;

use super::Accepts;
use super::accept_error::AcceptError;
use super::front::{Arrival, Front, read_proxy_header};
use super::listen::Host;
use crate::early_data::EarlyData;
use crate::runtime::Runtime;
use crate::shared::Shared;
use crate::slot::{Slot, watch};
use crate::socket::Socket;
use crate::upgrade::server::accept;
use crate::wire::Wire;

/// What every handshake of a pool needs, checked once.
#[derive(Debug)]
pub(super) struct Plan<R> {
    pub(super) runtime: R,
    pub(super) front: Arc<Front>,
    pub(super) websocket: WebSocketConfig,
    pub(super) link: LinkConfig,
    pub(super) early_data: Arc<EarlyData>,
    /// What this end says of itself to a v2 peer.
    pub(super) own: PeerHeader,
}

/// A handshake that the pool knows of, and that it can abort.
#[derive(Debug)]
pub(super) struct Begun {
    pub(super) id: AcceptId,
    registration: AbortRegistration,
}

/// A connection that is in the pool.
pub(super) struct Accepted {
    pub(super) slot: Arc<Slot>,
    pub(super) key: ConnectionKey,
}

impl Begun {
    /// Counts one more handshake from this address, unless the pool takes no more.
    pub(super) fn with<R: Runtime>(
        shared: &Arc<Shared<Accepts<R>>>,
        address: Option<IpAddr>,
    ) -> Result<Self, Rejection> {
        let (handle, registration) = AbortHandle::new_pair();
        shared.with(|state, now| {
            let id = state.machine.handle_incoming(now, address)?;
            shared.driven.lock().insert(id, handle);
            Ok(Self { id, registration })
        })
    }

    /// Nobody carries the handshake out.
    pub(super) fn give_up<R: Runtime>(self, shared: &Arc<Shared<Accepts<R>>>) {
        shared.driven.lock().remove(&self.id);
        shared.with(|state, now| state.machine.handle_accept_failed(now, self.id));
    }

    /// Carries the handshake out, to its end or until it is aborted. What it leads to is to be watched.
    pub(super) async fn run<R: Runtime>(
        self,
        shared: &Arc<Shared<Accepts<R>>>,
        address: Option<IpAddr>,
        handshake: impl Future<Output = io::Result<Option<Accepted>>> + Unpin,
    ) -> Option<Accepted> {
        let id = self.id;
        // An aborted handshake has ended in the machine already.
        let outcome = Abortable::new(handshake, self.registration).await.ok()?;
        shared.driven.lock().remove(&id);
        match outcome {
            Ok(accepted) => accepted,
            Err(error) => {
                let error = AcceptError::from(error);
                tracing::debug!(?address, %error, "handshake failed");
                shared.driven.remember(error);
                shared.with(|state, now| state.machine.handle_accept_failed(now, id));
                None
            }
        }
    }
}

impl<R: Runtime> Host<R> for Shared<Accepts<R>> {
    fn runtime(&self) -> &R {
        &self.driven.plan.runtime
    }

    fn front(&self) -> &Arc<Front> {
        &self.driven.plan.front
    }

    fn begin(self: &Arc<Self>, socket: Socket) {
        let address = socket.peer_addr().map(|peer| peer.ip());
        let begun = match Begun::with(self, address) {
            Ok(begun) => begun,
            Err(rejection) => {
                self.driven.remember(AcceptError::TurnedAway(rejection));
                return self.front().turn_away(self.runtime(), &self.clock, socket, rejection);
            }
        };
        let shared = self.clone();
        self.runtime().spawn(async move {
            let id = begun.id;
            // In memory of its own, which is free again when the connection is idle.
            let handshake = Box::pin(async {
                let socket = proxied(&shared, id, socket).await?;
                let secured = || shared.with(|state, now| state.machine.handle_secured(now, id));
                let arrival = shared.front().receive(socket, secured).await?;
                answer(&shared, id, arrival).await
            });
            if let Some(Accepted { slot, key }) = begun.run(&shared, address, handshake).await {
                watch(shared, slot, key).await;
            }
        });
    }

    fn pause(self: &Arc<Self>) -> BoxFuture<'static, ()> {
        let pause = self.with(|state, now| state.machine.handle_listener_failure(now));
        self.clock.sleep_until(self.clock.now() + pause)
    }
}

/// Hears where the connection comes from, where a proxy has to say so.
async fn proxied<R: Runtime>(shared: &Arc<Shared<Accepts<R>>>, id: AcceptId, mut socket: Socket) -> io::Result<Socket> {
    let rule = shared.lock().machine.proxy_rule(id);
    if read_proxy_header(&mut socket, rule).await?
        && let Some(source) = socket.peer_addr()
        && let Err(rejection) = shared.with(|state, now| state.machine.handle_proxied(now, id, source.ip()))
    {
        shared.driven.plan.front.refuse(socket, rejection).await?;
        return Err(AcceptError::TurnedAway(rejection).into_io());
    }
    Ok(socket)
}

/// The part of a handshake that is the pool's own: the decision, and what follows from it.
pub(super) async fn answer<R: Runtime>(
    shared: &Arc<Shared<Accepts<R>>>,
    id: AcceptId,
    arrival: Arrival,
) -> io::Result<Option<Accepted>> {
    let plan = &shared.driven.plan;
    let peer = arrival.peer(plan.own.generation);
    let verdict = arrival.show(peer, |head| shared.with(|state, now| state.machine.handle_request(now, id, head)));
    let admitted = match verdict {
        Ok(admitted) => admitted,
        Err(rejection) => return Err(arrival.reject(rejection).await),
    };
    let Some((transport, request)) = arrival.into_parts() else {
        return Err(AcceptError::Rejected(Rejection::Malformed).into_io());
    };
    let connection_id = admitted.id;
    let websocket = accept(transport, request, plan.own, admitted.subprotocol, plan.websocket).await?;
    let now = shared.clock.now();
    let link = Link::server(plan.link.clone(), peer.generation, rand::random(), now, connection_id);
    let wire = Wire::new(websocket, link, Role::Server, plan.link.early_data_limit);
    let mut wire = Box::new(wire.sharing(plan.early_data.share()));
    let established = std::future::poll_fn(|cx| wire.poll_establish(cx, shared.clock.now())).await;
    established.map_err(|reason| AcceptError::Id(reason).into_io())?;
    tracing::debug!(id = %connection_id, peer = %peer.generation, "accepted");
    let slot = Slot::new(connection_id, wire);
    let registered = slot.clone();
    let key = shared.with(|state, now| state.machine.handle_accepted(now, id, peer, registered));
    Ok(key.map(|key| Accepted { slot, key }))
}
