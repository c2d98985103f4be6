//! Rates as texts, and what is made of them.

use chrono::NaiveDate;
use domain::money::rates::{BadRates, CurrencyCode, RateTable};
use rust_decimal::Decimal;

/// An answer or a file that holds no rates in any form that is known.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("it holds no euro reference rates: {0}")]
pub struct NotRates(pub String);

/// A day whose rates were not taken, none of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusedDay {
    /// The line of the file, where there are lines.
    pub line: Option<u64>,
    /// Why.
    pub reason: String,
}

impl std::fmt::Display for RefusedDay {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.line {
            Some(line) => write!(f, "line {line}: {}", self.reason),
            None => f.write_str(&self.reason),
        }
    }
}

/// One day as its source has it: each currency with the text of its rate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct QuotedDay {
    pub line: Option<u64>,
    pub date: String,
    pub quotes: Vec<(String, String)>,
}

/// The tables of a source, ascending, and the days that were refused.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Read {
    pub tables: Vec<RateTable>,
    pub refused: Vec<RefusedDay>,
}

/// How days are written: everywhere `2026-10-30`, in the ECB's daily CSV `30 October 2026`.
fn date(text: &str) -> Option<NaiveDate> {
    let text = text.trim();
    text.parse().ok().or_else(|| NaiveDate::parse_from_str(text, "%d %B %Y").ok())
}

/// A rate, or none for a currency that is not quoted.
fn rate(text: &str) -> Result<Option<Decimal>, String> {
    let text = text.trim();
    if matches!(text, "" | "-" | "N/A" | "null") {
        return Ok(None);
    }
    // Longer ones are no rates, and plain decimals have no exponent.
    let plain = text.len() <= 30 && text.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'-'));
    let rate = plain.then(|| Decimal::from_str_exact(text).ok()).flatten();
    rate.map(Some).ok_or_else(|| format!("{:?} is not a rate", short(text)))
}

fn short(text: &str) -> String {
    text.chars().take(40).collect()
}

impl QuotedDay {
    fn table(&self, today: NaiveDate) -> Result<RateTable, String> {
        let date = date(&self.date).ok_or_else(|| format!("{:?} is not a date", short(&self.date)))?;
        let mut quotes: Vec<(CurrencyCode, Decimal)> = Vec::with_capacity(self.quotes.len());
        for (code, text) in &self.quotes {
            let bad = |error: &dyn std::fmt::Display| format!("{} on {date}: {error}", short(code));
            let code: CurrencyCode = code.trim().parse().map_err(|e: BadRates| bad(&e))?;
            quotes.extend(rate(text).map_err(|e| bad(&e))?.map(|rate| (code, rate)));
        }
        let table = RateTable::new(date, quotes).map_err(|e| e.to_string())?;
        table.not_after(today).map_err(|e| e.to_string())
    }
}

/// Checks days. One that holds anything that cannot be right is refused as a whole: whoever says one thing wrong
/// is not to be trusted with the rest.
pub(super) fn checked(days: &[QuotedDay], today: NaiveDate) -> Read {
    let mut read = Read::default();
    let mut passed: Vec<(RateTable, Option<u64>)> = Vec::with_capacity(days.len());
    for day in days {
        match day.table(today) {
            Ok(table) => passed.push((table, day.line)),
            Err(reason) => read.refused.push(RefusedDay { line: day.line, reason }),
        }
    }
    // Stable: of two with one date the first in the source counts.
    passed.sort_by_key(|(table, _)| table.date());
    for (table, line) in passed {
        let before = read.tables.last();
        let checked = match before {
            Some(before) if before.date() == table.date() => Err(format!("{} is there twice", table.date())),
            Some(before) => table.beside(before).map_err(|e| e.to_string()),
            None => Ok(table),
        };
        match checked {
            Ok(table) => read.tables.push(table),
            Err(reason) => read.refused.push(RefusedDay { line, reason }),
        }
    }
    read.refused.sort_by_key(|refused| refused.line);
    read
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(date: &str, quotes: &[(&str, &str)]) -> QuotedDay {
        let quotes = quotes.iter().map(|(c, r)| ((*c).to_owned(), (*r).to_owned())).collect();
        QuotedDay { line: Some(7), date: date.to_owned(), quotes }
    }

    fn read(days: &[QuotedDay]) -> Read {
        checked(days, "2026-11-02".parse().unwrap())
    }

    #[test]
    fn a_currency_without_a_rate_is_left_out_of_the_day() {
        for none in ["N/A", "", " - ", "null"] {
            let read = read(&[day("2026-10-30", &[("USD", "1.1172"), ("RUB", none)])]);
            let quotes: Vec<String> = read.tables[0].quotes().map(|(c, r)| format!("{c} {r}")).collect();
            assert_eq!(quotes, ["USD 1.1172"], "{none}");
        }
    }

    #[test]
    fn one_wrong_rate_refuses_its_whole_day() {
        for wrong in
            ["0", "0.00", "-1.1", "NaN", "inf", "1e2", "1,1", "1.1.1", "0x2", "1172", "９", &"9".repeat(40)]
        {
            let read = read(&[
                day("2026-10-29", &[("USD", "1.11")]),
                day("2026-10-30", &[("JPY", "175.68"), ("USD", wrong)]),
            ]);
            assert_eq!((read.tables.len(), read.refused.len()), (1, 1), "{wrong}");
            assert!(
                read.refused[0].to_string().starts_with("line 7: USD on 2026-10-30"),
                "{:?}",
                read.refused
            );
        }
    }

    #[test]
    fn days_of_the_future_before_the_euro_and_without_rates_are_refused() {
        let days = ["2026-11-03", "1998-12-31", "2026-02-30", "yesterday"];
        let mut days: Vec<QuotedDay> = days.iter().map(|d| day(d, &[("USD", "1.1")])).collect();
        days.push(day("2026-10-30", &[("USD", "N/A")]));
        days.push(day("2026-10-30", &[("dollars", "1.1")]));
        let read = read(&days);
        assert_eq!((read.tables.len(), read.refused.len()), (0, 6), "{:?}", read.refused);
    }

    #[test]
    fn a_day_that_leaps_or_comes_twice_is_refused_and_the_others_are_taken() {
        let read = read(&[
            day("2026-10-30", &[("USD", "1.12")]),
            day("2026-10-29", &[("USD", "2.20")]),
            day("2026-10-28", &[("USD", "1.11")]),
            day("2026-10-30", &[("USD", "1.13")]),
        ]);
        let dates: Vec<String> = read.tables.iter().map(|t| t.date().to_string()).collect();
        assert_eq!(dates, ["2026-10-28", "2026-10-30"]);
        assert_eq!(read.tables[1].quotes().next().unwrap().1.to_string(), "1.12");
        assert_eq!(read.refused.len(), 2);
    }

    #[test]
    fn both_ways_of_writing_a_date_are_read() {
        assert_eq!(date("2026-10-30"), date("30 October 2026"));
        assert!(date("30 October 2026").is_some());
    }
}
