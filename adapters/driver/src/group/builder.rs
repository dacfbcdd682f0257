//! What a group can be told.

use std::fmt;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use npws_core::{ConfigError, Group, GroupConfig, Strategy};

use super::shared::{GroupShared, Name};
use super::{PoolGroup, timer};
use crate::client::ClientPoolBuilder;
use crate::clock::Clock;
use crate::error::BuildError;
use crate::runtime::{Background, Runtime};

/// Builds a [`PoolGroup`]. Everything is checked once, in [`connect`](Self::connect).
///
/// ```
/// use npws_driver::{ClientPool, PoolGroupBuilder, Runtime, Strategy};
///
/// fn configure<R: Runtime>(builder: PoolGroupBuilder<R>) -> PoolGroupBuilder<R> {
///     builder.strategy(Strategy::PowerOfTwo).discover(ClientPool::builder("tunnel.example:8443").capacity(5..=20))
/// }
/// ```
#[must_use]
pub struct PoolGroupBuilder<R: Runtime> {
    config: GroupConfig,
    endpoints: Vec<ClientPoolBuilder<R>>,
    names: Vec<ClientPoolBuilder<R>>,
    runtime: Option<R>,
}

impl<R: Runtime> PoolGroupBuilder<R> {
    pub(super) fn new() -> Self {
        Self { config: GroupConfig::default(), endpoints: Vec::new(), names: Vec::new(), runtime: None }
    }

    /// Adds an endpoint with settings of its own. If its name has several addresses, they are tried as one: see
    /// [`discover`](Self::discover).
    ///
    /// ```
    /// # use npws_driver::{ClientPool, PoolGroupBuilder, Runtime};
    /// fn configure<R: Runtime>(builder: PoolGroupBuilder<R>) -> PoolGroupBuilder<R> {
    ///     builder
    ///         .endpoint(ClientPool::builder("amsterdam.example:8443").capacity(10..=40))
    ///         .endpoint(ClientPool::builder("bogota.example:8443").capacity(5..=20).path("/tunnel"))
    /// }
    /// ```
    pub fn endpoint(mut self, pool: ClientPoolBuilder<R>) -> Self {
        self.endpoints.push(pool);
        self
    }

    /// Adds every address of a name as an endpoint, each with these settings, and follows the name as its addresses
    /// change. TLS and HTTP use the name. A [resolver](ClientPoolBuilder::resolver) of one's own is asked, a
    /// [dialer](ClientPoolBuilder::dialer) and a proxy get the address.
    ///
    /// ```
    /// # use npws_driver::{ClientPool, PoolGroupBuilder, Runtime};
    /// fn configure<R: Runtime>(builder: PoolGroupBuilder<R>) -> PoolGroupBuilder<R> {
    ///     builder.discover(ClientPool::builder("tunnel.example:8443").capacity(5..=20))
    /// }
    /// ```
    pub fn discover(mut self, pools: ClientPoolBuilder<R>) -> Self {
        self.names.push(pools);
        self
    }

    /// Which endpoint the next connection is taken from. They take turns unless told.
    ///
    /// ```
    /// # use npws_driver::{PoolGroupBuilder, Runtime, Strategy};
    /// fn configure<R: Runtime>(builder: PoolGroupBuilder<R>) -> PoolGroupBuilder<R> {
    ///     builder.strategy(Strategy::PowerOfTwo)
    /// }
    /// ```
    pub fn strategy(mut self, strategy: Strategy) -> Self {
        self.config.strategy = strategy;
        self
    }

    /// How many dials of an endpoint have to fail in a row for it to count as out, although it has idle connections: 1
    /// to 1,000, 3 unless told. Once it has none, a single one is enough.
    ///
    /// ```
    /// # use npws_driver::{PoolGroupBuilder, Runtime};
    /// fn configure<R: Runtime>(builder: PoolGroupBuilder<R>) -> PoolGroupBuilder<R> {
    ///     builder.break_after(10)
    /// }
    /// ```
    pub fn break_after(mut self, failures: u32) -> Self {
        self.config.break_after = failures;
        self
    }

    /// The first and the longest pause before an endpoint that is out is probed again, by a single dial: each 1 ms to
    /// 1 h, `100 ms..=10 s` unless told. It doubles with every probe that fails and is drawn from the upper half.
    ///
    /// ```
    /// # use npws_driver::{PoolGroupBuilder, Runtime};
    /// use std::time::Duration;
    ///
    /// fn configure<R: Runtime>(builder: PoolGroupBuilder<R>) -> PoolGroupBuilder<R> {
    ///     builder.probe_backoff(Duration::from_millis(50)..=Duration::from_secs(30))
    /// }
    /// ```
    pub fn probe_backoff(mut self, range: RangeInclusive<Duration>) -> Self {
        self.config.probe_backoff = range;
        self
    }

