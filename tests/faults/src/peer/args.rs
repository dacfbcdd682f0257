//! What a peer is told when it starts.

use std::time::Duration;

use clap::{Parser, ValueEnum};
use npws::tokio::{ClientPool, ServerPool};
use npws::{HandshakeRate, TcpOptions};

use humantime::parse_duration as duration;

/// A pool in a process of its own, for tests that kill it.
#[derive(Debug, Parser)]
pub(crate) struct Args {
    pub(crate) role: Role,
    /// Where to listen, or whom to dial.
    pub(crate) address: String,
    /// How many idle connections to aim for, or to accept.
    #[arg(long, default_value_t = 8)]
    pub(crate) capacity: usize,
    /// How many pools a client has, or how many connections an original client.
    #[arg(long, default_value_t = 1)]
    pub(crate) count: usize,
    /// Speaks the original protocol only.
    #[arg(long)]
    v1: bool,
    #[arg(long, value_parser = duration, default_value = "1s")]
    keepalive: Duration,
    #[arg(long, value_parser = duration, default_value = "1s")]
    pong_timeout: Duration,
    #[arg(long, value_parser = duration, default_value = "15s")]
    tcp_keepalive: Duration,
    #[arg(long, value_parser = duration, default_value = "60s")]
    user_timeout: Duration,
    #[arg(long, value_parser = duration)]
    max_staleness: Option<Duration>,
    #[arg(long, value_parser = duration, default_value = "100ms")]
    interval: Duration,
    #[arg(long, value_parser = duration, default_value = "2s")]
    dial_timeout: Duration,
    #[arg(long, value_parser = duration, default_value = "500ms")]
    longest_backoff: Duration,
    #[arg(long, default_value_t = 64)]
    dials: usize,
    /// How many dials a second may begin, of which this many at once.
    #[arg(long, num_args = 2)]
    dial_rate: Option<Vec<u32>>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Role {
    Server,
    Client,
    /// Clients as the original has them: they answer nothing while idle.
    Original,
}

macro_rules! with_common {
    ($builder:expr, $args:expr) => {{
        let (args, builder) = ($args, $builder);
        let (keepalive, user_timeout) = (Some(args.tcp_keepalive), Some(args.user_timeout));
        let tcp = TcpOptions { keepalive, user_timeout, ..TcpOptions::default() };
        let builder = builder.v2(!args.v1).keepalive(args.keepalive).pong_timeout(args.pong_timeout).tcp(tcp);
        match args.max_staleness {
            Some(age) => builder.max_staleness(age),
            None => builder,
        }
    }};
}

impl Args {
    pub(crate) async fn bind(&self) -> ServerPool {
        let builder = with_common!(ServerPool::builder(), self).capacity(self.capacity);
        builder.bind(&self.address).await.expect("the address is free")
    }

    pub(crate) fn connect(&self) -> ClientPool {
        let builder = with_common!(ClientPool::builder(&*self.address), self);
        let builder = match self.dial_rate.as_deref() {
            Some(&[rate, burst]) => builder.dial_rate(HandshakeRate::per_second(rate, burst).expect("a rate")),
            _ => builder,
        };
        builder
            .capacity(self.capacity..=self.capacity)
            .interval(self.interval..=self.interval)
            .dial_timeout(self.dial_timeout)
            .backoff(Duration::from_millis(50)..=self.longest_backoff)
            .max_concurrent_dials(self.dials)
            .connect()
            .expect("the settings are valid")
    }
}
