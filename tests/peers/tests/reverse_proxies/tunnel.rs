//! The two ends of `npws-tunnel`, as the examples start them.

use std::net::SocketAddr;

use npws_peers::tunnel::Tunnel;

use crate::proxy::{Kind, ReverseProxy};

pub(crate) fn server(kind: Kind, listen: SocketAddr, public: SocketAddr) -> Tunnel {
    let trust = match kind {
        Kind::Nginx => "--trusted-proxy 127.0.0.1",
        Kind::Haproxy => "--proxy-protocol 127.0.0.1",
    };
    let line = format!("server --listen {listen} --public {public} --plain --path /tunnel --shared {trust}");
    Tunnel::start(&line, &[])
}

/// Waits until a server lets users in.
pub(crate) async fn ready(mut server: Tunnel) -> Tunnel {
    server.until("waiting for users on").await;
    server
}

pub(crate) fn client(proxy: &ReverseProxy, target: SocketAddr) -> Tunnel {
    let ReverseProxy { address, roots, .. } = proxy;
    let line =
        format!("client --server {address} --ca {roots} --path /tunnel --target {target} --shared --max-idle-age 30s");
    Tunnel::start(&line, &[])
}
