//! Dials through tinyproxy, microsocks and dante.

#![expect(clippy::unwrap_used, reason = "the helpers are tests as well")]

use std::fs;
use std::io::{self, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::thread;

use npws::tokio::Tokio;
use npws::{DialError, DialTarget, Proxy, ProxyError};
use npws_peers::ports::{free_address, reachable};
use npws_peers::process::Process;
use npws_peers::tools::scratch;
use npws_peers::tunnel::Tunnel;
use npws_tests::pools::{NEVER, client, filled, server, take_pair, talk, tls};
use npws_tests::testbed::{Testbed, run, until};

/// A proxy, and the URL of somebody whom it lets through.
struct Running {
    _process: Process,
    url: String,
}

/// Asks for a password.
async fn tinyproxy(name: &str) -> Running {
    let address = free_address();
    let file = scratch(name).join("tinyproxy.conf");
    let endpoint = format!("Listen {}\nPort {}\n", address.ip(), address.port());
    fs::write(&file, endpoint + "MaxClients 100\nLogLevel Warning\nBasicAuth user secret\n").unwrap();
    let process = Process::start(Path::new("tinyproxy"), ["-d".into(), "-c".into(), file.into_os_string()]);
    reachable(address).await;
    Running { _process: process, url: format!("http://user:secret@{address}") }
}

/// Asks for a password.
async fn microsocks() -> Running {
    let address = free_address();
    let (ip, port) = (address.ip().to_string(), address.port().to_string());
    let arguments = ["-i", &ip, "-p", &port, "-u", "user", "-P", "secret"];
    let process = Process::start(Path::new("microsocks"), arguments);
    reachable(address).await;
    Running { _process: process, url: format!("socks5://user:secret@{address}") }
}

/// Asks for no password and leads not to 127.0.0.2.
async fn dante(name: &str) -> Running {
    let address = free_address();
    let file = scratch(name).join("danted.conf");
    let rules = "external: lo\nclientmethod: none\nsocksmethod: none\nlogoutput: /dev/null\n\
                 user.privileged: root\nuser.unprivileged: nobody\n\
                 client pass { from: 127.0.0.0/8 to: 0.0.0.0/0 }\n\
                 socks block { from: 0.0.0.0/0 to: 127.0.0.2/32 }\n\
                 socks pass { from: 127.0.0.0/8 to: 127.0.0.0/8 protocol: tcp }\n";
    fs::write(&file, format!("internal: {} port = {}\n{rules}", address.ip(), address.port())).unwrap();
    let process = Process::start(Path::new("danted"), ["-f".into(), file.into_os_string()]);
    reachable(address).await;
    Running { _process: process, url: format!("socks5://{address}") }
}

/// Why the first dial to `server` fails.
async fn refusal(proxy: Proxy, server: SocketAddr) -> std::sync::Arc<DialError> {
    let client = client::<Tokio>(server, 1).proxy(proxy).backoff(NEVER..=NEVER).connect().unwrap();
    until::<Tokio>("the dial has failed", || client.stats().dial_failures.total() == 1).await;
    client.last_dial_error().unwrap()
}

#[test]
fn pools_meet_through_each_proxy_which_looks_up_the_name() {
    run::<Tokio, _>(|| async {
        for proxy in [tinyproxy("lead").await, microsocks().await, dante("lead").await] {
            let (server_tls, client_tls) = tls();
            let server = server::<Tokio>().tls(server_tls).bind("localhost:0").await.unwrap();
            let address = format!("localhost:{}", server.local_addr().unwrap().port());
            let client = client::<Tokio>(address, 8)
                .proxy(Proxy::from_url(&proxy.url).unwrap())
                .resolver(|DialTarget { host, port, .. }| async move {
                    assert_ne!(host, "localhost", "only the proxy needs to know the name");
                    Ok(vec![SocketAddr::new(host.parse().unwrap(), port)])
                })
                .tls(client_tls)
                .server_name("127.0.0.1")
                .connect()
                .unwrap();
            filled(&server, &client, 8).await;
            for _ in 0..8 {
                let (mut accepted, mut dialed) = take_pair(&server, &client).await;
                talk(&mut accepted, &mut dialed).await;
            }
        }
    });
}

#[test]
fn a_proxy_that_wants_other_credentials_says_so() {
    run::<Tokio, _>(|| async {
        let server = free_address();
        for (proxy, without_any) in [(tinyproxy("credentials").await, "Unauthorized"), (microsocks().await, "NoMethod")]
        {
            let known = Proxy::from_url(&proxy.url).unwrap();
            let error = refusal(known.credentials("user", "guess"), server).await;
            assert!(matches!(&*error, DialError::Proxy(ProxyError::Unauthorized)), "{error}");
            let unknown = Proxy::from_url(&proxy.url.replace("user:secret@", "")).unwrap();
            let error = refusal(unknown, server).await;
            assert!(matches!(&*error, DialError::Proxy(error) if format!("{error:?}") == without_any), "{error}");
        }
    });
}

#[test]
fn a_server_that_is_not_there_or_not_allowed_is_told_with_the_proxys_code() {
    run::<Tokio, _>(|| async {
        let nobody = free_address();
        let (tinyproxy, microsocks, dante) = (tinyproxy("codes").await, microsocks().await, dante("codes").await);
        let forbidden = SocketAddr::from(([127, 0, 0, 2], nobody.port()));
        for (proxy, server, code) in
            [(&tinyproxy, nobody, 500), (&microsocks, nobody, 5), (&dante, nobody, 5), (&dante, forbidden, 2)]
        {
            let error = refusal(Proxy::from_url(&proxy.url).unwrap(), server).await;
            let told = match &*error {
                DialError::Proxy(ProxyError::Status(status)) => *status,
                DialError::Proxy(ProxyError::Reply(reply)) => u16::from(*reply),
                _ => panic!("{error}"),
            };
            assert_eq!(told, code, "{error}");
        }
    });
}

/// Sends back what comes.
fn echo() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for user in listener.incoming() {
            let user = user.unwrap();
            thread::spawn(move || io::copy(&mut &user, &mut &user));
        }
    });
    address
}

