//! Several client pools as one: which of them to take from, which of them is out, and which there are.

mod breaker;
mod config;
mod life;
mod machine;
mod names;
mod output;
mod reports;
mod selection;
#[cfg(test)]
mod tests;

pub use breaker::BreakerState;
pub use config::GroupConfig;
pub use machine::Group;
pub use names::NameId;
pub use output::GroupOutput;
pub use selection::{Load, Strategy};

/// One endpoint of a [`Group`]: a server, or one address of a name. It is never used again for another.
///
/// ```
/// use npws_core::{Group, GroupConfig, Instant};
///
/// let mut group = Group::new(GroupConfig::default(), 1)?;
/// let first = group.add(1..=1)?;
/// let second = group.add(1..=1)?;
/// assert_ne!(first, second);
/// # Ok::<(), npws_core::ConfigError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EndpointId(u64);
