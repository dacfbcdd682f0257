//! What can go wrong for the user of a pool.

use alloc::string::String;
use core::fmt;

use crate::CloseReason;

/// Why a take got no connection.
///
/// ```
/// use npws_core::{CloseReason, TakeError};
///
/// assert_eq!(TakeError::Timeout.to_string(), "no connection became available in time");
/// assert_eq!(TakeError::Gone(CloseReason::Flushed).to_string(), "the connection is gone: flushed");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TakeError {
    /// Nothing arrived before the timeout. With a timeout of zero: nothing is there now.
    Timeout,
    /// The pool is closed, which is for good.
    Closed,
    /// The connection with this ID was there, and why it is not any more.
    Gone(CloseReason),
    /// The pool is being drained and hands out nothing new.
    Draining,
}

impl TakeError {
    /// Whether what the connection was wanted for can be tried again, here or with another pool: nothing was sent, and
    /// no user at the peer waits for it. That is so unless the peer may have taken the connection that is gone.
    ///
    /// ```
    /// use npws_core::{CloseReason, TakeError};
    ///
    /// assert!(TakeError::Draining.is_safe_to_retry());
    /// assert!(TakeError::Gone(CloseReason::PeerDrained).is_safe_to_retry());
    /// assert!(!TakeError::Gone(CloseReason::RetentionExpired).is_safe_to_retry(), "what the peer had sent is lost");
    /// ```
    #[must_use]
    pub fn is_safe_to_retry(self) -> bool {
        match self {
            Self::Timeout | Self::Closed | Self::Draining => true,
            Self::Gone(reason) => reason.is_safe_to_retry(),
        }
    }
}

impl fmt::Display for TakeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Timeout => f.write_str("no connection became available in time"),
            Self::Closed => f.write_str("the pool is closed"),
            Self::Gone(reason) => write!(f, "the connection is gone: {reason}"),
            Self::Draining => f.write_str("the pool is being drained"),
        }
    }
}

impl core::error::Error for TakeError {}

/// A configuration value outside its accepted range.
///
/// ```
/// use npws_core::ClientConfig;
///
/// let error = ClientConfig { max_concurrent_dials: 0, ..ClientConfig::default() }.validate().unwrap_err();
/// assert_eq!(error.field(), "max_concurrent_dials");
/// assert_eq!(error.to_string(), "max_concurrent_dials is 0, accepted is 1 to 65536");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    field: &'static str,
    value: String,
    accepted: String,
}

impl ConfigError {
    /// An error that names the field, the value found there and what would be accepted.
    ///
    /// ```
    /// use npws_core::ConfigError;
    ///
    /// let error = ConfigError::new("path", "status", "a path that begins with /");
    /// assert_eq!(error.to_string(), "path is status, accepted is a path that begins with /");
    /// ```
    #[must_use]
    pub fn new(field: &'static str, value: impl Into<String>, accepted: impl Into<String>) -> Self {
        Self { field, value: value.into(), accepted: accepted.into() }
    }

    /// The name of the field, as the configuration spells it.
    ///
    /// ```
    /// # use npws_core::ConfigError;
    /// assert_eq!(ConfigError::new("capacity", "0", "1 to 65536").field(), "capacity");
    /// ```
    #[must_use]
    pub fn field(&self) -> &'static str {
        self.field
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is {}, accepted is {}", self.field, self.value, self.accepted)
    }
}

impl core::error::Error for ConfigError {}
