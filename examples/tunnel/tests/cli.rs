//! The command line: what is refused, and with which status and words.
#![expect(clippy::unwrap_used, reason = "the helpers are tests as well")]

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, ChildStderr, Command, Output, Stdio};

fn program() -> Command {
    Command::new(env!("CARGO_BIN_EXE_npws-tunnel"))
}

fn run(line: &str) -> Output {
    program().args(line.split_whitespace()).output().unwrap()
}

#[track_caller]
fn refused(line: &str, because: &str) {
    let output = run(line);
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{line}: {text}");
    assert!(text.contains(because), "{line}: {text}");
    assert!(!text.contains("secret"), "{line}: {text}");
}

#[test]
fn a_wrong_command_line_gives_status_2_and_says_what_is_wrong() {
    const SERVER: &str = "server --listen 127.0.0.1:0 --public 127.0.0.1:0";
    const CLIENT: &str = "client --server localhost:1 --target localhost:2";
    refused("serve", "unrecognized subcommand 'serve'");
    refused("server --listen 127.0.0.1:0", "--public <ADDR>");
    refused(&format!("{SERVER} --capacity 0"), "capacity is 0, accepted is 1 to 65536");
    refused(&format!("{SERVER} --plain --client-ca ca.pem"), "cannot be used with");
    refused(&format!("{SERVER} --cert chain.pem"), "--key <FILE>");
    refused(&format!("{SERVER} --cert /nowhere/chain.pem --key /nowhere/key.pem"), "/nowhere/chain.pem");
    refused(&format!("{SERVER} --allow example.com"), "invalid value 'example.com'");
    refused(&format!("{SERVER} --allow 192.0.2.1/24"), "192.0.2.0/24");
    refused(&format!("{SERVER} --token-file /nowhere/tokens"), "cannot read /nowhere/tokens");
    refused(&format!("{CLIENT} --token-file /dev/null"), "/dev/null has no token");
    refused(&format!("{SERVER} --path tunnel"), "path is tunnel");
    refused(&format!("{SERVER} --heartbeat 1ms"), "accepted is 100ms to 1h");
    refused(&format!("{SERVER} --patience soon"), "invalid value 'soon'");
    refused(&format!("{SERVER} --proxy-protocol 10.0.0.0/33"), "invalid value '10.0.0.0/33'");
    refused(&format!("{SERVER} --origin app.example"), "invalid value 'app.example'");
    refused(&format!("{SERVER} --handshake-rate 50"), "expected RATE/BURST");
    refused(&format!("{SERVER} --handshake-rate 0/5"), "accepted is 1 to 1000000 per second");
    refused(&format!("{SERVER} --max-handshakes 0"), "max_handshakes is 0, accepted is 1 to 1048576");
    refused(&format!("{SERVER} --max-connections-per-address 0"), "max_connections_per_address is 0");
    refused(&format!("{CLIENT} --min 9 --max 3"), "capacity");
    refused(&format!("{CLIENT} --fingerprint AB:CD"), "64 hex digits");
    refused(&format!("{CLIENT} --plain --insecure"), "cannot be used with");
    refused(&format!("{CLIENT} --ca /nowhere/ca.pem"), "cannot read /nowhere/ca.pem");
    refused("client --server localhost:1 --target localhost", "expected HOST:PORT");
    refused("client --server localhost --target localhost:2 --plain", "localhost");
    refused(&format!("{CLIENT} --proxy ftp://u:secret@proxy"), "http://, https://, socks5:// or socks5h://");
    refused(&format!("{SERVER} --v1 --shared"), "cannot be used with");
    refused(&format!("{SERVER} --trusted-proxy nginx"), "invalid value 'nginx'");
    refused(&format!("{CLIENT} --max-idle-age 0s"), "max_idle_age");
    refused("demo --requests 0", "0 is not in 1..=100000");
}

#[test]
fn help_shows_every_command_with_examples() {
    for (command, flag) in
        [("server", "--client-ca"), ("server", "--proxy-protocol"), ("client", "--fingerprint"), ("demo", "--v1")]
    {
        let output = run(&format!("{command} --help"));
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success() && text.contains(flag), "{text}");
        assert!(command == "demo" || text.contains("Examples:"), "{text}");
    }
}

