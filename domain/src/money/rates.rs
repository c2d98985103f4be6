//! Rates and what is worked out with them: one euro-anchored table a day, and conversion with one in hand.
//!
//! Nothing is rounded on the way: amounts are summed per currency, converted, and rounded once, when they are
//! shown ([`rounded`](super::rounded)). `docs/money.md` says so at length.

mod sum;

pub use sum::{Sum, Total};

use super::{Currency, FxRate, Money, rounded};
use chrono::{Days, NaiveDate};
use rust_decimal::{Decimal, RoundingStrategy};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::str::FromStr;
use std::sync::Arc;
use thiserror::Error;

/// How many days a rate stands for the days after it that have none: weekends and bank holidays are at most
/// five. A day that is further from the last one known counts as unknown.
const STANDS_FOR: u64 = 7;
/// Decimal places of a frozen rate. Every amount times such a rate is exact.
const FROZEN_PLACES: u32 = 15;
/// Decimal places that a quoted rate keeps.
const QUOTED_PLACES: u32 = 10;
/// Two tables this many days apart or fewer are compared.
const NEIGHBOURS: i64 = 30;

/// The first day on which there were rates of the euro: 1999-01-04.
pub const fn first_day() -> NaiveDate {
    match NaiveDate::from_ymd_opt(1999, 1, 4) {
        Some(day) => day,
        None => NaiveDate::MIN,
    }
}

/// The ISO 4217 code of any currency that is quoted somewhere: three capital letters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CurrencyCode([u8; 3]);

impl CurrencyCode {
    /// The euro.
    pub const EUR: Self = Self(*b"EUR");

    /// The three letters.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// The currency, if amounts may be recorded in it.
    pub fn supported(self) -> Option<Currency> {
        self.as_str().parse().ok()
    }
}

impl FromStr for CurrencyCode {
    type Err = BadRates;

    fn from_str(text: &str) -> Result<Self, BadRates> {
        let letters = <[u8; 3]>::try_from(text.as_bytes()).ok();
        letters.filter(|l| l.iter().all(u8::is_ascii_uppercase)).map(Self).ok_or(BadRates::NotACode)
    }
}

impl TryFrom<String> for CurrencyCode {
    type Error = BadRates;
    fn try_from(text: String) -> Result<Self, BadRates> {
        text.parse()
    }
}

impl From<CurrencyCode> for String {
    fn from(code: CurrencyCode) -> Self {
        code.as_str().to_owned()
    }
}

impl From<Currency> for CurrencyCode {
    fn from(currency: Currency) -> Self {
        match currency.code().as_bytes() {
            [a, b, c] => Self([*a, *b, *c]),
            _ => Self::EUR,
        }
    }
}

impl std::fmt::Display for CurrencyCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why rates were not accepted.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum BadRates {
    /// Not three capital letters.
    #[error("a currency code is three capital letters")]
    NotACode,
    /// No currency is quoted.
    #[error("the table of {0} quotes no currency")]
    Empty(NaiveDate),
    /// Zero or less.
    #[error("{code} on {date}: {rate} is not above zero")]
    NotPositive {
        /// The currency.
        code: CurrencyCode,
        /// The day.
        date: NaiveDate,
        /// What was said.
        rate: Decimal,
    },
    /// So far off that it is a mistake.
    #[error("{code} on {date}: {rate} for a euro cannot be right")]
    Absurd {
        /// The currency.
        code: CurrencyCode,
        /// The day.
        date: NaiveDate,
        /// What was said.
        rate: Decimal,
    },
    /// Far from what was quoted a few days before.
    #[error("{code} on {date}: {rate} for a euro cannot be right, it was {before} on {day_before}")]
    Leap {
        /// The currency.
        code: CurrencyCode,
        /// The day.
        date: NaiveDate,
        /// What was said.
        rate: Decimal,
        /// The day of the other table.
        day_before: NaiveDate,
        /// What that one says.
        before: Decimal,
    },
    /// Two rates for one currency.
    #[error("{code} on {date} is quoted twice")]
    Twice {
        /// The currency.
        code: CurrencyCode,
        /// The day.
        date: NaiveDate,
    },
    /// Before the euro.
    #[error("{0} lies before the first rates of the euro, 1999-01-04")]
    BeforeTheEuro(NaiveDate),
    /// Still to come.
    #[error("rates of {0} are from the future")]
    FromTheFuture(NaiveDate),
}

