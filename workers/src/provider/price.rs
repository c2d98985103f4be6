//! Reading a price. Never through a float, and rather not at all than wrong.

use domain::figure::Original;
use domain::money::rates::{CurrencyCode, RateTable};
use domain::money::{Amount, Currency, Money, MoneyError, rounded};
use rust_decimal::{Decimal, RoundingStrategy};
use serde::Deserialize;
use serde_json::value::RawValue;

/// Decimal places of a rate that is kept as provenance.
const RATE_PLACES: u32 = 15;

/// What a store asks, in its own currency.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// Above zero.
    pub amount: Amount,
    /// An ISO 4217 code, of any currency.
    pub currency: CurrencyCode,
}

/// Why a price was dropped.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Dropped {
    /// No decimal number.
    #[error("the price {0} is no plain number")]
    NotANumber(String),
    /// Below zero.
    #[error("the price is below zero")]
    Negative,
    /// Nothing: no store gives figures away.
    #[error("the price is zero")]
    Zero,
    /// Beyond what can be kept.
    #[error("the price is too large")]
    TooLarge,
    /// More decimal places than money has.
    #[error("the price has more decimal places than its currency")]
    TooPrecise,
    /// Neither the price nor the store says in which currency.
    #[error("neither the price nor its store names a currency")]
    NoCurrency,
    /// No currency code.
    #[error("{0:?} is no currency")]
    NotACurrency(String),
    /// A currency that nobody quotes.
    #[error("the European Central Bank quotes no {0}, so the price cannot be converted")]
    NotQuoted(String),
    /// No rates at all.
    #[error("there are no exchange rates yet, so {0} cannot be converted")]
    NoRates(String),
}

impl Dropped {
    /// A word for it, for counting.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NotANumber(_) => "price_not_a_number",
            Self::Negative => "price_negative",
            Self::Zero => "price_zero",
            Self::TooLarge => "price_too_large",
            Self::TooPrecise => "price_too_precise",
            Self::NoCurrency => "currency_missing",
            Self::NotACurrency(_) => "currency_unknown",
            Self::NotQuoted(_) => "currency_not_quoted",
            Self::NoRates(_) => "no_rates",
        }
    }
}

#[derive(Deserialize)]
struct Whole {
    #[serde(default)]
    amount: Option<Box<RawValue>>,
    #[serde(default)]
    currency: Option<String>,
}

impl Asked {
    /// Reads `{"amount": …, "currency": …}` or a bare amount; an amount is a number or a text that holds one. Without a
    /// currency it is in the store's.
    ///
    /// # Errors
    /// [`Dropped`].
    pub fn read(price: &RawValue, of_the_store: Option<&str>) -> Result<Self, Dropped> {
        let text = price.get();
        let not_a_number = || Dropped::NotANumber(shortened(text));
        let (amount, currency) = if text.starts_with('{') {
            let whole: Whole = serde_json::from_str(text).map_err(|_other| not_a_number())?;
            let amount = whole.amount.as_ref().map(|amount| amount.get().to_owned());
            (amount.ok_or_else(not_a_number)?, whole.currency)
        } else {
            (text.to_owned(), None)
        };
        let amount = number(&amount)?;
        let named = currency.as_deref().map(str::trim).filter(|code| !code.is_empty());
        let code = named.or(of_the_store).ok_or(Dropped::NoCurrency)?;
        let currency = code.parse().map_err(|_none| Dropped::NotACurrency(shortened(code)))?;
        Ok(Self { amount, currency })
    }

