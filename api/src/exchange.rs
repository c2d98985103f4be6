//! Money as one person is shown it: in euro, and in the currency they prefer.

use chrono::NaiveDate;
use domain::money::{
    Currency, display_amount,
    rates::{RateTable, Rates, Sum},
    rounded,
};
use operational::users::User;
use projections::statistics::{Costs, Part};
use rust_decimal::Decimal;
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{http::locations::Sum as SumView, state::AppState};

/// The rates of this moment, and the currency somebody prefers.
pub struct Exchange {
    rates: Rates,
    display: Option<Currency>,
}

impl Exchange {
    /// For one person, now.
    #[must_use]
    pub fn of(state: &AppState, viewer: &User) -> Self {
        Self { rates: state.fx.rates(), display: viewer.preferred_currency }
    }

    /// Every table that is known.
    #[must_use]
    pub const fn rates(&self) -> &Rates {
        &self.rates
    }

    /// The newest one.
    #[must_use]
    pub fn today(&self) -> Option<&RateTable> {
        self.rates.today()
    }

    /// The day of the newest rates.
    #[must_use]
    pub fn fx_date(&self) -> Option<NaiveDate> {
        self.today().map(RateTable::date)
    }

    /// The currency this person prefers; none means euro, without conversion.
    #[must_use]
    pub const fn display(&self) -> Option<Currency> {
        self.display
    }

    /// The currency that charts and comparisons are in: the preferred one where it can be had, else the euro.
    #[must_use]
    pub fn chart_currency(&self) -> Currency {
        let preferred = self.display.filter(|currency| self.convert(Decimal::ONE, *currency).is_some());
        preferred.unwrap_or(Currency::Eur)
    }

    /// Exact euro in another currency, exact.
    #[must_use]
    pub fn convert(&self, eur: Decimal, to: Currency) -> Option<Decimal> {
        if to == Currency::Eur {
            return Some(eur);
        }
        self.today()?.convert(eur, Currency::Eur, to)
    }

    /// An amount in euro, exact.
    #[must_use]
    pub fn eur(&self, amount: Decimal, from: Currency) -> Option<Decimal> {
        if from == Currency::Eur {
            return Some(amount);
        }
        self.today()?.convert(amount, from, Currency::Eur)
    }

    /// Exact euro as shown in the preferred currency: rounded once.
    #[must_use]
    pub fn shown(&self, eur: Decimal) -> Option<SumView> {
        let currency = self.display?;
        Some(sum(currency, rounded(self.convert(eur, currency)?, currency)))
    }

    /// A total of what was paid.
    #[must_use]
    pub fn total(&self, costs: &Costs) -> TotalView {
        let eur = costs.eur(self.today());
        TotalView {
            eur: money(eur.exact),
            partial: eur.partial,
            display: self.shown(eur.exact),
            by_currency: sums(&costs.paid),
            explanation: None,
        }
    }

    /// A total of amounts at today's rates.
    #[must_use]
    pub fn total_of(&self, amounts: impl IntoIterator<Item = (Currency, Decimal)>) -> TotalView {
        let mut costs = Costs::default();
        for (currency, amount) in amounts {
            costs.add(currency, amount, Decimal::ZERO, amount);
        }
        self.total(&costs)
    }

    /// The day of the table that a rate was frozen from, where that is still known.
    #[must_use]
    pub fn frozen_on(&self, rate: Decimal, currency: Currency, near: &[NaiveDate]) -> Option<NaiveDate> {
        let is_it = |table: &&RateTable| table.eur_for_one(currency).is_some_and(|one| one.decimal() == rate);
        near.iter().filter_map(|day| self.rates.on(*day)).find(is_it).map(RateTable::date)
    }

    /// One part of a total, with the rate that it was brought to euro by.
    #[must_use]
    pub fn part(&self, part: Part) -> PartView {
        let Part { id, figure_name, is_nsfw, on, amount, currency, rate } = part;
        let (eur, rate) = match rate {
            Some(rate) => (
                amount.checked_mul(rate),
                Some(RateView::frozen(rate, self.frozen_on(rate, currency, &[on]))),
            ),
            None => (self.eur(amount, currency), RateView::quoted(self.today(), currency)),
        };
        PartView {
            id,
            figure_name,
            is_nsfw,
            on,
            amount: display_amount(amount, currency),
            currency: currency.to_string(),
            rate,
            eur: eur.map(exact),
        }
    }

