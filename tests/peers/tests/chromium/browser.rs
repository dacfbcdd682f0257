//! Chromium without a window, and the page that it shows.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::thread;

use futures::StreamExt;
use futures::channel::mpsc::{UnboundedReceiver, UnboundedSender, unbounded};
use npws_peers::process::Process;
use npws_peers::tools::scratch;

const PAGE: &str = include_str!("page.html");

/// Serves the page, and collects what it posts.
pub(crate) struct Site {
    address: SocketAddr,
    posts: UnboundedReceiver<String>,
}

impl Site {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
        let address = listener.local_addr().expect("it is bound");
        let (sender, posts) = unbounded();
        thread::spawn(move || {
            // A browser opens connections ahead of time, so none may keep the others waiting.
            for stream in listener.incoming().map_while(Result::ok) {
                let sender = sender.clone();
                thread::spawn(move || drop(answer(stream, &sender)));
            }
        });
        Self { address, posts }
    }

    /// Where the page comes from, under this name for loopback.
    pub(crate) fn origin(&self, host: &str) -> String {
        format!("http://{host}:{}", self.address.port())
    }

    /// What the page posts next.
    pub(crate) async fn post(&mut self) -> String {
        self.posts.next().await.expect("the site is open")
    }
}

fn answer(stream: TcpStream, posts: &UnboundedSender<String>) -> io::Result<()> {
    let mut reader = BufReader::new(&stream);
    let (mut head, mut length) = (String::new(), 0);
    while !head.ends_with("\r\n\r\n") {
        let begin = head.len();
        if reader.read_line(&mut head)? == 0 {
            return Ok(());
        }
        if let Some((name, value)) = head[begin..].split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse().map_err(io::Error::other)?;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let page = match head.split(' ').next() {
        Some("POST") => {
            // The test may be over.
            let _ = posts.unbounded_send(String::from_utf8(body).map_err(io::Error::other)?);
            ""
        }
        _ => PAGE,
    };
    let fields = format!("Content-Type: text/html\r\nContent-Length: {}\r\nConnection: close", page.len());
    (&stream).write_all(format!("HTTP/1.1 200 OK\r\n{fields}\r\n\r\n{page}").as_bytes())
}

/// Opens `url`. Dropping it ends the browser.
pub(crate) fn open(test: &str, url: &str) -> Process {
    let profile = format!("--user-data-dir={}", scratch(test).display());
    let arguments = [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--disable-dev-shm-usage",
        "--log-level=3",
        "--ignore-certificate-errors",
        &profile,
        url,
    ];
    Process::start(Path::new("chromium"), arguments)
}
