//! Users, and what they ask for.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use npws::rustls::crypto::ring;
use npws::rustls::pki_types::ServerName;
use npws::rustls::version::TLS13;
use npws::rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use npws_tests::pools::pattern;

use crate::proxy::ReverseProxy;

/// How long an answer may take. A user's patience at the server is shorter.
const PATIENCE: Duration = Duration::from_secs(60);
const LENGTH: usize = 20_000;

/// A web server that answers each path with other bytes, in two parts, so that some answers are always under way.
pub(crate) fn origin() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for user in listener.incoming() {
            // A user who leaves is none of its business.
            thread::spawn(move || answer(user?));
        }
    });
    address
}

fn answer(mut user: TcpStream) -> io::Result<()> {
    let head = read_head(&mut user)?;
    let number =
        head.split(['/', ' ']).nth(2).and_then(|number| number.parse().ok()).ok_or(io::ErrorKind::InvalidData)?;
    let body = pattern(LENGTH, number);
    let (first, second) = body.split_at(LENGTH / 2);
    write!(user, "HTTP/1.1 200 OK\r\nContent-Length: {LENGTH}\r\nConnection: close\r\n\r\n")?;
    user.write_all(first)?;
    thread::sleep(Duration::from_millis(20));
    user.write_all(second)
}

fn read_head(user: &mut impl Read) -> io::Result<String> {
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") {
        user.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    String::from_utf8(head).map_err(io::Error::other)
}

/// Asks for one path, and says what was wrong with the answer.
pub(crate) fn ask(stream: &mut (impl Read + Write), number: u64) -> Result<(), String> {
    let told = |error: io::Error| format!("request {number}: {error}");
    let request = format!("GET /{number} HTTP/1.1\r\nHost: tunnel.example\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).map_err(told)?;
    let head = read_head(stream).map_err(told)?;
    if !head.starts_with("HTTP/1.1 200 ") {
        return Err(format!("request {number}: {head}"));
    }
    let mut body = vec![0; LENGTH];
    stream.read_exact(&mut body).map_err(told)?;
    if body == pattern(LENGTH, number) { Ok(()) } else { Err(format!("request {number}: another body")) }
}

/// Connects to `address`.
pub(crate) fn plain(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    Ok(stream)
}

/// Speaks TLS with the proxy over `stream`.
pub(crate) fn secured(stream: TcpStream, config: &Arc<ClientConfig>) -> StreamOwned<ClientConnection, TcpStream> {
    let name = ServerName::try_from("127.0.0.1").unwrap();
    StreamOwned::new(ClientConnection::new(config.clone(), name).unwrap(), stream)
}

/// How users trust the proxy.
pub(crate) fn trust(proxy: &ReverseProxy) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(proxy.authority.der()).unwrap();
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
    Arc::new(builder.with_protocol_versions(&[&TLS13]).unwrap().with_root_certificates(roots).with_no_client_auth())
}

/// Users who ask again and again.
pub(crate) struct Load {
    stop: Arc<AtomicBool>,
    asked: Arc<AtomicUsize>,
    users: Vec<JoinHandle<Vec<String>>>,
}

impl Load {
    pub(crate) fn start(proxy: &ReverseProxy, users: u64) -> Self {
        let (stop, asked) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let (address, config) = (proxy.address, trust(proxy));
        let user = |user: u64| {
            let (stop, asked, config) = (stop.clone(), asked.clone(), config.clone());
            thread::spawn(move || {
                let mut failures = Vec::new();
                for number in (user..).step_by(1000) {
                    if stop.load(Ordering::SeqCst) {
                        break;
                    }
                    let stream = plain(address).map_err(|error| error.to_string());
                    let outcome = stream.and_then(|stream| ask(&mut secured(stream, &config), number));
                    failures.extend(outcome.err());
                    asked.fetch_add(1, Ordering::SeqCst);
                }
                failures
            })
        };
        let users = (0..users).map(user).collect();
        Self { stop, asked, users }
    }

    /// How many requests are done.
    pub(crate) fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    /// What went wrong, when all are done.
    pub(crate) fn stop(self) -> Vec<String> {
        self.stop.store(true, Ordering::SeqCst);
        self.users.into_iter().flat_map(|user| user.join().unwrap()).collect()
    }
}
