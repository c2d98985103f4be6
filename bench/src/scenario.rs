//! What one part of the benchmark is, and what it reports.

use crate::ground::Ground;
use crate::progress::Progress;

/// One part of the benchmark. Each prepares what it needs, measures, and says which goals it met.
#[async_trait::async_trait]
pub trait Scenario {
    /// What it measures, as a heading.
    fn title(&self) -> &'static str;
    /// The word to choose it by on the command line.
    fn word(&self) -> &'static str;
    /// Measures.
    async fn run(&self, ground: &Ground, progress: &Progress) -> anyhow::Result<Section>;
}

/// What a scenario found.
#[derive(Debug, Default)]
pub struct Section {
    /// The table's heads.
    pub heads: Vec<String>,
    /// The table's rows, each as long as the heads.
    pub rows: Vec<Vec<String>>,
    /// How it was measured, for whoever reads the table.
    pub notes: Vec<String>,
    /// What was to be reached.
    pub goals: Vec<Goal>,
}

/// One number to reach.
#[derive(Debug)]
pub struct Goal {
    /// What is compared with what.
    pub what: String,
    /// What was to be reached.
    pub wanted: String,
    /// What was measured.
    pub measured: String,
    /// Whether it is reached.
    pub met: bool,
}

impl Goal {
    /// A value that must be at least `least`, shown with a unit.
    pub fn at_least(what: impl Into<String>, measured: f64, least: f64, unit: &str) -> Self {
        Self {
            what: what.into(),
            wanted: format!("≥ {}{unit}", number(least)),
            measured: format!("{}{unit}", number(measured)),
            met: measured >= least,
        }
    }

    /// A value that must be at most `most`, shown with a unit.
    pub fn at_most(what: impl Into<String>, measured: f64, most: f64, unit: &str) -> Self {
        Self {
            what: what.into(),
            wanted: format!("≤ {}{unit}", number(most)),
            measured: format!("{}{unit}", number(measured)),
            met: measured <= most,
        }
    }
}

/// A number with as many digits as it deserves, thousands apart.
pub fn number(value: f64) -> String {
    if value.abs() < 100.0 && value.fract() != 0.0 {
        return format!("{value:.2}");
    }
    let digits = format!("{:.0}", value.abs());
    let mut shown = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            shown.push(',');
        }
        shown.push(digit);
    }
    if value < 0.0 { format!("-{shown}") } else { shown }
}

/// The middle one, or the mean of the two in the middle; 0 for none.
pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    let at = |place: usize| sorted.get(place).copied().unwrap_or_default();
    if sorted.len().is_multiple_of(2) && middle > 0 {
        (at(middle - 1) + at(middle)) / 2.0
    } else {
        at(middle)
    }
}

/// The value that so many of all, a share of one, do not exceed; 0 for none.
pub fn percentile(values: &[f64], share: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let place = (sorted.len() as f64 * share).ceil() as usize;
    sorted.get(place.saturating_sub(1)).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle() {
        assert_eq!(median(&[3.0, 1.0, 2.0]).to_string(), "2");
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]).to_string(), "2.5");
        assert_eq!(median(&[]).to_string(), "0");
    }

    #[test]
    fn a_percentile_is_one_of_the_values() {
        let values: Vec<f64> = (1..=200).map(f64::from).collect();
        assert_eq!(percentile(&values, 0.99).to_string(), "198");
        assert_eq!(percentile(&[7.0], 0.99).to_string(), "7");
        assert_eq!(percentile(&[], 0.99).to_string(), "0");
    }

    #[test]
    fn numbers_are_shown_with_their_thousands_apart() {
        assert_eq!(number(1_234_567.0), "1,234,567");
        assert_eq!(number(1.5), "1.50");
        assert_eq!(number(100.0), "100");
    }

    #[test]
    fn a_goal_is_met_at_its_very_edge() {
        assert!(Goal::at_least("x", 2.0, 2.0, "").met);
        assert!(Goal::at_most("x", 2.0, 2.0, "").met);
        assert!(!Goal::at_least("x", 1.9, 2.0, "").met);
    }
}
