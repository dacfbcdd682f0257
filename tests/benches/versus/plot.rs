//! Bars, as SVG.

use std::fmt::Write;

use crate::results::Results;
use crate::row::{Against, Row, peer_of};
use crate::table::number;

const LABEL: f64 = 250.0;
const WIDTH: f64 = 560.0;
const BAR: f64 = 9.0;
const COLOURS: [&str; 3] = ["#2b6cb0", "#2f855a", "#b7791f"];

/// The plots that the measured rows give, each with its file's name.
pub(crate) fn all(rows: &[Row], results: &Results) -> Vec<(&'static str, String)> {
    let plots = [
        ("original.svg", "times better than the original", Against::Go),
        ("raw.svg", "times a bare stream on the same runtime", Against::Raw),
    ];
    let plots = plots.map(|(name, title, against)| Some((name, plot(title, &groups(rows, results, against))?)));
    plots.into_iter().flatten().collect()
}

/// A figure, and a bar for each runtime.
struct Group {
    label: String,
    bars: Vec<(&'static str, f64)>,
}

fn groups(rows: &[Row], results: &Results, against: Against) -> Vec<Group> {
    let figures = rows.iter().flat_map(|row| row.figures.iter().map(move |figure| (row, figure)));
    let groups = figures.map(|(row, figure)| {
        let ours = row.players().into_iter().filter(|player| player.starts_with("npws/"));
        let bars = ours.filter_map(|player| {
            let times = results.times_better(row, figure, player, &peer_of(against, player)?)?;
            Some((player.strip_prefix("npws/")?, times.median))
        });
        Group { label: format!("{} {}", row.name, figure.name), bars: bars.collect() }
    });
    groups.filter(|group| !group.bars.is_empty()).collect()
}

/// On a logarithmic scale, with a line where both are equal.
fn plot(title: &str, groups: &[Group]) -> Option<String> {
    let values = || groups.iter().flat_map(|group| group.bars.iter().map(|(_, value)| value.log10()));
    let low = values().min_by(f64::total_cmp)?.min(-0.35);
    let high = values().max_by(f64::total_cmp)?.max(0.35);
    let x = |value: f64| LABEL + (value.log10() - low) / (high - low) * WIDTH;
    let bars: usize = groups.iter().map(|group| group.bars.len()).sum();
    let height = 50.0 + bars as f64 * BAR + groups.len() as f64 * 6.0;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {} {height}\" font-family=\"sans-serif\" \
         font-size=\"9\">\n<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n<text x=\"8\" y=\"16\" \
         font-size=\"13\">{title}</text>\n",
        LABEL + WIDTH + 60.0
    );
    for (at, (name, _)) in groups[0].bars.iter().enumerate() {
        let left = LABEL + 90.0 * at as f64;
        let colour = COLOURS[at % COLOURS.len()];
        let _ = writeln!(svg, "<rect x=\"{left}\" y=\"24\" width=\"9\" height=\"9\" fill=\"{colour}\"/>");
        let _ = writeln!(svg, "<text x=\"{}\" y=\"32\">{name}</text>", left + 13.0);
    }
    let mut top = 42.0;
    for group in groups {
        let middle = top + group.bars.len() as f64 * BAR / 2.0 + 3.0;
        let _ = writeln!(svg, "<text x=\"{}\" y=\"{middle}\" text-anchor=\"end\">{}</text>", LABEL - 8.0, group.label);
        for (at, (_, value)) in group.bars.iter().enumerate() {
            let (from, to) = (x(value.min(1.0)), x(value.max(1.0)));
            let colour = COLOURS[at % COLOURS.len()];
            let _ = writeln!(
                svg,
                "<rect x=\"{from:.1}\" y=\"{top}\" width=\"{:.1}\" height=\"{}\" fill=\"{colour}\"/><text \
                 x=\"{:.1}\" y=\"{}\" font-size=\"8\">{}</text>",
                (to - from).max(0.5),
                BAR - 1.0,
                to + 3.0,
                top + BAR - 2.0,
                number(*value)
            );
            top += BAR;
        }
        top += 6.0;
    }
    let one = x(1.0);
    let _ = writeln!(svg, "<line x1=\"{one:.1}\" x2=\"{one:.1}\" y1=\"36\" y2=\"{height}\" stroke=\"#444\"/>\n</svg>");
    Some(svg)
}
