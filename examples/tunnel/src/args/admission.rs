//! Who may come in as a tunnel client.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use npws::tokio::Tokio;
use npws::{
    AddressLimitsConfig, AllowList, ConfigError, ForwardedHeader, HandshakeRate, IpRange, Origin, OriginPolicy,
    ProxyProtocol, ServerPoolBuilder, Tokens,
};

use crate::Failure;

/// Who may come in, and how fast.
#[derive(Debug, Args)]
#[command(next_help_heading = "Admission")]
pub(super) struct Admission {
    /// Serve clients from this address or CIDR block; others get 403. May be repeated. Any address unless told.
    #[arg(long, value_name = "IP[/LEN]")]
    allow: Vec<IpRange>,

    /// Take the client's address from the X-Forwarded-For of the proxy with this address or in this CIDR block, for --allow
    /// and the limits. May be repeated.
    #[arg(long, value_name = "IP[/LEN]")]
    trusted_proxy: Vec<IpRange>,

    /// The same from the PROXY protocol, version 1 or 2, in front of the connection, which must be there. Who comes from
    /// elsewhere and writes it too is turned away. May be repeated.
    #[arg(long, value_name = "IP[/LEN]")]
    proxy_protocol: Vec<IpRange>,

    /// Serve clients that present one of the tokens in this file, one a line; others get 401. SIGHUP reads it again.
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,

    /// Serve browsers on pages from this origin, such as https://app.example, and not on others, which get 403. May be
    /// repeated. Any unless told.
    #[arg(long, value_name = "ORIGIN")]
    origin: Vec<Origin>,

    /// The path to answer on; others get 404. Any path unless told.
    #[arg(long, value_name = "PATH")]
    path: Option<String>,

    /// How long a client may take for each phase of a handshake.
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = humantime::parse_duration)]
    handshake_timeout: Duration,

    /// How many handshakes may be under way; more are answered 503, or closed under TLS.
    #[arg(long, value_name = "COUNT", default_value_t = 4096)]
    max_handshakes: usize,

    /// How many of them from one address; more are answered 429. No limit unless told.
    #[arg(long, value_name = "COUNT")]
    max_handshakes_per_address: Option<usize>,

    /// How many connections one address may have ready; more are answered 429. Not less than the client's --max. No limit
    /// unless told.
    #[arg(long, value_name = "COUNT")]
    max_connections_per_address: Option<usize>,

    /// How many handshakes a second one address may make, and how many at once, such as 50/500; more are answered 429,
    /// whatever their token. Any unless told.
    #[arg(long, value_name = "RATE/BURST", value_parser = rate)]
    handshake_rate: Option<HandshakeRate>,
}

impl Admission {
    /// Tells a pool all of it, unless the tokens cannot be read.
    pub(super) fn apply(&self, builder: ServerPoolBuilder<Tokio>) -> Result<ServerPoolBuilder<Tokio>, Failure> {
        let limits = AddressLimitsConfig {
            max_handshakes: Some(self.max_handshakes),
            max_handshakes_per_address: self.max_handshakes_per_address,
            max_connections_per_address: self.max_connections_per_address,
            handshake_rate: self.handshake_rate,
            ..AddressLimitsConfig::default()
        };
        let mut builder = builder.handshake_timeout(self.handshake_timeout).limits(limits);
        if let Some(path) = &self.path {
            builder = builder.path(path);
        }
        for range in &self.allow {
            builder = builder.allow(*range);
        }
        if let Some(trusted) = list(&self.trusted_proxy) {
            builder = builder.behind_proxies(trusted, ForwardedHeader::XForwardedFor);
        }
        if let Some(trusted) = list(&self.proxy_protocol) {
            builder = builder.proxy_protocol(ProxyProtocol::required(trusted));
        }
        if !self.origin.is_empty() {
            builder = builder.origins(OriginPolicy::Allow(self.origin.iter().cloned().collect()));
        }
        Ok(match self.tokens()? {
            Some(tokens) => builder.tokens(tokens),
            None => builder,
        })
    }

    /// Whether any of it is in a file.
    pub(super) fn has_file(&self) -> bool {
        self.token_file.is_some()
    }

    /// The tokens, as the file has them now; `None` if there is no file.
    pub(super) fn tokens(&self) -> Result<Option<Tokens>, Failure> {
        let Some(path) = &self.token_file else { return Ok(None) };
        Tokens::new(super::tokens(path)?).map(Some).map_err(|error| Failure::Usage(error.to_string()))
    }
}

fn list(ranges: &[IpRange]) -> Option<AllowList> {
    (!ranges.is_empty()).then(|| ranges.iter().copied().collect())
}

fn rate(text: &str) -> Result<HandshakeRate, String> {
    let numbers = text.split_once('/').and_then(|(rate, burst)| Some((rate.parse().ok()?, burst.parse().ok()?)));
    let (rate, burst) = numbers.ok_or("expected RATE/BURST, two numbers such as 50/500")?;
    HandshakeRate::per_second(rate, burst).map_err(|error: ConfigError| error.to_string())
}
