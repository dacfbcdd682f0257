//! What Autobahn says of each case.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, Write};

use futures::StreamExt;
use npws_peers::process::Process;

/// How many cases there are without those for compression.
const CASES: usize = 301;

/// How each case went, in the words of Autobahn.
pub(crate) struct Report {
    lines: Vec<String>,
}

impl Report {
    /// Waits for it, for as long as the cases take.
    pub(crate) async fn read(autobahn: &mut Process) -> Self {
        let (_orders, lines) = autobahn.split();
        Self { lines: lines.collect().await }
    }

    /// No case has failed, and none was left out. Prints a summary, which shows although the test succeeds.
    pub(crate) fn check(&self, role: &str) {
        let _ = writeln!(io::stderr(), "Autobahn, our {role}: {self}");
        let bad: Vec<_> = self.verdicts().filter(|(_, verdict)| !is_good(verdict)).map(|(line, _)| line).collect();
        assert!(bad.is_empty(), "{} cases have failed:\n{}", bad.len(), bad.join("\n"));
        assert_eq!(self.lines.len(), CASES, "{:?}", self.lines.last());
    }

    fn verdicts(&self) -> impl Iterator<Item = (&str, [&str; 2])> {
        self.lines.iter().map(|line| {
            let mut words = line.split(' ').skip(2);
            (&**line, [words.next().unwrap_or_default(), words.next().unwrap_or_default()])
        })
    }
}

fn is_good(verdicts: &[&str; 2]) -> bool {
    verdicts.iter().all(|verdict| ["OK", "NON-STRICT", "INFORMATIONAL"].contains(verdict))
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut counts: BTreeMap<_, usize> = BTreeMap::new();
        for (_, [behaviour, close]) in self.verdicts() {
            *counts.entry((behaviour, close)).or_default() += 1;
        }
        write!(f, "{} cases:", self.lines.len())?;
        for ((behaviour, close), count) in counts {
            write!(f, " {count} {behaviour} (close {close})")?;
        }
        Ok(())
    }
}
