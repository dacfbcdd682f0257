//! A peer in a process of its own, which is told and tells by lines.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::thread;
use std::time::Duration;

use futures::StreamExt;
use futures::channel::mpsc::{UnboundedReceiver, unbounded};
use npws::tokio::Tokio;
use npws_tests::testbed::sleep;

/// How long a peer may take to answer. Some of them start a virtual machine first.
const ANSWER: Duration = Duration::from_secs(40);

/// A running program. Dropping it kills it.
#[derive(Debug)]
pub struct Process {
    child: Child,
    stdin: ChildStdin,
    lines: UnboundedReceiver<String>,
    name: String,
}

impl Process {
    /// Starts `program`. What it writes to its standard error goes to the test's.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn start<A: AsRef<OsStr>>(program: &Path, arguments: impl IntoIterator<Item = A>) -> Self {
        Self::start_with(program, arguments, |_| {})
    }

    /// As [`start`](Self::start), after `change` has had its way with the command.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn start_with<A: AsRef<OsStr>>(
        program: &Path,
        arguments: impl IntoIterator<Item = A>,
        change: impl FnOnce(&mut Command),
    ) -> Self {
        let name = program.display().to_string();
        let mut command = Command::new(program);
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped());
        change(&mut command);
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{name} does not start: {error}"));
        let stdin = child.stdin.take().expect("it is piped");
        let stdout = child.stdout.take().expect("it is piped");
        let (sender, lines) = unbounded();
        thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if sender.unbounded_send(line).is_err() {
                    break;
                }
            }
        });
        Self { child, stdin, lines, name }
    }

    /// Sends one line.
    ///
    /// # Panics
    /// When the program has ended.
    pub fn tell(&mut self, line: &str) {
        writeln!(self.stdin, "{line}").and_then(|()| self.stdin.flush()).expect("the peer reads its orders");
    }

    /// The next line that it writes.
    ///
    /// # Panics
    /// When it ends, or says nothing for too long.
    pub async fn line(&mut self) -> String {
        match futures::future::select(self.lines.next(), std::pin::pin!(sleep::<Tokio>(ANSWER))).await {
            futures::future::Either::Left((Some(line), _)) => line,
            futures::future::Either::Left((None, _)) => panic!("{} ended: {:?}", self.name, self.child.wait()),
            futures::future::Either::Right(_) => panic!("{} said nothing for {ANSWER:?}", self.name),
        }
    }

    /// The process's ID.
    pub fn id(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