#[test]
fn the_proxy_may_come_from_the_environment_and_is_not_shown() {
    let client = ["client", "--server", "localhost:1", "--target", "localhost:2"];
    for (arguments, status) in [(&client[..], 2), (&["client", "--help"], 0)] {
        let output = program().args(arguments).env("NPWS_PROXY", "secret").output().unwrap();
        let text = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        assert_eq!(output.status.code(), Some(status), "{text}");
        assert!(text.contains("socks5h://") && !text.contains("secret"), "{text}");
    }
}

#[test]
fn an_address_in_use_gives_status_1_and_names_its_flag() {
    let holder = TcpListener::bind("127.0.0.1:0").unwrap();
    let output = run(&format!("server --listen 127.0.0.1:0 --public {}", holder.local_addr().unwrap()));
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("cannot listen on --public"), "{text}");
}

#[cfg(unix)]
#[test]
fn ctrl_c_ends_both_ends_in_good_order() {
    for line in
        ["server --listen 127.0.0.1:0 --public 127.0.0.1:0", "client --server 127.0.0.1:9 --target localhost:9 --plain"]
    {
        let mut child = program().args(line.split_whitespace()).stderr(Stdio::piped()).spawn().unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap());
        let mut said = String::new();
        // By then it listens to signals.
        while !said.contains("waiting for users on") && !said.contains("joining users of") {
            assert_ne!(log.read_line(&mut said).unwrap(), 0, "{said}");
        }
        assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
        log.read_to_string(&mut said).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(0), "{said}");
        assert!(said.contains("finished, nobody was cut"), "{said}");
    }
}

/// A running program, what it says, and its end with the test's.
struct Program(Child, BufReader<ChildStderr>);

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Program {
    fn start(line: &str) -> Self {
        let mut child = program().args(line.split_whitespace()).stderr(Stdio::piped()).spawn().unwrap();
        let log = BufReader::new(child.stderr.take().unwrap());
        Self(child, log)
    }

    /// The rest of the first line that has `mark`.
    fn says(&mut self, mark: &str) -> String {
        let mut line = String::new();
        loop {
            line.clear();
            assert_ne!(self.1.read_line(&mut line).unwrap(), 0, "it never said {mark}");
            if let Some((_, rest)) = line.split_once(mark) {
                return rest.trim().to_owned();
            }
        }
    }
}

#[test]
fn one_client_serves_the_users_of_several_servers_and_of_those_that_are_left() {
    let target = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = target.local_addr().unwrap();
    std::thread::spawn(move || {
        for user in target.incoming() {
            user.unwrap().write_all(b"served").unwrap();
        }
    });
    let mut servers = Vec::new();
    for _ in 0..2 {
        let mut server = Program::start("server --plain --listen 127.0.0.1:0 --public 127.0.0.1:0");
        let listen = server.says("waiting for the client on ");
        let public = server.says("waiting for users on ");
        servers.push((server, listen, public));
    }
    let (one, two) = (&servers[0].1, &servers[1].1);
    let _client = Program::start(&format!("client --plain --min 2 --server {one} --server {two} --target {at}"));
    let serves = |public: &str| {
        let mut text = String::new();
        TcpStream::connect(public).unwrap().read_to_string(&mut text).unwrap();
        assert_eq!(text, "served", "{public}");
    };
    for (_, _, public) in &servers {
        serves(public);
    }
    drop(servers.remove(0));
    for _ in 0..4 {
        serves(&servers[0].2);
    }
}

#[test]
fn a_server_that_shares_its_address_lets_users_in_once_a_client_is_there() {
    let public = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut server = Program::start(&format!("server --plain --shared --listen 127.0.0.1:0 --public {public}"));
    let listen = server.says("waiting for the client on ");
    // More than enough for a server that does not wait.
    for _ in 0..50 {
        let mut stranger = TcpStream::connect(&listen).unwrap();
        stranger.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
        let mut answer = String::new();
        stranger.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 426 "), "{answer}");
    }
    assert_eq!(TcpStream::connect(public).unwrap_err().kind(), ErrorKind::ConnectionRefused);
    let _client = Program::start(&format!("client --plain --shared --server {listen} --target {public}"));
    server.says("waiting for users on ");
    TcpStream::connect(public).unwrap();
}
