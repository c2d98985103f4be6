//! Values that callers give, each refused with a code of its own.
//!
//! A request type holds a [`Given`] where serde's own words would hide which rule was broken: an amount
//! that is a JSON number is `invalid_amount`, not "expected a string".
//!
//! ```ignore
//! #[serde(default)]
//! #[schema(value_type = Option<String>, example = "129.90")]
//! price_amount: Change<Given>,
//!
//! let price = body.price_amount.try_map(|v| v.amount("price_amount"))?.into_option();
//! ```

use std::{borrow::Cow, fmt::Display, str::FromStr};

use chrono::{DateTime, NaiveDate, NaiveTime, SubsecRound, Utc};
use domain::{
    dates::{Precision, ReleaseDate, sensible_day},
    gtin::Gtin,
    money::{Amount, Currency, Money},
    refusal::Code,
};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use crate::problem::{INVALID_FIELD, Kind, Problem};

/// An amount is not one.
pub const INVALID_AMOUNT: Kind = Kind::refusal(
    Code::InvalidAmount,
    "an amount is a decimal string such as \"129.90\": not negative, below 10^10, two places at most, none in yen",
);
/// A currency is not one of ours.
pub const UNKNOWN_CURRENCY: Kind =
    Kind::refusal(Code::UnknownCurrency, "the currency must be one of EUR, USD, JPY, GBP, CHF, CAD");
/// An amount stands without its currency.
pub const CURRENCY_MISSING: Kind =
    Kind::refusal(Code::CurrencyMissing, "an amount needs its currency beside it");
/// A date is not one, or outside 1950 … 2100.
pub const INVALID_DATE: Kind = Kind::refusal(
    Code::InvalidDate,
    "a date is written YYYY-MM-DD and lies between 1950-01-01 and 2100-12-31",
);

/// A barcode is not one.
pub const INVALID_JAN: Kind =
    Kind::refusal(Code::InvalidJan, "a barcode has 8, 12 or 13 digits, the last of which checks the others");

/// A value of a body, yet to be read. Its field is named when it is.
#[derive(Debug, Clone, PartialEq)]
pub struct Given(Value);

impl<'de> Deserialize<'de> for Given {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Value::deserialize(deserializer).map(Self)
    }
}

fn refused(kind: Kind, detail: impl Display, field: impl Into<Cow<'static, str>>) -> Problem {
    Problem::from(kind).detail(detail.to_string()).field(field)
}

impl Given {
    fn text(&self, kind: Kind, what: &str, field: &'static str) -> Result<&str, Problem> {
        self.0.as_str().ok_or_else(|| refused(kind, format_args!("{what} is a JSON string"), field))
    }

    /// An amount: a decimal string.
    ///
    /// # Errors
    /// 422 `invalid_amount`.
    pub fn amount(&self, field: &'static str) -> Result<Amount, Problem> {
        let text = self.text(INVALID_AMOUNT, "an amount", field)?;
        text.parse().map_err(|error: domain::money::MoneyError| refused(INVALID_AMOUNT, error, field))
    }

    /// A currency we keep.
    ///
    /// # Errors
    /// 422 `unknown_currency`.
    pub fn currency(&self, field: &'static str) -> Result<Currency, Problem> {
        let text = self.text(UNKNOWN_CURRENCY, "a currency", field)?;
        text.parse().map_err(|error: domain::money::MoneyError| refused(UNKNOWN_CURRENCY, error, field))
    }

    /// A calendar day.
    ///
    /// # Errors
    /// 422 `invalid_date`.
    pub fn day(&self, field: &'static str) -> Result<NaiveDate, Problem> {
        day(self.text(INVALID_DATE, "a date", field)?).ok_or_else(|| Problem::from(INVALID_DATE).field(field))
    }

    /// A moment: RFC 3339, or a calendar day, which stands for its midnight in UTC. Whole microseconds.
    ///
    /// # Errors
    /// 422 `invalid_date`.
    pub fn moment(&self, field: &'static str) -> Result<DateTime<Utc>, Problem> {
        let text = self.text(INVALID_DATE, "a date or time", field)?;
        let moment = match DateTime::parse_from_rfc3339(text) {
            Ok(moment) => Some(moment.to_utc()).filter(|at| sensible_day(at.date_naive()).is_ok()),
            Err(_not_a_time) => day(text).map(|day| day.and_time(NaiveTime::MIN).and_utc()),
        };
        moment
            .map(|at| at.trunc_subsecs(6))
            .ok_or_else(|| refused(INVALID_DATE, "give a date (YYYY-MM-DD) or an RFC 3339 time", field))
    }

