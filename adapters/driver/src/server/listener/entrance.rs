//! The handshakes that no pool has yet.

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, PoisonError, Weak};

use futures::future::{AbortHandle, Abortable, BoxFuture};
use futures::task::AtomicWaker;
use npws_core::{AcceptId, Instant, Listener as Machine, Output, Rejection};

use crate::clock::Clock;
use crate::runtime::Runtime;
use crate::server::Accepts;
use crate::server::accept::{Accepted, Begun, answer};
use crate::server::accept_error::AcceptError;
use crate::server::front::{Arrival, Front, read_proxy_header};
use crate::server::listen::Host;
use crate::shared::Shared;
use crate::slot::watch;
use crate::socket::Socket;
use crate::sync::{Mutex, MutexGuard};

type Shares<R> = Shared<Accepts<R>>;

/// The machine of a listener, and what carries out its outputs.
pub(super) struct Entrance<R: Runtime> {
    state: Mutex<State<R>>,
    pub(super) runtime: R,
    pub(super) front: Arc<Front>,
    pub(super) clock: Clock,
    pub(super) timer: AtomicWaker,
    pub(super) local_addr: Option<SocketAddr>,
}

pub(super) struct State<R: Runtime> {
    /// A pool is closed by the last of its own handles, which this is none of.
    pub(super) machine: Machine<Weak<Shares<R>>>,
    under_way: HashMap<AcceptId, AbortHandle>,
    accepting: Option<AbortHandle>,
    /// When the timer will look at the machine by itself.
    pub(super) armed: Option<Instant>,
}

impl<R: Runtime> Entrance<R> {
    pub(super) fn new(
        machine: Machine<Weak<Shares<R>>>,
        runtime: R,
        front: Front,
        local_addr: Option<SocketAddr>,
        accepting: AbortHandle,
    ) -> Arc<Self> {
        let state = State { machine, under_way: HashMap::new(), accepting: Some(accepting), armed: None };
        Arc::new(Self {
            state: Mutex::new(state),
            clock: Clock::new(Arc::new(runtime.clone())),
            runtime,
            front: Arc::new(front),
            timer: AtomicWaker::new(),
            local_addr,
        })
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State<R>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The one way to change the machine, as with a pool: mutate, drain, unlock, then act.
    pub(super) fn with<T>(&self, mutate: impl FnOnce(&mut State<R>, Instant) -> T) -> T {
        let mut aborted = Vec::new();
        let mut state = self.lock();
        let now = self.clock.now();
        let result = mutate(&mut state, now);
        while let Some(output) = state.machine.poll_output() {
            match output {
                Output::AbortAccept(accept) => aborted.extend(state.under_way.remove(&accept)),
                Output::StopListening => aborted.extend(state.accepting.take()),
                _ => {}
            }
        }
        let due = state.machine.poll_timeout();
        let rearm = state.machine.is_closed() || due.is_some_and(|due| state.armed.is_none_or(|armed| due < armed));
        drop(state);
        if rearm {
            self.timer.wake();
        }
        for handle in aborted {
            handle.abort();
        }
        result
    }

    /// From an accepted socket to the pool that it is for, which counts the handshake from then on.
    async fn receive(&self, id: AcceptId, mut socket: Socket) -> io::Result<(Arc<Shares<R>>, Begun, Arrival)> {
        let rule = self.lock().machine.proxy_rule(id);
        let is_proxied = read_proxy_header(&mut socket, rule).await?;
        let address = socket.peer_addr().map(|peer| peer.ip());
        if let Some(source) = address.filter(|_| is_proxied)
            && let Err(rejection) = self.with(|state, now| state.machine.handle_proxied(now, id, source))
        {
            self.front.refuse(socket, rejection).await?;
            return Err(AcceptError::TurnedAway(rejection).into_io());
        }
        let secured = || self.with(|state, now| state.machine.handle_secured(now, id));
        let arrival = self.front.receive(socket, secured).await?;
        match self.route(id, address, &arrival) {
            Ok((pool, begun)) => Ok((pool, begun, arrival)),
            Err(rejection) => Err(arrival.reject(rejection).await),
        }
    }

    fn route(
        &self,
        id: AcceptId,
        address: Option<IpAddr>,
        arrival: &Arrival,
    ) -> Result<(Arc<Shares<R>>, Begun), Rejection> {
        let pool = self.lock().machine.pool_for(&arrival.outline()).cloned();
        let begun = pool.and_then(|pool| {
            let pool = pool.upgrade().ok_or(Rejection::Full)?;
            let begun = Begun::with(&pool, address)?;
            Ok((pool, begun))
        });
        let outcome = begun.as_ref().map(|_| ()).map_err(|rejection| *rejection);
        let is_wanted = self.with(|state, now| {
            if outcome.is_ok() {
                state.under_way.remove(&id);
            }
            state.machine.handle_routed(now, id, outcome)
        });
        match begun {
            Ok((pool, begun)) if !is_wanted => {
                begun.give_up(&pool);
                Err(Rejection::Full)
            }
            begun => begun,
        }
    }
}

impl<R: Runtime> Host<R> for Entrance<R> {
    fn runtime(&self) -> &R {
        &self.runtime
    }

    fn front(&self) -> &Arc<Front> {
        &self.front
    }

    fn begin(self: &Arc<Self>, socket: Socket) {
        let address = socket.peer_addr().map(|peer| peer.ip());
        let (handle, registration) = AbortHandle::new_pair();
        let begun = self.with(|state, now| {
            let id = state.machine.handle_incoming(now, address)?;
            state.under_way.insert(id, handle);
            Ok::<_, Rejection>(id)
        });
        let id = match begun {
            Ok(id) => id,
            Err(rejection) => return self.front.turn_away(&self.runtime, &self.clock, socket, rejection),
        };
        let entrance = self.clone();
        self.runtime.spawn(async move {
            let receiving = Box::pin(Abortable::new(entrance.receive(id, socket), registration));
            // An aborted handshake has ended in the machine already.
            let Ok(received) = receiving.await else { return };
            match received {
                Ok((pool, begun, arrival)) => {
                    // What the pool does with it is none of the listener's business, which may be closed meanwhile.
                    drop(entrance);
                    let handshake = Box::pin(answer(&pool, begun.id, arrival));
                    if let Some(Accepted { slot, key }) = begun.run(&pool, address, handshake).await {
                        // On the runtime of the pool, which may outlive this one.
                        pool.runtime().spawn(watch(pool.clone(), slot, key));
                    }
                }
                Err(error) => {
                    tracing::debug!(?address, %error, "handshake failed");
                    entrance.with(|state, _| {
                        state.under_way.remove(&id);
                        state.machine.handle_accept_failed(id);
                    });
                }
            }
        });
    }

    fn pause(self: &Arc<Self>) -> BoxFuture<'static, ()> {
        let pause = self.with(|state, now| state.machine.handle_listener_failure(now));
        self.clock.sleep_until(self.clock.now() + pause)
    }
}

impl<R: Runtime> fmt::Debug for Entrance<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entrance").field("local_addr", &self.local_addr).finish_non_exhaustive()
    }
}