/// Where a rate of a supported currency can lie at all: four times around what it ever was.
fn sensible(code: CurrencyCode) -> (Decimal, Decimal) {
    let (low, high) = match code.supported() {
        Some(Currency::Jpy) => (20, 800),
        Some(Currency::Eur) => (1, 1),
        // From two tenths, as whole numbers have no tenths.
        Some(Currency::Usd | Currency::Chf | Currency::Cad) => return (Decimal::new(2, 1), Decimal::from(8)),
        Some(Currency::Gbp) => return (Decimal::new(1, 1), Decimal::from(4)),
        None => return (Decimal::new(1, 4), Decimal::from(100_000_000)),
    };
    (Decimal::from(low), Decimal::from(high))
}

/// The rates of one day: how many units of each currency one euro is. The euro itself is 1 in every table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RateTable {
    date: NaiveDate,
    #[serde(rename = "rates")]
    per_euro: BTreeMap<CurrencyCode, Decimal>,
}

impl RateTable {
    /// Checks the quotes of a day. A currency without a rate that day is simply not among them.
    ///
    /// # Errors
    /// [`BadRates`] for the first that cannot be right; then nothing of the day should be believed.
    pub fn new(
        date: NaiveDate,
        quotes: impl IntoIterator<Item = (CurrencyCode, Decimal)>,
    ) -> Result<Self, BadRates> {
        if date < first_day() {
            return Err(BadRates::BeforeTheEuro(date));
        }
        let mut per_euro = BTreeMap::new();
        for (code, rate) in quotes {
            if rate <= Decimal::ZERO {
                return Err(BadRates::NotPositive { code, date, rate });
            }
            let (low, high) = sensible(code);
            if rate < low || rate > high {
                return Err(BadRates::Absurd { code, date, rate });
            }
            let kept = rate.round_dp_with_strategy(QUOTED_PLACES, RoundingStrategy::MidpointAwayFromZero);
            if code != CurrencyCode::EUR && per_euro.insert(code, kept.normalize()).is_some() {
                return Err(BadRates::Twice { code, date });
            }
        }
        if per_euro.is_empty() {
            return Err(BadRates::Empty(date));
        }
        Ok(Self { date, per_euro })
    }

    /// Passes unless the day is still to come.
    ///
    /// # Errors
    /// `FromTheFuture`.
    pub fn not_after(self, today: NaiveDate) -> Result<Self, BadRates> {
        if self.date > today { Err(BadRates::FromTheFuture(self.date)) } else { Ok(self) }
    }

    /// Passes unless it contradicts a table of about the same time: no currency that amounts are recorded in
    /// moves by half within a month, and no other to four times or a quarter.
    ///
    /// # Errors
    /// `Leap`.
    pub fn beside(self, other: &Self) -> Result<Self, BadRates> {
        if (self.date - other.date).num_days().abs() > NEIGHBOURS {
            return Ok(self);
        }
        for (code, rate) in &self.per_euro {
            let Some(before) = other.per_euro.get(code) else { continue };
            let most = if code.supported().is_some() { Decimal::new(15, 1) } else { Decimal::from(4) };
            let (low, high) = if rate < before { (rate, before) } else { (before, rate) };
            if low.saturating_mul(most) < *high {
                return Err(BadRates::Leap {
                    code: *code,
                    date: self.date,
                    rate: *rate,
                    day_before: other.date,
                    before: *before,
                });
            }
        }
        Ok(self)
    }

