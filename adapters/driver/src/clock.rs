//! The runtime's clock, in the units of the machines.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::future::BoxFuture;

use crate::runtime::Background;

/// Counts from an epoch, as the machines do. All machines of one pool share it.
#[derive(Debug, Clone)]
pub(crate) struct Clock {
    background: Arc<dyn Background>,
    epoch: Instant,
}

impl Clock {
    /// The epoch is now.
    pub(crate) fn new(background: Arc<dyn Background>) -> Self {
        let epoch = background.now();
        Self { background, epoch }
    }

    pub(crate) fn now(&self) -> npws_core::Instant {
        npws_core::Instant::from_epoch(self.background.now().saturating_duration_since(self.epoch))
    }

    pub(crate) fn to_std(&self, instant: npws_core::Instant) -> Instant {
        // A point that the system's clock cannot express is never reached; thirty years are as good.
        let far = Duration::from_secs(30 * 365 * 24 * 60 * 60);
        self.epoch.checked_add(instant.since_epoch().min(far)).unwrap_or(self.epoch)
    }

    /// What the clock is of.
    pub(crate) fn background(&self) -> &dyn Background {
        &*self.background
    }

    pub(crate) fn sleep_until(&self, deadline: npws_core::Instant) -> BoxFuture<'static, ()> {
        self.background.sleep_until(self.to_std(deadline))
    }
}
