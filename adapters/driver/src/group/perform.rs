//! Carrying out what the group's machine asks for.

use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::{Arc, Weak};

use futures::future::{self, Either};
use npws_core::{EndpointId, GroupOutput, NameId};

use super::member::Member;
use super::shared::{GroupShared, State};
use crate::runtime::Runtime;

impl<R: Runtime> GroupShared<R> {
    /// Does what is in the queue, in order, unless somebody is at it, who will do that too. What a pool then tells the
    /// group may add to it.
    pub(super) fn perform(self: &Arc<Self>) {
        loop {
            let mut state = self.lock();
            if state.is_performing {
                return;
            }
            let Some(output) = state.queue.pop_front() else { return };
            state.is_performing = true;
            drop(state);
            self.carry_out(output);
            self.lock().is_performing = false;
        }
    }

    fn carry_out(self: &Arc<Self>, output: GroupOutput) {
        match output {
            GroupOutput::Resolve(name) => self.look_up(name),
            GroupOutput::Add { endpoint, name, address } => self.add_address(endpoint, name, address),
            GroupOutput::Drain { endpoint, timeout } => {
                tracing::debug!(?endpoint, "endpoint leaves");
                let leaving = self.with(|state, _| leave(state, endpoint));
                self.on(leaving, |member| {
                    member.pool.shared.with(|state, now| state.machine.drain(now, timeout));
                });
            }
            GroupOutput::Hold(endpoint) => {
                self.on(self.member(endpoint), |member| {
                    tracing::debug!(endpoint = %member.endpoint, "endpoint is out");
                    member.pool.shared.with(|state, now| state.machine.hold_dials(now));
                });
            }
            GroupOutput::Probe(endpoint) => {
                self.on(self.member(endpoint), |member| {
                    tracing::trace!(endpoint = %member.endpoint, "probe");
                    member.pool.shared.with(|state, now| state.machine.probe(now));
                });
            }
            GroupOutput::Resume(endpoint) => {
                self.on(self.member(endpoint), |member| {
                    tracing::debug!(endpoint = %member.endpoint, "endpoint is back");
                    member.pool.shared.with(|state, now| state.machine.resume_dials(now));
                });
            }
            GroupOutput::Resize { endpoint, capacity } => {
                self.on(self.member(endpoint), |member| {
                    let resized = member.pool.shared.with(|state, now| state.machine.resize(now, capacity));
                    debug_assert!(resized.is_ok(), "the machine keeps within the range");
                });
            }
            GroupOutput::Close(endpoint) => {
                let member = self.member(endpoint);
                self.on(member, |member| member.pool.close());
                self.forget(endpoint);
            }
            _ => {}
        }
    }

    fn member(&self, endpoint: EndpointId) -> Option<Member<R>> {
        self.lock().members.get(&endpoint).cloned()
    }

    fn on(&self, member: Option<Member<R>>, act: impl FnOnce(&Member<R>)) {
        if let Some(member) = member {
            act(&member);
        }
    }

    fn add_address(self: &Arc<Self>, endpoint: EndpointId, name: NameId, address: SocketAddr) {
        let template = self.lock().names.get(&name).map(|name| name.template.clone());
        let Some(template) = template else { return };
        let newcomer = self.prepare((*template).clone(), Some(address));
        match newcomer.and_then(|newcomer| Ok(self.admit(newcomer, |_| Ok(endpoint))?)) {
            Ok(endpoint) => tracing::debug!(%endpoint, "endpoint comes"),
            // It was checked once, but files it names may have changed since. The next answer tries again.
            Err(error) => {
                tracing::warn!(%address, %error, "no pool can be made for an address");
                self.with(|state, _| state.machine.handle_removed(endpoint));
            }
        }
    }

    fn look_up(self: &Arc<Self>, name: NameId) {
        let template = self.lock().names.get(&name).map(|name| name.template.clone());
        let Some(template) = template else { return };
        let owed = LookUp { group: Arc::downgrade(self), name, answer: None };
        let (clock, runtime) = (self.clock.clone(), self.runtime.clone());
        self.runtime.spawn(async move {
            let late = clock.sleep_until(clock.now() + template.config.dial_timeout);
            let answer = match future::select(pin!(template.look_up(&runtime)), late).await {
                Either::Left((answer, _)) => answer,
                Either::Right(_) => Err(io::Error::new(io::ErrorKind::TimedOut, "the look-up took too long")),
            };
            owed.end(answer.and_then(|addresses| match addresses[..] {
                [] => Err(io::Error::new(io::ErrorKind::NotFound, "the name has no address")),
                _ => Ok(addresses),
            }));
        });
    }
}

/// A look-up that is under way. However it ends, also when a resolver of the user's own panics, the group learns of it
/// and looks the name up again.
struct LookUp<R: Runtime> {
    group: Weak<GroupShared<R>>,
    name: NameId,
    answer: Option<io::Result<Vec<SocketAddr>>>,
}

impl<R: Runtime> LookUp<R> {
    fn end(mut self, answer: io::Result<Vec<SocketAddr>>) {
        self.answer = Some(answer);
    }
}

impl<R: Runtime> Drop for LookUp<R> {
    fn drop(&mut self) {
        let Some(group) = self.group.upgrade() else { return };
        let answer = self.answer.take();
        let answer = answer.unwrap_or_else(|| Err(io::Error::other("the look-up ended without an answer")));
        group.with(|state, now| {
            match &answer {
                Ok(addresses) => state.machine.handle_resolved(now, self.name, addresses),
                Err(_) => state.machine.handle_resolve_failed(now, self.name),
            }
            if let Some(name) = state.names.get_mut(&self.name) {
                name.last_error = answer.err().map(Arc::new);
            }
        });
    }
}

fn leave<R: Runtime>(state: &mut State<R>, endpoint: EndpointId) -> Option<Member<R>> {
    let member = state.members.get_mut(&endpoint)?;
    member.is_leaving = true;
    state.version += 1;
    Some(member.clone())
}
