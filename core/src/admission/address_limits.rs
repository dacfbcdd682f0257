//! How many handshakes and connections each address may have, and how fast they may come.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;
use core::net::IpAddr;

use super::ip_range::mask;
use super::{AddressLimitsConfig, Limited};
use crate::{ConfigError, Instant};

/// How many refilled buckets are forgotten with each handshake: more than one, so that the memory of a flood shrinks
/// again, and few, so that none has to wait for it.
const FORGOTTEN_AT_ONCE: usize = 2;

/// Counts handshakes and idle connections per address, and says when there are too many or they come too fast.
///
/// A handshake goes [`begin`](Self::begin), then either [`connected`](Self::connected) or
/// [`end_handshake`](Self::end_handshake); a connection then goes [`disconnected`](Self::disconnected) when the pool has
/// it no more. Always pass the address that was passed at the beginning. A peer without an address, on a transport that
/// has none, counts towards the total of handshakes only.
///
/// Memory is bounded: at most `max_addresses` are remembered. An address without connections and handshakes is only
/// remembered for its rate and forgotten when its bucket is full again; when there is no room, the one whose bucket is
/// nearest to that goes first.
///
/// ```
/// use core::time::Duration;
/// use npws_core::{AddressLimits, AddressLimitsConfig, HandshakeRate, Instant, Limited};
///
/// let second = Duration::from_secs(1);
/// let mut limits = AddressLimits::new(AddressLimitsConfig {
///     max_handshakes_per_address: Some(2),
///     handshake_rate: Some(HandshakeRate { burst: 3, refill: second }),
///     ..AddressLimitsConfig::default()
/// })?;
/// let peer = "192.0.2.7".parse().ok();
/// let now = Instant::ZERO;
///
/// assert_eq!(limits.begin(now, peer), Ok(()));
/// assert_eq!(limits.begin(now, peer), Ok(()));
/// assert_eq!(limits.begin(now, peer), Err(Limited::HandshakesOfAddress));
/// limits.connected(peer);
/// limits.end_handshake(peer);
///
/// assert_eq!(limits.begin(now, peer), Ok(()));
/// limits.end_handshake(peer);
/// assert_eq!(limits.begin(now, peer), Err(Limited::Rate));
/// assert_eq!(limits.begin(now + second, peer), Ok(()));
/// # Ok::<(), npws_core::ConfigError>(())
/// ```
#[derive(Debug, Clone)]
pub struct AddressLimits {
    config: AddressLimitsConfig,
    /// In flight, whether their address is known or not.
    handshakes: usize,
    /// Those of them that have no address.
    anonymous: usize,
    addresses: BTreeMap<IpAddr, Address>,
    /// The addresses that have nothing but a bucket, by the time at which it is full.
    resting: BTreeSet<(Instant, IpAddr)>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Address {
    handshakes: usize,
    connections: usize,
    /// When the bucket will be full; it says all about a bucket. Each handshake puts it off by one refill.
    full_at: Instant,
}

impl Address {
    fn is_resting(&self) -> bool {
        self.handshakes == 0 && self.connections == 0
    }
}

impl AddressLimits {
    /// Nothing is in flight and no address is known.
    ///
    /// # Errors
    /// When a value of `config` is outside its range.
    ///
    /// ```
    /// use npws_core::{AddressLimits, AddressLimitsConfig};
    ///
    /// let config = AddressLimitsConfig { max_addresses: 0, ..AddressLimitsConfig::default() };
    /// assert_eq!(AddressLimits::new(config).unwrap_err().field(), "max_addresses");
    /// ```
    pub fn new(config: AddressLimitsConfig) -> Result<Self, ConfigError> {
        config.validate()?;
        Ok(Self { config, handshakes: 0, anonymous: 0, addresses: BTreeMap::new(), resting: BTreeSet::new() })
    }

    /// A peer wants to begin a handshake. What is refused counts nowhere.
    ///
    /// # Errors
    /// The first limit that is in the way.
    ///
    /// ```
    /// # use npws_core::{AddressLimits, AddressLimitsConfig, Instant, Limited};
    /// let config = AddressLimitsConfig { max_handshakes: Some(1), ..AddressLimitsConfig::default() };
    /// let mut limits = AddressLimits::new(config)?;
    /// assert_eq!(limits.begin(Instant::ZERO, None), Ok(()));
    /// assert_eq!(limits.begin(Instant::ZERO, "192.0.2.7".parse().ok()), Err(Limited::Handshakes));
    /// # Ok::<(), npws_core::ConfigError>(())
    /// ```
    pub fn begin(&mut self, now: Instant, address: Option<IpAddr>) -> Result<(), Limited> {
        if reaches(self.handshakes, self.config.max_handshakes) {
            return Err(Limited::Handshakes);
        }
        match address {
            Some(address) => self.charge(now, group(address))?,
            None => self.anonymous += 1,
        }
        self.handshakes += 1;
        Ok(())
    }