    /// What a total is made of.
    #[must_use]
    pub fn explanation(&self, parts: Vec<Part>) -> Explanation {
        let mut eur = Decimal::ZERO;
        let mut left_out = 0;
        let items: Vec<PartView> = parts
            .into_iter()
            .map(|part| {
                let exact = match part.rate {
                    Some(rate) => part.amount.checked_mul(rate),
                    None => self.eur(part.amount, part.currency),
                };
                match exact {
                    Some(exact) => eur = eur.saturating_add(exact),
                    None => left_out += 1,
                }
                self.part(part)
            })
            .collect();
        Explanation { items, eur: exact(eur), left_out }
    }
}

/// An amount as it is shown, with its currency.
#[must_use]
pub fn sum(currency: Currency, amount: Decimal) -> SumView {
    SumView { currency: currency.to_string(), amount: display_amount(amount, currency) }
}

/// Sums in the order of their currencies.
#[must_use]
pub fn sums(amounts: &Sum) -> Vec<SumView> {
    amounts.parts().map(|(currency, amount)| sum(currency, amount)).collect()
}

/// Exact euro as they are shown: rounded once, half away from zero.
#[must_use]
pub fn money(eur: Decimal) -> String {
    display_amount(rounded(eur, Currency::Eur), Currency::Eur)
}

/// An amount with every place it has.
#[must_use]
pub fn exact(amount: Decimal) -> String {
    amount.normalize().to_string()
}

/// A total, in euro and as it is shown to whoever asks.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Total, example = example_total)]
pub struct TotalView {
    /// All of it in euro: amounts with a frozen rate at that, the others at today's.
    pub eur: String,
    /// Whether something could not be converted, and is missing from it.
    pub partial: bool,
    /// The same in the currency that one prefers; null without a preference or without rates.
    pub display: Option<SumView>,
    /// As it was recorded, per currency.
    pub by_currency: Vec<SumView>,
    /// What it is made of; only with `explain=1`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub explanation: Option<Explanation>,
}

/// The total in the examples.
#[must_use]
pub fn example_total() -> Value {
    json!({
        "eur": "1834.20",
        "partial": false,
        "display": {"currency": "CHF", "amount": "1707.95"},
        "by_currency": [{"currency": "EUR", "amount": "1290.00"}, {"currency": "JPY", "amount": "98500"}]
    })
}

impl TotalView {
    /// The same with what it is made of.
    #[must_use]
    pub fn explained(self, explanation: Option<Explanation>) -> Self {
        Self { explanation, ..self }
    }
}

/// What a total is made of.
#[derive(Debug, Serialize, ToSchema)]
pub struct Explanation {
    /// Its parts.
    items: Vec<PartView>,
    /// Their sum in euro, not rounded: what the total was rounded from.
    eur: String,
    /// How many parts could not be converted.
    left_out: usize,
}

/// One part of a total.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({
    "id": "0198b6a0-5c1e-7f00-9a3b-2f6d1c0e4b10",
    "figure_name": "Harbour Pilot Mina",
    "is_nsfw": false,
    "on": "2026-03-14",
    "amount": "14800",
    "currency": "JPY",
    "rate": {"value": "0.005461496450027", "is": "eur_for_one", "date": "2026-03-13", "frozen": true},
    "eur": "80.8301474603996"
}))]
pub struct PartView {
    /// The piece, pre-order or figure; null for a figure that is hidden from whoever asks.
    id: Option<Uuid>,
    /// What the figure is called; null for one that is hidden from whoever asks.
    figure_name: Option<String>,
    is_nsfw: bool,
    /// The day that it counts on.
    on: NaiveDate,
    amount: String,
    currency: String,
    /// What it was brought to euro by; null when there is no such rate.
    rate: Option<RateView>,
    /// In euro, not rounded; null when it could not be converted.
    eur: Option<String>,
}

/// A rate between a currency and the euro.
#[derive(Debug, Serialize, ToSchema)]
pub struct RateView {
    value: String,
    /// `eur_for_one`: euro for one unit, multiply by it. `for_one_eur`: units for one euro, as it is quoted; divide
    /// by it.
    is: &'static str,
    /// The day of the rate; null when a frozen rate's day is not known.
    date: Option<NaiveDate>,
    /// Whether it was frozen when the amount was recorded.
    frozen: bool,
}

impl RateView {
    /// One that was frozen.
    #[must_use]
    pub fn frozen(rate: Decimal, date: Option<NaiveDate>) -> Self {
        Self { value: exact(rate), is: "eur_for_one", date, frozen: true }
    }

    /// One of a table; none when that does not quote the currency.
    #[must_use]
    pub fn quoted(table: Option<&RateTable>, currency: Currency) -> Option<Self> {
        let quoted = |value, date| Self { value, is: "for_one_eur", date, frozen: false };
        if currency == Currency::Eur {
            return Some(quoted("1".to_owned(), None));
        }
        let table = table?;
        Some(quoted(exact(table.per_euro(currency)?), Some(table.date())))
    }
}
