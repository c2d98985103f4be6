//! `verify`: the live tables against a fresh fold of the log.

use std::io::{self, Write};

use anyhow::bail;
use projections::engine::{Difference, Replayed};
use serde_json::Value;

use super::{each, instance, progress::Progress};
use crate::config::Config;

/// Rows that are aligned together. All differences are shown, and memory stays bounded.
const BLOCK: usize = 200;
/// Characters of a value that are shown.
const LONGEST: usize = 48;
const HEADINGS: [&str; 5] = ["TABLE", "KEY", "COLUMN", "LIVE", "FOLDED"];

/// Fold the log again and compare it with the live tables; exits with 1 when they differ.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Which projections; all of them when none is named
    #[arg(value_name = "NAME")]
    names: Vec<String>,
}

pub(super) async fn run(config: Config, args: Args) -> anyhow::Result<()> {
    instance::with(&config, async |instance| {
        instance::known(&instance.ledger, &args.names)?;
        let names: Vec<&str> = args.names.iter().map(String::as_str).collect();
        let (mut table, mut written) = (Table::default(), Ok(()));
        let mut events = 0;
        let outcomes = {
            let mut progress = Progress::new("reading the log", "events");
            let replayed = |now: Replayed| {
                events = now.events;
                progress.at(super::count(now.position), super::count(now.head));
                if now.position >= now.head {
                    progress.then("comparing the tables");
                }
            };
            let report = |_projection: &'static str, difference: Difference| {
                if written.is_ok() {
                    written = table.add(&difference, &mut io::stdout().lock());
                }
            };
            instance.ledger.projections.verify_each(&names, replayed, report).await?
        };
        let mut out = io::stdout().lock();
        let written = written.and_then(|()| table.flush(&mut out)).and_then(|()| out.flush());
        let (verified, mut complaints) = each::apart(outcomes);
        let (differing, clean): (Vec<_>, Vec<_>) = verified.into_iter().partition(|one| one.differences > 0);
        if differing.is_empty() {
            let width = super::width(clean.iter().map(|one| one.projection));
            for one in &clean {
                writeln!(out, "{:width$}  no differences at position {}", one.projection, one.position)?;
            }
        } else {
            let where_they_are: Vec<String> =
                differing.iter().map(|one| format!("{} ({})", one.projection, one.differences)).collect();
            let where_they_are = where_they_are.join(", ");
            complaints.insert(0, format!("the live tables differ from what the log says: {where_they_are}"));
        }
        if !complaints.is_empty() {
            // Also when nobody read the table to its end.
            bail!("{}", complaints.join("; "));
        }
        written?;
        let models = each::count(clean.len());
        writeln!(out, "no differences: {models} compared with {events} events")?;
        Ok(())
    })
    .await
}

/// Differences in aligned columns, written block by block.
#[derive(Default)]
struct Table {
    rows: Vec<[String; 5]>,
    widths: [usize; 5],
    begun: bool,
}

impl Table {
    fn add(&mut self, difference: &Difference, out: &mut impl Write) -> io::Result<()> {
        let key: Vec<String> = difference.key.iter().map(value).collect();
        let (live, folded) = cut_both(&side(&difference.live), &side(&difference.folded));
        self.rows.push([
            difference.table.to_owned(),
            super::printable(&key.join(" ")),
            difference.column.unwrap_or("(whole row)").to_owned(),
            super::printable(&live),
            super::printable(&folded),
        ]);
        if self.rows.len() >= BLOCK { self.flush(out) } else { Ok(()) }
    }

    fn flush(&mut self, out: &mut impl Write) -> io::Result<()> {
        if self.rows.is_empty() {
            return Ok(());
        }
        if !self.begun {
            self.begun = true;
            self.rows.insert(0, HEADINGS.map(str::to_owned));
        }
        for row in &self.rows {
            for (width, cell) in self.widths.iter_mut().zip(row) {
                *width = (*width).max(cell.chars().count());
            }
        }
        for row in self.rows.drain(..) {
            let cells: Vec<String> =
                row.iter().zip(self.widths).map(|(cell, width)| format!("{cell:width$}")).collect();
            writeln!(out, "{}", cells.join("  ").trim_end())?;
        }
        Ok(())
    }
}

/// A text without its quotes, so that an id can be copied.
fn value(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn side(value: &Option<Value>) -> String {
    value.as_ref().map_or_else(|| "(no such row)".to_owned(), Value::to_string)
}

/// Both values cut to what can be shown, at the same place: around where they begin to differ.
fn cut_both(live: &str, folded: &str) -> (String, String) {
    let same = live.chars().zip(folded.chars()).take_while(|(left, right)| left == right).count();
    let longest = live.chars().count().max(folded.chars().count());
    let skipped = if longest <= LONGEST || same < LONGEST / 2 { 0 } else { same - LONGEST / 4 };
    (cut(live, skipped), cut(folded, skipped))
}

fn cut(text: &str, skipped: usize) -> String {
    let mut shown: String = text.chars().skip(skipped).take(LONGEST).collect();
    if skipped > 0 {
        shown.insert(0, '…');
    }
    if text.chars().count() > skipped.saturating_add(LONGEST) {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    fn difference(column: &'static str, live: &str) -> Difference {
        Difference {
            table: "owned_items",
            key: vec![Value::from("0198")],
            column: Some(column),
            live: Some(Value::from(live)),
            folded: Some(Value::Null),
        }
    }

    #[test]
    fn columns_stand_under_their_headings() {
        let (mut table, mut out) = (Table::default(), Vec::new());
        table.add(&difference("notes", "a longer note"), &mut out).unwrap();
        table.add(&difference("location", "x"), &mut out).unwrap();
        assert!(out.is_empty());
        table.flush(&mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        let starts: Vec<Option<usize>> =
            text.lines().map(|line| line.find("FOLDED").or_else(|| line.find("null"))).collect();
        assert_eq!(starts.len(), 3, "{text}");
        assert!(starts[0].is_some() && starts.iter().all(|start| *start == starts[0]), "{text}");
    }

    #[test]
    fn of_long_values_the_place_where_they_differ_is_shown() {
        let (left, right) = (format!("{}left", "é".repeat(500)), format!("{}right", "é".repeat(500)));
        let (left, right) = cut_both(&left, &right);
        assert!(left.ends_with("left") && right.ends_with("right"), "{left} {right}");
        assert!(left.chars().count() <= LONGEST + 2);
    }

    #[test]
    fn short_values_are_shown_whole() {
        assert_eq!(cut_both("\"abc\"", "\"abd\""), ("\"abc\"".to_owned(), "\"abd\"".to_owned()));
    }
}