    /// Anything read from text: bounded text, web addresses, words.
    ///
    /// # Errors
    /// 422 `invalid_field`, in the words of the type.
    pub fn read<T: FromStr<Err: Display>>(&self, field: &'static str) -> Result<T, Problem> {
        self.text(INVALID_FIELD, field, field)?.parse().map_err(|error| refused(INVALID_FIELD, error, field))
    }

    /// A barcode: JAN/EAN-13, EAN-8 or UPC-A.
    ///
    /// # Errors
    /// 422 `invalid_jan`.
    pub fn jan(&self, field: &'static str) -> Result<Gtin, Problem> {
        jan(self.text(INVALID_JAN, "a barcode", field)?, field)
    }

    /// A web address.
    ///
    /// # Errors
    /// 422 `invalid_field`.
    pub fn url(&self, field: &'static str) -> Result<domain::text::HttpUrl, Problem> {
        domain::text::HttpUrl::new(self.text(INVALID_FIELD, field, field)?)
            .map_err(|error| refused(INVALID_FIELD, error, field))
    }

    /// One of the words of a domain type, which the refusal lists.
    ///
    /// # Errors
    /// 422 `invalid_field`.
    pub fn word<T: FromStr + Copy + Display + 'static>(
        &self,
        field: &'static str,
        all: &'static [T],
    ) -> Result<T, Problem> {
        self.text(INVALID_FIELD, field, field)?.parse().map_err(|_unknown| {
            let words: Vec<String> = all.iter().map(ToString::to_string).collect();
            refused(INVALID_FIELD, format_args!("{field} is one of {}", words.join(", ")), field)
        })
    }
}

/// A barcode: JAN/EAN-13, EAN-8 or UPC-A.
///
/// # Errors
/// 422 `invalid_jan`.
pub fn jan(text: &str, field: &'static str) -> Result<Gtin, Problem> {
    Gtin::new(text).map_err(|error| refused(INVALID_JAN, error, field))
}

/// `YYYY-MM-DD` and nothing else: chrono would take signs, spaces and five digits, too.
fn day(text: &str) -> Option<NaiveDate> {
    let shaped = text.len() == 10
        && text
            .bytes()
            .enumerate()
            .all(|(at, byte)| if at == 4 || at == 7 { byte == b'-' } else { byte.is_ascii_digit() });
    if !shaped {
        return None;
    }
    text.parse().ok().and_then(|day| sensible_day(day).ok())
}

/// The day or, in `YYYY-MM` and `YYYY`, the first day of a month or year, and how exact the text is.
fn period(text: &str) -> Option<(NaiveDate, Precision)> {
    let (whole, exact) = match text.len() {
        4 => (format!("{text}-01-01"), Precision::Year),
        7 => (format!("{text}-01"), Precision::Month),
        _ => (text.to_owned(), Precision::Day),
    };
    day(&whole).map(|day| (day, exact))
}

/// A month written `YYYY-MM`, or a day of it: some day of that month.
///
/// # Errors
/// 422 `invalid_date`.
pub fn month(text: &str, field: &'static str) -> Result<NaiveDate, Problem> {
    period(text)
        .filter(|(_, exact)| *exact != Precision::Year)
        .map(|(day, _)| day)
        .ok_or_else(|| refused(INVALID_DATE, "a month is written YYYY-MM, from 1950-01 to 2100-12", field))
}

/// A release date from its two fields. As exact as it is written (`2027-05-20`, `2027-05`, `2027`), unless
/// the precision says less.
///
/// # Errors
/// 422 `invalid_date`, `invalid_field` for an unknown precision, one without a date, or one that the date
/// as written does not have.
pub fn release(
    date: Option<&Given>,
    precision: Option<&Given>,
    fields: (&'static str, &'static str),
) -> Result<Option<ReleaseDate>, Problem> {
    let (date_field, precision_field) = fields;
    let precision = precision.map(|given| given.read::<Precision>(precision_field)).transpose()?;
    let Some(date) = date else {
        return match precision {
            None => Ok(None),
            Some(_) => {
                let detail = format!("{precision_field} says how exact {date_field} is, so give that, too");
                Err(refused(INVALID_FIELD, detail, precision_field))
            }
        };
    };
    let (day, exact) = period(date.text(INVALID_DATE, "a date", date_field)?)
        .ok_or_else(|| Problem::from(INVALID_DATE).field(date_field))?;
    let precision = precision.unwrap_or(exact);
    if precision < exact {
        let detail = format!("{date_field} says no more than the {}", exact.as_str());
        return Err(refused(INVALID_FIELD, detail, precision_field));
    }
    ReleaseDate::new(day, precision).map(Some).map_err(|error| refused(INVALID_DATE, error, date_field))
}

