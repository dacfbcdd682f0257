//! Which addresses of a name to try, and when (RFC 8305, Happy Eyeballs version 2).

use alloc::collections::{BTreeSet, VecDeque};
use core::net::SocketAddr;
use core::time::Duration;

use crate::Instant;

#[cfg(test)]
mod tests;

/// The attempts of one dial to reach a name that has several addresses.
///
/// The families take turns, IPv6 first, each in the order in which the resolver gave its addresses (RFC 8305 section 4).
/// An attempt begins when the one before it failed, and at the latest after a delay (section 5). The first to connect
/// wins: whoever drives this then drops the race and the other attempts. Its resolver answers for both families at once,
/// so there is no resolution delay (section 3).
///
/// ```
/// use core::net::SocketAddr;
/// use core::time::Duration;
/// use npws_core::{Instant, Race};
///
/// let v6 = SocketAddr::from(([0x2001, 0xdb8, 0, 0, 0, 0, 0, 7], 443));
/// let v4 = SocketAddr::from(([192, 0, 2, 7], 443));
/// let (now, delay) = (Instant::ZERO, Duration::from_millis(250));
///
/// let mut race = Race::new(now, [v4, v6], delay);
/// assert_eq!(race.poll_attempt(now), Some(v6));
/// assert_eq!(race.poll_attempt(now), None, "it has 250 ms for itself");
/// assert_eq!(race.poll_timeout(), Some(now + delay));
/// race.handle_failed(now);
/// assert_eq!(race.poll_attempt(now), Some(v4));
/// race.handle_failed(now);
/// assert!(race.is_lost());
/// ```
#[derive(Debug)]
pub struct Race {
    waiting: VecDeque<SocketAddr>,
    under_way: usize,
    delay: Duration,
    next: Instant,
}

impl Race {
    /// A race to `addresses`, whose first attempt is due now. An address that is named twice is tried once.
    ///
    /// ```
    /// # use core::time::Duration;
    /// # use npws_core::{Instant, Race};
    /// let race = Race::new(Instant::ZERO, [], Duration::from_millis(250));
    /// assert!(race.is_lost(), "there is nothing to try");
    /// ```
    #[must_use]
    pub fn new(now: Instant, addresses: impl IntoIterator<Item = SocketAddr>, delay: Duration) -> Self {
        Self { waiting: interleave(addresses), under_way: 0, delay, next: now }
    }

    /// The address of an attempt to begin now. Poll until there is none.
    ///
    /// ```
    /// # use core::time::Duration;
    /// # use npws_core::{Instant, Race};
    /// let address = ([192, 0, 2, 7], 443).into();
    /// let mut race = Race::new(Instant::ZERO, [address, address], Duration::from_millis(250));
    /// assert_eq!(race.poll_attempt(Instant::ZERO), Some(address));
    /// assert_eq!(race.poll_attempt(Instant::ZERO + Duration::MAX), None, "it is the only one");
    /// ```
    #[must_use]
    pub fn poll_attempt(&mut self, now: Instant) -> Option<SocketAddr> {
        if now < self.next {
            return None;
        }
        let address = self.waiting.pop_front()?;
        self.under_way += 1;
        self.next = now + self.delay;
        Some(address)
    }

    /// When the next attempt is due, unless one fails before; `None` when there is none left to begin.
    ///
    /// ```
    /// # use core::time::Duration;
    /// # use npws_core::{Instant, Race};
    /// let race = Race::new(Instant::ZERO, [([192, 0, 2, 7], 443).into()], Duration::from_millis(250));
    /// assert_eq!(race.poll_timeout(), Some(Instant::ZERO));
    /// ```
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        (!self.waiting.is_empty()).then_some(self.next)
    }

    /// One of the attempts failed: the next is due at once.
    ///
    /// ```
    /// # use core::time::Duration;
    /// # use npws_core::{Instant, Race};
    /// # let (one, two) = (([192, 0, 2, 7], 443).into(), ([192, 0, 2, 8], 443).into());
    /// let mut race = Race::new(Instant::ZERO, [one, two], Duration::from_millis(250));
    /// assert_eq!(race.poll_attempt(Instant::ZERO), Some(one));
    /// race.handle_failed(Instant::ZERO);
    /// assert_eq!(race.poll_timeout(), Some(Instant::ZERO));
    /// ```
    pub fn handle_failed(&mut self, now: Instant) {
        if self.under_way > 0 {
            self.under_way -= 1;
            self.next = self.next.min(now);
        }
    }

    /// Whether every attempt has failed and there is no address left.
    ///
    /// ```
    /// # use core::time::Duration;
    /// # use npws_core::{Instant, Race};
    /// # let address = ([192, 0, 2, 7], 443).into();
    /// let mut race = Race::new(Instant::ZERO, [address], Duration::from_millis(250));
    /// assert_eq!(race.poll_attempt(Instant::ZERO), Some(address));
    /// assert!(!race.is_lost());
    /// race.handle_failed(Instant::ZERO);
    /// assert!(race.is_lost());
    /// ```
    #[must_use]
    pub fn is_lost(&self) -> bool {
        self.waiting.is_empty() && self.under_way == 0
    }
}

/// The families take turns, IPv6 first; within a family the order stays.
fn interleave(addresses: impl IntoIterator<Item = SocketAddr>) -> VecDeque<SocketAddr> {
    let mut seen = BTreeSet::new();
    let (mut v6, mut v4) = (VecDeque::new(), VecDeque::new());
    for address in addresses.into_iter().filter(|address| seen.insert(*address)) {
        if address.is_ipv6() { v6.push_back(address) } else { v4.push_back(address) }
    }
    let mut order = VecDeque::with_capacity(v6.len() + v4.len());
    while !v6.is_empty() || !v4.is_empty() {
        order.extend(v6.pop_front());
        order.extend(v4.pop_front());
    }
    order
}
