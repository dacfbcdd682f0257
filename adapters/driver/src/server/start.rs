//! How a server pool comes to life: with a listener of its own, or on one that it shares.

use std::collections::HashMap;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;

use futures::future::{AbortHandle, Abortable};
use npws_core::{ConfigError, HeadLimits, ServerConfig, ServerPool as Machine};

use super::accept::Plan;
use super::front::Front;
use super::listener::Hold;
use super::{Accepts, Ids, ServerPool, ServerPoolBuilder, Source};
use crate::clock::Clock;
use crate::descriptors;
use crate::early_data::EarlyData;
use crate::error::BuildError;
use crate::pool::Pool;
use crate::runtime::{Background, Runtime};
use crate::shared::Shared;
use crate::sync::Mutex;
use crate::tcp::TcpOptions;
use crate::timer;
use crate::upgrade::websocket_config;

impl<R: Runtime> ServerPoolBuilder<R> {
    /// A pool that `serve` brings sockets to.
    pub(super) fn start<F: Future<Output = ()> + Send + 'static>(
        self,
        runtime: R,
        local_addr: Option<SocketAddr>,
        serve: impl FnOnce(Arc<Shared<Accepts<R>>>) -> F,
    ) -> Result<ServerPool<R>, BuildError> {
        self.head_limits.validate()?;
        let front = Arc::new(Front::new(self.settings.tcp.clone(), &self.tls, self.head_limits)?);
        let (handle, registration) = AbortHandle::new_pair();
        let pool = self.make(runtime.clone(), front, local_addr, Source::Own(handle))?;
        let serving = Abortable::new(serve(pool.shared.clone()), registration);
        runtime.spawn(async move {
            // Aborted when the pool stops listening: the listener is closed then.
            let _ = serving.await;
        });
        Ok(pool)
    }

    /// A pool that gets its sockets from a listener for several.
    pub(super) fn share(
        self,
        runtime: R,
        front: Arc<Front>,
        local_addr: Option<SocketAddr>,
        listener: Hold<R>,
    ) -> Result<ServerPool<R>, BuildError> {
        for (field, is_set) in [
            ("tls", !self.tls.is_plain()),
            ("tcp", self.settings.tcp != TcpOptions::default()),
            ("head_limits", self.head_limits != HeadLimits::default()),
            ("proxy_protocol", self.config.proxy_protocol.is_some()),
            ("backoff", self.config.backoff != ServerConfig::default().backoff),
        ] {
            if is_set {
                return Err(ConfigError::new(field, "set on the pool", "the listener's").into());
            }
        }
        self.make(runtime, front, local_addr, Source::Shared(listener))
    }

    fn make(
        self,
        runtime: R,
        front: Arc<Front>,
        local_addr: Option<SocketAddr>,
        source: Source<R>,
    ) -> Result<ServerPool<R>, BuildError> {
        self.settings.validate(&self.config.pool)?;
        let background: Arc<dyn Background> = Arc::new(runtime.clone());
        let clock = Clock::new(background.clone());
        let plan = Plan {
            runtime: runtime.clone(),
            own: self.settings.header(&self.config.pool),
            front,
            websocket: websocket_config(self.settings.max_message, self.settings.max_frame),
            link: self.config.pool.link.clone(),
            early_data: EarlyData::new(self.config.pool.early_data_total),
        };
        let max_staleness = self.config.pool.max_staleness;
        let capacity = self.config.capacity;
        let machine = Machine::new(self.config, rand::random as Ids, rand::random())?;
        descriptors::make_room(capacity);
        let driven = Accepts {
            plan: Arc::new(plan),
            local_addr,
            source: Mutex::new(Some(source)),
            under_way: Mutex::new(HashMap::new()),
            last_error: Mutex::default(),
        };
        let shared = Shared::new(machine, clock, background, self.settings.close_timeout, max_staleness, driven);
        runtime.spawn(timer::run(shared.clone()));
        Ok(Pool::new(shared))
    }
}
