//! Dials through a proxy.

use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use npws::rustls::version::TLS13;
use npws::rustls::{self, ServerConfig};
use npws::{ClientPoolBuilder, ClientTls, ConnectionId, DialError, DialFailure, Proxy, ProxyError, Socket};

use crate::certificates::Authority;
use crate::pools::{NEVER, bind, client, filled, server, take_pair, talk, tls};
use crate::testbed::{Testbed, current, ms, until};
use crate::tiny_proxy::{Speaks, TinyProxy};

/// A name that only the proxy understands.
const SERVER: &str = "pool.invalid:8443";

fn with_password(proxy: &TinyProxy, speaks: Speaks) -> Proxy {
    let scheme = if speaks == Speaks::Http { "http" } else { "socks5" };
    Proxy::from_url(&format!("{scheme}://user:secret@{}", proxy.address())).unwrap()
}

fn dialing<R: Testbed>(proxy: Proxy, count: usize) -> ClientPoolBuilder<R> {
    client::<R>(SERVER, count).proxy(proxy)
}

async fn meet_through<R: Testbed>(speaks: Speaks) {
    let (server_tls, client_tls) = tls();
    let (server, address) = bind(server::<R>().tls(server_tls)).await;
    let proxy = TinyProxy::start::<R>(speaks, address, None);
    let through = with_password(&proxy, speaks);
    let client = dialing::<R>(through, 3).tls(client_tls).server_name("127.0.0.1").connect().unwrap();
    filled(&server, &client, 3).await;
    for _ in 0..3 {
        let (mut accepted, mut dialed) = take_pair(&server, &client).await;
        assert_eq!(dialed.peer_addr(), Some(proxy.address()));
        assert!(dialed.tls().is_some());
        talk(&mut accepted, &mut dialed).await;
    }
    assert!(proxy.asked_for().iter().all(|asked| asked == SERVER), "{:?}", proxy.asked_for());
}

pub async fn pools_meet_through_an_http_proxy<R: Testbed>() {
    meet_through::<R>(Speaks::Http).await;
}

pub async fn pools_meet_through_a_socks_proxy<R: Testbed>() {
    meet_through::<R>(Speaks::Socks5).await;
}

pub async fn the_proxy_itself_may_speak_tls<R: Testbed>() {
    let authority = Authority::default();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let identity = rustls::sign::SingleCertAndKey::from(authority.server("127.0.0.1").certified_key());
    let config = ServerConfig::builder_with_provider(provider).with_protocol_versions(&[&TLS13]).unwrap();
    let config = Arc::new(config.with_no_client_auth().with_cert_resolver(Arc::new(identity)));
    for speaks in [Speaks::Http, Speaks::Socks5] {
        let (server_tls, client_tls) = tls();
        let (server, address) = bind(server::<R>().tls(server_tls)).await;
        let proxy = TinyProxy::start::<R>(speaks, address, Some(config.clone()));
        let trust = ClientTls::with_roots_der([authority.der()]).unwrap();
        let through = with_password(&proxy, speaks).tls(trust);
        let client = dialing::<R>(through, 2).tls(client_tls).server_name("127.0.0.1").connect().unwrap();
        filled(&server, &client, 2).await;
        let (mut accepted, mut dialed) = take_pair(&server, &client).await;
        talk(&mut accepted, &mut dialed).await;

        let distrusting = dialing::<R>(with_password(&proxy, speaks).tls(tls().1), 1).backoff(NEVER..=NEVER);
        let client = distrusting.connect().unwrap();
        until::<R>("the dial has failed", || client.stats().dial_failures.proxy == 1).await;
        let error = client.last_dial_error().unwrap();
        assert!(matches!(&*error, DialError::Proxy(ProxyError::Tls(_))), "{error}");
    }
}

