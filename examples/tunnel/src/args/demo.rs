//! `npws-tunnel demo`.

use std::time::Duration;

use clap::Args;

/// How much to do.
#[derive(Debug, Clone, Args)]
pub struct DemoArgs {
    /// How many downloads to make.
    #[arg(long, value_name = "COUNT", default_value_t = 2000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub requests: u32,

    /// How many downloads to make at a time.
    #[arg(long, value_name = "COUNT", default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub workers: u32,

    /// Speak v1 between the ends of the tunnel, with a control connection.
    #[arg(long)]
    pub v1: bool,

    /// When to give up altogether.
    #[arg(long, value_name = "TIME", default_value = "5m", value_parser = humantime::parse_duration)]
    pub limit: Duration,
}
