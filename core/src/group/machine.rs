//! The group itself.

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::vec::Vec;
use core::net::SocketAddr;
use core::ops::RangeInclusive;

use super::breaker::Breaker;
use super::names::{Name, compare};
use super::selection::{Candidate, Selector};
use super::{BreakerState, EndpointId, GroupConfig, GroupOutput, Load, NameId};
use crate::config::{COUNT, both_within};
use crate::random::Jitter;
use crate::{ConfigError, Instant};

/// Several client pools as one, as a machine without IO: it knows the pools by their [`EndpointId`] and decides which
/// to take from, which is out, when to see whether it is back, and which there are.
///
/// After each call that takes `now`, drain [`poll_output`](Self::poll_output), and call
/// [`handle_timeout`](Self::handle_timeout) when [`poll_timeout`](Self::poll_timeout) has come.
///
/// ```
/// use npws_core::{BreakerState, DialFailure, Group, GroupConfig, GroupOutput, Instant, Load};
///
/// let now = Instant::ZERO;
/// let mut group = Group::new(GroupConfig::default(), 1)?;
/// let (here, there) = (group.add(1..=4)?, group.add(1..=4)?);
/// let ready = |_| Load { idle: 1, capacity: 1, ..Load::default() };
/// assert_eq!(group.order(ready), [here, there]);
/// assert_eq!(group.order(ready), [there, here], "they take turns");
///
/// // One has no connection, and its dials fail: it is out, and the other makes up for it.
/// group.handle_dial_failed(now, here, DialFailure::Connect, 0);
/// assert_eq!(group.breaker(here), Some(BreakerState::Open));
/// assert_eq!(group.poll_output(), Some(GroupOutput::Hold(here)));
/// assert_eq!(group.poll_output(), Some(GroupOutput::Resize { endpoint: there, capacity: 2..=8 }));
/// # Ok::<(), npws_core::ConfigError>(())
/// ```
#[derive(Debug)]
pub struct Group {
    pub(super) config: GroupConfig,
    pub(super) endpoints: BTreeMap<EndpointId, Endpoint>,
    pub(super) names: Vec<Name>,
    selector: Selector,
    pub(super) jitter: Jitter,
    pub(super) outputs: VecDeque<GroupOutput>,
    pub(super) life: Life,
    issued: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Life {
    Open,
    Draining,
    Closed,
}

#[derive(Debug)]
pub(super) struct Endpoint {
    pub(super) breaker: Breaker,
    /// What it holds while nobody is out.
    share: RangeInclusive<usize>,
    /// What it was told to hold.
    told: RangeInclusive<usize>,
    pub(super) origin: Option<(NameId, SocketAddr)>,
    pub(super) is_leaving: bool,
}

impl Endpoint {
    pub(super) fn is_up(&self) -> bool {
        !self.is_leaving && self.breaker.state() == BreakerState::Closed
    }
}

impl Group {
    /// A group without endpoints. `seed` is where its jitter and its draws come from.
    ///
    /// # Errors
    /// When a value of `config` is outside its range.
    ///
    /// ```
    /// # use npws_core::{Group, GroupConfig};
    /// let group = Group::new(GroupConfig::default(), 42)?;
    /// assert_eq!(group.poll_timeout(), None, "there is nothing to do yet");
    /// # Ok::<(), npws_core::ConfigError>(())
    /// ```
    pub fn new(config: GroupConfig, seed: u64) -> Result<Self, ConfigError> {
        config.validate()?;
        Ok(Self {
            endpoints: BTreeMap::new(),
            names: Vec::new(),
            selector: Selector::new(config.strategy),
            jitter: Jitter::new(seed),
            outputs: VecDeque::new(),
            life: Life::Open,
            issued: 0,
            config,
        })
    }

    /// Adds an endpoint whose pool holds `capacity` connections, each bound 1 to 65,536. To a group that is drained or
    /// closed none is added: its pool is to be closed.
    ///
    /// ```
    /// # use npws_core::{Group, GroupConfig, GroupOutput, Instant};
    /// # let mut group = Group::new(GroupConfig::default(), 42)?;
    /// group.close();
    /// let late = group.add(1..=1)?;
    /// assert_eq!(group.poll_output(), Some(GroupOutput::Close(late)));
    /// # Ok::<(), npws_core::ConfigError>(())
    /// ```
    ///
    /// # Errors
    /// When `capacity` is outside its range.
    pub fn add(&mut self, capacity: RangeInclusive<usize>) -> Result<EndpointId, ConfigError> {
        both_within("capacity", &capacity, COUNT)?;
        let endpoint = self.insert(capacity, None);
        if self.life == Life::Open {
            self.share_out();
        } else {
            self.endpoints.remove(&endpoint);
            self.outputs.push_back(GroupOutput::Close(endpoint));
        }
        Ok(endpoint)
    }

