//! What the server under attack is told.

use std::sync::OnceLock;

use clap::Parser;
use humantime::Duration;
use npws::{AddressLimitsConfig, HandshakeRate, Listener, Runtime, ServerPool, ServerTls, Tokens};

/// A server pool that is attacked.
#[derive(Debug, Parser)]
pub(crate) struct Args {
    /// On smol rather than tokio.
    #[arg(long)]
    pub(crate) smol: bool,
    #[arg(long)]
    tls: bool,
    #[arg(long, default_value_t = 4096)]
    capacity: usize,
    #[arg(long, default_value_t = 4096)]
    max_claimed: usize,
    #[arg(long, default_value = "10s")]
    handshake_timeout: Duration,
    #[arg(long, default_value = "30s")]
    keepalive: Duration,
    #[arg(long, default_value = "10s")]
    pong_timeout: Duration,
    #[arg(long, default_value = "30s")]
    retention: Duration,
    #[arg(long, default_value_t = 64 << 10)]
    early_data_limit: usize,
    #[arg(long, default_value_t = 64 << 20)]
    max_message_size: usize,
    #[arg(long)]
    max_connections_per_address: Option<usize>,
    #[arg(long)]
    max_handshakes_per_address: Option<usize>,
    /// Handshakes a second from one address, and as many at once.
    #[arg(long)]
    handshake_rate: Option<u32>,
    #[arg(long)]
    token: Option<String>,
    /// On a listener that others could share.
    #[arg(long)]
    path: Option<String>,
    #[arg(long)]
    control_channel: bool,
}

impl Args {
    pub(crate) async fn bind<R: Runtime>(&self) -> ServerPool<R> {
        let rate = |rate| HandshakeRate::per_second(rate, rate).expect("it is a rate");
        let mut builder = ServerPool::builder()
            .capacity(self.capacity)
            .max_claimed(self.max_claimed)
            .handshake_timeout(*self.handshake_timeout)
            .keepalive(*self.keepalive)
            .pong_timeout(*self.pong_timeout)
            .retention(*self.retention)
            .early_data_limit(self.early_data_limit)
            .max_message_size(self.max_message_size)
            .control_channel(self.control_channel)
            .limits(AddressLimitsConfig {
                max_connections_per_address: self.max_connections_per_address,
                max_handshakes_per_address: self.max_handshakes_per_address,
                handshake_rate: self.handshake_rate.map(rate),
                ..AddressLimitsConfig::default()
            });
        if let Some(token) = &self.token {
            builder = builder.tokens(Tokens::new([token]).expect("it is a token"));
        }
        if let Some(path) = &self.path {
            let listener = Listener::builder().handshake_timeout(*self.handshake_timeout).bind("127.0.0.1:0").await;
            let listener = listener.expect("loopback has a free port");
            return listener.add(builder.path(path)).expect("the settings are valid");
        }
        if self.tls {
            builder = builder.tls(certificate().clone());
        }
        builder.bind("127.0.0.1:0").await.expect("loopback has a free port")
    }

    /// The certificate in PEM on one line, for clients to trust; `-` without TLS.
    pub(crate) fn certificate(&self) -> String {
        let pem = self.tls.then(|| certificate().certificate_pem().expect("it is self-signed"));
        pem.map_or_else(|| "-".to_owned(), |pem| pem.replace('\n', "|").replace(' ', "_"))
    }
}

fn certificate() -> &'static ServerTls {
    static CERTIFICATE: OnceLock<ServerTls> = OnceLock::new();
    CERTIFICATE.get_or_init(|| ServerTls::self_signed(["127.0.0.1"]).expect("a certificate can be made"))
}
