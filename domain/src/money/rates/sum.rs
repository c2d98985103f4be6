//! Sums over currencies, and what they come to in one.

use super::RateTable;
use crate::money::{Currency, rounded};
use chrono::NaiveDate;
use rust_decimal::Decimal;
use std::collections::BTreeMap;

/// A sum of amounts in any currencies. Exact, so that it comes to the same in any order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sum {
    parts: BTreeMap<Currency, Decimal>,
}

impl Sum {
    /// Adds an amount; it may be negative.
    pub fn add(&mut self, amount: Decimal, currency: Currency) {
        let part = self.parts.entry(currency).or_default();
        *part = part.saturating_add(amount);
    }

    /// What came together in each currency.
    pub fn parts(&self) -> impl Iterator<Item = (Currency, Decimal)> + '_ {
        self.parts.iter().map(|(currency, amount)| (*currency, *amount))
    }

    /// The sum in one currency. Without a table, and for currencies that it does not quote, what cannot be
    /// converted is left out, and the total is `partial`.
    pub fn total(&self, table: Option<&RateTable>, to: Currency) -> Total {
        let mut total = Total { exact: Decimal::ZERO, currency: to, partial: false, rates_of: None };
        for (currency, amount) in self.parts() {
            if currency == to {
                total.exact = total.exact.saturating_add(amount);
            } else if let Some((table, amount)) =
                table.and_then(|table| Some((table, table.convert(amount, currency, to)?)))
            {
                total.exact = total.exact.saturating_add(amount);
                total.rates_of = Some(table.date());
            } else {
                total.partial |= !amount.is_zero();
            }
        }
        total
    }
}

impl FromIterator<(Decimal, Currency)> for Sum {
    fn from_iter<T: IntoIterator<Item = (Decimal, Currency)>>(amounts: T) -> Self {
        let mut sum = Self::default();
        for (amount, currency) in amounts {
            sum.add(amount, currency);
        }
        sum
    }
}

/// A sum brought to one currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Total {
    /// The amount, not rounded.
    pub exact: Decimal,
    /// Its currency.
    pub currency: Currency,
    /// Whether something could not be converted and is missing from it.
    pub partial: bool,
    /// The day of the rates, when something was converted.
    pub rates_of: Option<NaiveDate>,
}

impl Total {
    /// The amount as it is shown: rounded once, to what the currency can express.
    pub fn rounded(&self) -> Decimal {
        rounded(self.exact, self.currency)
    }
}
