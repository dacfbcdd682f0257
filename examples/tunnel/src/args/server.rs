//! `npws-tunnel server`.

use std::convert::Infallible;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use npws::ServerTls;
use npws::tokio::ServerPool;
use tokio::net::{TcpSocket, lookup_host};

use super::admission::Admission;
use crate::hangup::Hangup;
use crate::{Failure, ServerOptions, Shutdown, TunnelServer, run_until_shutdown};

const EXAMPLES: &str = "\
Examples:
  With a certificate made on the spot, whose fingerprint is printed for the client:
    npws-tunnel server --listen 0.0.0.0:8443 --public 0.0.0.0:8080

  With your own certificate, clients that have one of your CA's, and from one network only:
    npws-tunnel server --listen [::]:8443 --public [::]:8080 --cert chain.pem --key key.pem \\
      --client-ca ca.pem --allow 198.51.100.0/24 --path /tunnel

  One of several behind nginx or HAProxy, which end TLS (examples/reverse-proxy has their configurations):
    npws-tunnel server --listen 127.0.0.1:9001 --public 127.0.0.1:9101 --plain --path /tunnel --shared \
      --trusted-proxy 127.0.0.1";

/// Users that wait in the system until they are accepted.
const BACKLOG: u32 = 1024;

/// Where to listen, and how.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct ServerArgs {
    /// Where the tunnel client connects to.
    #[arg(long, value_name = "ADDR")]
    listen: String,

    /// Where users connect to.
    #[arg(long, value_name = "ADDR")]
    public: String,

    /// How many connections may be ready at once; more are answered 503. Not less than the client's --max.
    #[arg(long, value_name = "COUNT", default_value_t = 1024)]
    capacity: usize,

    /// Speak v1, the original protocol, with a control connection, and without half-closed connections. Otherwise v2 with
    /// clients that do; one end with this flag is enough.
    #[arg(long)]
    v1: bool,

    /// One of several servers behind one address, through a load balancer. It gives no control connection, so clients must
    /// speak v2, and be told the same. It listens for users once it has a connection to a client, so that until then the
    /// others get them.
    #[arg(long, conflicts_with = "v1")]
    shared: bool,

    /// Serve plain ws, without TLS.
    #[arg(long, help_heading = "TLS", conflicts_with_all = ["self_signed", "cert", "client_ca"])]
    plain: bool,

    /// Make a new certificate for this name at every start, and print its fingerprint. The default, for localhost; may be
    /// repeated.
    #[arg(long, value_name = "NAME", help_heading = "TLS", conflicts_with = "cert")]
    self_signed: Vec<String>,

    /// The certificate chain, in PEM. SIGHUP reads it and the key again, and the --client-ca.
    #[arg(long, value_name = "FILE", help_heading = "TLS", requires = "key")]
    cert: Option<PathBuf>,

    /// The certificate's private key, in PEM.
    #[arg(long, value_name = "FILE", help_heading = "TLS", requires = "cert")]
    key: Option<PathBuf>,

    /// Accept only clients with a certificate of one of these CAs, in PEM.
    #[arg(long, value_name = "FILE", help_heading = "TLS")]
    client_ca: Option<PathBuf>,

    #[command(flatten)]
    admission: Admission,

    /// How long a ready connection may be silent before it is tested; 0s never.
    #[arg(long, value_name = "TIME", help_heading = "Liveness", default_value = "30s", value_parser = humantime::parse_duration)]
    keepalive: Duration,

    /// How often the client gives a sign of life while it connects to the target, and, with v1, both ends on the control
    /// connection; three missed are too many.
    #[arg(long, value_name = "TIME", help_heading = "Liveness", default_value = "5s", value_parser = super::heartbeat)]
    heartbeat: Duration,

    /// How long a user waits for the client, while it restarts for instance, before being turned away.
    #[arg(long, value_name = "TIME", help_heading = "Users", default_value = "30s", value_parser = humantime::parse_duration)]
    patience: Duration,

    /// How much of what a user sends goes ahead, and is kept until the client has joined the connection to the target. If
    /// the client dies in that moment, it may reach the target twice. With 0 nothing goes ahead, for one more round trip.
    #[arg(long, value_name = "BYTES", help_heading = "Users", default_value_t = 65_536)]
    replay: usize,

    /// With v1 only: how long a user who has closed the sending direction can go on receiving while nothing comes. The target
    /// learns of it after that. With v2 it learns of it at once, and each direction ends by itself.
    #[arg(long, value_name = "TIME", help_heading = "Users", default_value = "10s", value_parser = humantime::parse_duration)]
    linger: Duration,

    /// How long users may finish after Ctrl-C.
    #[arg(long, value_name = "TIME", help_heading = "Users", default_value = "30s", value_parser = humantime::parse_duration)]
    drain: Duration,
}

