//! The demo, shortened.
#![expect(clippy::unwrap_used, clippy::panic, reason = "the helpers are tests as well")]

use std::process::Command;

#[test]
fn a_short_demo_succeeds_and_ends_with_the_table() {
    succeeds(&["take latency, next", "time to first byte, warm"], &[]);
}

#[test]
fn it_succeeds_with_v1_as_well() {
    succeeds(&["take latency, by ID"], &["--v1"]);
}

#[track_caller]
fn succeeds(rows: &[&str], flags: &[&str]) {
    let demo = ["demo", "--requests", "40", "--workers", "8", "--limit", "2m"];
    let output = Command::new(env!("CARGO_BIN_EXE_npws-tunnel")).args(demo).args(flags).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    let row = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name));
        line.unwrap_or_else(|| panic!("no {name:?} in {text}")).trim().to_owned()
    };
    assert!(row("requests").starts_with("40 in "));
    assert_eq!(row("failures"), "0");
    assert_eq!(row("handed out dead after 100 ms"), "0");
    assert!(!row("idle connections cut").starts_with("0 "));
    for name in ["retries", "bytes", "throughput, tunnel"].iter().chain(rows) {
        assert!(!row(name).is_empty());
    }
}
