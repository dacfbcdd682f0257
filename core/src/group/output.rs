//! What comes out of a group.

use core::net::SocketAddr;
use core::ops::RangeInclusive;
use core::time::Duration;

use super::{EndpointId, NameId};

/// What a [`Group`](super::Group) asks of its driver.
///
/// ```
/// use npws_core::GroupOutput;
///
/// fn is_about_dials(output: &GroupOutput) -> bool {
///     matches!(output, GroupOutput::Hold(_) | GroupOutput::Probe(_) | GroupOutput::Resume(_))
/// }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum GroupOutput {
    /// Look the name up and report [`handle_resolved`](super::Group::handle_resolved) or
    /// [`handle_resolve_failed`](super::Group::handle_resolve_failed).
    Resolve(NameId),
    /// The name has a new address: make a pool for it.
    Add {
        /// What to call it from now on.
        endpoint: EndpointId,
        /// The name that has the address.
        name: NameId,
        /// Where it dials.
        address: SocketAddr,
    },
    /// Drain the pool and report [`handle_removed`](super::Group::handle_removed) when it is closed.
    Drain {
        /// Whose pool.
        endpoint: EndpointId,
        /// After what time it is closed at the latest.
        timeout: Duration,
    },
    /// The endpoint is out: [`hold_dials`](crate::ClientPool::hold_dials) of its pool.
    Hold(EndpointId),
    /// See whether the endpoint is back: [`probe`](crate::ClientPool::probe) its pool. Asked for again after a minute
    /// without an outcome.
    Probe(EndpointId),
    /// The endpoint is back: [`resume_dials`](crate::ClientPool::resume_dials) of its pool.
    Resume(EndpointId),
    /// The endpoint is to hold more or fewer connections: [`resize`](crate::ClientPool::resize) its pool.
    Resize {
        /// Whose pool.
        endpoint: EndpointId,
        /// The least and the greatest number of idle connections.
        capacity: RangeInclusive<usize>,
    },
    /// Close the pool.
    Close(EndpointId),
}
