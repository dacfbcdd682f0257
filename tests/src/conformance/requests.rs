//! What a client says about itself on the wire.

use std::sync::{Arc, Mutex};

use npws::rustls::ServerConfig;
use npws::rustls::server::{ClientHello, ResolvesServerCert};
use npws::rustls::sign::CertifiedKey;
use npws::{ClientTls, ServerTls, rustls};

use crate::pools::{NEVER, bind, client, server};
use crate::raw::field;
use crate::testbed::{SOON, Testbed, current, thread, until};
use crate::v1_peer::V1Server;

pub async fn the_request_is_as_the_original_sends_it_unless_told<R: Testbed>() {
    let original = V1Server::default();
    let address = original.address();
    let _client = client::<R>(address, 1).connect().unwrap();
    let raw = thread(move || original.accept(crate::pools::id(1))).join().await;
    let head = raw.head();
    assert!(head.starts_with("GET / HTTP/1.1\r\n"), "{head}");
    assert_eq!(field(head, "Host"), Some(&*address.to_string()));
    assert_eq!(field(head, "Sec-WebSocket-Version"), Some("13"));
    assert_eq!(field(head, "Sec-WebSocket-Extensions"), None);
    assert_eq!(field(head, "Sec-WebSocket-Protocol"), None);
}

pub async fn host_path_and_fields_are_what_the_user_says<R: Testbed>() {
    let original = V1Server::default();
    let _client = client::<R>(original.address(), 1)
        .host("tunnel.example")
        .path("/a/b?region=eu")
        .header("Authorization", "Bearer secret")
        .header("X-Twice", "one")
        .header("X-Twice", "two")
        // The upgrade's own fields stay its own.
        .header("Connection", "close")
        .header("Sec-WebSocket-Extensions", "permessage-deflate")
        .connect()
        .unwrap();
    let raw = thread(move || original.accept(crate::pools::id(1))).join().await;
    let head = raw.head();
    assert!(head.starts_with("GET /a/b?region=eu HTTP/1.1\r\n"), "{head}");
    assert_eq!(field(head, "Host"), Some("tunnel.example"));
    assert_eq!(field(head, "Authorization"), Some("Bearer secret"));
    assert_eq!(head.to_lowercase().matches("x-twice: ").count(), 2, "{head}");
    assert_eq!(field(head, "Connection"), Some("Upgrade"));
    assert_eq!(field(head, "Sec-WebSocket-Extensions"), None);
}

pub async fn each_dial_has_a_key_of_its_own<R: Testbed>() {
    const DIALS: usize = 5;
    let original = V1Server::default();
    let _client = client::<R>(original.address(), DIALS).connect().unwrap();
    let keys = thread(move || {
        (0..DIALS as u32)
            .map(|number| {
                field(original.accept(crate::pools::id(number)).head(), "Sec-WebSocket-Key").unwrap().to_owned()
            })
            .collect::<std::collections::HashSet<_>>()
    });
    assert_eq!(keys.join().await.len(), DIALS);
}

/// Remembers for whom the clients ask.
#[derive(Debug)]
struct Names {
    key: Arc<CertifiedKey>,
    asked: Mutex<Vec<Option<String>>>,
}

impl ResolvesServerCert for Names {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.asked.lock().unwrap().push(hello.server_name().map(str::to_owned));
        Some(self.key.clone())
    }
}

pub async fn the_tls_name_is_the_hosts_unless_told<R: Testbed>() {
    let identity = crate::certificates::Authority::default().server("localhost");
    let names = Arc::new(Names { key: Arc::new(identity.certified_key()), asked: Mutex::default() });
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_cert_resolver(names.clone());
    let (_server, address) = bind(server::<R>().tls(ServerTls::from_config(Arc::new(config)))).await;
    let port = address.port();
    // The dialer goes where the server is, whatever the name says.
    let dial = |host: &str, name: Option<&str>| {
        let mut builder = client::<R>(format!("{host}:{port}"), 1)
            .tls(ClientTls::dangerous_accept_any())
            .interval(NEVER..=NEVER)
            .dialer(move |target| async move {
                assert_eq!(target.port, port);
                Ok(npws::Socket::new(current::<R>().connect(address).await?))
            });
        if let Some(name) = name {
            builder = builder.server_name(name);
        }
        builder.connect().unwrap()
    };
    let clients = [
        dial("tunnel.example", None),
        dial("tunnel.example", Some("front.example")),
        // An address is no name for SNI (RFC 6066 section 3).
        dial("127.0.0.1", None),
        dial("[::1]", None),
    ];
    for client in &clients {
        client.wait_ready(SOON).await.unwrap();
    }
    let mut asked = names.asked.lock().unwrap().clone();
    asked.sort();
    let expected = [None, None, Some("front.example".to_owned()), Some("tunnel.example".to_owned())];
    assert_eq!(asked, expected);
}

pub async fn ipv6_literals_work<R: Testbed>() {
    // Some machines have no IPv6 at all.
    if std::net::TcpListener::bind("[::1]:0").is_err() {
        return;
    }
    let tls = ServerTls::self_signed(["::1"]).unwrap();
    let pem = tls.certificate_pem().unwrap().to_owned();
    let server = server::<R>().tls(tls).bind("[::1]:0").await.unwrap();
    let address = server.local_addr().unwrap();
    assert!(address.is_ipv6());
    let tls = ClientTls::with_roots_pem(pem.as_bytes()).unwrap();
    let client = client::<R>(address, 1).tls(tls).connect().unwrap();
    until::<R>("it is ready", || client.active() == 1).await;
    let (accepted, dialed) = crate::pools::take_pair(&server, &client).await;
    assert_eq!(dialed.peer_addr(), Some(address));
    assert_eq!(accepted.peer_addr(), dialed.local_addr());
}