    /// In a currency that amounts are recorded in: a supported one is kept; another one is converted into US dollars,
    /// rounded once, with the original beside it.
    ///
    /// # Errors
    /// [`Dropped`] where it cannot be converted, or comes to nothing.
    pub fn in_money(self, rates: Option<&RateTable>) -> Result<(Money, Option<Original>), Dropped> {
        if let Some(currency) = self.currency.supported() {
            let money = Money::new(self.amount, currency).map_err(|_error| Dropped::TooPrecise)?;
            return Ok((money, None));
        }
        let code = self.currency;
        let rates = rates.ok_or_else(|| Dropped::NoRates(code.to_string()))?;
        let not_quoted = || Dropped::NotQuoted(code.to_string());
        let exact = rates.convert(self.amount.decimal(), code, Currency::Usd).ok_or_else(not_quoted)?;
        let rate = rates.convert(Decimal::ONE, code, Currency::Usd).ok_or_else(not_quoted)?;
        let amount = Amount::new(rounded(exact, Currency::Usd)).map_err(|_error| Dropped::TooLarge)?;
        if amount == Amount::ZERO {
            return Err(Dropped::Zero);
        }
        let money = Money::new(amount, Currency::Usd).map_err(|_error| Dropped::TooPrecise)?;
        let original = Original {
            amount: self.amount,
            currency: code,
            rate: rate
                .round_dp_with_strategy(RATE_PLACES, RoundingStrategy::MidpointAwayFromZero)
                .normalize(),
            rate_date: rates.date(),
        };
        Ok((money, Some(original)))
    }
}

fn number(json: &str) -> Result<Amount, Dropped> {
    let not_a_number = || Dropped::NotANumber(shortened(json));
    let text: String = if json.starts_with('"') {
        serde_json::from_str(json).map_err(|_other| not_a_number())?
    } else {
        json.to_owned()
    };
    let amount = match text.trim().parse::<Amount>() {
        // JSON writes numbers with an exponent, too.
        Err(MoneyError::NotANumber) if text.contains(['e', 'E']) => {
            Decimal::from_scientific(text.trim()).map_err(|_none| not_a_number()).map(Amount::new)?
        }
        other => other,
    };
    match amount {
        Ok(amount) if amount == Amount::ZERO => Err(Dropped::Zero),
        Ok(amount) => Ok(amount),
        Err(MoneyError::Negative) => Err(Dropped::Negative),
        Err(MoneyError::TooLarge) => Err(Dropped::TooLarge),
        Err(MoneyError::TooPrecise) => Err(Dropped::TooPrecise),
        Err(_) => Err(not_a_number()),
    }
}

