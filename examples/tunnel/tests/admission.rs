//! Whom the server's flags let in, asked over raw sockets.
#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "the helpers are tests as well")]

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::{Child, ChildStderr, Command, Stdio};
use std::time::Duration;

struct Server {
    child: Child,
    log: BufReader<ChildStderr>,
    address: SocketAddr,
}

impl Server {
    fn start(flags: &str) -> Self {
        let line = format!("server --listen 127.0.0.1:0 --public 127.0.0.1:0 --plain {flags}");
        let mut child = Command::new(env!("CARGO_BIN_EXE_npws-tunnel"))
            .args(line.split_whitespace())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let log = BufReader::new(child.stderr.take().unwrap());
        let mut server = Self { child, log, address: ([127, 0, 0, 1], 0).into() };
        let said = server.until("waiting for the client on ");
        server.address = said.rsplit(' ').next().unwrap().trim().parse().unwrap();
        server.until("waiting for users on ");
        server
    }

    /// The next line of the log that says this.
    fn until(&mut self, what: &str) -> String {
        loop {
            let mut line = String::new();
            assert_ne!(self.log.read_line(&mut line).unwrap(), 0, "it ended");
            if line.contains(what) {
                return line;
            }
        }
    }

    /// The status of an upgrade behind `header`, with these fields; `None` if it is closed without an answer.
    fn ask(&self, header: &str, fields: &str) -> Option<u16> {
        let mut socket = TcpStream::connect(self.address).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let request = format!(
            "{header}GET / HTTP/1.1\r\nHost: tunnel.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{fields}\r\n"
        );
        socket.write_all(request.as_bytes()).unwrap();
        let mut status = [0; 12];
        socket.read_exact(&mut status).ok()?;
        Some(String::from_utf8(status.to_vec()).unwrap().split(' ').nth(1).unwrap().parse().unwrap())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn the_proxy_protocol_says_where_a_client_comes_from() {
    let server = Server::start("--proxy-protocol 127.0.0.0/8 --allow 192.0.2.0/24 --max-connections-per-address 1");
    assert_eq!(server.ask("", ""), None);
    assert_eq!(server.ask("PROXY TCP4 198.51.100.1 127.0.0.1 1 2\r\n", ""), Some(403));
    assert_eq!(server.ask("PROXY TCP4 192.0.2.1 127.0.0.1 1 2\r\n", ""), Some(101));
}

#[test]
fn origins_and_the_rate_of_an_address_are_what_the_flags_say() {
    let server = Server::start("--origin https://app.example --origin https://b.example --handshake-rate 1/4");
    assert_eq!(server.ask("", "Origin: https://app.example\r\n"), Some(101));
    assert_eq!(server.ask("", "Origin: https://evil.example\r\n"), Some(403));
    // It may come back at one a second meanwhile.
    let answers: Vec<_> = (0..200).map(|_| server.ask("", "")).take_while(|answer| *answer == Some(101)).collect();
    assert!((2..200).contains(&answers.len()), "{}", answers.len());
}

#[test]
fn tokens_are_read_again_when_asked_and_broken_ones_change_nothing() {
    let file = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("tokens");
    fs::write(&file, "old\n").unwrap();
    let mut server = Server::start(&format!("--token-file {}", file.display()));
    let hang_up = |server: &mut Server| {
        let id = server.child.id().to_string();
        assert!(Command::new("kill").args(["-HUP", &id]).status().unwrap().success());
    };
    let ask = |server: &Server| {
        ["old", "new"].map(|token| server.ask("", &format!("Authorization: Bearer {token}\r\n")).unwrap())
    };
    assert_eq!(ask(&server), [101, 401]);
    fs::write(&file, "new\n").unwrap();
    hang_up(&mut server);
    server.until("read certificate and tokens again");
    assert_eq!(ask(&server), [401, 101]);
    fs::write(&file, "not a token\n").unwrap();
    hang_up(&mut server);
    server.until("nothing has changed: ");
    assert_eq!(ask(&server), [401, 101]);
}
