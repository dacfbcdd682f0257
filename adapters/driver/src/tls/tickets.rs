//! Session tickets on the client.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use futures_rustls::pki_types::ServerName;
use futures_rustls::rustls::NamedGroup;
use futures_rustls::rustls::client::{ClientSessionStore, Tls12ClientSessionValue, Tls13ClientSessionValue};

/// A pool has one server name. More appear only where its dialer chooses among several.
const SERVERS: usize = 16;

/// Keeps the tickets of TLS 1.3 sessions, so that most dials skip the certificate's signature and its check.
pub(crate) struct TicketStore {
    /// A pool dials one server many times at once, and each resumption uses up a ticket; the store of rustls keeps 8.
    tickets_per_server: usize,
    servers: Mutex<HashMap<ServerName<'static>, Server>>,
}

#[derive(Default)]
struct Server {
    group: Option<NamedGroup>,
    /// Oldest first.
    tickets: VecDeque<Tls13ClientSessionValue>,
}

impl TicketStore {
    pub(crate) fn new(tickets_per_server: usize) -> Self {
        Self { tickets_per_server, servers: Mutex::default() }
    }

    fn servers(&self) -> MutexGuard<'_, HashMap<ServerName<'static>, Server>> {
        // Nothing panics while the lock is held, and a lost ticket would cost a full handshake at most.
        self.servers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn edit(&self, name: ServerName<'static>, edit: impl FnOnce(&mut Server)) {
        let mut servers = self.servers();
        if servers.len() >= SERVERS && !servers.contains_key(&name) {
            return;
        }
        edit(servers.entry(name).or_default());
    }
}

impl ClientSessionStore for TicketStore {
    fn set_kx_hint(&self, name: ServerName<'static>, group: NamedGroup) {
        self.edit(name, |server| server.group = Some(group));
    }

    fn kx_hint(&self, name: &ServerName<'_>) -> Option<NamedGroup> {
        self.servers().get(name)?.group
    }

    fn insert_tls13_ticket(&self, name: ServerName<'static>, ticket: Tls13ClientSessionValue) {
        self.edit(name, |server| {
            if server.tickets.len() >= self.tickets_per_server {
                server.tickets.pop_front();
            }
            server.tickets.push_back(ticket);
        });
    }

    fn take_tls13_ticket(&self, name: &ServerName<'static>) -> Option<Tls13ClientSessionValue> {
        // The newest is the one that the server is least likely to have forgotten.
        self.servers().get_mut(name)?.tickets.pop_back()
    }

    // TLS 1.2 is never spoken with this store.
    fn set_tls12_session(&self, _: ServerName<'static>, _: Tls12ClientSessionValue) {}

    fn tls12_session(&self, _: &ServerName<'_>) -> Option<Tls12ClientSessionValue> {
        None
    }

    fn remove_tls12_session(&self, _: &ServerName<'static>) {}
}

impl fmt::Debug for TicketStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TicketStore").field("servers", &self.servers().len()).finish_non_exhaustive()
    }
}
