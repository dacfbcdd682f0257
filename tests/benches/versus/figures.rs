//! What is measured, and how its repetitions become one line.

/// One measured value of one run.
#[derive(Debug, Clone)]
pub(crate) struct Sample {
    pub(crate) figure: String,
    pub(crate) value: f64,
    /// CPU seconds of the whole process while it was measured.
    pub(crate) cpu: f64,
}

impl Sample {
    /// A line on a child's standard output.
    pub(crate) fn parse(line: &str) -> Option<Self> {
        let mut words = line.split_whitespace();
        let figure = words.next()?.to_owned();
        let value = words.next()?.parse().ok()?;
        let cpu = words.next()?.parse().ok()?;
        Some(Self { figure, value, cpu })
    }
}

/// Prints a value for the parent.
pub(crate) fn report(figure: impl std::fmt::Display, value: f64, cpu: f64) {
    println!("{figure} {value} {cpu}");
}

/// The median and the extremes of some repetitions.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Summary {
    pub(crate) median: f64,
    pub(crate) min: f64,
    pub(crate) max: f64,
}

impl Summary {
    pub(crate) fn of(values: &[f64]) -> Self {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        Self {
            median: percentile(&sorted, 50.0),
            min: sorted.first().copied().unwrap_or(f64::NAN),
            max: sorted.last().copied().unwrap_or(f64::NAN),
        }
    }

    /// Repetition by repetition, since only what ran side by side can be compared.
    pub(crate) fn of_ratios(ours: &[f64], theirs: &[f64]) -> Self {
        let ratios: Vec<f64> = ours.iter().zip(theirs).map(|(ours, theirs)| ours / theirs).collect();
        Self::of(&ratios)
    }
}

/// Of sorted values; between two it gives what lies between them.
pub(crate) fn percentile(sorted: &[f64], percent: f64) -> f64 {
    let Some(last) = sorted.len().checked_sub(1) else { return f64::NAN };
    let at = last as f64 * percent / 100.0;
    let (low, high) = (at.floor() as usize, at.ceil() as usize);
    sorted[low] + (sorted[high] - sorted[low]) * at.fract()
}