fn shortened(text: &str) -> String {
    const LONGEST: usize = 40;
    text.chars().filter(|letter| !letter.is_control()).take(LONGEST).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(price: &str, of_the_store: Option<&str>) -> Result<(String, String), &'static str> {
        let raw = RawValue::from_string(price.to_owned()).unwrap();
        let asked = Asked::read(&raw, of_the_store).map_err(|dropped| dropped.code())?;
        Ok((asked.amount.to_string(), asked.currency.as_str().to_owned()))
    }

    #[test]
    fn amounts_are_numbers_or_texts_that_hold_one() {
        for (price, amount) in [
            (r#"{"amount": 129.90, "currency": "EUR"}"#, "129.9"),
            (r#"{"amount": "129.90", "currency": "EUR"}"#, "129.9"),
            (r#"{"amount": 1.2990e2, "currency": "EUR"}"#, "129.9"),
            (r#"{"amount": 0.1, "currency": "EUR", "was": 12}"#, "0.1"),
            (r#"{"amount": 9999999999.99, "currency": "EUR"}"#, "9999999999.99"),
        ] {
            assert_eq!(read(price, None), Ok((amount.to_owned(), "EUR".to_owned())), "{price}");
        }
        assert_eq!(read("12800", Some("JPY")), Ok(("12800".to_owned(), "JPY".to_owned())));
    }

    #[test]
    fn a_price_without_a_currency_is_in_the_stores() {
        assert_eq!(read(r#"{"amount": 5}"#, Some("JPY")), Ok(("5".to_owned(), "JPY".to_owned())));
        let own = r#"{"amount": 5, "currency": "HKD"}"#;
        assert_eq!(read(own, Some("JPY")), Ok(("5".to_owned(), "HKD".to_owned())));
        assert_eq!(read(r#"{"amount": 5, "currency": " "}"#, None), Err("currency_missing"));
    }

    #[test]
    fn what_is_no_price_is_dropped_with_the_reason() {
        for (price, reason) in [
            (r#"{"amount": "NaN", "currency": "EUR"}"#, "price_not_a_number"),
            (r#"{"amount": "¥12,800", "currency": "JPY"}"#, "price_not_a_number"),
            (r#"{"amount": "1,299.00", "currency": "EUR"}"#, "price_not_a_number"),
            (r#"{"amount": "", "currency": "EUR"}"#, "price_not_a_number"),
            (r#"{"amount": true, "currency": "EUR"}"#, "price_not_a_number"),
            (r#"{"amount": null, "currency": "EUR"}"#, "price_not_a_number"),
            (r#"{"amount": [5], "currency": "EUR"}"#, "price_not_a_number"),
            (r#"{"currency": "EUR"}"#, "price_not_a_number"),
            (r#"{"amount": 5, "currency": 978}"#, "price_not_a_number"),
            (r#""call us""#, "price_not_a_number"),
            (r#"{"amount": -1, "currency": "EUR"}"#, "price_negative"),
            (r#"{"amount": 0, "currency": "EUR"}"#, "price_zero"),
            (r#"{"amount": 0.00, "currency": "EUR"}"#, "price_zero"),
            (r#"{"amount": -0, "currency": "EUR"}"#, "price_zero"),
            (r#"{"amount": 10000000000, "currency": "EUR"}"#, "price_too_large"),
            (r#"{"amount": 1e300, "currency": "EUR"}"#, "price_not_a_number"),
            (r#"{"amount": 1.299, "currency": "EUR"}"#, "price_too_precise"),
            (r#"{"amount": 5}"#, "currency_missing"),
            (r#"{"amount": 5, "currency": "eur"}"#, "currency_unknown"),
            (r#"{"amount": 5, "currency": "€"}"#, "currency_unknown"),
        ] {
            assert_eq!(read(price, None), Err(reason), "{price}");
        }
    }

    fn table() -> RateTable {
        let quotes = [("USD", "1.1172"), ("HKD", "8.7063"), ("IDR", "18544.2")];
        let quotes = quotes.map(|(code, rate)| (code.parse().unwrap(), rate.parse().unwrap()));
        RateTable::new("2026-10-30".parse().unwrap(), quotes).unwrap()
    }
    fn converted(amount: &str, currency: &str) -> Result<(String, Option<Original>), &'static str> {
        let asked = Asked { amount: amount.parse().unwrap(), currency: currency.parse().unwrap() };
        let table = table();
        let (money, original) = asked.in_money(Some(&table)).map_err(|dropped| dropped.code())?;
        Ok((money.to_string(), original))
    }

    #[test]
    fn a_supported_currency_is_kept_and_a_quoted_one_becomes_dollars_with_its_provenance() {
        assert_eq!(converted("12800", "JPY"), Ok(("12800 JPY".to_owned(), None)));
        let (money, original) = converted("1280", "HKD").unwrap();
        let original = original.unwrap();
        // 1280 × 1.1172 ÷ 8.7063 = 164.2495…
        assert_eq!(money, "164.25 USD");
        assert_eq!((original.amount.to_string(), original.currency.as_str()), ("1280".to_owned(), "HKD"));
        assert_eq!(original.rate.to_string(), "0.128320871093346");
        assert_eq!(original.rate_date.to_string(), "2026-10-30");
    }

    #[test]
    fn what_cannot_be_converted_is_dropped() {
        assert_eq!(converted("1280", "TWD"), Err("currency_not_quoted"));
        assert_eq!(converted("1280", "XXX"), Err("currency_not_quoted"));
        assert_eq!(converted("12.5", "JPY"), Err("price_too_precise"));
        assert_eq!(converted("1", "IDR"), Err("price_zero"));
        let asked = Asked { amount: "5".parse().unwrap(), currency: "HKD".parse().unwrap() };
        assert_eq!(asked.in_money(None).map_err(|dropped| dropped.code()), Err("no_rates"));
    }
}