    /// A handshake that began without an address turns out to be from this one: behind a proxy that is known only when
    /// the head of the request has been read. From now on it goes by this address.
    ///
    /// # Errors
    /// The first limit that is in the way. The handshake is then still in flight, and ends without an address.
    ///
    /// ```
    /// # use npws_core::{AddressLimits, AddressLimitsConfig, Instant, Limited};
    /// let config = AddressLimitsConfig { max_handshakes_per_address: Some(1), ..AddressLimitsConfig::default() };
    /// let mut limits = AddressLimits::new(config)?;
    /// let client = "192.0.2.7".parse().unwrap();
    /// for answer in [Ok(()), Err(Limited::HandshakesOfAddress)] {
    ///     limits.begin(Instant::ZERO, None).unwrap();
    ///     assert_eq!(limits.identify(Instant::ZERO, client), answer);
    /// }
    /// limits.end_handshake(None);
    /// limits.connected(Some(client));
    /// assert_eq!(limits.handshakes(), 0);
    /// # Ok::<(), npws_core::ConfigError>(())
    /// ```
    pub fn identify(&mut self, now: Instant, address: IpAddr) -> Result<(), Limited> {
        if self.anonymous == 0 {
            return self.begin(now, Some(address));
        }
        self.charge(now, group(address))?;
        self.anonymous -= 1;
        Ok(())
    }

    /// A handshake ended without a connection.
    ///
    /// ```
    /// # use npws_core::{AddressLimits, AddressLimitsConfig, Instant};
    /// # let mut limits = AddressLimits::new(AddressLimitsConfig::default())?;
    /// limits.begin(Instant::ZERO, None).unwrap();
    /// limits.end_handshake(None);
    /// assert_eq!(limits.handshakes(), 0);
    /// # Ok::<(), npws_core::ConfigError>(())
    /// ```
    pub fn end_handshake(&mut self, address: Option<IpAddr>) {
        self.finish(address, false);
    }

    /// A handshake ended with a connection, which is idle now.
    ///
    /// ```
    /// # use npws_core::{AddressLimits, AddressLimitsConfig, Instant, Limited};
    /// let config = AddressLimitsConfig { max_connections_per_address: Some(1), ..AddressLimitsConfig::default() };
    /// let mut limits = AddressLimits::new(config)?;
    /// let peer = "2001:db8::1".parse().ok();
    /// limits.begin(Instant::ZERO, peer).unwrap();
    /// limits.connected(peer);
    /// let neighbour = "2001:db8::2".parse().ok();
    /// assert_eq!(limits.begin(Instant::ZERO, neighbour), Err(Limited::ConnectionsOfAddress), "the same /64");
    /// # Ok::<(), npws_core::ConfigError>(())
    /// ```
    pub fn connected(&mut self, address: Option<IpAddr>) {
        self.finish(address, true);
    }

    /// The pool has an idle connection no more: it was taken or closed.
    ///
    /// ```
    /// # use npws_core::{AddressLimits, AddressLimitsConfig, Instant};
    /// # let mut limits = AddressLimits::new(AddressLimitsConfig::default())?;
    /// let peer = "192.0.2.7".parse().ok();
    /// limits.begin(Instant::ZERO, peer).unwrap();
    /// limits.connected(peer);
    /// limits.disconnected(peer);
    /// assert_eq!(limits.addresses(), 0, "without a rate there is nothing to remember");
    /// # Ok::<(), npws_core::ConfigError>(())
    /// ```
    pub fn disconnected(&mut self, address: Option<IpAddr>) {
        let Some(group) = address.map(group) else { return };
        let Some(entry) = self.addresses.get_mut(&group).filter(|entry| entry.connections > 0) else { return };
        entry.connections -= 1;
        self.rest(group);
    }

    /// Goes on with other limits. What is in flight and connected is told anew, each by the address that will be passed
    /// at its end. What an address has used up of its rate stays used up, as far as the new burst reaches.
    ///
    /// # Errors
    /// When a value of `config` is outside its range. Nothing has changed then.
    ///
    /// ```
    /// # use npws_core::{AddressLimits, AddressLimitsConfig, Instant, Limited};
    /// # let mut limits = AddressLimits::new(AddressLimitsConfig::default())?;
    /// let (now, peer) = (Instant::ZERO, "192.0.2.7".parse().unwrap());
    /// let config = AddressLimitsConfig { max_connections_per_address: Some(1), ..AddressLimitsConfig::default() };
    /// limits.reconfigure(now, config, [], [peer])?;
    /// assert_eq!(limits.begin(now, Some(peer)), Err(Limited::ConnectionsOfAddress));
    /// # Ok::<(), npws_core::ConfigError>(())
    /// ```
    pub fn reconfigure(
        &mut self,
        now: Instant,
        config: AddressLimitsConfig,
        handshakes: impl IntoIterator<Item = Option<IpAddr>>,
        connections: impl IntoIterator<Item = IpAddr>,
    ) -> Result<(), ConfigError> {
        config.validate()?;
        let fullest = config.handshake_rate.map(|rate| now + rate.refill.saturating_mul(rate.burst));
        self.config = config;
        self.resting.clear();
        (self.handshakes, self.anonymous) = (0, 0);
        for entry in self.addresses.values_mut() {
            let full_at = fullest.map_or(entry.full_at, |fullest| entry.full_at.min(fullest));
            *entry = Address { full_at, ..Address::default() };
        }
        for address in handshakes {
            self.handshakes += 1;
            match address {
                Some(address) => self.addresses.entry(group(address)).or_default().handshakes += 1,
                None => self.anonymous += 1,
            }
        }
        for address in connections {
            self.addresses.entry(group(address)).or_default().connections += 1;
        }
        for group in self.addresses.keys().copied().collect::<Vec<_>>() {
            self.rest(group);
        }
        Ok(())
    }