    /// The day the rates are of.
    pub const fn date(&self) -> NaiveDate {
        self.date
    }

    /// The quoted currencies in the order of their codes, the euro left out.
    pub fn quotes(&self) -> impl Iterator<Item = (CurrencyCode, Decimal)> + '_ {
        self.per_euro.iter().map(|(code, rate)| (*code, *rate))
    }

    /// Units of a currency for one euro; none when it is not quoted that day.
    pub fn per_euro(&self, code: impl Into<CurrencyCode>) -> Option<Decimal> {
        let code = code.into();
        if code == CurrencyCode::EUR { Some(Decimal::ONE) } else { self.per_euro.get(&code).copied() }
    }

    /// Euro for one unit of a currency, as it is frozen; none when it is not quoted that day.
    pub fn eur_for_one(&self, currency: Currency) -> Option<FxRate> {
        let exact = Decimal::ONE.checked_div(self.per_euro(currency)?)?;
        FxRate::new(exact.round_dp_with_strategy(FROZEN_PLACES, RoundingStrategy::MidpointAwayFromZero)).ok()
    }

    /// An amount in another currency, not rounded; none when either is not quoted that day.
    pub fn convert(
        &self,
        amount: Decimal,
        from: impl Into<CurrencyCode>,
        to: impl Into<CurrencyCode>,
    ) -> Option<Decimal> {
        let (from, to) = (from.into(), to.into());
        let (per_from, per_to) = (self.per_euro(from)?, self.per_euro(to)?);
        if from == to {
            return Some(amount);
        }
        // Multiplied first: what comes out even stays even.
        amount.checked_mul(per_to)?.checked_div(per_from)
    }

    /// An amount in another currency, rounded to what that one can express; none when either is not quoted.
    pub fn converted(&self, money: Money, to: Currency) -> Option<Decimal> {
        self.convert(money.amount().decimal(), money.currency(), to).map(|exact| rounded(exact, to))
    }
}

/// Every table that is known, by day. A copy is cheap.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Rates {
    tables: Arc<BTreeMap<NaiveDate, RateTable>>,
}

impl FromIterator<RateTable> for Rates {
    fn from_iter<T: IntoIterator<Item = RateTable>>(tables: T) -> Self {
        Self { tables: Arc::new(tables.into_iter().map(|table| (table.date, table)).collect()) }
    }
}

impl Rates {
    /// Whether nothing is known.
    pub fn is_empty(&self) -> bool {
        self.tables.is_empty()
    }

    /// Today's table: the newest one known, however old it is.
    pub fn today(&self) -> Option<&RateTable> {
        self.tables.last_key_value().map(|(_, table)| table)
    }

    /// The table of a day, or of the last working day before it; none when that day is not known.
    pub fn on(&self, day: NaiveDate) -> Option<&RateTable> {
        self.back_from(day).next()
    }

    /// The newest table of a day before this one, however long before.
    pub fn before(&self, day: NaiveDate) -> Option<&RateTable> {
        self.tables.range(..day).next_back().map(|(_, table)| table)
    }

    /// The earliest day whose rates still stand for `day`: a week before.
    pub fn earliest_for(day: NaiveDate) -> NaiveDate {
        day.checked_sub_days(Days::new(STANDS_FOR)).unwrap_or(day)
    }

    fn back_from(&self, day: NaiveDate) -> impl Iterator<Item = &RateTable> {
        self.tables.range(Self::earliest_for(day)..=day).rev().map(|(_, table)| table)
    }

