//! What was paid, in the currencies it was paid in and at the rates that were frozen then.

use domain::money::Currency;
use domain::money::rates::{RateTable, Sum, Total};
use rust_decimal::Decimal;

/// Amounts that were paid. Those with a frozen rate are known in euro for good; the others are worth what
/// they are worth today.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Costs {
    /// Euro, at the frozen rates; exact.
    pub frozen: Decimal,
    /// What has no frozen rate, per currency.
    pub open: Sum,
    /// All of it as it was paid, per currency.
    pub paid: Sum,
}

impl Costs {
    /// Adds what was paid in one currency: all of it, the euro of what has a frozen rate, and the rest.
    pub fn add(&mut self, currency: Currency, paid: Decimal, frozen: Decimal, open: Decimal) {
        self.paid.add(paid, currency);
        self.frozen = self.frozen.saturating_add(frozen);
        if !open.is_zero() {
            self.open.add(open, currency);
        }
    }

    /// Adds other amounts.
    pub fn add_all(&mut self, other: &Self) {
        self.frozen = self.frozen.saturating_add(other.frozen);
        for (currency, amount) in other.open.parts() {
            self.open.add(amount, currency);
        }
        for (currency, amount) in other.paid.parts() {
            self.paid.add(amount, currency);
        }
    }

    /// All of it in euro, not rounded.
    #[must_use]
    pub fn eur(&self, today: Option<&RateTable>) -> Total {
        let open = self.open.total(today, Currency::Eur);
        Total { exact: self.frozen.saturating_add(open.exact), ..open }
    }
}

/// SQL: a sum with as many decimal places as fit into 28 digits, so that it can always be read.
#[must_use]
pub fn fitting(sum: &str) -> String {
    format!("round({sum}, least(18, 28 - length(trunc(abs({sum}))::text)))")
}