pub async fn a_proxy_that_refuses_is_told_with_its_code_and_burns_no_id<R: Testbed>() {
    for (speaks, code) in [(Speaks::Http, 502), (Speaks::Socks5, 5)] {
        let (server, address) = bind(server::<R>().control_channel(true)).await;
        let proxy = TinyProxy::start::<R>(speaks, address, None);
        proxy.refuse(5);
        let through = with_password(&proxy, speaks);
        let client = dialing::<R>(through.clone(), 1).control_channel(true).connect().unwrap();
        until::<R>("dials have failed", || client.stats().dial_failures.proxy >= 3).await;
        let error = client.last_dial_error().unwrap();
        let told = match &*error {
            DialError::Proxy(ProxyError::Status(status)) => *status,
            DialError::Proxy(ProxyError::Reply(reply)) => u16::from(*reply),
            _ => panic!("{error}"),
        };
        assert_eq!((told, error.failure()), (code, DialFailure::Proxy));
        assert_eq!((server.stats().registered_total, server.stats().handshakes), (0, 0));
        proxy.refuse(0);
        filled(&server, &client, 1).await;
        assert_eq!(client.take(ConnectionId::CONTROL, ms(0)).await.unwrap().id(), ConnectionId::CONTROL);

        let wrong = dialing::<R>(through.credentials("user", "guess"), 1).backoff(NEVER..=NEVER).connect().unwrap();
        until::<R>("the dial has failed", || wrong.stats().dial_failures.proxy == 1).await;
        let error = wrong.last_dial_error().unwrap();
        assert!(matches!(&*error, DialError::Proxy(ProxyError::Unauthorized)), "{error}");
        assert!(!format!("{error:?}").contains("guess"));
    }
}

pub async fn a_proxy_that_cannot_be_reached_is_told_apart_from_the_server<R: Testbed>() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for (proxy, is_expected) in [
        (format!("http://{free}"), (|error| matches!(error, ProxyError::Connect(_))) as fn(&ProxyError) -> bool),
        ("socks5://nowhere.invalid".to_owned(), |error| matches!(error, ProxyError::Resolve(_))),
    ] {
        let client = dialing::<R>(Proxy::from_url(&proxy).unwrap(), 1).backoff(NEVER..=NEVER).connect().unwrap();
        until::<R>("the dial has failed", || client.stats().dial_failures.proxy == 1).await;
        let error = client.last_dial_error().unwrap();
        assert!(matches!(&*error, DialError::Proxy(error) if is_expected(error)), "{error}");
    }
}

pub async fn a_silent_proxy_is_given_up_at_the_deadline_of_the_dial<R: Testbed>() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    for scheme in ["http", "socks5"] {
        let proxy = Proxy::from_url(&format!("{scheme}://{}", silent.local_addr().unwrap())).unwrap();
        let client = dialing::<R>(proxy, 1).dial_timeout(ms(60)).connect().unwrap();
        until::<R>("the dial has failed", || client.stats().dial_failures.timeout >= 1).await;
        until::<R>("it is told why", || matches!(client.last_dial_error().as_deref(), Some(DialError::Timeout))).await;
    }
}

pub async fn a_dialer_of_ones_own_reaches_the_proxy<R: Testbed>() {
    let (server, address) = bind(server::<R>()).await;
    let tiny = TinyProxy::start::<R>(Speaks::Http, address, None);
    let (there, dials) = (tiny.address(), Arc::new(AtomicUsize::new(0)));
    let count = dials.clone();
    let proxy = Proxy::http("proxy.invalid:3128").unwrap().credentials("user", "secret");
    let client = dialing::<R>(proxy, 1)
        .dialer(move |target| {
            assert_eq!((&*target.host, target.port), ("proxy.invalid", 3128));
            count.fetch_add(1, Ordering::SeqCst);
            async move { Ok(Socket::new(current::<R>().connect(there).await?)) }
        })
        .connect()
        .unwrap();
    filled(&server, &client, 1).await;
    assert_eq!((dials.load(Ordering::SeqCst), tiny.asked_for()), (1, vec![SERVER.to_owned()]));
}
