//! A proxy that runs with its example configuration, in which only addresses, paths and a timeout are others.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;

use npws::ClientTls;
use npws_peers::ports::{free_address, reachable};
use npws_peers::process::Process;
use npws_peers::tools::{scratch, source};
use npws_tests::certificates::Authority;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Nginx,
    Haproxy,
}

/// Where the two servers behind a proxy are.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Servers {
    pub(crate) listen: [SocketAddr; 2],
    pub(crate) public: [SocketAddr; 2],
}

impl Servers {
    pub(crate) fn new() -> Self {
        Self { listen: [free_address(), free_address()], public: [free_address(), free_address()] }
    }
}

pub(crate) struct ReverseProxy {
    _process: Process,
    pub(crate) address: SocketAddr,
    pub(crate) authority: Authority,
    /// The authority's certificate.
    pub(crate) roots: String,
}

impl ReverseProxy {
    /// Starts one, for the case that is called `name`, which ends idle connections after `timeout` if that is told.
    pub(crate) async fn start(kind: Kind, name: &str, servers: &Servers, timeout: Option<&str>) -> Self {
        let directory = scratch(&format!("{kind:?}-{name}"));
        let path = |name: &str| directory.join(name).display().to_string();
        let address = free_address();
        let authority = Authority::default();
        let identity = authority.server("127.0.0.1");
        fs::write(path("roots.pem"), authority.pem()).unwrap();
        fs::write(path("chain.pem"), &identity.certificate).unwrap();
        fs::write(path("key.pem"), &identity.key).unwrap();
        fs::write(path("both.pem"), identity.certificate + &identity.key).unwrap();
        let mut changes: Vec<(&str, String)> = Vec::new();
        for (example, own) in ["127.0.0.1:9001", "127.0.0.1:9002"].into_iter().zip(servers.listen) {
            changes.push((example, own.to_string()));
        }
        for (example, own) in ["127.0.0.1:9101", "127.0.0.1:9102"].into_iter().zip(servers.public) {
            changes.push((example, own.to_string()));
        }
        if let Some(timeout) = timeout {
            changes.push(("75s", timeout.to_owned()));
        }
        let process = match kind {
            Kind::Nginx => {
                changes.extend([
                    ("listen 443 ssl", format!("listen {address} ssl")),
                    ("/etc/nginx/tls", directory.display().to_string()),
                    ("/var/log/nginx", directory.display().to_string()),
                ]);
                configure("nginx.conf", &changes, &path("nginx.conf"));
                let globals = format!("daemon off; master_process off; pid {};", path("pid"));
                let configuration = path("nginx.conf");
                let prefix = directory.display().to_string();
                Process::start(
                    Path::new("nginx"),
                    ["-e", &path("error.log"), "-p", &prefix, "-c", &configuration, "-g", &globals],
                )
            }
            Kind::Haproxy => {
                changes.extend([
                    ("bind :443", format!("bind {address}")),
                    ("/etc/haproxy/tls/tunnel.example.pem", path("both.pem")),
                    ("/dev/log", path("log")),
                ]);
                configure("haproxy.cfg", &changes, &path("haproxy.cfg"));
                Process::start(Path::new("haproxy"), ["-db", "-f", &path("haproxy.cfg")])
            }
        };
        reachable(address).await;
        Self { _process: process, address, authority, roots: path("roots.pem") }
    }

    /// How a client of ours speaks with it.
    pub(crate) fn tls(&self) -> ClientTls {
        ClientTls::with_roots_der([self.authority.der()]).unwrap()
    }
}

/// Writes the example with these changes, each of which must be needed.
fn configure(example: &str, changes: &[(&str, String)], to: &str) {
    let mut text = fs::read_to_string(source("../../examples/reverse-proxy").join(example)).unwrap();
    for (from, own) in changes {
        assert!(text.contains(from), "{example} has no {from}");
        text = text.replace(from, own);
    }
    fs::write(to, text).unwrap();
}
