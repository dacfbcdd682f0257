//! A peer in a process of its own, which is told and tells by lines.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::pin::pin;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::thread;
use std::time::Duration;

use futures::StreamExt;
use futures::channel::mpsc::{UnboundedReceiver, unbounded};
use futures::future::{Either, select};
use npws::tokio::Tokio;
use npws_tests::testbed::sleep;

/// How long a peer may take to answer. Some of them start a virtual machine first.
const ANSWER: Duration = Duration::from_secs(40);

/// A running program. Dropping it kills it.
#[derive(Debug)]
pub struct Process {
    child: Child,
    name: String,
    orders: Option<Orders>,
    lines: Lines,
}

/// The lines that a program writes to its standard output.
pub type Lines = UnboundedReceiver<String>;

/// A program's standard input.
#[derive(Debug)]
pub struct Orders(ChildStdin);

impl Orders {
    /// Sends one line.
    ///
    /// # Panics
    /// When the program has ended.
    pub fn tell(&mut self, line: &str) {
        writeln!(self.0, "{line}").and_then(|()| self.0.flush()).expect("the peer reads its orders");
    }
}

impl Process {
    /// Starts `program`. What it writes to its standard error goes to the test's.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn start<A: AsRef<OsStr>>(program: &Path, arguments: impl IntoIterator<Item = A>) -> Self {
        let name = program.display().to_string();
        let mut command = Command::new(program);
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{name} does not start: {error}"));
        let orders = child.stdin.take().map(Orders);
        let stdout = child.stdout.take().expect("it is piped");
        let (sender, lines) = unbounded();
        thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if sender.unbounded_send(line).is_err() {
                    break;
                }
            }
        });
        Self { child, name, orders, lines }
    }

    /// The next line that it writes; `None` at the end of its output.
    ///
    /// # Panics
    /// When it says nothing for too long.
    pub async fn next_line(&mut self) -> Option<String> {
        match select(self.lines.next(), pin!(sleep::<Tokio>(ANSWER))).await {
            Either::Left((line, _)) => line,
            Either::Right(_) => panic!("{} said nothing for {ANSWER:?}", self.name),
        }
    }

    /// The next line that it writes.
    ///
    /// # Panics
    /// When there is none.
    pub async fn line(&mut self) -> String {
        let line = self.next_line().await;
        line.unwrap_or_else(|| panic!("{} ended: {:?}", self.name, self.child.wait()))
    }

    /// Its input and its output, for those who use both at the same time.
    ///
    /// # Panics
    /// When they are gone already.
    pub fn split(&mut self) -> (Orders, Lines) {
        let lines = std::mem::replace(&mut self.lines, unbounded().1);
        (self.orders.take().expect("it is split once"), lines)
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
