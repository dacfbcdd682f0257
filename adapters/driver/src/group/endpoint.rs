//! What a group says of its endpoints.

use std::fmt;
use std::sync::Arc;

use npws_core::{BreakerState, EndpointId, Stats};

/// One endpoint of a group: a server, or one address of a name. Shown as its address.
///
/// ```
/// use npws_driver::Endpoint;
///
/// fn log(endpoint: &Endpoint) {
///     println!("{endpoint} is {:?}", endpoint.id());
/// }
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Endpoint {
    id: EndpointId,
    address: Arc<str>,
}

impl Endpoint {
    pub(super) fn new(id: EndpointId, address: &str) -> Self {
        Self { id, address: address.into() }
    }

    /// Names the endpoint within its group, now and later.
    ///
    /// ```
    /// # use npws_driver::Endpoint;
    /// fn is_same(one: &Endpoint, other: &Endpoint) -> bool {
    ///     one.id() == other.id()
    /// }
    /// ```
    #[must_use]
    pub fn id(&self) -> EndpointId {
        self.id
    }

    /// The address as the user wrote it, or one that its name has.
    ///
    /// ```
    /// # use npws_driver::Endpoint;
    /// fn is_local(endpoint: &Endpoint) -> bool {
    ///     endpoint.address().starts_with("127.")
    /// }
    /// ```
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.address)
    }
}

/// A snapshot of one endpoint.
///
/// ```
/// use npws_driver::{BreakerState, EndpointStats};
///
/// fn is_out(endpoint: &EndpointStats) -> bool {
///     endpoint.breaker != BreakerState::Closed
/// }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct EndpointStats {
    /// Which.
    pub endpoint: Endpoint,
    /// Whether it is out.
    pub breaker: BreakerState,
    /// Whether it is being drained, because its name does not have it any more or the group ends.
    pub is_leaving: bool,
    /// What its pool counts.
    pub stats: Stats,
}

/// A snapshot of a group.
///
/// ```
/// use npws_driver::GroupStats;
///
/// fn in_use(stats: &GroupStats) -> usize {
///     stats.endpoints.iter().map(|endpoint| endpoint.stats.taken).sum()
/// }
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct GroupStats {
    /// The endpoints, in the order in which they were added.
    pub endpoints: Vec<EndpointStats>,
}

impl GroupStats {
    /// The sum of one number over all endpoints.
    ///
    /// ```
    /// # use npws_driver::GroupStats;
    /// let stats = GroupStats::default();
    /// assert_eq!(stats.sum(|endpoint| endpoint.taken_total), 0);
    /// ```
    #[must_use]
    pub fn sum(&self, number: impl FnMut(&Stats) -> u64) -> u64 {
        self.endpoints.iter().map(|endpoint| &endpoint.stats).map(number).sum()
    }
}
