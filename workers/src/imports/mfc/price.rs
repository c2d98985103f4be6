//! Prices as people and sites write them: `¥12,800`, `12.800,00 €`, `CA$ 129.99`, `JPY 12800`.

use domain::money::{Amount, Currency, Money};
use rust_decimal::Decimal;
use thiserror::Error;
use unicode_normalization::UnicodeNormalization;

/// Why a price was not taken. A wrong amount is worse than none.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PriceError {
    /// No sign or code says which currency it is.
    #[error("no currency stands beside it")]
    Unmarked,
    /// The sign or code is of none of the supported currencies.
    #[error("the currency {0:?} is not one of EUR, USD, JPY, GBP, CHF, CAD")]
    Currency(String),
    /// The digits and separators make no number that could be meant.
    #[error("it is no amount that could be meant")]
    Number,
    /// The currency has no such amounts.
    #[error("{0}")]
    Amount(domain::money::MoneyError),
}

/// Reads a price. `None` for an empty field. `unmarked` is the currency of a price without sign or code.
///
/// A `$` alone is the US dollar and a `¥` alone the yen. A single separator with three digits behind it
/// groups thousands, as no supported currency has three decimals.
///
/// # Errors
/// [`PriceError`].
pub fn read(text: &str, unmarked: Option<Currency>) -> Result<Option<Money>, PriceError> {
    let text: String = text.nfkc().collect();
    let text = text.trim();
    if text.is_empty() || matches!(text.to_ascii_lowercase().as_str(), "-" | "--" | "n/a" | "na" | "?") {
        return Ok(None);
    }
    let is_digit = |c: char| c.is_ascii_digit();
    let (Some(first), Some(last)) = (text.find(is_digit), text.rfind(is_digit)) else {
        return Err(PriceError::Number);
    };
    let (before, rest) = text.split_at_checked(first).ok_or(PriceError::Number)?;
    let (number, after) = rest.split_at_checked(last - first + 1).ok_or(PriceError::Number)?;
    // `1290,-` is how some write whole amounts.
    let after = after.trim();
    let after = after.strip_prefix(",-").or_else(|| after.strip_prefix(".-")).unwrap_or(after);
    let currency = match (mark(before)?, mark(after)?) {
        (Some(a), Some(b)) if a != b => return Err(PriceError::Currency(format!("{before}…{after}"))),
        (Some(currency), _) | (None, Some(currency)) => currency,
        (None, None) => unmarked.ok_or(PriceError::Unmarked)?,
    };
    let amount = Amount::new(number_of(number).ok_or(PriceError::Number)?).map_err(PriceError::Amount)?;
    Money::new(amount, currency).map(Some).map_err(PriceError::Amount)
}

/// The currency that a sign or code stands for; `None` for nothing.
fn mark(text: &str) -> Result<Option<Currency>, PriceError> {
    let mark: String = text.chars().filter(|c| !c.is_whitespace()).flat_map(char::to_lowercase).collect();
    let currency = match mark.trim_end_matches('.') {
        "" => return Ok(None),
        "¥" | "jpy" | "jpy¥" | "jp¥" | "yen" | "円" => Currency::Jpy,
        "€" | "eur" | "eur€" | "euro" | "euros" => Currency::Eur,
        "$" | "usd" | "us$" | "usd$" | "u.s.$" => Currency::Usd,
        "£" | "gbp" | "gbp£" | "gb£" => Currency::Gbp,
        "chf" | "sfr" => Currency::Chf,
        "ca$" | "c$" | "cad" | "cad$" | "can$" | "cdn$" => Currency::Cad,
        _ => return Err(PriceError::Currency(text.trim().chars().take(20).collect())),
    };
    Ok(Some(currency))
}

