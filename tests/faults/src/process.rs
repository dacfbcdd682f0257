//! A peer as a process of its own.

use std::collections::{BTreeMap, HashMap};
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// How long a peer may take to answer before it counts as stuck.
const PATIENCE: Duration = Duration::from_secs(90);

type Pending = Arc<Mutex<HashMap<u64, Sender<String>>>>;

/// `command` with this limit to its file descriptors.
pub fn with_files(command: &Command, limit: u32) -> Command {
    let mut limited = Command::new("sh");
    limited.args(["-c", &format!("ulimit -n {limit} && exec \"$@\""), "sh"]);
    limited.arg(command.get_program()).args(command.get_args());
    limited
}

/// A running `npws-fault-peer`. Dropped, it is killed.
#[derive(Debug)]
pub struct Peer {
    child: Child,
    stdin: Mutex<ChildStdin>,
    pending: Pending,
    asked: AtomicU64,
    address: String,
}

/// An answer to come.
#[derive(Debug)]
pub struct Reply {
    question: String,
    receiver: Receiver<String>,
}

impl Reply {
    /// The answer.
    pub fn wait(self) -> String {
        let Self { question, receiver } = self;
        receiver.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("the peer does not answer: {question}"))
    }

    /// The answer, if it is there.
    pub fn poll(&self) -> Option<String> {
        self.receiver.try_recv().ok()
    }
}

impl Peer {
    /// Starts `command`, which runs a peer, with these arguments, and waits until it is there.
    pub fn start(mut command: Command, arguments: &str) -> Self {
        command.args(arguments.split_whitespace()).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?} does not start: {error}"));
        let stdin = Mutex::new(child.stdin.take().expect("it is piped"));
        let mut stdout = BufReader::new(child.stdout.take().expect("it is piped"));
        let mut first = String::new();
        stdout.read_line(&mut first).expect("the peer speaks");
        let Some(address) = first.trim_end().strip_prefix("ready ") else {
            panic!("{command:?} is not ready: {first:?}");
        };
        let address = address.to_owned();
        let pending = Pending::default();
        let answered = pending.clone();
        thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                let (number, text) = line.split_once(' ').expect("an answer names its question");
                let number = number.parse().expect("questions are numbered");
                let asked = answered.lock().unwrap().remove(&number).expect("it was asked");
                // Whoever asked may not care any more.
                let _ = asked.send(text.to_owned());
            }
        });
        Self { child, stdin, pending, asked: AtomicU64::new(0), address }
    }

    /// Where it listens; `-` if it does not.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Its process ID.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Tells it something, to be answered later.
    pub fn begin(&self, question: &str) -> Reply {
        let number = self.asked.fetch_add(1, Ordering::Relaxed);
        let (sender, receiver) = channel();
        self.pending.lock().unwrap().insert(number, sender);
        writeln!(self.stdin.lock().unwrap(), "{number} {question}").expect("the peer listens");
        Reply { question: question.to_owned(), receiver }
    }

    /// Tells it something and waits for the answer.
    pub fn ask(&self, question: &str) -> String {
        self.begin(question).wait()
    }

    /// What its pools count, all of them together.
    pub fn stats(&self) -> Stats {
        let text = self.ask("stats");
        let entries = text.split_whitespace().map(|entry| entry.split_once('=').expect("name=value"));
        Stats(entries.map(|(name, value)| (name.to_owned(), value.parse().expect("a count"))).collect())
    }

    /// Kills it (SIGKILL) and waits for its end.
    pub fn kill(&mut self) {
        self.child.kill().expect("it is ours");
        self.child.wait().expect("it is ours");
    }

    /// Stops it (SIGSTOP).
    pub fn stop(&self) {
        self.signal("STOP");
    }

    /// Lets it go on (SIGCONT).
    pub fn resume(&self) {
        self.signal("CONT");
    }

    fn signal(&self, name: &str) {
        let sent = Command::new("sh").args(["-c", &format!("kill -{name} {}", self.pid())]).status();
        assert!(sent.expect("there is a shell").success(), "it is ours");
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // It may be gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a peer's pools count.
#[derive(Debug, Clone)]
pub struct Stats(BTreeMap<String, u64>);

impl Stats {
    /// The count with this name.
    pub fn get(&self, name: &str) -> u64 {
        *self.0.get(name).unwrap_or_else(|| panic!("no {name} in {self:?}"))
    }

    /// How many connections ended for this reason.
    pub fn closed_by(&self, reason: &str) -> u64 {
        self.0.get(&format!("closed_by.{reason}")).copied().unwrap_or_default()
    }
}
