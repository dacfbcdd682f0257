//! Why a take got no connection of any endpoint.

use std::error::Error;
use std::fmt;
use std::io;
use std::sync::Arc;

use npws_core::{BreakerState, TakeError};

use super::Endpoint;
use crate::error::DialError;

/// Why a take got no connection of any endpoint, and what is known of each of them.
///
/// ```
/// use npws_driver::{GroupTakeError, TakeError};
///
/// fn is_worth_another_try(error: &GroupTakeError) -> bool {
///     error.error() == TakeError::Timeout
/// }
/// ```
#[derive(Debug, Clone)]
pub struct GroupTakeError {
    error: TakeError,
    causes: Vec<EndpointCause>,
    unresolved: Vec<(String, Arc<io::Error>)>,
}

/// What kept one endpoint from serving a take.
///
/// ```
/// use npws_driver::EndpointCause;
///
/// fn log(cause: &EndpointCause) {
///     println!("{}: {}, breaker {}", cause.endpoint, cause.error, cause.breaker);
/// }
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct EndpointCause {
    /// Which.
    pub endpoint: Endpoint,
    /// How the take ended there.
    pub error: TakeError,
    /// Whether it is out.
    pub breaker: BreakerState,
    /// Why its last dial failed, if it is out.
    pub last_dial_error: Option<Arc<DialError>>,
}

impl GroupTakeError {
    pub(super) fn new(error: TakeError, causes: Vec<EndpointCause>, unresolved: Vec<(String, Arc<io::Error>)>) -> Self {
        Self { error, causes, unresolved }
    }

    /// How the take ended on the whole.
    ///
    /// ```
    /// # use npws_driver::{GroupTakeError, TakeError};
    /// fn is_over(error: &GroupTakeError) -> bool {
    ///     error.error() == TakeError::Closed
    /// }
    /// ```
    #[must_use]
    pub fn error(&self) -> TakeError {
        self.error
    }

    /// What kept each endpoint from serving the take, in the order in which they were added.
    ///
    /// ```
    /// # use npws_driver::{BreakerState, GroupTakeError};
    /// fn all_are_out(error: &GroupTakeError) -> bool {
    ///     error.causes().iter().all(|cause| cause.breaker != BreakerState::Closed)
    /// }
    /// ```
    #[must_use]
    pub fn causes(&self) -> &[EndpointCause] {
        &self.causes
    }

    /// The names whose last look-up failed, and why.
    ///
    /// ```
    /// # use npws_driver::GroupTakeError;
    /// fn is_dns_down(error: &GroupTakeError) -> bool {
    ///     error.unresolved().next().is_some()
    /// }
    /// ```
    pub fn unresolved(&self) -> impl Iterator<Item = (&str, &io::Error)> {
        self.unresolved.iter().map(|(name, cause)| (&**name, &**cause))
    }
}

impl fmt::Display for GroupTakeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)?;
        let mut before = ": ";
        for cause in &self.causes {
            write!(f, "{before}{}", cause.endpoint)?;
            if cause.error != self.error {
                write!(f, ", {}", cause.error)?;
            }
            if cause.breaker != BreakerState::Closed {
                f.write_str(", out")?;
            }
            if let Some(error) = &cause.last_dial_error {
                write!(f, ", {error}")?;
            }
            before = "; ";
        }
        for (name, cause) in &self.unresolved {
            write!(f, "{before}{name}, the name could not be resolved: {cause}")?;
            before = "; ";
        }
        Ok(())
    }
}

impl Error for GroupTakeError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        // The last endpoint with a story to tell.
        let dials = self.causes.iter().rev().find_map(|cause| cause.last_dial_error.as_deref());
        dials.map(|error| error as _).or(Some(&self.error))
    }
}
