//! Bars, as SVG.

use std::fmt::Write;

use crate::figures::Summary;
use crate::results::Results;
use crate::row::{DIRECT, Figure, Row};
use crate::table::number;

const PLAYER: f64 = 150.0;
const BARS: f64 = 380.0;
const VALUE: f64 = 200.0;
const MARGIN: f64 = 12.0;
const LINE: f64 = 18.0;
const BAR: f64 = 11.0;
/// Readable on white and on black, as are the bars.
const TEXT: &str = "#6e7781";
const OURS: &str = "#2f81f7";
const THEIRS: &str = "#bc8c3c";
const BARE: &str = "#8b949e";

/// A plot of each row that was measured, with its file's name.
pub(crate) fn all(rows: &[Row], results: &Results) -> Vec<(String, String)> {
    rows.iter().filter_map(|row| Some((format!("{}.svg", row.name), plot(row, results)?))).collect()
}

/// The figures one below the other, each with a bar for each player and a scale of its own.
fn plot(row: &Row, results: &Results) -> Option<String> {
    let mut body = String::new();
    let mut top = MARGIN + LINE;
    let _ = writeln!(body, "{}", text(MARGIN, top, "start", "bold 13px", &format!("{}: {}", row.name, row.what)));
    let title = top;
    for figure in &row.figures {
        let summary = |player| Some((player, Summary::of(&results.values(row, player, figure.name)?)));
        let players: Vec<_> = row.players().into_iter().filter_map(summary).collect();
        let Some(most) = players.iter().map(|(_, summary)| summary.max).max_by(f64::total_cmp) else { continue };
        top += 1.5 * LINE;
        let _ = writeln!(body, "{}", text(MARGIN, top, "start", "bold 12px", &heading(figure)));
        for (player, summary) in players {
            top += LINE;
            body.push_str(&bar(player, summary, top, BARS / most));
        }
    }
    let (width, height) = (2.0 * MARGIN + PLAYER + BARS + VALUE, top + MARGIN);
    let is_empty = top == title;
    (!is_empty).then(|| {
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" \
             height=\"{height}\">\n{body}</svg>\n"
        )
    })
}

fn heading(figure: &Figure) -> String {
    let better = if figure.more_is_better { "more" } else { "less" };
    format!("{}, {} ({better} is better)", figure.name, figure.unit)
}

/// From zero to the median, with a line from the least to the most.
fn bar(player: &str, Summary { median, min, max }: Summary, base: f64, scale: f64) -> String {
    let (left, top, middle) = (MARGIN + PLAYER, base - BAR + 1.0, base - BAR / 2.0 + 1.0);
    let colour = match player.split_once('/') {
        Some(("npws", _)) => OURS,
        Some(("raw", _)) => BARE,
        None if player == DIRECT => BARE,
        _ => THEIRS,
    };
    let [low, at, high] = [min, median, max].map(|value| left + value * scale);
    let value = format!("{} ({} - {})", number(median), number(min), number(max));
    format!(
        "{}\n<rect x=\"{left}\" y=\"{top}\" width=\"{:.1}\" height=\"{BAR}\" rx=\"1.5\" fill=\"{colour}\"/>\n<path \
         d=\"M{low:.1} {middle}H{high:.1}\" stroke=\"{TEXT}\" stroke-width=\"1.5\"/>\n{}\n",
        text(left - 8.0, base, "end", "12px", player),
        (at - left).max(1.0),
        text(high + 8.0, base, "start", "12px", &value),
    )
}

fn text(x: f64, y: f64, anchor: &str, font: &str, text: &str) -> String {
    let font = format!("{font} sans-serif");
    format!("<text x=\"{x:.1}\" y=\"{y}\" text-anchor=\"{anchor}\" fill=\"{TEXT}\" style=\"font:{font}\">{text}</text>")
}
