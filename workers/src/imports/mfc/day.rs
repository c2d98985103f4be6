//! Dates whose month or day may be unknown: `2027-05-14`, `2027-05-00`, `2027-00-00`, `0000-00-00`.

use chrono::NaiveDate;
use domain::dates::{Precision, ReleaseDate};

/// A date that could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it is no date between 1950 and 2100 (YYYY-MM-DD, 00 for what is unknown)")]
pub struct DayError;

/// Reads a date; an empty field and a wholly unknown date are `None`.
///
/// # Errors
/// [`DayError`] for anything else that is no date.
pub fn read(text: &str) -> Result<Option<ReleaseDate>, DayError> {
    let text = text.trim();
    if text.is_empty() || text.eq_ignore_ascii_case("n/a") || text == "-" {
        return Ok(None);
    }
    let mut parts = text.split(['-', '/']);
    let mut part = |long: usize| -> Result<Option<u32>, DayError> {
        let Some(text) = parts.next() else { return Ok(None) };
        if text.is_empty() || text.len() > long || !text.bytes().all(|b| b.is_ascii_digit()) {
            return Err(DayError);
        }
        Ok(text.parse::<u32>().ok().filter(|n| *n > 0))
    };
    let (year, month, day) = (part(4)?, part(2)?, part(2)?);
    if parts.next().is_some() {
        return Err(DayError);
    }
    let Some(year) = year else {
        return if month.is_none() && day.is_none() { Ok(None) } else { Err(DayError) };
    };
    let (month, day, precision) = match (month, day) {
        (Some(month), Some(day)) => (month, day, Precision::Day),
        (Some(month), None) => (month, 1, Precision::Month),
        // A day without a month says nothing.
        (None, _) => (1, 1, Precision::Year),
    };
    let year = i32::try_from(year).map_err(|_| DayError)?;
    let date = NaiveDate::from_ymd_opt(year, month, day).ok_or(DayError)?;
    ReleaseDate::new(date, precision).map(Some).map_err(|_| DayError)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn unknown_parts_make_a_date_less_precise() {
        for (text, date, precision) in [
            ("2027-05-14", "2027-05-14", Precision::Day),
            ("2027/05/14", "2027-05-14", Precision::Day),
            ("2027-05-00", "2027-05-01", Precision::Month),
            ("2027-05", "2027-05-01", Precision::Month),
            ("2027-00-00", "2027-01-01", Precision::Year),
            ("2027-00-14", "2027-01-01", Precision::Year),
            ("2027", "2027-01-01", Precision::Year),
        ] {
            let read = read(text).unwrap().unwrap();
            assert_eq!((read.date().to_string().as_str(), read.precision()), (date, precision), "{text}");
        }
        for nothing in ["", "0000-00-00", " ", "n/a"] {
            assert_eq!(read(nothing), Ok(None), "{nothing}");
        }
    }

    #[test]
    fn what_is_no_date_is_told() {
        for text in [
            "2027-13-01",
            "2027-02-30",
            "0000-05-01",
            "1800-01-01",
            "14/05/2027",
            "soon",
            "2027-5-1-1",
            "+027-05-01",
        ] {
            assert_eq!(read(text), Err(DayError), "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_stumble(text in "\\PC{0,20}") {
            let _ = read(&text);
        }
    }
}
