//! What the totals are made of, piece by piece, not rounded.

use chrono::NaiveDate;
use domain::money::Currency;
use projections::cote::{Part, SoldPart, sale_table};
use rust_decimal::Decimal;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    exchange::{Exchange, RateView, exact, sum},
    http::locations::Sum,
};

/// What the totals are made of.
#[derive(Debug, Serialize, ToSchema)]
pub struct CoteExplanation {
    /// Every piece that counts.
    items: Vec<PieceWorth>,
    /// Every piece that was sold for a stated price.
    sold: Vec<PieceSold>,
    /// The sum of `value.eur`: what `value_eur` was rounded from.
    value_eur: String,
    /// The sum of `value.eur` where `compared`.
    value_compared_eur: String,
    /// The sum of `cost.eur` where `compared`.
    cost_eur: String,
    /// The sum of `brought.eur` without that of `cost.eur`, where both are there.
    realised_gain_eur: String,
}

/// A piece and what it adds.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({
    "piece_id": "0198b6a0-5c1e-7f00-9a3b-2f6d1c0e4b10",
    "figure_name": "Harbour Pilot Mina",
    "is_nsfw": false,
    "tier": "market",
    "value": {"amount": "19800", "currency": "JPY",
        "rate": {"value": "181.13", "is": "for_one_eur", "date": "2026-11-20", "frozen": false},
        "eur": "109.3137525534146745431458069"},
    "cost": {"amount": "129.90", "currency": "EUR",
        "rate": {"value": "1", "is": "eur_for_one", "date": null, "frozen": true}, "eur": "129.9"},
    "compared": true
}))]
pub struct PieceWorth {
    piece_id: Uuid,
    /// What the figure is called; null for one that is hidden from whoever asks.
    figure_name: Option<String>,
    is_nsfw: bool,
    /// What backs its worth: `manual`, `market` or `msrp`; null without any.
    tier: Option<&'static str>,
    value: Option<AmountInEur>,
    /// Null when nobody says what it cost.
    cost: Option<AmountInEur>,
    /// Whether it is in the gain.
    compared: bool,
}

/// A piece that was sold.
#[derive(Debug, Serialize, ToSchema)]
pub struct PieceSold {
    piece_id: Uuid,
    /// What the figure is called; null for one that is hidden from whoever asks.
    figure_name: Option<String>,
    is_nsfw: bool,
    /// The day of the sale; that of the archiving where none was stated.
    sold_on: NaiveDate,
    /// At the rate of that day, else at today's.
    brought: AmountInEur,
    /// Null when nobody says what it cost: it is not in the realised gain then.
    cost: Option<AmountInEur>,
}

/// An amount, and how it became euro.
#[derive(Debug, Serialize, ToSchema)]
pub struct AmountInEur {
    #[serde(flatten)]
    amount: Sum,
    /// Null when there is no such rate.
    rate: Option<RateView>,
    /// Not rounded; null when it could not be converted.
    eur: Option<String>,
    #[serde(skip)]
    #[schema(ignore)]
    decimal: Option<Decimal>,
}

fn cost(part: &Part, exchange: &Exchange) -> Option<AmountInEur> {
    let (amount, currency) = part.price?;
    let Some(currency) = currency else {
        // A gift: nothing is nothing in any currency.
        return Some(AmountInEur {
            amount: sum(Currency::Eur, Decimal::ZERO),
            rate: None,
            eur: Some(exact(Decimal::ZERO)),
            decimal: Some(Decimal::ZERO),
        });
    };
    let near: Vec<NaiveDate> = part.purchase_date.into_iter().chain([part.added_on]).collect();
    let (decimal, rate) = match part.rate {
        Some(rate) => {
            let on = exchange.frozen_on(rate, currency, &near).filter(|_| currency != Currency::Eur);
            (amount.checked_mul(rate), Some(RateView::frozen(rate, on)))
        }
        None => (exchange.eur(amount, currency), RateView::quoted(exchange.today(), currency)),
    };
    Some(AmountInEur { amount: sum(currency, amount), rate, eur: decimal.map(exact), decimal })
}

fn add(sum: &mut Decimal, part: Decimal) {
    *sum = sum.saturating_add(part);
}

impl CoteExplanation {
    pub(super) fn of(parts: Vec<Part>, sold: Vec<SoldPart>, exchange: &Exchange) -> Self {
        let [mut value_eur, mut compared_eur, mut cost_eur, mut realised] = [Decimal::ZERO; 4];
        let items = parts
            .into_iter()
            .map(|part| {
                let value = part.value.map(|(_, currency, amount)| {
                    let decimal = exchange.eur(amount, currency);
                    let rate = RateView::quoted(exchange.today(), currency);
                    AmountInEur { amount: sum(currency, amount), rate, eur: decimal.map(exact), decimal }
                });
                let cost = cost(&part, exchange);
                let worth = value.as_ref().and_then(|value| value.decimal);
                let paid = cost.as_ref().and_then(|cost| cost.decimal);
                if let Some(worth) = worth {
                    add(&mut value_eur, worth);
                }
                if let (Some(worth), Some(paid)) = (worth, paid) {
                    add(&mut compared_eur, worth);
                    add(&mut cost_eur, paid);
                }
                PieceWorth {
                    piece_id: part.piece_id,
                    figure_name: part.figure_name,
                    is_nsfw: part.is_nsfw,
                    tier: part.value.map(|(tier, ..)| tier.as_str()),
                    compared: worth.is_some() && paid.is_some(),
                    value,
                    cost,
                }
            })
            .collect();
        let sold = sold
            .into_iter()
            .map(|SoldPart { on, brought: (currency, amount), part }| {
                let table = sale_table(exchange.rates(), on, currency);
                let decimal = match table {
                    _ if currency == Currency::Eur => Some(amount),
                    Some(table) => table.convert(amount, currency, Currency::Eur),
                    None => None,
                };
                let cost = cost(&part, exchange);
                if let (Some(brought), Some(cost)) = (decimal, cost.as_ref().and_then(|cost| cost.decimal)) {
                    add(&mut realised, brought.saturating_sub(cost));
                }
                let rate = RateView::quoted(table, currency);
                PieceSold {
                    piece_id: part.piece_id,
                    figure_name: part.figure_name,
                    is_nsfw: part.is_nsfw,
                    sold_on: on,
                    brought: AmountInEur {
                        amount: sum(currency, amount),
                        rate,
                        eur: decimal.map(exact),
                        decimal,
                    },
                    cost,
                }
            })
            .collect();
        Self {
            items,
            sold,
            value_eur: exact(value_eur),
            value_compared_eur: exact(compared_eur),
            cost_eur: exact(cost_eur),
            realised_gain_eur: exact(realised),
        }
    }
}
