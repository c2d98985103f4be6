//! Ticks at round places, and what is written beside them.
#![allow(clippy::float_arithmetic, reason = "places on a drawing, never money")]

use chrono::{Datelike, Months, NaiveDate};
use domain::money::Currency;

use super::Unit;

/// The most ticks on the axis of days.
const MOST_DAYS: usize = 8;

/// Ticks on the axis of days, and how a day is written there.
pub(super) fn days(from: NaiveDate, to: NaiveDate) -> (Vec<NaiveDate>, &'static str) {
    let span = to.signed_duration_since(from).num_days();
    if span <= 70 {
        let every = usize::try_from(span / 7 + 1).unwrap_or(1);
        let shown = from.iter_days().take_while(|day| *day <= to).step_by(every).collect();
        return (shown, "%-d %b");
    }
    for months in [1_u32, 2, 3, 6, 12, 24, 60, 120, 240] {
        let shown: Vec<NaiveDate> = firsts(from, to, months).collect();
        if shown.len() <= MOST_DAYS {
            // Several in one year must not all be called by that year.
            return (shown, if months < 12 { "%b %Y" } else { "%Y" });
        }
    }
    (vec![from, to], "%Y")
}

/// The first days of every so many months, counted from January.
fn firsts(from: NaiveDate, to: NaiveDate, months: u32) -> impl Iterator<Item = NaiveDate> {
    let january = if months > 12 {
        let years = i32::try_from(months / 12).unwrap_or(1);
        NaiveDate::from_ymd_opt(from.year() - from.year().rem_euclid(years), 1, 1)
    } else {
        NaiveDate::from_ymd_opt(from.year(), 1, 1)
    };
    std::iter::successors(january, move |day| day.checked_add_months(Months::new(months)))
        .skip_while(move |day| *day < from)
        .take_while(move |day| *day <= to)
}

/// The top of an axis that holds a value: a little above it, and never nothing.
pub(super) fn top(most: f64) -> f64 {
    if most <= 0.0 { 1.0 } else { most * 1.08 }
}

/// A number with a gap between every three digits, and as many places as the ticks differ in.
pub(super) fn number(value: f64, places: usize) -> String {
    let text = format!("{:.places$}", value.abs());
    let (whole, rest) =
        text.split_once('.').map_or((text.as_str(), None), |(whole, rest)| (whole, Some(rest)));
    let mut grouped = String::new();
    for (at, digit) in whole.chars().enumerate() {
        if at > 0 && (whole.len() - at) % 3 == 0 {
            grouped.push('\u{202f}');
        }
        grouped.push(digit);
    }
    let sign =
        if value < 0.0 && text.chars().any(|c| c.is_ascii_digit() && c != '0') { "\u{2212}" } else { "" };
    match rest {
        Some(rest) => format!("{sign}{grouped}.{rest}"),
        None => format!("{sign}{grouped}"),
    }
}

/// How many places the labels of an axis up to this value need.
pub(super) fn places(unit: Unit, most: f64) -> usize {
    match unit {
        Unit::Money(Currency::Jpy) | Unit::Pieces => 0,
        Unit::Money(_) if most >= 10.0 => 0,
        Unit::Money(_) => 2,
    }
}

/// What stands above a frame: what it shows, and in what.
pub(super) fn heading(label: &str, unit: Unit) -> String {
    match unit {
        Unit::Pieces => label.to_owned(),
        Unit::Money(currency) => format!("{label} ({currency})"),
    }
}