    /// Adds all addresses of a name, as they are and as they change. The pool of each holds `capacity` connections.
    ///
    /// ```
    /// # use npws_core::{Group, GroupConfig, GroupOutput, Instant};
    /// # let mut group = Group::new(GroupConfig::default(), 42)?;
    /// let name = group.add_name(Instant::ZERO, 1..=1)?;
    /// assert_eq!(group.poll_output(), Some(GroupOutput::Resolve(name)));
    /// # Ok::<(), npws_core::ConfigError>(())
    /// ```
    ///
    /// # Errors
    /// When `capacity` is outside its range.
    pub fn add_name(&mut self, now: Instant, capacity: RangeInclusive<usize>) -> Result<NameId, ConfigError> {
        both_within("capacity", &capacity, COUNT)?;
        let name = NameId(self.names.len());
        self.names.push(Name::new(now, capacity, self.config.probe_backoff.clone()));
        self.handle_timeout(now);
        Ok(name)
    }

    fn insert(&mut self, capacity: RangeInclusive<usize>, origin: Option<(NameId, SocketAddr)>) -> EndpointId {
        let endpoint = EndpointId(self.issued);
        self.issued += 1;
        let breaker = Breaker::new(self.config.probe_backoff.clone());
        let told = capacity.clone();
        self.endpoints.insert(endpoint, Endpoint { breaker, share: capacity, told, origin, is_leaving: false });
        endpoint
    }

    /// A look-up of the name gave these addresses. New ones are added; those that are not among them are drained,
    /// unless there is none at all, which says nothing.
    ///
    /// ```
    /// # use npws_core::{Group, GroupConfig, GroupOutput, Instant};
    /// # let now = Instant::ZERO;
    /// # let mut group = Group::new(GroupConfig::default(), 42)?;
    /// # let name = group.add_name(now, 1..=1)?;
    /// # group.poll_output();
    /// group.handle_resolved(now, name, &[([192, 0, 2, 7], 443).into()]);
    /// let Some(GroupOutput::Add { endpoint, .. }) = group.poll_output() else { panic!("it is new") };
    /// group.handle_resolved(now, name, &[]);
    /// assert_eq!(group.poll_output(), None);
    /// group.handle_resolved(now, name, &[([192, 0, 2, 8], 443).into()]);
    /// assert!(matches!(group.poll_output(), Some(GroupOutput::Add { .. })));
    /// assert!(matches!(group.poll_output(), Some(GroupOutput::Drain { endpoint: gone, .. }) if gone == endpoint));
    /// # Ok::<(), npws_core::ConfigError>(())
    /// ```
    pub fn handle_resolved(&mut self, now: Instant, name: NameId, addresses: &[SocketAddr]) {
        let Some(looked_up) = self.names.get_mut(name.0) else { return };
        if self.life != Life::Open {
            return;
        }
        if addresses.is_empty() {
            return self.handle_resolve_failed(now, name);
        }
        looked_up.handle_resolved(now, self.config.resolve_interval, &mut self.jitter);
        let capacity = looked_up.capacity.clone();
        let current: BTreeMap<SocketAddr, EndpointId> = self.present(name).collect();
        let change = compare(&current.keys().copied().collect(), addresses, self.config.max_addresses);
        for address in change.added {
            let endpoint = self.insert(capacity.clone(), Some((name, address)));
            self.outputs.push_back(GroupOutput::Add { endpoint, name, address });
        }
        let vanished: BTreeSet<_> = change.vanished.iter().filter_map(|address| current.get(address)).collect();
        for &&endpoint in &vanished {
            mutation!(VanishedKept => break);
            if let Some(leaving) = self.endpoints.get_mut(&endpoint) {
                leaving.is_leaving = true;
                self.outputs.push_back(GroupOutput::Drain { endpoint, timeout: self.config.drain_timeout });
            }
        }
        self.share_out();
        self.handle_timeout(now);
    }

    fn present(&self, name: NameId) -> impl Iterator<Item = (SocketAddr, EndpointId)> + '_ {
        self.endpoints.iter().filter(|(_, endpoint)| !endpoint.is_leaving).filter_map(move |(id, endpoint)| {
            let (origin, address) = endpoint.origin?;
            (origin == name).then_some((address, *id))
        })
    }

    /// A look-up of the name failed: it is looked up again after a pause, and nothing else changes.
    ///
    /// ```
    /// # use npws_core::{Group, GroupConfig, GroupOutput, Instant};
    /// # let now = Instant::ZERO;
    /// # let mut group = Group::new(GroupConfig::default(), 42)?;
    /// # let name = group.add_name(now, 1..=1)?;
    /// # group.poll_output();
    /// group.handle_resolve_failed(now, name);
    /// let again = group.poll_timeout().expect("it tries again");
    /// group.handle_timeout(again);
    /// assert_eq!(group.poll_output(), Some(GroupOutput::Resolve(name)));
    /// # Ok::<(), npws_core::ConfigError>(())
    /// ```
    pub fn handle_resolve_failed(&mut self, now: Instant, name: NameId) {
        if let Some(looked_up) = self.names.get_mut(name.0) {
            looked_up.handle_failed(now, self.config.resolve_interval, &mut self.jitter);
        }
        self.handle_timeout(now);
    }

