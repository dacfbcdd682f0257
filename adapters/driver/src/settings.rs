//! What the builders of both kinds of pool have in common.

use std::time::Duration;

use npws_core::{ConfigError, PeerGeneration, PeerHeader, PoolConfig};

use crate::tcp::TcpOptions;

/// What both builders collect beyond the machine's configuration.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(crate) tcp: TcpOptions,
    pub(crate) max_message: usize,
    pub(crate) max_frame: Option<usize>,
    pub(crate) close_timeout: Duration,
    pub(crate) v2: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            tcp: TcpOptions::default(),
            max_message: 64 << 20,
            max_frame: None,
            close_timeout: Duration::from_secs(1),
            v2: true,
        }
    }
}

impl Settings {
    pub(crate) fn validate(&self, pool: &PoolConfig) -> Result<(), ConfigError> {
        pool.validate()?;
        if !(125..=1 << 30).contains(&self.max_message) {
            return Err(ConfigError::new("max_message_size", self.max_message.to_string(), "125 to 1073741824"));
        }
        if let Some(bytes) = self.max_frame.filter(|bytes| !(125..=self.max_message).contains(bytes)) {
            let accepted = format!("125 to the max_message_size of {}", self.max_message);
            return Err(ConfigError::new("max_frame_size", bytes.to_string(), accepted));
        }
        if self.close_timeout > Duration::from_secs(60) {
            return Err(ConfigError::new("close_timeout", format!("{:?}", self.close_timeout), "0ns to 60s"));
        }
        Ok(())
    }

    /// What this end says of itself.
    pub(crate) fn header(&self, pool: &PoolConfig) -> PeerHeader {
        let generation = if self.v2 { PeerGeneration::V2 } else { PeerGeneration::V1 };
        PeerHeader { generation, opens: pool.opens }
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
        pub fn early_data_limit(mut self, bytes: usize) -> Self {
            self.config.pool.link.early_data_limit = bytes;
            self
        }

        /// How many bytes of that all connections of the pool may hold together: 4,096 to 4,294,967,295, 64 MiB unless told.
        /// Once they are used up, connections are not read beyond the next 1 KiB or so until others are taken or end.
        /// What peers send meanwhile is not lost: it waits with them.
        ///
        /// ```
        /// # use npws_driver::{Runtime, ServerPoolBuilder};
        /// fn configure<R: Runtime>(builder: ServerPoolBuilder<R>) -> ServerPoolBuilder<R> {
        ///     builder.early_data_total(16 << 20)
        /// }
        /// ```
        pub fn early_data_total(mut self, bytes: usize) -> Self {
            self.config.pool.early_data_total = bytes;
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
        pub fn retention(mut self, limit: Duration) -> Self {
            self.config.pool.retention = limit;
            self
        }

        /// Whether the control ID `00000000` is taken by its ID only, and never by `take_next`, and whether a server gives
        /// it again when the connection that was taken by it has ended. Off unless told.
        ///
        /// ```
        /// # use npws_driver::{Runtime, ServerPoolBuilder};
        /// fn configure<R: Runtime>(builder: ServerPoolBuilder<R>) -> ServerPoolBuilder<R> {
        ///     builder.control_channel(true)
        /// }
        /// ```
        pub fn control_channel(mut self, on: bool) -> Self {
            self.config.pool.control_channel = on;
            self
        }

        /// How long ago a v2 peer may last have been heard of when [`take_next`](crate::Pool::take_next) hands its
        /// connection out: 1 ms to 1 h. A staler one is passed over and pinged, and is back once it has answered. Unless
        /// told, that happens only to one whose peer would have been given up already if this program had not slept.
        ///
        /// ```
        /// # use npws_driver::{Runtime, ServerPoolBuilder};
        /// use std::time::Duration;
        ///
        /// fn configure<R: Runtime>(builder: ServerPoolBuilder<R>) -> ServerPoolBuilder<R> {
        ///     builder.max_staleness(Duration::from_secs(5))
        /// }
        /// ```
        pub fn max_staleness(mut self, age: Duration) -> Self {
            self.config.pool.max_staleness = Some(age);
            self
        }

        /// How long a connection of a v2 peer may stay idle before it is closed and made anew, drawn from 90 to 100 % of
        /// this for each, so that a fleet never recycles in a wave: 1 ms to 24 h. For ever unless told.
        ///
        /// ```
        /// # use npws_driver::{Runtime, ServerPoolBuilder};
        /// use std::time::Duration;
        ///
        /// fn configure<R: Runtime>(builder: ServerPoolBuilder<R>) -> ServerPoolBuilder<R> {
        ///     builder.max_idle_age(Duration::from_secs(3600))
        /// }
        /// ```
        pub fn max_idle_age(mut self, age: Duration) -> Self {
            self.config.pool.link.max_idle_age = Some(age);
            self
        }

        /// Whether this end opens connections by [`take_next`](crate::Pool::take_next), which v2 peers are told. If both
        /// ends say so, each has its half of the IDs for that, and they never take the same connection at once. Off
        /// unless told: then `take_next` takes from all of them, which suits ends of which only one does.
        ///
        /// ```
        /// # use npws_driver::{Runtime, ServerPoolBuilder};
        /// fn configure<R: Runtime>(builder: ServerPoolBuilder<R>) -> ServerPoolBuilder<R> {
        ///     builder.opens(true)
        /// }
        /// ```
        pub fn opens(mut self, on: bool) -> Self {
            self.config.pool.opens = on;
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
        pub fn max_message_size(mut self, bytes: usize) -> Self {
            self.settings.max_message = bytes;
            self
        }

        /// The largest frame that a peer may send, of which a message may have several: 125 bytes to the largest message,
        /// which is what it is unless told. A larger one closes the connection.
        ///
        /// ```
        /// # use npws_driver::{Runtime, ServerPoolBuilder};
        /// fn configure<R: Runtime>(builder: ServerPoolBuilder<R>) -> ServerPoolBuilder<R> {
        ///     builder.max_frame_size(64 * 1024)
        /// }
        /// ```
        pub fn max_frame_size(mut self, bytes: usize) -> Self {
            self.settings.max_frame = Some(bytes);
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
        pub fn runtime(mut self, runtime: R) -> Self {
            self.runtime = Some(runtime);
            self
        }
    };
}
pub(crate) use common_setters;