/// An amount with its currency from their two fields: both or neither.
///
/// # Errors
/// 422 `invalid_amount`, `unknown_currency`, or `currency_missing` when one stands alone.
pub fn money(
    amount: Option<&Given>,
    currency: Option<&Given>,
    fields: (&'static str, &'static str),
) -> Result<Option<Money>, Problem> {
    let (amount_field, currency_field) = fields;
    let amount = amount.map(|given| given.amount(amount_field)).transpose()?;
    let currency = currency.map(|given| given.currency(currency_field)).transpose()?;
    match (amount, currency) {
        (None, None) => Ok(None),
        (Some(amount), Some(currency)) => Money::new(amount, currency)
            .map(Some)
            .map_err(|error| refused(INVALID_AMOUNT, error, amount_field)),
        (Some(_), None) => Err(Problem::from(CURRENCY_MISSING).field(currency_field)),
        (None, Some(_)) => {
            Err(refused(CURRENCY_MISSING, "a currency needs the amount it is of beside it", amount_field))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn given(value: Value) -> Given {
        Given(value)
    }

    #[test]
    fn amounts_are_strings() {
        assert!(given(json!("129.90")).amount("x").is_ok());
        for bad in [
            json!(129.9),
            json!(1),
            json!("1.234"),
            json!("-1"),
            json!("1e3"),
            json!(""),
            json!([]),
            json!({"a": 1}),
        ] {
            assert_eq!(given(bad.clone()).amount("x").unwrap_err().code(), "invalid_amount", "{bad}");
        }
    }

    #[test]
    fn days_are_written_in_one_way() {
        assert!(given(json!("2027-05-01")).day("x").is_ok());
        for bad in [
            "2027-5-1",
            "2027-13-01",
            "2027-02-30",
            "1949-12-31",
            "2101-01-01",
            "+2027-1-1",
            " 2027-5-1",
            "20270501",
            "",
        ] {
            assert_eq!(given(json!(bad)).day("x").unwrap_err().code(), "invalid_date", "{bad}");
        }
    }

    #[test]
    fn a_moment_is_a_time_or_a_day_and_has_whole_microseconds() {
        let at = |text: &str| given(json!(text)).moment("x").map(|at| at.to_rfc3339());
        assert_eq!(at("2027-05-01").unwrap(), "2027-05-01T00:00:00+00:00");
        assert_eq!(at("2027-05-01T10:00:00.1234567+09:00").unwrap(), "2027-05-01T01:00:00.123456+00:00");
        for bad in ["2027-05-01T10:00:00", "9999-01-01T00:00:00Z", "now"] {
            assert_eq!(at(bad).unwrap_err().code(), "invalid_date", "{bad}");
        }
    }

    #[test]
    fn a_precision_goes_with_a_date() {
        let read = |date: Option<Value>, precision: Option<Value>| {
            let (date, precision) = (date.map(Given), precision.map(Given));
            release(date.as_ref(), precision.as_ref(), ("d", "p")).map_err(|problem| problem.code())
        };
        assert_eq!(read(None, None), Ok(None));
        assert_eq!(
            read(Some(json!("2027-05-17")), Some(json!("month"))).unwrap().unwrap().date().to_string(),
            "2027-05-01"
        );
        assert_eq!(read(None, Some(json!("month"))), Err("invalid_field"));
        assert_eq!(read(Some(json!("2027-05-17")), Some(json!("week"))), Err("invalid_field"));
        assert_eq!(read(Some(json!("tomorrow")), None), Err("invalid_date"));
        for (text, exact) in [("2027-05", Precision::Month), ("2027", Precision::Year)] {
            assert_eq!(read(Some(json!(text)), None).unwrap().unwrap().precision(), exact);
        }
        assert_eq!(
            read(Some(json!("2027-05")), Some(json!("year"))).unwrap().unwrap().date().to_string(),
            "2027-01-01"
        );
        assert_eq!(read(Some(json!("2027-05")), Some(json!("day"))), Err("invalid_field"));
        for bad in ["2027-13", "202", "1949", "2027-5", "２０２７"] {
            assert_eq!(read(Some(json!(bad)), None), Err("invalid_date"), "{bad}");
        }
    }
}
