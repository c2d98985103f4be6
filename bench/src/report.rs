//! The tables, for the terminal and for `docs/benchmarks.md`.

use crate::scenario::{Goal, Section};
use std::fmt::Write;

/// A table with aligned columns, in a form that Markdown reads as well.
pub fn table(heads: &[String], rows: &[Vec<String>]) -> String {
    let width = |column: usize| {
        let cells = rows.iter().map(Vec::as_slice).chain([heads]).filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or_default()
    };
    let line = |row: &[String]| {
        let mut line = String::from("|");
        for (column, cell) in row.iter().enumerate() {
            let space = " ".repeat(width(column).saturating_sub(cell.chars().count()));
            // Names to the left, numbers to the right.
            let _ =
                if column == 0 { write!(line, " {cell}{space} |") } else { write!(line, " {space}{cell} |") };
        }
        line
    };
    let rule: Vec<String> = (0..heads.len())
        .map(|column| {
            let dashes = "-".repeat(width(column).saturating_sub(1).max(1));
            if column == 0 { format!("{dashes}-") } else { format!("{dashes}:") }
        })
        .collect();
    let mut text = line(heads);
    for row in std::iter::once(&rule).chain(rows) {
        text.push('\n');
        text.push_str(&line(row));
    }
    text
}

fn goals(goals: &[&Goal]) -> String {
    let heads = ["goal", "wanted", "measured", "met"].map(str::to_owned);
    let rows: Vec<Vec<String>> = goals
        .iter()
        .map(|goal| {
            let met = if goal.met { "yes" } else { "no" };
            vec![goal.what.clone(), goal.wanted.clone(), goal.measured.clone(), met.to_owned()]
        })
        .collect();
    table(&heads, &rows)
}

/// Everything that was measured.
pub fn whole(facts: &[(String, String)], sections: &[(&str, Section)]) -> String {
    let facts: Vec<Vec<String>> = facts.iter().map(|(what, is)| vec![what.clone(), is.clone()]).collect();
    let mut text = format!("{}\n", table(&["machine".to_owned(), String::new()], &facts));
    for (title, section) in sections {
        let _ = write!(text, "\n## {title}\n");
        if !section.rows.is_empty() {
            let _ = writeln!(text, "{}", table(&section.heads, &section.rows));
        }
        for note in &section.notes {
            let _ = write!(text, "\n{note}\n");
        }
    }
    let all: Vec<&Goal> = sections.iter().flat_map(|(_, section)| &section.goals).collect();
    let _ = write!(text, "\n## Goals\n{}\n", goals(&all));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let cells = |cells: [&str; 2]| cells.map(str::to_owned).to_vec();
        let text = table(&cells(["who", "n"]), &[cells(["ours", "1,000"]), cells(["×", "2"])]);
        assert_eq!(text, "| who  |     n |\n| ---- | ----: |\n| ours | 1,000 |\n| ×    |     2 |");
    }
}
