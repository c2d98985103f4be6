//! The answers of a Frankfurter-compatible server.

use super::quotes::{NotRates, QuotedDay};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::collections::BTreeMap;

/// A currency and its rate, as the text that stood there: no float comes near it.
type Quotes = BTreeMap<String, Box<RawValue>>;

#[derive(Deserialize)]
struct Day {
    amount: Option<Box<RawValue>>,
    base: Option<String>,
    date: String,
    rates: Quotes,
}

#[derive(Deserialize)]
struct Days {
    amount: Option<Box<RawValue>>,
    base: Option<String>,
    rates: BTreeMap<String, Quotes>,
}

/// The one day of an answer to `latest`.
///
/// # Errors
/// [`NotRates`] when it is of another shape, or not for one euro.
pub(super) fn day(body: &[u8]) -> Result<Vec<QuotedDay>, NotRates> {
    let day: Day = serde_json::from_slice(body).map_err(shape)?;
    for_one_euro(day.base.as_deref(), day.amount.as_deref())?;
    Ok(vec![quoted(day.date, &day.rates)])
}

/// The days of an answer to `2026-08-01..`.
///
/// # Errors
/// As [`day`].
pub(super) fn days(body: &[u8]) -> Result<Vec<QuotedDay>, NotRates> {
    let days: Days = serde_json::from_slice(body).map_err(shape)?;
    for_one_euro(days.base.as_deref(), days.amount.as_deref())?;
    Ok(days.rates.into_iter().map(|(date, quotes)| quoted(date, &quotes)).collect())
}

fn shape(error: serde_json::Error) -> NotRates {
    NotRates(format!("its JSON is not as expected ({error})"))
}

fn for_one_euro(base: Option<&str>, amount: Option<&RawValue>) -> Result<(), NotRates> {
    if let Some(other) = base.filter(|base| *base != "EUR") {
        let other: String = other.chars().take(10).collect();
        return Err(NotRates(format!("its base is {other:?} and not EUR")));
    }
    if amount.is_some_and(|amount| !matches!(amount.get(), "1" | "1.0" | "1.00")) {
        return Err(NotRates("its rates are not for one euro".to_owned()));
    }
    Ok(())
}

fn quoted(date: String, quotes: &Quotes) -> QuotedDay {
    // Some write numbers as strings; what is in them is checked like any other.
    let text = |raw: &RawValue| raw.get().trim_matches('"').to_owned();
    QuotedDay {
        line: None,
        date,
        quotes: quotes.iter().map(|(code, rate)| (code.clone(), text(rate))).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_keep_their_digits() {
        let body = br#"{"amount":1.0,"base":"EUR","date":"2026-10-30","rates":{"JPY":175.68,"USD":1.10,"CAD":"1.5606"}}"#;
        let days = day(body).unwrap();
        let quotes: Vec<&str> = days[0].quotes.iter().map(|(_, rate)| rate.as_str()).collect();
        assert_eq!(quotes, ["1.5606", "175.68", "1.10"]);
    }

    #[test]
    fn a_series_has_many_days() {
        let body = br#"{"amount":1,"base":"EUR","start_date":"2026-10-29","end_date":"2026-10-30",
            "rates":{"2026-10-29":{"USD":1.12},"2026-10-30":{"USD":1.1172}}}"#;
        assert_eq!(days(body).unwrap().len(), 2);
    }

    #[test]
    fn another_base_or_amount_or_shape_is_told() {
        for wrong in [
            r#"{"base":"USD","date":"2026-10-30","rates":{"EUR":0.9}}"#,
            r#"{"amount":100,"base":"EUR","date":"2026-10-30","rates":{"USD":111.7}}"#,
            r#"{"date":"2026-10-30","rates":{"USD":NaN}}"#,
            r#"{"message":"not found"}"#,
            "<html></html>",
            "",
        ] {
            assert!(day(wrong.as_bytes()).is_err(), "{wrong}");
        }
    }
}
