//! What users bring along: listeners, dialers, sockets, TLS configurations.

use std::io;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use npws::rustls::version::TLS13;
use npws::rustls::{self, ClientConfig, RootCertStore, ServerConfig};
use npws::{ClientTls, ServerTls, Socket};

use crate::certificates::Authority;
use crate::pools::{bind, client, filled, server, take_pair, talk};
use crate::testbed::{Testbed, current, spawn};

pub async fn a_listener_of_ones_own<R: Testbed>() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let server = server::<R>().listen(listener).unwrap();
    assert_eq!(server.local_addr(), Some(address));
    let client = client::<R>(address, 2).connect().unwrap();
    filled(&server, &client, 2).await;
    let (mut accepted, mut dialed) = take_pair(&server, &client).await;
    assert_eq!(accepted.local_addr(), Some(address));
    assert_eq!(dialed.peer_addr(), Some(address));
    assert_eq!(accepted.peer_addr(), dialed.local_addr());
    talk(&mut accepted, &mut dialed).await;
}

pub async fn a_dialer_of_ones_own<R: Testbed>() {
    let (server, address) = bind(server::<R>()).await;
    let dials = Arc::new(AtomicUsize::new(0));
    let count = dials.clone();
    let client = client::<R>("tunnel.example:8443", 2)
        .dialer(move |target| {
            assert_eq!((&*target.host, target.port), ("tunnel.example", 8443));
            count.fetch_add(1, Ordering::SeqCst);
            async move {
                let stream = current::<R>().connect(address).await?;
                Ok(Socket::new(stream).with_addrs(None, Some(([192, 0, 2, 7], 8443).into())))
            }
        })
        .connect()
        .unwrap();
    filled(&server, &client, 2).await;
    assert_eq!(dials.load(Ordering::SeqCst), 2);
    let (mut accepted, mut dialed) = take_pair(&server, &client).await;
    assert_eq!(dialed.peer_addr(), Some(([192, 0, 2, 7], 8443).into()));
    assert_eq!(dialed.local_addr(), None);
    talk(&mut accepted, &mut dialed).await;
}

pub async fn sockets_from_memory<R: Testbed>() {
    let (sockets, incoming) = futures::channel::mpsc::unbounded();
    let server = server::<R>().serve(incoming).unwrap();
    let client = client::<R>("memory:1", 3)
        .dialer(move |_| {
            let (near, far) = UnixStream::pair().unwrap();
            let (near, far) = (bridge(near), bridge(far));
            let sockets = sockets.clone();
            async move {
                let (near, far) = futures::try_join!(near, far)?;
                sockets.unbounded_send(Ok(Socket::new(far))).expect("the server takes them");
                Ok(Socket::new(near))
            }
        })
        .connect()
        .unwrap();
    filled(&server, &client, 3).await;
    for _ in 0..3 {
        let (mut accepted, mut dialed) = take_pair(&server, &client).await;
        assert_eq!((accepted.peer_addr(), dialed.peer_addr()), (None, None));
        talk(&mut accepted, &mut dialed).await;
    }
}

/// A stream that is no TCP socket of the runtime's: async-io drives it, whatever runs the pools.
async fn bridge(stream: UnixStream) -> io::Result<smol::Async<UnixStream>> {
    smol::Async::new(stream)
}

pub async fn tls_configurations_of_ones_own<R: Testbed>() {
    let authority = Authority::default();
    let identity = authority.server("127.0.0.1");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut at_server = ServerConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(&[&TLS13])
        .unwrap()
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(rustls::sign::SingleCertAndKey::from(identity.certified_key())));
    at_server.alpn_protocols = vec![b"http/1.1".to_vec()];
    let mut roots = RootCertStore::empty();
    roots.add(authority.der()).unwrap();
    let mut at_client = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    at_client.alpn_protocols = vec![b"http/1.1".to_vec()];
    let (server, address) = bind(server::<R>().tls(ServerTls::from_config(Arc::new(at_server)))).await;
    let client = client::<R>(address, 2).tls(ClientTls::from_config(Arc::new(at_client))).connect().unwrap();
    filled(&server, &client, 2).await;
    let (mut accepted, mut dialed) = take_pair(&server, &client).await;
    talk(&mut accepted, &mut dialed).await;
    assert_eq!(dialed.tls().unwrap().peer_fingerprint(), Some(identity.fingerprint()));
}

pub async fn pools_work_from_many_tasks_through_clones<R: Testbed>() {
    let (server, client) = crate::pools::pair::<R>(8).await;
    let tasks: Vec<_> = (0..8)
        .map(|_| {
            let (server, client) = (server.clone(), client.clone());
            spawn::<R, _>(async move {
                for _ in 0..10 {
                    let (mut accepted, mut dialed) = take_pair(&server, &client).await;
                    talk(&mut accepted, &mut dialed).await;
                }
            })
        })
        .collect();
    for task in tasks {
        task.join().await;
    }
    assert_eq!((server.stats().taken_total, client.stats().taken_total), (80, 80));
}
