//! Amounts and currencies. Decimal all the way: no float ever stands for money.

pub mod rates;

use rust_decimal::{Decimal, RoundingStrategy};
use serde::{Deserialize, Serialize};
use std::str::FromStr;
use thiserror::Error;

/// The currencies an amount may be recorded in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Currency {
    /// Euro
    Eur,
    /// US dollar
    Usd,
    /// Japanese yen: has no minor unit
    Jpy,
    /// Pound sterling
    Gbp,
    /// Swiss franc
    Chf,
    /// Canadian dollar
    Cad,
}

impl Currency {
    /// Every supported currency, in the order in which they are listed.
    pub const ALL: [Self; 6] = [Self::Eur, Self::Usd, Self::Jpy, Self::Gbp, Self::Chf, Self::Cad];

    /// The ISO 4217 code.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Eur => "EUR",
            Self::Usd => "USD",
            Self::Jpy => "JPY",
            Self::Gbp => "GBP",
            Self::Chf => "CHF",
            Self::Cad => "CAD",
        }
    }

    /// Digits after the decimal point.
    pub const fn minor_units(self) -> u32 {
        match self {
            Self::Jpy => 0,
            _ => 2,
        }
    }

    /// The English name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Eur => "Euro",
            Self::Usd => "US dollar",
            Self::Jpy => "Japanese yen",
            Self::Gbp => "Pound sterling",
            Self::Chf => "Swiss franc",
            Self::Cad => "Canadian dollar",
        }
    }
}

impl std::fmt::Display for Currency {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.code())
    }
}

impl FromStr for Currency {
    type Err = MoneyError;

    /// Takes exactly an upper-case ISO code of a supported currency; anything else is `UnknownCurrency`.
    fn from_str(s: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|c| c.code() == s).ok_or(MoneyError::UnknownCurrency)
    }
}

/// Why an amount or currency was not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum MoneyError {
    /// Not a plain decimal number.
    #[error("an amount is a plain decimal number such as 129.90")]
    NotANumber,
    /// Below zero.
    #[error("an amount cannot be negative")]
    Negative,
    /// 10^10 or more.
    #[error("an amount must be below 10,000,000,000")]
    TooLarge,
    /// More decimal places than the currency has.
    #[error("an amount has at most two decimal places, and none in yen")]
    TooPrecise,
    /// Not one of the supported currencies.
    #[error("the currency must be one of EUR, USD, JPY, GBP, CHF, CAD")]
    UnknownCurrency,
    /// Amounts of different currencies were combined.
    #[error("amounts of different currencies cannot be combined")]
    CurrencyMismatch,
}

/// An amount without its currency: `0 ≤ amount < 10^10`, at most two decimal places, trailing zeros dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "Decimal", into = "Decimal")]
pub struct Amount(Decimal);

impl Amount {
    /// Nothing.
    pub const ZERO: Self = Self(Decimal::ZERO);

    /// Checks a decimal.
    ///
    /// # Errors
    /// `Negative`, `TooLarge` or `TooPrecise`.
    pub fn new(value: Decimal) -> Result<Self, MoneyError> {
        let value = value.normalize();
        if value.is_sign_negative() && !value.is_zero() {
            return Err(MoneyError::Negative);
        }
        if value >= Decimal::from(10_000_000_000_i64) {
            return Err(MoneyError::TooLarge);
        }
        if value.scale() > 2 {
            return Err(MoneyError::TooPrecise);
        }
        Ok(Self(if value.is_zero() { Decimal::ZERO } else { value }))
    }

    /// The value.
    pub const fn decimal(self) -> Decimal {
        self.0
    }

    /// Whether the currency can express this amount (whole yen).
    pub fn fits(self, currency: Currency) -> bool {
        self.0.scale() <= currency.minor_units()
    }

    /// `self + other`.
    ///
    /// # Errors
    /// `TooLarge` when the sum is.
    pub fn plus(self, other: Self) -> Result<Self, MoneyError> {
        Self::new(self.0.saturating_add(other.0))
    }

    /// `self − other`, or `None` when that would be negative.
    pub fn minus(self, other: Self) -> Option<Self> {
        (self.0 >= other.0).then(|| Self((self.0.saturating_sub(other.0)).normalize()))
    }
}

impl TryFrom<Decimal> for Amount {
    type Error = MoneyError;
    fn try_from(value: Decimal) -> Result<Self, Self::Error> {
        Self::new(value)
    }
}

impl From<Amount> for Decimal {
    fn from(amount: Amount) -> Self {
        amount.0
    }
}

impl FromStr for Amount {
    type Err = MoneyError;