    /// How many handshakes are in flight.
    ///
    /// ```
    /// # use npws_core::{AddressLimits, AddressLimitsConfig};
    /// assert_eq!(AddressLimits::new(AddressLimitsConfig::default())?.handshakes(), 0);
    /// # Ok::<(), npws_core::ConfigError>(())
    /// ```
    #[must_use]
    pub fn handshakes(&self) -> usize {
        self.handshakes
    }

    /// How many addresses are remembered.
    ///
    /// ```
    /// # use npws_core::{AddressLimits, AddressLimitsConfig, Instant};
    /// # let mut limits = AddressLimits::new(AddressLimitsConfig::default())?;
    /// limits.begin(Instant::ZERO, "192.0.2.7".parse().ok()).unwrap();
    /// limits.begin(Instant::ZERO, "::ffff:192.0.2.7".parse().ok()).unwrap();
    /// assert_eq!(limits.addresses(), 1);
    /// # Ok::<(), npws_core::ConfigError>(())
    /// ```
    #[must_use]
    pub fn addresses(&self) -> usize {
        self.addresses.len()
    }

    /// Counts a handshake for the address, if the limits of an address allow it.
    fn charge(&mut self, now: Instant, group: IpAddr) -> Result<(), Limited> {
        for _ in 0..FORGOTTEN_AT_ONCE {
            if self.resting.first().is_some_and(|(full_at, _)| *full_at <= now) {
                self.forget_first();
            }
        }
        let known = self.addresses.get(&group).copied();
        let before = known.unwrap_or_default();
        if reaches(before.handshakes, self.config.max_handshakes_per_address) {
            return Err(Limited::HandshakesOfAddress);
        }
        // A handshake may become a connection, so the limit could be passed if it did not count.
        if reaches(before.connections + before.handshakes, self.config.max_connections_per_address) {
            return Err(Limited::ConnectionsOfAddress);
        }
        let full_at = match self.config.handshake_rate {
            Some(rate) => rate.take_one(before.full_at, now).ok_or(Limited::Rate)?,
            None => before.full_at,
        };
        if known.is_some() {
            self.resting.remove(&(before.full_at, group));
        } else if self.addresses.len() >= self.config.max_addresses && !self.forget_first() {
            return Err(Limited::Addresses);
        }
        self.addresses.insert(group, Address { handshakes: before.handshakes + 1, full_at, ..before });
        Ok(())
    }

    fn finish(&mut self, address: Option<IpAddr>, is_connected: bool) {
        if let Some(group) = address.map(group) {
            let Some(entry) = self.addresses.get_mut(&group).filter(|entry| entry.handshakes > 0) else { return };
            entry.handshakes -= 1;
            entry.connections += usize::from(is_connected);
            self.rest(group);
        } else if self.anonymous > 0 {
            self.anonymous -= 1;
        } else {
            return;
        }
        self.handshakes -= 1;
    }

    /// A handshake of this address goes on as nobody's, whatever the limits are by now.
    pub(crate) fn anonymize(&mut self, address: IpAddr) {
        let group = group(address);
        let Some(entry) = self.addresses.get_mut(&group).filter(|entry| entry.handshakes > 0) else { return };
        entry.handshakes -= 1;
        self.anonymous += 1;
        self.rest(group);
    }

    /// Puts an address that has nothing alive any more where it can be forgotten.
    fn rest(&mut self, group: IpAddr) {
        let Some(entry) = self.addresses.get(&group).filter(|entry| entry.is_resting()) else { return };
        if self.config.handshake_rate.is_some() {
            self.resting.insert((entry.full_at, group));
        } else {
            self.addresses.remove(&group);
        }
    }

    /// Forgets the resting address whose bucket is full first. Returns whether there was one.
    fn forget_first(&mut self) -> bool {
        self.resting.pop_first().is_some_and(|(_, group)| self.addresses.remove(&group).is_some())
    }
}

/// What limits apply to together. Whoever is given one IPv6 address is given 2^64 of them.
pub(crate) fn group(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        v4 @ IpAddr::V4(_) => v4,
        v6 @ IpAddr::V6(_) => mask(v6, 64),
    }
}

fn reaches(count: usize, limit: Option<usize>) -> bool {
    limit.is_some_and(|limit| count >= limit)
}

#[cfg(test)]
mod tests;