    /// The time between two look-ups of a name, of which up to a tenth is left out at random: 1 ms to 24 h, 30 s unless
    /// told. When one of its addresses is out, a name is looked up earlier.
    ///
    /// ```
    /// # use npws_driver::{PoolGroupBuilder, Runtime};
    /// use std::time::Duration;
    ///
    /// fn configure<R: Runtime>(builder: PoolGroupBuilder<R>) -> PoolGroupBuilder<R> {
    ///     builder.resolve_interval(Duration::from_secs(5))
    /// }
    /// ```
    pub fn resolve_interval(mut self, interval: Duration) -> Self {
        self.config.resolve_interval = interval;
        self
    }

    /// How many addresses of one name are used: 1 to 1,024, 64 unless told.
    ///
    /// ```
    /// # use npws_driver::{PoolGroupBuilder, Runtime};
    /// fn configure<R: Runtime>(builder: PoolGroupBuilder<R>) -> PoolGroupBuilder<R> {
    ///     builder.max_addresses(8)
    /// }
    /// ```
    pub fn max_addresses(mut self, limit: usize) -> Self {
        self.config.max_addresses = limit;
        self
    }

    /// How long what the peer may already have taken can be taken from an endpoint that its name does not have any more:
    /// up to 24 h, 30 s unless told.
    ///
    /// ```
    /// # use npws_driver::{PoolGroupBuilder, Runtime};
    /// use std::time::Duration;
    ///
    /// fn configure<R: Runtime>(builder: PoolGroupBuilder<R>) -> PoolGroupBuilder<R> {
    ///     builder.drain_timeout(Duration::from_secs(5))
    /// }
    /// ```
    pub fn drain_timeout(mut self, timeout: Duration) -> Self {
        self.config.drain_timeout = timeout;
        self
    }

    /// Runs the group, and those of its pools that are not told otherwise, on this runtime rather than on the caller's.
    ///
    /// ```
    /// # use npws_driver::{PoolGroupBuilder, Runtime};
    /// fn configure<R: Runtime>(builder: PoolGroupBuilder<R>, runtime: R) -> PoolGroupBuilder<R> {
    ///     builder.runtime(runtime)
    /// }
    /// ```
    pub fn runtime(mut self, runtime: R) -> Self {
        self.runtime = Some(runtime);
        self
    }

    /// Checks everything and begins to dial and to look names up in the background. Errors of these are not errors of
    /// this call: a take that fails tells them.
    ///
    /// ```
    /// # use npws_driver::{PoolGroup, Runtime};
    /// fn dial<R: Runtime>() {
    ///     if let Err(error) = PoolGroup::<R>::builder().connect() {
    ///         assert_eq!(error.to_string(), "endpoints is none, accepted is at least one endpoint or name");
    ///     }
    /// }
    /// ```
    ///
    /// # Errors
    /// [`BuildError::Config`] names the first value outside its range, the group's or one of an endpoint's, and
    /// [`BuildError::Tls`] what is wrong with the TLS settings of one. [`BuildError::NoRuntime`] when called outside a
    /// runtime that needs one.
    pub fn connect(self) -> Result<PoolGroup<R>, BuildError> {
        let mut machine = Group::new(self.config, rand::random())?;
        if self.endpoints.is_empty() && self.names.is_empty() {
            return Err(ConfigError::new("endpoints", "none", "at least one endpoint or name").into());
        }
        let runtime = match self.runtime {
            Some(runtime) => runtime,
            None => R::current().map_err(BuildError::NoRuntime)?,
        };
        for template in &self.names {
            template.clone().runtime(runtime.clone()).prepare(None)?;
        }
        let background: Arc<dyn Background> = Arc::new(runtime.clone());
        let clock = Clock::new(background);
        let mut names = Vec::new();
        for template in self.names {
            let name = machine.add_name(clock.now(), template.config.capacity.clone())?;
            names.push((name, Name { template: Arc::new(template), last_error: None }));
        }
        let shared = GroupShared::new(machine, clock, runtime);
        let group = PoolGroup::new(shared.clone());
        shared.with(|state, _| state.names.extend(names));
        for builder in self.endpoints {
            shared.add(builder)?;
        }
        shared.runtime.spawn(timer::run(shared.clone()));
        Ok(group)
    }
}

impl<R: Runtime> fmt::Debug for PoolGroupBuilder<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PoolGroupBuilder")
            .field("config", &self.config)
            .field("endpoints", &self.endpoints)
            .field("names", &self.names)
            .finish_non_exhaustive()
    }
}
