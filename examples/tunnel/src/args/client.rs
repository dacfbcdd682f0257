//! `npws-tunnel client`.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use futures::FutureExt;
use futures::future::join_all;
use npws::tokio::{ClientPool, PoolGroup, Tokio};
use npws::{ClientPoolBuilder, ClientTls, Fingerprint, Proxy};

use crate::{ClientOptions, Failure, Shutdown, TunnelClient, run_until_shutdown};

const EXAMPLES: &str = "\
Examples:
  Verify the server by the system's roots:
    npws-tunnel client --server public.example:8443 --target 127.0.0.1:3000

  Pin the certificate that the server made on the spot:
    npws-tunnel client --server public.example:8443 --target db.internal:5432 --fingerprint 3F:0A:…

  Trust your own CA, show a certificate, keep many connections ready:
    npws-tunnel client --server [2001:db8::7]:8443 --target 127.0.0.1:3000 --ca ca.pem \\
      --client-cert client.pem --client-key client.key --min 64 --max 512 --path /tunnel

  Join the users of two servers to the same target:
    npws-tunnel client --server one.example:8443 --server two.example:8443 --target 127.0.0.1:3000

  Reach the server through a proxy, whose password stays out of the list of processes:
    NPWS_PROXY=socks5://user:password@proxy.example:1080 \
      npws-tunnel client --server public.example:8443 --target 127.0.0.1:3000";

/// What may hold a password. It is parsed later, because the command line's parser repeats what it does not accept.
#[derive(Clone)]
struct ProxyUrl(String);

impl From<String> for ProxyUrl {
    fn from(url: String) -> Self {
        Self(url)
    }
}

impl fmt::Debug for ProxyUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ProxyUrl(hidden)")
    }
}

/// Where to dial, what to join to, and how.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct ClientArgs {
    /// The tunnel server: its --listen address. Given several times, users of each are joined to the target, and while
    /// one is out the others are given more ready connections.
    #[arg(long = "server", value_name = "HOST:PORT", required = true)]
    servers: Vec<String>,

    /// What users are joined to.
    #[arg(long, value_name = "HOST:PORT", value_parser = super::host_and_port)]
    target: String,

    /// Dial through this proxy: http://, https:// (verified by the system's roots), socks5:// or socks5h://, then
    /// [USER:PASSWORD@]HOST[:PORT]. It looks up the server's name. HTTPS_PROXY and ALL_PROXY are not looked at; to use one,
    /// pass it: --proxy "$ALL_PROXY".
    #[arg(long, value_name = "URL", env = "NPWS_PROXY", hide_env_values = true)]
    proxy: Option<ProxyUrl>,

    /// Present the token in the first line of this file.
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,

    /// The path to ask the server for.
    #[arg(long, value_name = "PATH", default_value = "/")]
    path: String,

    /// Speak v1, the original protocol, with a control connection, and without half-closed connections. Otherwise v2 with
    /// a server that does; one end with this flag is enough.
    #[arg(long)]
    v1: bool,

    /// Behind --server are several servers, which give no control connection.
    #[arg(long, conflicts_with = "v1")]
    shared: bool,

    /// How many connections to keep ready at least.
    #[arg(long, value_name = "COUNT", help_heading = "Pool", default_value_t = 16)]
    min: usize,

    /// How many connections to keep ready at most, when there are many users.
    #[arg(long, value_name = "COUNT", help_heading = "Pool", default_value_t = 256)]
    max: usize,

    /// The shortest time between refills, when there are many users.
    #[arg(long, value_name = "TIME", help_heading = "Pool", default_value = "100ms", value_parser = humantime::parse_duration)]
    min_interval: Duration,

    /// The longest time between refills.
    #[arg(long, value_name = "TIME", help_heading = "Pool", default_value = "1s", value_parser = humantime::parse_duration)]
    max_interval: Duration,

    /// Replace connections that have been ready for so long, with v2. Through a load balancer a server that was restarted
    /// gets its share in this time; never unless told.
    #[arg(long, value_name = "TIME", help_heading = "Pool", value_parser = humantime::parse_duration)]
    max_idle_age: Option<Duration>,

    /// How long setting up one connection may take.
    #[arg(long, value_name = "TIME", help_heading = "Pool", default_value = "10s", value_parser = humantime::parse_duration)]
    dial_timeout: Duration,

    /// Speak plain ws, without TLS.
    #[arg(long, help_heading = "TLS", group = "trust")]
    plain: bool,

    /// Verify the server's certificate by the system's roots. The default.
    #[arg(long, help_heading = "TLS", group = "trust")]
    verify: bool,

    /// Verify the server's certificate by these CAs, in PEM.
    #[arg(long, value_name = "FILE", help_heading = "TLS", group = "trust")]
    ca: Option<PathBuf>,

    /// Accept exactly the certificate with this SHA-256 fingerprint, as the server prints it.
    #[arg(long, value_name = "HEX", help_heading = "TLS", group = "trust")]
    fingerprint: Option<Fingerprint>,

    /// Accept any certificate: protects against those who listen, not against those who pretend to be the server.
    #[arg(long, help_heading = "TLS", group = "trust")]
    insecure: bool,

    /// The name to find in the server's certificate; the host of --server unless told.
    #[arg(long, value_name = "NAME", help_heading = "TLS", conflicts_with = "plain")]
    server_name: Option<String>,

    /// The certificate chain to show to the server, in PEM.
    #[arg(long, value_name = "FILE", help_heading = "TLS", requires = "client_key", conflicts_with = "plain")]
    client_cert: Option<PathBuf>,

    /// The private key of --client-cert, in PEM.
    #[arg(long, value_name = "FILE", help_heading = "TLS", requires = "client_cert")]
    client_key: Option<PathBuf>,

    /// How long a ready connection may be silent before it is tested; 0s never.
    #[arg(long, value_name = "TIME", help_heading = "Liveness", default_value = "30s", value_parser = humantime::parse_duration)]
    keepalive: Duration,

    /// How often to give a sign of life while the target is being connected to, and, with v1, on the control connection.
    /// Not more than that of the server, which gives up when it missed three.
    #[arg(long, value_name = "TIME", help_heading = "Liveness", default_value = "5s", value_parser = super::heartbeat)]
    heartbeat: Duration,

    /// How long connecting to the target may take.
    #[arg(long, value_name = "TIME", help_heading = "Users", default_value = "10s", value_parser = humantime::parse_duration)]
    connect_timeout: Duration,

    /// How long users may finish after Ctrl-C.
    #[arg(long, value_name = "TIME", help_heading = "Users", default_value = "30s", value_parser = humantime::parse_duration)]
    drain: Duration,
}

