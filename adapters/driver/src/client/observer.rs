//! Who is told how a pool's dials go.

use std::fmt::Debug;

use npws_core::DialFailure;

/// Is told without any lock being held.
pub(crate) trait DialObserver: Debug + Send + Sync {
    fn dialed(&self);
    /// `idle` connections are left.
    fn dial_failed(&self, failure: DialFailure, idle: usize);
    /// The server asked for an idle connection back.
    fn asked_back(&self);
    /// The pool is closed.
    fn closed(&self);
}

pub(crate) type BoxObserver = Box<dyn DialObserver>;