#[test]
fn the_tunnel_leads_through_each_proxy_that_the_environment_names() {
    Tokio::block_on(async {
        for proxy in [tinyproxy("tunnel").await, microsocks().await, dante("tunnel").await] {
            let (listen, public, target) = (free_address(), free_address(), echo());
            let mut server = Tunnel::start(&format!("server --listen {listen} --public {public} --plain"), &[]);
            server.until("waiting for users on").await;
            let line = format!("client --server {listen} --target {target} --plain");
            let _client = Tunnel::start(&line, &[("NPWS_PROXY", &proxy.url)]);
            let answer = npws_tests::testbed::thread(move || {
                let mut user = TcpStream::connect(public).unwrap();
                user.write_all(b"through").unwrap();
                user.shutdown(Shutdown::Write).unwrap();
                io::read_to_string(user).unwrap()
            });
            assert_eq!(answer.join().await, "through");
        }
    });
}

#[test]
fn the_tunnel_says_that_the_proxy_wants_other_credentials_and_not_which_it_showed() {
    Tokio::block_on(async {
        let proxy = tinyproxy("tunnel-credentials").await;
        let line = format!("client --server {} --target {} --plain -vv", free_address(), free_address());
        let wrong = proxy.url.replace("user:secret", "user:guess");
        let mut client = Tunnel::start(&line, &[("NPWS_PROXY", &wrong)]);
        let (mut said, words) = (String::new(), "no connection to the server");
        while !said.contains(words) {
            said = client.until("").await;
            assert!(!said.contains("guess"), "{said}");
        }
        assert!(said.contains("it asks for other credentials"), "{said}");
    });
}