impl ClientArgs {
    /// Runs the client until a signal ends it.
    ///
    /// # Errors
    /// When the flags ask for what cannot be, or a second signal comes. That the server cannot be reached is none: the
    /// client goes on trying.
    pub async fn run(self) -> Result<(), Failure> {
        let shutdown = Shutdown::new()?;
        let (_group, pools) = self.pools()?;
        tracing::info!("joining users of {} to {}", self.servers.join(", "), self.target);
        let options = ClientOptions {
            connect_timeout: self.connect_timeout,
            heartbeat: self.heartbeat,
            expects_control: !self.shared,
            ..ClientOptions::default()
        };
        let start = |pool| TunnelClient::start(pool, &*self.target, options.clone());
        let clients: Vec<_> = pools.into_iter().map(start).collect();
        let users = || clients.iter().map(TunnelClient::users).sum();
        let drain = join_all(clients.iter().map(|client| client.drain(self.drain)));
        run_until_shutdown(shutdown, users, drain.map(|cut| cut.into_iter().sum())).await
    }

    /// A pool for each server, and the group that they are in if there are several.
    fn pools(&self) -> Result<(Option<PoolGroup>, Vec<ClientPool>), Failure> {
        let fail = |error| Failure::build("--server", &self.servers.join(", "), error);
        if let [server] = &*self.servers {
            return Ok((None, vec![self.builder(server)?.connect().map_err(fail)?]));
        }
        let mut group = PoolGroup::builder();
        for server in &self.servers {
            group = group.endpoint(self.builder(server)?);
        }
        let group = group.connect().map_err(fail)?;
        let endpoints = group.stats().endpoints.into_iter();
        let pools = endpoints.filter_map(|endpoint| group.pool(endpoint.endpoint.id())).collect();
        Ok((Some(group), pools))
    }

    fn builder(&self, server: &str) -> Result<ClientPoolBuilder<Tokio>, Failure> {
        let mut builder = ClientPool::builder(server)
            .capacity(self.min..=self.max)
            .interval(self.min_interval..=self.max_interval)
            .dial_timeout(self.dial_timeout)
            .control_channel(true)
            .v2(!self.v1)
            .path(&self.path)
            .tls(self.tls()?);
        if let Some(age) = self.max_idle_age {
            builder = builder.max_idle_age(age);
        }
        if let Some(ProxyUrl(url)) = &self.proxy {
            builder = builder.proxy(Proxy::from_url(url).map_err(|error| Failure::Usage(error.to_string()))?);
        }
        builder = if self.keepalive.is_zero() { builder.no_keepalive() } else { builder.keepalive(self.keepalive) };
        if let Some(path) = &self.token_file {
            builder = builder.bearer_token(super::tokens(path)?.into_iter().next().unwrap_or_default());
        }
        if let Some(name) = &self.server_name {
            builder = builder.server_name(name);
        }
        Ok(builder)
    }

    fn tls(&self) -> Result<ClientTls, Failure> {
        let tls = match (&self.ca, &self.fingerprint) {
            _ if self.plain => ClientTls::plain(),
            _ if self.insecure => ClientTls::dangerous_accept_any(),
            (Some(path), _) => ClientTls::with_roots_pem(&super::read(path)?)?,
            (_, Some(fingerprint)) => ClientTls::pinned(*fingerprint),
            _ => ClientTls::verified(),
        };
        match (&self.client_cert, &self.client_key) {
            (Some(cert), Some(key)) => Ok(tls.client_certificate_pem_files(cert, key)?),
            _ => Ok(tls),
        }
    }
}
