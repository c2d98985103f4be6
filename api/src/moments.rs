//! From when to when: a day stands for its beginning or its end, in UTC.

use std::str::FromStr;

use chrono::{DateTime, Days, NaiveDate, NaiveTime, TimeDelta, Utc};
use serde::{Deserialize, Deserializer};

/// The first moment that counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Since(pub DateTime<Utc>);

/// The last moment that counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Until(pub DateTime<Utc>);

const NO_TIME: &str = "this is neither a day such as 2026-01-17 nor a moment such as 2026-01-17T09:30:00Z";

fn moment(text: &str) -> Result<DateTime<Utc>, &'static str> {
    DateTime::parse_from_rfc3339(text).map(|moment| moment.to_utc()).map_err(|_no_moment| NO_TIME)
}

fn midnight(day: NaiveDate) -> DateTime<Utc> {
    day.and_time(NaiveTime::MIN).and_utc()
}

impl FromStr for Since {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(midnight).or_else(|_no_day| moment(text)).map(Self)
    }
}

impl FromStr for Until {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let Ok(day) = text.parse::<NaiveDate>() else { return moment(text).map(Self) };
        let after = day.checked_add_days(Days::new(1)).ok_or(NO_TIME)?;
        Ok(Self(midnight(after) - TimeDelta::microseconds(1)))
    }
}

impl<'de> Deserialize<'de> for Since {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl<'de> Deserialize<'de> for Until {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_meant_from_its_beginning_to_its_end() {
        let since: Since = "2026-01-17".parse().unwrap();
        let until: Until = "2026-01-17".parse().unwrap();
        assert_eq!(since.0.to_rfc3339(), "2026-01-17T00:00:00+00:00");
        assert_eq!(until.0.to_rfc3339(), "2026-01-17T23:59:59.999999+00:00");
        let exact: Until = "2026-01-17T10:00:00+01:00".parse().unwrap();
        assert_eq!(exact.0.to_rfc3339(), "2026-01-17T09:00:00+00:00");
        for wrong in ["yesterday", "2026-02-30", "", "2026-01-17 10:00"] {
            assert!(wrong.parse::<Since>().is_err() && wrong.parse::<Until>().is_err(), "{wrong}");
        }
    }
}
