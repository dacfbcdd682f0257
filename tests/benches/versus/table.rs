//! The table.

use std::fmt::Write;

use crate::figures::Summary;
use crate::results::Results;
use crate::row::Row;

pub(crate) const HEAD: &str = "row figure player: median (least - most) unit and median CPU time of a run, then against \
    each peer how many times better (least - most) and the share of its CPU time; `must` and `goal` say whether the \
    median reaches them";

/// The lines of a row.
pub(crate) fn lines(row: &Row, results: &Results) -> String {
    let mut text = format!("\n{}: {}\n", row.name, row.what);
    for figure in &row.figures {
        for player in row.players() {
            let Some(values) = results.values(row, player, figure.name) else { continue };
            let Summary { median, min, max } = Summary::of(&values);
            let (median, min, max) = (number(median), number(min), number(max));
            let _ = write!(text, "  {:12} {player:17} {median:>7} ({min} - {max}) {}", figure.name, figure.unit);
            let cpu = results.cpu(row, player, figure.name).map(|cpu| Summary::of(&cpu).median);
            if let Some(cpu) = cpu.filter(|cpu| *cpu > 0.0) {
                let _ = write!(text, ", CPU {} s", number(cpu));
            }
            if player.starts_with("npws/") {
                for peer in row.peers(player) {
                    let Some(times) = results.times_better(row, figure, player, peer) else { continue };
                    let (median, min, max) = (number(times.median), number(times.min), number(times.max));
                    let _ = write!(text, "; {median} x {peer} ({min} - {max})");
                    if let Some(share) = results.cpu_share(row, figure, player, peer) {
                        let _ = write!(text, ", CPU {}", number(share));
                    }
                }
                for (name, bound) in [("must", figure.must), ("goal", figure.goal)] {
                    if let Some(reached) = bound.and_then(|bound| results.reaches(row, figure, player, bound)) {
                        let _ = write!(text, "; {name} {}", if reached { "yes" } else { "NO" });
                    }
                }
            }
            text.push('\n');
        }
    }
    let peaks = row.players().into_iter().filter_map(|player| {
        let peak = Summary::of(&results.values(row, player, "peak")?).median / 1024.0;
        Some(format!("{player} {}", number(peak)))
    });
    let peaks: Vec<String> = peaks.collect();
    if !peaks.is_empty() {
        let _ = writeln!(text, "  peak memory, MiB: {}", peaks.join(", "));
    }
    text
}

/// Three digits that mean something.
pub(crate) fn number(value: f64) -> String {
    match value.abs() {
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        size if size >= 1.0 => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}