/// The number that digits and separators stand for, whichever way round they are used.
fn number_of(text: &str) -> Option<Decimal> {
    // Blanks and apostrophes only ever group thousands.
    let text: String = text.chars().map(|c| if matches!(c, ' ' | '’') { '\'' } else { c }).collect();
    let last = text.rfind([',', '.', '\'']);
    let (whole, cents) =
        match last.and_then(|at| Some((text.get(..at)?, text.get(at + 1..)?, text.get(at..=at)?))) {
            None => (text.as_str(), ""),
            Some((whole, tail, separator)) => {
                let repeated = whole.contains(separator);
                match (tail.len(), separator) {
                    (1 | 2, "," | ".") if !repeated => (whole, tail),
                    (3, _) => (text.as_str(), ""),
                    _ => return None,
                }
            }
        };
    let mut groups = whole.split([',', '.', '\'']);
    let mut used = whole.chars().filter(|c| !c.is_ascii_digit());
    let separator = used.next();
    if used.any(|c| Some(c) != separator) {
        return None;
    }
    let first = groups.next()?;
    let mut digits = first.to_owned();
    for group in groups {
        if group.len() != 3 || first.is_empty() || first.len() > 3 {
            return None;
        }
        digits.push_str(group);
    }
    if digits.is_empty()
        || digits.len() > 20
        || !digits.bytes().chain(cents.bytes()).all(|b| b.is_ascii_digit())
    {
        return None;
    }
    if cents.is_empty() { digits.parse().ok() } else { format!("{digits}.{cents}").parse().ok() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn shown(text: &str) -> String {
        match read(text, None) {
            Ok(Some(money)) => money.to_string(),
            Ok(None) => String::new(),
            Err(error) => format!("{error:?}"),
        }
    }

    #[test]
    fn signs_and_codes_on_either_side_are_read() {
        for (text, money) in [
            ("¥12,800", "12800 JPY"),
            ("￥12,800", "12800 JPY"),
            ("JPY 12800", "12800 JPY"),
            ("12800円", "12800 JPY"),
            ("¥ 12.800", "12800 JPY"),
            ("12800.00 JPY", "12800 JPY"),
            ("12.800,00 €", "12800.00 EUR"),
            ("12,800.00 EUR", "12800.00 EUR"),
            ("€12,5", "12.50 EUR"),
            ("1 299,95 €", "1299.95 EUR"),
            ("1\u{a0}299,95\u{a0}€", "1299.95 EUR"),
            ("$129.99", "129.99 USD"),
            ("US$ 1,299.99", "1299.99 USD"),
            ("CA$129.99", "129.99 CAD"),
            ("C$ 129.99", "129.99 CAD"),
            ("£89", "89.00 GBP"),
            ("CHF 1'299.50", "1299.50 CHF"),
            ("129,- €", "129.00 EUR"),
            ("1,299 €", "1299.00 EUR"),
            ("1.234.567 ¥", "1234567 JPY"),
            ("€129.90 EUR", "129.90 EUR"),
            ("0 €", "0.00 EUR"),
            ("", ""),
            ("n/a", ""),
        ] {
            assert_eq!(shown(text), money, "{text}");
        }
    }

    #[test]
    fn what_could_be_meant_otherwise_is_not_guessed() {
        for text in ["12800", "129.99"] {
            assert_eq!(read(text, None), Err(PriceError::Unmarked), "{text}");
        }
        for text in ["A$ 99", "HK$ 99", "99 zł", "CN¥ 99", "kr 99", "-€5", "EUR 5 USD", "(5 €)", "BTC 1"]
        {
            assert!(matches!(read(text, None), Err(PriceError::Currency(_))), "{text}");
        }
        for text in ["€", "€ free", "1,2,3 €", "12,34,567 €", "1.2345 €", "1,234.567,89 €", "5 or 6 €", "٣ €"]
        {
            assert_eq!(read(text, None), Err(PriceError::Number), "{text}");
        }
        assert!(matches!(read("12800.50 JPY", None), Err(PriceError::Amount(_))), "yen have no cents");
        assert!(matches!(read("99999999999 €", None), Err(PriceError::Amount(_))));
    }

    #[test]
    fn a_price_without_a_mark_takes_the_currency_it_is_given() {
        assert_eq!(read("129.90", Some(Currency::Eur)).unwrap().unwrap().to_string(), "129.90 EUR");
        assert_eq!(read("$5", Some(Currency::Eur)).unwrap().unwrap().to_string(), "5.00 USD");
    }

    proptest! {
        #[test]
        fn no_text_makes_it_stumble(text in "\\PC{0,30}") {
            let _ = read(&text, Some(Currency::Jpy));
        }

        #[test]
        fn separators_never_change_an_amount_beyond_a_factor_of_a_thousand_groups(
            whole in 0_u32..100_000_000, cents in 0_u32..100
        ) {
            let grouped = |by: &str| {
                let digits = whole.to_string();
                let mut out = String::new();
                for (i, c) in digits.chars().enumerate() {
                    if i > 0 && (digits.len() - i).is_multiple_of(3) { out.push_str(by); }
                    out.push(c);
                }
                out
            };
            let expected = format!("{whole}.{cents:02} EUR");
            for text in [
                format!("{}.{cents:02} €", grouped(",")),
                format!("{},{cents:02} €", grouped(".")),
                format!("€{},{cents:02}", grouped(" ")),
                format!("EUR {}.{cents:02}", grouped("'")),
                format!("{whole}.{cents:02}€"),
            ] {
                prop_assert_eq!(shown(&text), expected.clone(), "{}", text);
            }
        }
    }
}