/// Takes the first address of `name` that can be had, without listening on it yet.
async fn bind(name: &str) -> io::Result<TcpSocket> {
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for address in lookup_host(name).await? {
        let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
        // A restarted server finds its port still in TIME_WAIT. On Windows the option means something else.
        #[cfg(unix)]
        socket.set_reuseaddr(true)?;
        match socket.bind(address) {
            Ok(()) => return Ok(socket),
            Err(error) => last = error,
        }
    }
    Err(last)
}

impl ServerArgs {
    /// Runs the server until a signal ends it.
    ///
    /// # Errors
    /// When the flags ask for what cannot be, an address cannot be had, or a second signal comes.
    pub async fn run(self) -> Result<(), Failure> {
        let mut shutdown = Shutdown::new()?;
        // Where there is nothing to read again, the signal means what it always does.
        let has_files = self.cert.is_some() || self.admission.has_file();
        let hangup = has_files.then(Hangup::new).transpose()?;
        let tls = self.tls()?;
        let failure = |error| Failure::bind("--public", &self.public, &error);
        let public = bind(&self.public).await.map_err(failure)?;
        let pool = self.pool(&tls).await?;
        if let Some(address) = pool.local_addr() {
            tracing::info!("waiting for the client on {address}");
        }
        if let Some(fingerprint) = tls.fingerprint() {
            tracing::info!("certificate fingerprint {fingerprint}");
        }
        if self.shared {
            tokio::select! {
                biased;
                () = shutdown.requested() => return Ok(()),
                _ = pool.wait_ready(Duration::MAX) => {}
            }
        }
        let public = public.listen(BACKLOG).map_err(failure)?;
        if let Ok(address) = public.local_addr() {
            tracing::info!("waiting for users on {address}");
        }
        let options = ServerOptions {
            patience: self.patience,
            replay: self.replay,
            heartbeat: self.heartbeat,
            linger: self.linger,
            ..ServerOptions::default()
        };
        let server = TunnelServer::start(pool.clone(), public, options);
        let serving = run_until_shutdown(shutdown, || server.users(), server.drain(self.drain));
        tokio::select! {
            ended = serving => ended,
            never = self.reload_when_asked(hangup, &pool) => match never {},
        }
    }

    /// Reads again what can be read again, whenever it is asked to. What is wrong with it is said, and what was there
    /// stays.
    async fn reload_when_asked(&self, hangup: Option<Hangup>, pool: &ServerPool) -> Infallible {
        let Some(mut hangup) = hangup else { return std::future::pending().await };
        loop {
            hangup.requested().await;
            match self.reload(pool) {
                Ok(()) => tracing::info!("read certificate and tokens again"),
                Err(error) => tracing::error!("nothing has changed: {error}"),
            }
        }
    }

    fn reload(&self, pool: &ServerPool) -> Result<(), Failure> {
        let tokens = self.admission.tokens()?;
        if self.cert.is_some() {
            pool.set_tls(self.tls()?)?;
        }
        if tokens.is_some() {
            pool.set_tokens(tokens);
        }
        Ok(())
    }

    async fn pool(&self, tls: &ServerTls) -> Result<ServerPool, Failure> {
        let mut builder = ServerPool::builder()
            .capacity(self.capacity)
            .control_channel(!self.shared)
            .control_id(!self.shared)
            .v2(!self.v1)
            .tls(tls.clone());
        builder = if self.keepalive.is_zero() { builder.no_keepalive() } else { builder.keepalive(self.keepalive) };
        let builder = self.admission.apply(builder)?;
        builder.bind(&self.listen).await.map_err(|error| Failure::build("--listen", &self.listen, error))
    }

    fn tls(&self) -> Result<ServerTls, Failure> {
        if self.plain {
            return Ok(ServerTls::plain());
        }
        let tls = match (&self.cert, &self.key) {
            (Some(cert), Some(key)) => ServerTls::from_pem_files(cert, key)?,
            _ if self.self_signed.is_empty() => ServerTls::self_signed(["localhost"])?,
            _ => ServerTls::self_signed(&self.self_signed)?,
        };
        match &self.client_ca {
            Some(path) => Ok(tls.client_ca_pem(&super::read(path)?)?),
            None => Ok(tls),
        }
    }
}
