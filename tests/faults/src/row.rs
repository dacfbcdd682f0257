//! The table of faults, a row for each.

use std::fs::OpenOptions;
use std::io::Write;
use std::thread;
use std::time::{Duration, Instant};

/// What a machine that is busy with other things may add to a bound.
pub const SLACK: Duration = Duration::from_secs(10);

/// What came of one fault.
#[derive(Debug)]
pub struct Row {
    fault: String,
    test: &'static str,
    known: String,
    refilled: String,
}

impl Row {
    /// The row of `fault`, which `test` shows.
    pub fn new(test: &'static str, fault: impl Into<String>) -> Self {
        Self { fault: fault.into(), test, known: "-".to_owned(), refilled: "-".to_owned() }
    }

    /// The pool knew after `measured`, which is to be no longer than what its configuration promises.
    pub fn known(&mut self, bound: Duration, measured: Duration) {
        self.known = figures(bound, measured);
        assert!(measured <= bound + SLACK, "{}: known after {measured:?}, bound {bound:?}", self.fault);
    }

    /// The pool was full again `measured` after the fault was over.
    pub fn refilled(&mut self, bound: Duration, measured: Duration) {
        self.refilled = figures(bound, measured);
        assert!(measured <= bound + SLACK, "{}: refilled after {measured:?}, bound {bound:?}", self.fault);
    }

    /// Writes the row, also to the file that `NPWS_FAULTS_TABLE` names: none of so many takes failed after the fault, and what users saw during it.
    pub fn print(self, takes: usize, seen: &str) {
        let Self { fault, test, known, refilled } = self;
        let row = format!("| {fault} | {known} | {refilled} | 0 of {takes} | {seen} | `{test}` |");
        println!("{row}");
        if let Some(table) = std::env::var_os("NPWS_FAULTS_TABLE") {
            let table = OpenOptions::new().create(true).append(true).open(table);
            writeln!(table.expect("the table can be written"), "{row}").expect("the table can be written");
        }
    }
}

fn figures(bound: Duration, measured: Duration) -> String {
    let bound = if bound.is_zero() { "at once".to_owned() } else { format!("≤ {:.2} s", bound.as_secs_f64()) };
    format!("{bound} / {:.2} s", measured.as_secs_f64())
}

/// Waits until `holds`, and gives how long that took.
pub fn until(what: &str, limit: Duration, mut holds: impl FnMut() -> bool) -> Duration {
    let begin = Instant::now();
    while !holds() {
        assert!(begin.elapsed() < limit, "waited {limit:?} in vain until {what}");
        thread::sleep(Duration::from_millis(5));
    }
    begin.elapsed()
}