    /// Plain decimal notation only: no exponent, sign, separators or surrounding space.
    fn from_str(s: &str) -> Result<Self, Self::Err> {
        let unsigned = s.strip_prefix('-').unwrap_or(s);
        let plain = !unsigned.is_empty()
            && unsigned.starts_with(|c: char| c.is_ascii_digit())
            && unsigned.ends_with(|c: char| c.is_ascii_digit())
            && unsigned.bytes().all(|b| b.is_ascii_digit() || b == b'.')
            && unsigned.bytes().filter(|b| *b == b'.').count() <= 1;
        if !plain {
            return Err(MoneyError::NotANumber);
        }
        if unsigned.len() > 28 {
            return Err(MoneyError::TooLarge);
        }
        Self::new(Decimal::from_str_exact(s).map_err(|_| MoneyError::NotANumber)?)
    }
}

impl std::fmt::Display for Amount {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// An amount in a currency that can express it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "RawMoney", into = "RawMoney")]
pub struct Money {
    amount: Amount,
    currency: Currency,
}

#[derive(Serialize, Deserialize)]
struct RawMoney {
    amount: Amount,
    currency: Currency,
}

impl TryFrom<RawMoney> for Money {
    type Error = MoneyError;
    fn try_from(raw: RawMoney) -> Result<Self, Self::Error> {
        Self::new(raw.amount, raw.currency)
    }
}

impl From<Money> for RawMoney {
    fn from(m: Money) -> Self {
        Self { amount: m.amount, currency: m.currency }
    }
}

impl Money {
    /// Puts the two together.
    ///
    /// # Errors
    /// `TooPrecise` when the amount has more places than the currency.
    pub fn new(amount: Amount, currency: Currency) -> Result<Self, MoneyError> {
        if amount.fits(currency) { Ok(Self { amount, currency }) } else { Err(MoneyError::TooPrecise) }
    }

    /// The amount.
    pub const fn amount(self) -> Amount {
        self.amount
    }

    /// The currency.
    pub const fn currency(self) -> Currency {
        self.currency
    }
}

impl std::fmt::Display for Money {
    /// The amount with the currency's own number of places, then the code: `129.90 EUR`, `14800 JPY`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", display_amount(self.amount.0, self.currency), self.currency)
    }
}

/// Writes a stored amount as it is shown: with exactly the currency's number of decimal places.
pub fn display_amount(amount: Decimal, currency: Currency) -> String {
    let mut shown = amount;
    shown.rescale(currency.minor_units());
    shown.to_string()
}

/// Rounds to what the currency can express, half away from zero. Amounts are rounded when they are shown, once,
/// and never on the way there.
pub fn rounded(amount: Decimal, currency: Currency) -> Decimal {
    amount.round_dp_with_strategy(currency.minor_units(), RoundingStrategy::MidpointAwayFromZero)
}

/// How much one unit of a currency was worth in euro on a day, frozen when a cost was recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "Decimal", into = "Decimal")]
pub struct FxRate(Decimal);

impl FxRate {
    /// Checks a rate: above zero and below a million.
    ///
    /// # Errors
    /// `NotANumber` outside that range.
    pub fn new(rate: Decimal) -> Result<Self, MoneyError> {
        if rate <= Decimal::ZERO || rate >= Decimal::from(1_000_000) {
            return Err(MoneyError::NotANumber);
        }
        Ok(Self(rate.normalize()))
    }

    /// The value: EUR for one unit.
    pub const fn decimal(self) -> Decimal {
        self.0
    }
}

impl TryFrom<Decimal> for FxRate {
    type Error = MoneyError;
    fn try_from(value: Decimal) -> Result<Self, Self::Error> {
        Self::new(value)
    }
}

impl From<FxRate> for Decimal {
    fn from(rate: FxRate) -> Self {
        rate.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_outside_the_rules_are_refused() {
        for (text, error) in [
            ("1.234", MoneyError::TooPrecise),
            ("-1", MoneyError::Negative),
            ("10000000000", MoneyError::TooLarge),
            ("1e3", MoneyError::NotANumber),
            ("NaN", MoneyError::NotANumber),
            ("", MoneyError::NotANumber),
            (".5", MoneyError::NotANumber),
            (" 5", MoneyError::NotANumber),
            ("99999999999999999999999999999999", MoneyError::TooLarge),
        ] {
            assert_eq!(text.parse::<Amount>(), Err(error), "{text}");
        }
    }

    #[test]
    fn trailing_zeros_do_not_count_as_precision() {
        let ten = "10.00".parse::<Amount>().unwrap();
        assert!(Money::new(ten, Currency::Jpy).is_ok());
        assert_eq!(Money::new(ten, Currency::Jpy).unwrap().to_string(), "10 JPY");
        assert_eq!(Money::new(ten, Currency::Eur).unwrap().to_string(), "10.00 EUR");
        assert_eq!(
            Money::new("10.5".parse().unwrap(), Currency::Jpy),
            Err(MoneyError::TooPrecise),
            "yen have no minor unit"
        );
    }

    #[test]
    fn currencies_are_exact_codes() {
        for bad in ["BTC", "XXX", "eur", "", "EURO"] {
            assert_eq!(bad.parse::<Currency>(), Err(MoneyError::UnknownCurrency));
        }
        for c in Currency::ALL {
            assert_eq!(c.code().parse(), Ok(c));
        }
    }
}
