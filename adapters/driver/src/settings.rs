//! What the builders of both kinds of pool have in common.

use std::time::Duration;

use npws_core::{ConfigError, PoolConfig};

use crate::tcp::TcpOptions;

/// What both builders collect beyond the machine's configuration.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(crate) tcp: TcpOptions,
    pub(crate) max_message: usize,
    pub(crate) close_timeout: Duration,
    pub(crate) v2: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self { tcp: TcpOptions::default(), max_message: 64 << 20, close_timeout: Duration::from_secs(1), v2: true }
    }
}

impl Settings {
    pub(crate) fn validate(&self, pool: &PoolConfig) -> Result<(), ConfigError> {
        pool.validate()?;
        if !(125..=1 << 30).contains(&self.max_message) {
            return Err(ConfigError::new("max_message_size", self.max_message.to_string(), "125 to 1073741824"));
        }
        if self.close_timeout > Duration::from_secs(60) {
            return Err(ConfigError::new("close_timeout", format!("{:?}", self.close_timeout), "0ns to 60s"));
        }
        Ok(())
    }
}

/// The setters that both builders have. `$config` is the field with the machine's configuration.
macro_rules! common_setters {
    () => {
        /// How long nothing may arrive on an idle connection before a ping is sent: 1 ms to 24 h, 30 s unless told.
        ///
        /// ```
        /// # use npws_driver::{Runtime, ServerPoolBuilder};
        /// use std::time::Duration;
        ///
        /// fn configure<R: Runtime>(builder: ServerPoolBuilder<R>) -> ServerPoolBuilder<R> {
        ///     builder.keepalive(Duration::from_secs(20))
        /// }
        /// ```
        #[must_use]
        pub fn keepalive(mut self, silence: Duration) -> Self {
            self.config.pool.link.keepalive = Some(silence);
            self
        }

        /// Never sends a ping. Then only TCP tells of a peer that is gone.
        ///
        /// ```
        /// # use npws_driver::{Runtime, ServerPoolBuilder};
        /// fn configure<R: Runtime>(builder: ServerPoolBuilder<R>) -> ServerPoolBuilder<R> {
        ///     builder.no_keepalive()
        /// }
        /// ```
        #[must_use]
        pub fn no_keepalive(mut self) -> Self {
            self.config.pool.link.keepalive = None;
            self
        }

        /// How long a v2 peer may stay silent after a ping: 1 ms to 1 h, 10 s unless told. A v1 peer answers no ping
        /// while idle; there the [TCP options](crate::TcpOptions) tell of a path that is cut.
        ///
        /// ```
        /// # use npws_driver::{Runtime, ServerPoolBuilder};
        /// use std::time::Duration;
        ///
        /// fn configure<R: Runtime>(builder: ServerPoolBuilder<R>) -> ServerPoolBuilder<R> {
        ///     builder.pong_timeout(Duration::from_secs(5))
        /// }
        /// ```
        #[must_use]
        pub fn pong_timeout(mut self, timeout: Duration) -> Self {
            self.config.pool.link.pong_timeout = timeout;
            self
        }

        /// How many bytes are held of what a peer sends before this side takes the connection: 1 byte to 64 MiB, 64 KiB
        /// unless told. What is more waits in the kernel and at the peer.
        ///
        /// ```
        /// # use npws_driver::{Runtime, ServerPoolBuilder};
        /// fn configure<R: Runtime>(builder: ServerPoolBuilder<R>) -> ServerPoolBuilder<R> {
        ///     builder.early_data_limit(16 * 1024)
        /// }
        /// ```
        #[must_use]
        pub fn early_data_limit(mut self, bytes: usize) -> Self {
            self.config.pool.link.early_data_limit = bytes;
            self
        }

        /// How long a connection whose peer sent data and closed can still be taken by its ID: 1 ms to 24 h, 30 s unless
        /// told.
        ///
        /// ```
        /// # use npws_driver::{Runtime, ServerPoolBuilder};
        /// use std::time::Duration;
        ///
        /// fn configure<R: Runtime>(builder: ServerPoolBuilder<R>) -> ServerPoolBuilder<R> {
        ///     builder.retention(Duration::from_secs(60))
        /// }
        /// ```
        #[must_use]
        pub fn retention(mut self, limit: Duration) -> Self {
            self.config.pool.retention = limit;
            self
        }

        /// Whether the control ID `00000000` is taken by its ID only, and never by `take_next`. Off unless told.
        ///
        /// ```
        /// # use npws_driver::{Runtime, ServerPoolBuilder};
        /// fn configure<R: Runtime>(builder: ServerPoolBuilder<R>) -> ServerPoolBuilder<R> {
        ///     builder.control_channel(true)
        /// }
        /// ```
        #[must_use]
        pub fn control_channel(mut self, on: bool) -> Self {
            self.config.pool.control_channel = on;
            self
        }

        /// The TCP options of every socket of the pool.
        ///
        /// ```
        /// # use npws_driver::{Runtime, ServerPoolBuilder};
        /// use std::time::Duration;
        /// use npws_driver::TcpOptions;
        ///
        /// fn configure<R: Runtime>(builder: ServerPoolBuilder<R>) -> ServerPoolBuilder<R> {
        ///     builder.tcp(TcpOptions { user_timeout: Some(Duration::from_secs(5)), ..TcpOptions::default() })
        /// }
        /// ```
        #[must_use]
        pub fn tcp(mut self, options: crate::TcpOptions) -> Self {
            self.settings.tcp = options;
            self
        }

        /// The largest message that a peer may send: 125 bytes to 1 GiB, 64 MiB unless told. A larger one closes the
        /// connection.
        ///
        /// ```
        /// # use npws_driver::{Runtime, ServerPoolBuilder};
        /// fn configure<R: Runtime>(builder: ServerPoolBuilder<R>) -> ServerPoolBuilder<R> {
        ///     builder.max_message_size(1 << 20)
        /// }
        /// ```
        #[must_use]
        pub fn max_message_size(mut self, bytes: usize) -> Self {
            self.settings.max_message = bytes;
            self
        }

        /// How long a close handshake may take, which happens in the background: up to 60 s, 1 s unless told.
        ///
        /// ```
        /// # use npws_driver::{Runtime, ServerPoolBuilder};
        /// use std::time::Duration;
        ///
        /// fn configure<R: Runtime>(builder: ServerPoolBuilder<R>) -> ServerPoolBuilder<R> {
        ///     builder.close_timeout(Duration::from_millis(200))
        /// }
        /// ```
        #[must_use]
        pub fn close_timeout(mut self, timeout: Duration) -> Self {
            self.settings.close_timeout = timeout;
            self
        }

        /// Whether to speak protocol v2 with peers that do, which is on unless told. Every other peer is spoken to in
        /// v1 either way.
        ///
        /// ```
        /// # use npws_driver::{Runtime, ServerPoolBuilder};
        /// fn configure<R: Runtime>(builder: ServerPoolBuilder<R>) -> ServerPoolBuilder<R> {
        ///     builder.v2(false)
        /// }
        /// ```
        #[must_use]
        pub fn v2(mut self, on: bool) -> Self {
            self.settings.v2 = on;
            self
        }

        /// Runs the pool on this runtime rather than on the caller's.
        ///
        /// ```
        /// # use npws_driver::{Runtime, ServerPoolBuilder};
        /// fn configure<R: Runtime>(builder: ServerPoolBuilder<R>, runtime: R) -> ServerPoolBuilder<R> {
        ///     builder.runtime(runtime)
        /// }
        /// ```
        #[must_use]
        pub fn runtime(mut self, runtime: R) -> Self {
            self.runtime = Some(runtime);
            self
        }
    };
}
pub(crate) use common_setters;
