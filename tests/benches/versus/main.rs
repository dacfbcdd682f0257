//! How npws compares: with the original's behaviour, with bare streams on the same runtime, with other registries, and
//! the tunnel with another one.
//!
//! `cargo bench -p npws-tests --features aws-lc-rs` measures all rows, with TLS by aws-lc-rs; without the feature it is by
//! ring. `cargo bench -p npws-tests --bench versus -- take wake` measures some of them; `--runs=N` repeats each N times, 5
//! unless told; `--save` writes `tests/benches/results/`; `--without-go` leaves the original's behaviour out,
//! `--without-rathole` the other tunnel, and so on for any player. Each figure is a ratio of runs that took turns, every one
//! in a process of its own.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a program for those who work on npws")]

mod child;
mod figures;
mod plot;
mod programs;
mod results;
mod row;
mod table;
mod usage;

use std::env;
use std::path::Path;
use std::process::{Child, Stdio};

use crate::figures::Sample;
use crate::programs::Programs;
use crate::results::Results;
use crate::row::Row;

fn main() {
    let arguments: Vec<String> = env::args().skip(1).collect();
    if let [child, player, row] = arguments.as_slice()
        && child == "child"
    {
        return child::run(player, row);
    }
    let has = |flag: &str| arguments.iter().any(|argument| argument == flag);
    let runs = arguments.iter().find_map(|argument| argument.strip_prefix("--runs="));
    let runs = runs.map_or(5, |runs| runs.parse().expect("a number of runs"));
    let rows = chosen(arguments.iter().map(String::as_str).filter(|argument| !argument.starts_with("--")).collect());
    let players = |row: &Row| -> Vec<_> {
        row.players().into_iter().filter(|player| !has(&format!("--without-{player}"))).collect()
    };
    let programs = Programs::build(&rows.iter().flat_map(players).collect::<Vec<_>>());
    let mut all = Results::default();
    println!("{}", table::HEAD);
    for row in &rows {
        measure(row, &players(row), runs, &programs, &mut all);
        print!("{}", table::lines(row, &all));
    }
    if has("--save") {
        let features = if cfg!(feature = "aws-lc-rs") { " --features aws-lc-rs" } else { "" };
        // Cargo adds one itself.
        let own: Vec<_> = arguments.iter().map(String::as_str).filter(|argument| *argument != "--bench").collect();
        let command = format!("cargo bench -p npws-tests{features} --bench versus -- {}", own.join(" "));
        save(&Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/results"), &command, &rows, &all);
    }
}

/// All rows if none is named.
fn chosen(names: Vec<&str>) -> Vec<Row> {
    let mut rows = row::all();
    for name in &names {
        assert!(rows.iter().any(|row| row.name == *name), "{name} is none of {:?}", rows.iter().map(|row| row.name));
    }
    rows.retain(|row| names.is_empty() || names.contains(&row.name));
    rows
}

/// The players take turns, so that what else the machine does meets all of them.
fn measure(row: &Row, players: &[&'static str], runs: usize, programs: &Programs, results: &mut Results) {
    let begin = |player: &&'static str| {
        let child = programs.command(player, row.name).stdout(Stdio::piped()).spawn();
        (*player, child.expect("the program starts"))
    };
    for _ in 0..runs {
        if row.is_idle {
            let running: Vec<_> = players.iter().map(begin).collect();
            running.into_iter().for_each(|(player, child)| finish(row, player, child, results));
        } else {
            players.iter().map(begin).for_each(|(player, child)| finish(row, player, child, results));
        }
        // Its child reports as many windows as are wanted.
        if row.name == "idle-cpu" {
            break;
        }
    }
}

fn finish(row: &Row, player: &'static str, child: Child, results: &mut Results) {
    let output = child.wait_with_output().expect("the child ends");
    assert!(output.status.success(), "{player} failed at {}: {}", row.name, output.status);
    let text = String::from_utf8_lossy(&output.stdout);
    for sample in text.lines().filter_map(Sample::parse) {
        results.add(row.name, player, sample);
    }
}

fn save(directory: &Path, command: &str, rows: &[Row], all: &Results) {
    std::fs::create_dir_all(directory).expect("the checkout can be written");
    let table: String = rows.iter().map(|row| table::lines(row, all)).collect();
    let text = format!("# {command}\n{}\n{table}", table::HEAD);
    std::fs::write(directory.join("table.txt"), text).expect("the checkout can be written");
    for (name, svg) in plot::all(rows, all) {
        std::fs::write(directory.join(name), svg).expect("the checkout can be written");
    }
}