    /// The rate that recording a cost freezes: euro for one unit, on the purchase date (on the last working
    /// day before it that quotes the currency) when one is given, not after `today` and known, else the newest
    /// one. None when no such rate is known; the euro's is always 1.
    pub fn frozen(
        &self,
        currency: Currency,
        purchase_date: Option<NaiveDate>,
        today: NaiveDate,
    ) -> Option<FxRate> {
        if currency == Currency::Eur {
            return FxRate::new(Decimal::ONE).ok();
        }
        let bought = purchase_date.filter(|day| *day <= today);
        bought
            .and_then(|day| self.back_from(day).find_map(|table| table.eur_for_one(currency)))
            .or_else(|| self.back_from(self.today()?.date).find_map(|table| table.eur_for_one(currency)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    fn code(text: &str) -> CurrencyCode {
        text.parse().unwrap()
    }

    fn table(date: &str, quotes: &[(&str, &str)]) -> Result<RateTable, BadRates> {
        RateTable::new(day(date), quotes.iter().map(|(c, r)| (code(c), r.parse().unwrap())))
    }

    fn rates() -> Rates {
        // A Friday, the Thursday before it, and a day that does not quote the franc.
        [
            table("2026-10-29", &[("USD", "1.25"), ("JPY", "160"), ("CHF", "0.8")]).unwrap(),
            table("2026-10-30", &[("USD", "1.2"), ("JPY", "165.5")]).unwrap(),
            table("2020-01-03", &[("USD", "1.1"), ("JPY", "120")]).unwrap(),
        ]
        .into_iter()
        .collect()
    }

    fn frozen(currency: Currency, bought: Option<&str>) -> Option<String> {
        let rate = rates().frozen(currency, bought.map(day), day("2026-11-02"));
        rate.map(|r| r.decimal().to_string())
    }

    #[test]
    fn rates_that_cannot_be_right_are_refused() {
        let on = "2026-10-30";
        assert!(matches!(table(on, &[("USD", "0")]), Err(BadRates::NotPositive { .. })));
        assert!(matches!(table(on, &[("USD", "-1.1")]), Err(BadRates::NotPositive { .. })));
        assert!(matches!(table(on, &[("USD", "117.2")]), Err(BadRates::Absurd { .. })));
        assert!(matches!(table(on, &[("JPY", "1.6")]), Err(BadRates::Absurd { .. })));
        assert!(matches!(table(on, &[("IDR", "1000000000")]), Err(BadRates::Absurd { .. })));
        assert!(matches!(table(on, &[("EUR", "1.1")]), Err(BadRates::Absurd { .. })));
        assert!(matches!(table(on, &[("USD", "1.1"), ("USD", "1.1")]), Err(BadRates::Twice { .. })));
        assert!(matches!(table(on, &[]), Err(BadRates::Empty(_))));
        assert!(matches!(table("1998-12-31", &[("USD", "1.1")]), Err(BadRates::BeforeTheEuro(_))));
        let future = table("2026-11-03", &[("USD", "1.1")]).unwrap().not_after(day("2026-11-02"));
        assert_eq!(future, Err(BadRates::FromTheFuture(day("2026-11-03"))));
        for wrong in ["usd", "US", "USDX", "", "ÜS", "U D"] {
            assert_eq!(wrong.parse::<CurrencyCode>(), Err(BadRates::NotACode), "{wrong}");
        }
    }

    #[test]
    fn a_leap_within_a_month_is_refused_and_not_later() {
        let before = table("2026-10-01", &[("USD", "1.1"), ("ISK", "130")]).unwrap();
        let leap = |date, quotes| table(date, quotes).unwrap().beside(&before);
        assert!(matches!(leap("2026-10-02", &[("USD", "1.7")]), Err(BadRates::Leap { .. })));
        assert!(matches!(leap("2026-10-02", &[("USD", "0.7")]), Err(BadRates::Leap { .. })));
        assert!(leap("2026-10-02", &[("USD", "1.3")]).is_ok());
        assert!(leap("2026-10-02", &[("ISK", "300")]).is_ok(), "others leap further");
        assert!(matches!(leap("2026-10-02", &[("ISK", "600")]), Err(BadRates::Leap { .. })));
        assert!(leap("2026-12-02", &[("USD", "1.7")]).is_ok());
    }

    #[test]
    fn the_rate_of_the_purchase_date_is_frozen() {
        assert_eq!(frozen(Currency::Usd, Some("2026-10-29")).unwrap(), "0.8");
        // Sunday: the Friday before.
        assert_eq!(frozen(Currency::Usd, Some("2026-11-01")).unwrap(), "0.833333333333333");
        assert_eq!(frozen(Currency::Usd, Some("2020-01-05")).unwrap(), "0.909090909090909");
        assert_eq!(frozen(Currency::Jpy, Some("2026-10-29")).unwrap(), "0.00625");
    }

    #[test]
    fn without_a_known_day_the_rate_of_the_moment_is_frozen() {
        let moment = frozen(Currency::Usd, None);
        assert_eq!(moment.as_deref(), Some("0.833333333333333"));
        for other in ["1998-05-01", "1999-01-03", "2020-03-01", "2026-11-03", "2100-01-01"] {
            assert_eq!(frozen(Currency::Usd, Some(other)), moment, "{other}");
        }
    }

    #[test]
    fn a_day_that_does_not_quote_a_currency_leaves_it_to_the_day_before() {
        assert_eq!(frozen(Currency::Chf, Some("2026-10-30")).unwrap(), "1.25");
        assert_eq!(frozen(Currency::Chf, None).unwrap(), "1.25");
        assert_eq!(rates().today().unwrap().per_euro(Currency::Chf), None, "a table stands as it is");
        assert_eq!(frozen(Currency::Cad, Some("2026-10-30")), None);
        assert_eq!(frozen(Currency::Eur, Some("1980-01-01")).unwrap(), "1");
        assert_eq!(
            Rates::default().frozen(Currency::Eur, None, day("2026-11-02")).unwrap().decimal(),
            1.into()
        );
        assert_eq!(Rates::default().frozen(Currency::Usd, None, day("2026-11-02")), None);
    }

    #[test]
    fn what_comes_out_at_half_a_cent_is_rounded_away_from_zero() {
        let table = table("2026-10-30", &[("USD", "1.2"), ("JPY", "120")]).unwrap();
        let usd = Money::new("0.03".parse().unwrap(), Currency::Usd).unwrap();
        assert_eq!(table.converted(usd, Currency::Eur).unwrap().to_string(), "0.03", "0.025 exactly");
        let yen = Money::new("3".parse().unwrap(), Currency::Jpy).unwrap();
        assert_eq!(table.converted(yen, Currency::Eur).unwrap().to_string(), "0.03");
        let minus: Sum = [(Decimal::new(-3, 2), Currency::Usd)].into_iter().collect();
        assert_eq!(minus.total(Some(&table), Currency::Eur).rounded().to_string(), "-0.03");
    }

    #[test]
    fn what_cannot_be_converted_makes_a_total_partial() {
        let table = table("2026-10-30", &[("USD", "1.25")]).unwrap();
        let sum: Sum = [(5, Currency::Usd), (7, Currency::Eur), (900, Currency::Jpy)]
            .map(|(amount, currency)| (Decimal::from(amount), currency))
            .into_iter()
            .collect();
        let total = sum.total(Some(&table), Currency::Eur);
        assert_eq!((total.rounded(), total.partial), (Decimal::from(11), true));
        let none = sum.total(None, Currency::Usd);
        assert_eq!(
            (none.rounded(), none.partial),
            (Decimal::from(5), true),
            "its own currency needs no rate"
        );
        assert_eq!((total.rates_of, none.rates_of), (Some(day("2026-10-30")), None));
        let nothing: Sum = [(Decimal::ZERO, Currency::Jpy)].into_iter().collect();
        assert!(!nothing.total(None, Currency::Eur).partial, "nothing is nothing in any currency");
    }
}
