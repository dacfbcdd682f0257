//! How time goes by for a group, and how it ends.

use core::time::Duration;

use super::machine::Life;
use super::{Group, GroupOutput, NameId};
use crate::Instant;

impl Group {
    /// Looks every name up now.
    ///
    /// ```
    /// # use npws_core::{Group, GroupConfig, GroupOutput, Instant};
    /// # let now = Instant::ZERO;
    /// # let mut group = Group::new(GroupConfig::default(), 42)?;
    /// # let name = group.add_name(now, 1..=1)?;
    /// # group.poll_output();
    /// group.handle_resolved(now, name, &[]);
    /// group.refresh(now);
    /// assert_eq!(group.poll_output(), Some(GroupOutput::Resolve(name)));
    /// # Ok::<(), npws_core::ConfigError>(())
    /// ```
    pub fn refresh(&mut self, now: Instant) {
        for name in &mut self.names {
            name.doubt(now);
        }
        self.handle_timeout(now);
    }

    /// What to do next.
    ///
    /// ```
    /// # use npws_core::{Group, GroupConfig};
    /// # let mut group = Group::new(GroupConfig::default(), 42)?;
    /// assert_eq!(group.poll_output(), None);
    /// # Ok::<(), npws_core::ConfigError>(())
    /// ```
    #[must_use]
    pub fn poll_output(&mut self) -> Option<GroupOutput> {
        self.outputs.pop_front()
    }

    /// When to call [`handle_timeout`](Self::handle_timeout); `None` when nothing is due by itself.
    ///
    /// ```
    /// # use npws_core::{Group, GroupConfig};
    /// # let group = Group::new(GroupConfig::default(), 42)?;
    /// assert_eq!(group.poll_timeout(), None);
    /// # Ok::<(), npws_core::ConfigError>(())
    /// ```
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        if self.life != Life::Open {
            return None;
        }
        let probes = self.endpoints.values().filter(|entry| !entry.is_leaving);
        let probes = probes.filter_map(|entry| entry.breaker.poll_timeout());
        let names = self.names.iter().filter_map(|name| name.poll_timeout());
        probes.chain(names).min()
    }

    /// Does what is due: probes, and look-ups of names.
    ///
    /// ```
    /// # use npws_core::{DialFailure, Group, GroupConfig, GroupOutput, Instant};
    /// # let now = Instant::ZERO;
    /// # let mut group = Group::new(GroupConfig::default(), 42)?;
    /// let endpoint = group.add(1..=1)?;
    /// group.handle_dial_failed(now, endpoint, DialFailure::Connect, 0);
    /// assert_eq!(group.poll_output(), Some(GroupOutput::Hold(endpoint)));
    /// let due = group.poll_timeout().expect("a probe is due some time");
    /// group.handle_timeout(due);
    /// assert_eq!(group.poll_output(), Some(GroupOutput::Probe(endpoint)));
    /// # Ok::<(), npws_core::ConfigError>(())
    /// ```
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.life != Life::Open {
            return;
        }
        for (endpoint, entry) in self.endpoints.iter_mut().filter(|(_, entry)| !entry.is_leaving) {
            if entry.breaker.handle_timeout(now) {
                self.outputs.push_back(GroupOutput::Probe(*endpoint));
            }
        }
        for (index, name) in self.names.iter_mut().enumerate() {
            if name.handle_timeout(now) {
                self.outputs.push_back(GroupOutput::Resolve(NameId(index)));
            }
        }
    }

    /// Ends the group gently: every pool is drained, and the group is closed when the last of them is.
    ///
    /// ```
    /// # use core::time::Duration;
    /// # use npws_core::{Group, GroupConfig, GroupOutput, Instant};
    /// # let mut group = Group::new(GroupConfig::default(), 42)?;
    /// let endpoint = group.add(1..=1)?;
    /// let timeout = Duration::from_secs(5);
    /// group.drain(timeout);
    /// assert_eq!(group.poll_output(), Some(GroupOutput::Drain { endpoint, timeout }));
    /// group.handle_removed(endpoint);
    /// assert!(group.is_closed());
    /// # Ok::<(), npws_core::ConfigError>(())
    /// ```
    pub fn drain(&mut self, timeout: Duration) {
        if self.life == Life::Closed {
            return;
        }
        self.life = if self.endpoints.is_empty() { Life::Closed } else { Life::Draining };
        for (endpoint, entry) in &mut self.endpoints {
            entry.is_leaving = true;
            self.outputs.push_back(GroupOutput::Drain { endpoint: *endpoint, timeout });
        }
    }

    /// Closes the group at once and for good, and every pool with it.
    ///
    /// ```
    /// # use npws_core::{Group, GroupConfig, GroupOutput, Instant};
    /// # let mut group = Group::new(GroupConfig::default(), 42)?;
    /// let endpoint = group.add(1..=1)?;
    /// group.close();
    /// assert_eq!(group.poll_output(), Some(GroupOutput::Close(endpoint)));
    /// assert!(group.is_closed());
    /// # Ok::<(), npws_core::ConfigError>(())
    /// ```
    pub fn close(&mut self) {
        self.life = Life::Closed;
        for (endpoint, _) in core::mem::take(&mut self.endpoints) {
            self.outputs.push_back(GroupOutput::Close(endpoint));
        }
    }

    /// Whether nothing new is taken any more.
    ///
    /// ```
    /// # use core::time::Duration;
    /// # use npws_core::{Group, GroupConfig, Instant};
    /// # let mut group = Group::new(GroupConfig::default(), 42)?;
    /// # group.add(1..=1)?;
    /// group.drain(Duration::from_secs(5));
    /// assert!(group.is_draining() && !group.is_closed());
    /// # Ok::<(), npws_core::ConfigError>(())
    /// ```
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.life == Life::Draining
    }

    /// Whether the group is closed, which is for good.
    ///
    /// ```
    /// # use npws_core::{Group, GroupConfig};
    /// # let mut group = Group::new(GroupConfig::default(), 42)?;
    /// assert!(!group.is_closed());
    /// # Ok::<(), npws_core::ConfigError>(())
    /// ```
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.life == Life::Closed
    }
}
