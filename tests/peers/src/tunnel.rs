//! `npws-tunnel` as a process.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::process::Process;

/// One end of a tunnel.
#[derive(Debug)]
pub struct Tunnel(Process);

impl Tunnel {
    /// Starts it with this command line and these variables.
    pub fn start(line: &str, variables: &[(&str, &str)]) -> Self {
        let variables = variables.iter().map(|(name, value)| format!("{name}={value}"));
        // What it says goes to its standard error.
        let program = ["sh", "-c", "exec \"$0\" \"$@\" 2>&1", &program().display().to_string()].map(str::to_owned);
        let arguments = line.split_whitespace().map(str::to_owned);
        Self(Process::start(Path::new("env"), variables.chain(program).chain(arguments)))
    }

    /// Waits until it says this, and gives the line.
    pub async fn until(&mut self, words: &str) -> String {
        loop {
            let line = self.0.line().await;
            if line.contains(words) {
                return line;
            }
        }
    }

    /// Asks it to end in good order, and waits until it has.
    ///
    /// # Panics
    /// When it cannot be asked, or ends in another way.
    pub async fn finish(mut self) {
        let signalled = Command::new("kill").args(["-TERM", &self.0.id().to_string()]).status().expect("there is kill");
        assert!(signalled.success());
        self.until("finished, nobody was cut").await;
    }
}

/// Cargo puts it beside the directory of the tests.
fn program() -> PathBuf {
    let test = std::env::current_exe().expect("the system knows");
    let path = test.ancestors().nth(2).expect("it is in a directory").join("npws-tunnel");
    assert!(path.exists(), "{} is not there: tests/peers/run builds it", path.display());
    path
}
