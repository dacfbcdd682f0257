//! The two ends of `npws-tunnel`, as processes.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use npws_peers::process::Process;

use crate::proxy::{Kind, ReverseProxy};

/// One end.
pub(crate) struct Tunnel(Process);

impl Tunnel {
    /// A server as the examples start it.
    pub(crate) fn server(kind: Kind, listen: SocketAddr, public: SocketAddr) -> Self {
        let trust = match kind {
            Kind::Nginx => "--trusted-proxy 127.0.0.1",
            Kind::Haproxy => "--proxy-protocol 127.0.0.1",
        };
        Self::start(&format!("server --listen {listen} --public {public} --plain --path /tunnel --shared {trust}"))
    }

    /// Waits until a server lets users in.
    pub(crate) async fn ready(mut self) -> Self {
        self.until("waiting for users on").await;
        self
    }

    /// A client as the examples start it.
    pub(crate) fn client(proxy: &ReverseProxy, target: SocketAddr) -> Self {
        let ReverseProxy { address, roots, .. } = proxy;
        Self::start(&format!(
            "client --server {address} --ca {roots} --path /tunnel --target {target} --shared --max-idle-age 30s"
        ))
    }

    fn start(line: &str) -> Self {
        let program = program();
        // What it says goes to its standard error.
        let arguments = ["-c", "exec \"$0\" \"$@\" 2>&1", &program.display().to_string()];
        Self(Process::start(Path::new("sh"), arguments.into_iter().chain(line.split_whitespace())))
    }

    /// Waits until it says this, and gives the line.
    pub(crate) async fn until(&mut self, words: &str) -> String {
        loop {
            let line = self.0.line().await;
            if line.contains(words) {
                return line;
            }
        }
    }

    /// Asks it to end in good order, and waits until it has.
    pub(crate) async fn finish(mut self) {
        let signalled = Command::new("kill").args(["-TERM", &self.0.id().to_string()]).status().unwrap();
        assert!(signalled.success());
        self.until("finished, nobody was cut").await;
    }
}

/// Cargo puts it beside the directory of the tests.
fn program() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let path = test.ancestors().nth(2).unwrap().join("npws-tunnel");
    assert!(path.exists(), "{} is not there: tests/peers/run builds it", path.display());
    path
}
