//! Every program runs to its end by itself, and the echo programs understand each other on any mixture of runtimes.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(60);

const ECHOES: [&str; 3] =
    [env!("CARGO_BIN_EXE_tokio_echo"), env!("CARGO_BIN_EXE_smol_echo"), env!("CARGO_BIN_EXE_async_std_echo")];

/// A program that is stopped when nobody looks at it any more.
struct Program(Child);

impl Drop for Program {
    fn drop(&mut self) {
        // Fails when it has ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn start(path: &str, args: &[&str]) -> std::io::Result<(Program, BufReader<ChildStdout>)> {
    let mut child = Command::new(path).args(args).stdout(Stdio::piped()).spawn()?;
    let stdout = child.stdout.take().ok_or(std::io::ErrorKind::BrokenPipe)?;
    Ok((Program(child), BufReader::new(stdout)))
}

/// What a program prints until it ends in success, within the limit.
fn run(path: &str, args: &[&str]) -> Result<String, Box<dyn std::error::Error>> {
    let (mut program, mut stdout) = start(path, args)?;
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut text = String::new();
        let _ = sender.send(stdout.read_to_string(&mut text).map(|_| text));
    });
    let text = receiver.recv_timeout(LIMIT).map_err(|_| format!("{path} does not end"))??;
    let status = program.0.wait()?;
    if status.success() { Ok(text) } else { Err(format!("{path} ended with {status} after:\n{text}").into()) }
}

#[test]
fn echoes_run_both_ends_by_themselves() {
    for echo in ECHOES {
        let text = run(echo, &[]).unwrap();
        assert!(text.contains(r#"sent "ready", got "ready""#) && text.ends_with("done\n"), "{echo}:\n{text}");
    }
}

#[test]
fn echoes_understand_each_other_on_every_mixture_of_runtimes() {
    for server in ECHOES {
        let (_server, mut stdout) = start(server, &["server", "127.0.0.1:0"]).unwrap();
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        let (address, pin) = line
            .trim_end()
            .strip_prefix("listening on ")
            .and_then(|rest| rest.split_once(", certificate "))
            .expect("the server tells its address and its certificate");
        for client in ECHOES {
            let text = run(client, &["client", address, pin]).unwrap();
            assert!(text.ends_with("done\n"), "{client} to {server}:\n{text}");
        }
    }
}

#[test]
fn load_balancing_goes_on_without_the_server_that_fails() {
    let text = run(env!("CARGO_BIN_EXE_load_balancing"), &[]).unwrap();
    assert_eq!(text.matches("answered by").count(), 12, "{text}");
    let (before, after) = text.split_once("bogota goes down").expect("a server goes down");
    assert!(before.contains("bogota") && !after.contains("bogota"), "{text}");
}

#[test]
fn graceful_shutdown_cuts_nobody_short() {
    let text = run(env!("CARGO_BIN_EXE_graceful_shutdown"), &[]).unwrap();
    assert!(text.contains("drained: 0 idle, 1 in use, closed: true"), "{text}");
    assert!(text.ends_with("2097152 bytes, complete\n"), "{text}");
}

#[test]
fn core_runs_by_hand() {
    let text = run(env!("CARGO_BIN_EXE_core_by_hand"), &[]).unwrap();
    assert!(text.contains(r#"carries Some("hello")"#) && text.contains("Send(Ping)"), "{text}");
}
