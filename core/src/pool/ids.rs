//! The choice of new connection IDs.

use core::fmt;

use crate::{ConnectionId, IdSource, Role};

/// With a tenth of all IDs alive, one call in 10^100 would run out of tries.
const TRIES: usize = 100;

/// A source of IDs, kept apart so that `Debug` is not asked of it.
pub(super) struct Ids<I> {
    source: I,
    gives_control: bool,
}

impl<I> fmt::Debug for Ids<I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("IdSource")
    }
}

impl<I: IdSource> Ids<I> {
    pub(super) fn new(source: I, gives_control: bool) -> Self {
        Self { source, gives_control }
    }

    /// An ID that is not alive: the control ID if that is given and free, and otherwise one that is `owner`'s to take
    /// next.
    pub(super) fn new_id(
        &mut self,
        owner: Option<Role>,
        is_alive: impl Fn(ConnectionId) -> bool,
    ) -> Option<ConnectionId> {
        if self.gives_control && !is_alive(ConnectionId::CONTROL) {
            return Some(ConnectionId::CONTROL);
        }
        (0..TRIES).map(|_| owned_by(owner, self.source.next_id())).find(|id| !id.is_control() && !is_alive(*id))
    }
}

/// The ID with the last bit that says whose it is to take next.
fn owned_by(owner: Option<Role>, id: ConnectionId) -> ConnectionId {
    let [a, b, c, last] = id.to_bytes();
    let last = match owner {
        None => last,
        Some(Role::Server) => last & !1,
        Some(Role::Client) => last | 1,
    };
    ConnectionId::from_bytes([a, b, c, last])
}