    /// The endpoint's pool is closed. Its name, if it has one, may bring it back under another ID.
    ///
    /// ```
    /// # use npws_core::{Group, GroupConfig, Instant};
    /// # let mut group = Group::new(GroupConfig::default(), 42)?;
    /// let endpoint = group.add(1..=1)?;
    /// group.handle_removed(endpoint);
    /// assert_eq!(group.breaker(endpoint), None);
    /// # Ok::<(), npws_core::ConfigError>(())
    /// ```
    pub fn handle_removed(&mut self, endpoint: EndpointId) {
        if self.endpoints.remove(&endpoint).is_none() {
            return;
        }
        match self.life {
            Life::Open => self.share_out(),
            Life::Draining if self.endpoints.is_empty() => self.life = Life::Closed,
            Life::Draining | Life::Closed => {}
        }
    }

    /// Endpoints that are up make up for those that are out, in proportion to what each holds by itself.
    pub(super) fn share_out(&mut self) {
        mutation!(SharesKept => return);
        let sum = |bound: fn(&RangeInclusive<usize>) -> usize, is_up: bool| -> usize {
            let counted = self.endpoints.values().filter(|entry| !entry.is_leaving && (!is_up || entry.is_up()));
            counted.map(|entry| bound(&entry.share)).sum()
        };
        let least: fn(&RangeInclusive<usize>) -> usize = |share| *share.start();
        let most: fn(&RangeInclusive<usize>) -> usize = |share| *share.end();
        let (leasts, mosts) = ((sum(least, false), sum(least, true)), (sum(most, false), sum(most, true)));
        for (endpoint, entry) in &mut self.endpoints {
            let capacity = if entry.is_up() {
                scaled(*entry.share.start(), leasts)..=scaled(*entry.share.end(), mosts)
            } else {
                entry.share.clone()
            };
            if !entry.is_leaving && entry.told != capacity {
                entry.told = capacity.clone();
                self.outputs.push_back(GroupOutput::Resize { endpoint: *endpoint, capacity });
            }
        }
    }

    /// The order in which to try the endpoints that have a connection ready, as `load` tells: first those that are up,
    /// as the strategy has it, then those that are out and have some left.
    ///
    /// ```
    /// # use npws_core::{Group, GroupConfig, Instant, Load};
    /// # let mut group = Group::new(GroupConfig::default(), 42)?;
    /// let (busy, ready) = (group.add(1..=1)?, group.add(1..=1)?);
    /// let order = group.order(|endpoint| Load { idle: usize::from(endpoint == ready), ..Load::default() });
    /// assert_eq!(order, [ready]);
    /// # Ok::<(), npws_core::ConfigError>(())
    /// ```
    #[must_use]
    pub fn order(&mut self, mut load: impl FnMut(EndpointId) -> Load) -> Vec<EndpointId> {
        let (mut up, mut out) = (Vec::new(), Vec::new());
        for (endpoint, entry) in self.endpoints.iter().filter(|(_, entry)| !entry.is_leaving) {
            let candidate =
                Candidate { endpoint: *endpoint, load: load(*endpoint), failures: entry.breaker.failures() };
            if candidate.load.idle > 0 {
                if entry.is_up() { up.push(candidate) } else { out.push(candidate) }
            }
        }
        if up.is_empty() {
            return self.selector.order(out, &mut self.jitter);
        }
        let mut order = self.selector.order(up, &mut self.jitter);
        order.extend(out.iter().map(|candidate| candidate.endpoint));
        order
    }

    /// Whether the endpoint is out; `None` when there is no such endpoint any more.
    ///
    /// ```
    /// # use npws_core::{BreakerState, Group, GroupConfig, Instant};
    /// # let mut group = Group::new(GroupConfig::default(), 42)?;
    /// let endpoint = group.add(1..=1)?;
    /// assert_eq!(group.breaker(endpoint), Some(BreakerState::Closed));
    /// # Ok::<(), npws_core::ConfigError>(())
    /// ```
    #[must_use]
    pub fn breaker(&self, endpoint: EndpointId) -> Option<BreakerState> {
        self.endpoints.get(&endpoint).map(|entry| entry.breaker.state())
    }
}

/// `share` of a whole that those who are `up` have to hold in place of `all`, rounded up.
pub(super) fn scaled(share: usize, (all, up): (usize, usize)) -> usize {
    if up == 0 { share } else { share.saturating_mul(all).div_ceil(up).min(*COUNT.end()) }
}
