//! Calendar days and release dates, which are often only a month or a year.

use chrono::{Datelike, Days, Months, NaiveDate};
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// How exactly a release date is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Default)]
#[serde(rename_all = "snake_case")]
pub enum Precision {
    /// A calendar day.
    #[default]
    Day,
    /// A month; the date is its first day.
    Month,
    /// A year; the date is its first day.
    Year,
}

impl Precision {
    /// The stored word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Month => "month",
            Self::Year => "year",
        }
    }
}

impl std::str::FromStr for Precision {
    type Err = DateError;
    fn from_str(s: &str) -> Result<Self, Self::Err> {
        match s {
            "day" => Ok(Self::Day),
            "month" => Ok(Self::Month),
            "year" => Ok(Self::Year),
            _ => Err(DateError::UnknownPrecision),
        }
    }
}

/// Why a date was not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum DateError {
    /// Outside 1950-01-01 … 2100-12-31.
    #[error("a date lies between 1950-01-01 and 2100-12-31")]
    OutOfRange,
    /// Not `day`, `month` or `year`.
    #[error("a precision is day, month or year")]
    UnknownPrecision,
    /// Not a date in the form `YYYY-MM-DD`.
    #[error("a date is written YYYY-MM-DD")]
    NotADate,
}

/// Whether a day lies in the range that any collector could mean: 1950-01-01 … 2100-12-31.
///
/// # Errors
/// `OutOfRange`.
pub fn sensible_day(day: NaiveDate) -> Result<NaiveDate, DateError> {
    if (1950..=2100).contains(&day.year()) { Ok(day) } else { Err(DateError::OutOfRange) }
}

/// A release date: the first day of the announced period, and how long that period is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "RawRelease", into = "RawRelease")]
pub struct ReleaseDate {
    date: NaiveDate,
    precision: Precision,
}

#[derive(Serialize, Deserialize)]
struct RawRelease {
    date: NaiveDate,
    precision: Precision,
}

impl TryFrom<RawRelease> for ReleaseDate {
    type Error = DateError;
    fn try_from(raw: RawRelease) -> Result<Self, Self::Error> {
        Self::new(raw.date, raw.precision)
    }
}

impl From<ReleaseDate> for RawRelease {
    fn from(r: ReleaseDate) -> Self {
        Self { date: r.date, precision: r.precision }
    }
}

impl ReleaseDate {
    /// Any day of the period will do; the first is kept.
    ///
    /// # Errors
    /// `OutOfRange`.
    pub fn new(day: NaiveDate, precision: Precision) -> Result<Self, DateError> {
        let day = sensible_day(day)?;
        let date = match precision {
            Precision::Day => Some(day),
            Precision::Month => day.with_day(1),
            Precision::Year => day.with_day(1).and_then(|d| d.with_month(1)),
        };
        date.map(|date| Self { date, precision }).ok_or(DateError::OutOfRange)
    }

    /// The first day of the period.
    pub const fn date(self) -> NaiveDate {
        self.date
    }

    /// How exactly it is known.
    pub const fn precision(self) -> Precision {
        self.precision
    }

    /// The last day of the period.
    pub fn last_day(self) -> NaiveDate {
        let next = match self.precision {
            Precision::Day => return self.date,
            Precision::Month => self.date.checked_add_months(Months::new(1)),
            Precision::Year => self.date.checked_add_months(Months::new(12)),
        };
        next.and_then(|d| d.checked_sub_days(Days::new(1))).unwrap_or(self.date)
    }

    /// How a newly announced date relates to this one.
    ///
    /// A slip is a date after the whole announced period: from "May 2027" to the 20th of May nothing is late.
    pub fn compare(self, new: Self) -> DateChange {
        if new == self {
            DateChange::Same
        } else if new.date > self.last_day() {
            DateChange::Slipped
        } else if new.date < self.date && new.last_day() < self.last_day() {
            DateChange::BroughtForward
        } else {
            DateChange::Narrowed
        }
    }
}

/// What a new release date means beside the one before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DateChange {
    /// The same date at the same precision.
    Same,
    /// Later than all of the announced period.
    Slipped,
    /// Earlier.
    BroughtForward,
    /// Within the same period (or a period around it): said more or less exactly.
    Narrowed,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn date(s: &str, p: Precision) -> ReleaseDate {
        ReleaseDate::new(s.parse().unwrap(), p).unwrap()
    }

    #[test]
    fn a_month_is_kept_by_its_first_day() {
        let d = date("2027-05-17", Precision::Month);
        assert_eq!(d.date().to_string(), "2027-05-01");
        assert_eq!(d.last_day().to_string(), "2027-05-31");
        assert_eq!(date("2028-05-17", Precision::Year).last_day().to_string(), "2028-12-31");
    }

    #[test]
    fn only_a_date_after_the_whole_period_is_a_slip() {
        use DateChange::*;
        use Precision::*;
        for (old, new, change) in [
            (date("2027-05-01", Month), date("2027-05-20", Day), Narrowed),
            (date("2027-05-01", Month), date("2027-06-01", Month), Slipped),
            (date("2027-05-01", Day), date("2027-05-02", Day), Slipped),
            (date("2027-05-01", Day), date("2027-04-01", Day), BroughtForward),
            (date("2027-01-01", Year), date("2027-08-01", Month), Narrowed),
            (date("2027-08-01", Month), date("2027-01-01", Year), Narrowed),
            (date("2027-05-01", Month), date("2027-05-01", Month), Same),
            (date("2027-05-01", Month), date("2027-05-01", Day), Narrowed),
        ] {
            assert_eq!(old.compare(new), change, "{old:?} → {new:?}");
        }
    }

    #[test]
    fn days_no_collector_means_are_refused() {
        assert_eq!(
            ReleaseDate::new("0001-01-01".parse().unwrap(), Precision::Day),
            Err(DateError::OutOfRange)
        );
        assert_eq!(sensible_day("2101-01-01".parse().unwrap()), Err(DateError::OutOfRange));
    }
}
