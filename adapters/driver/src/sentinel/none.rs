//! Where the system has nothing to ask.

use npws_core::ConnectionId;
use socket2::SockRef;

/// Knows nothing, so every socket is asked.
#[derive(Debug)]
pub(crate) struct Sentinel;

impl Sentinel {
    pub(crate) fn new() -> Self {
        Self
    }

    pub(crate) fn post(&self, _: &SockRef<'_>, _: ConnectionId, _: bool) -> bool {
        false
    }

    pub(crate) fn ask(&self, _: impl FnMut(ConnectionId)) -> bool {
        false
    }
}
