//! What the stores of one figure say, put together.

use super::choose::{Candidate, choose};
use super::link::Link;
use crate::provider::{Asked, Dropped, Product};
use chrono::{DateTime, Utc};
use domain::figure::{Observation, ObservedPrice, ObservedStore, Offer, Original, Stock};
use domain::ids::EntityId;
use domain::money::rates::RateTable;
use domain::money::{Amount, Currency, Money, rounded};
use domain::text::{HttpUrl, Line};
use projections::prices::queries::{Sold, SoldAt};
use rust_decimal::{Decimal, RoundingStrategy};
use std::collections::BTreeMap;
use uuid::Uuid;

/// Decimal places of a rate that is kept as provenance.
const RATE_PLACES: u32 = 15;

/// One look at the stores of a figure.
pub(super) struct Look<'a> {
    sold: &'a Sold,
    provider: Line<260>,
    candidates: Vec<Candidate>,
    said: BTreeMap<Uuid, (Offer, Stock)>,
}

impl<'a> Look<'a> {
    pub const fn new(sold: &'a Sold, provider: Line<260>) -> Self {
        Self { sold, provider, candidates: Vec::new(), said: BTreeMap::new() }
    }

    /// Takes in what a page says; gives the reasons for which prices were dropped.
    pub fn saw(
        &mut self,
        at: &SoldAt,
        link: &Link<'_>,
        product: &Product,
        rates: Option<&RateTable>,
    ) -> Vec<Dropped> {
        let source = Line::new(&link.store.id);
        let (Ok(source), Ok(url)) = (source, HttpUrl::new(link.url.as_str())) else { return Vec::new() };
        let offer = Offer { provider: self.provider.clone(), source, store_id: EntityId(at.store_id), url };
        if let Some(stock) = product.stock() {
            let best = self.said.get(&at.store_id).is_none_or(|(_, known)| *known < stock);
            if best {
                self.said.insert(at.store_id, (offer.clone(), stock));
            }
        }
        let versions = product.versions.iter().flatten();
        let versions =
            versions.filter_map(|version| Some((version.label.as_deref(), version.price.as_ref()?)));
        let mut dropped = Vec::new();
        for (label, price) in product.price.iter().map(|price| (None, price)).chain(versions) {
            let price =
                Asked::read(price, link.store.currency.as_deref()).and_then(|asked| in_money(asked, rates));
            match price {
                Ok((price, original)) => {
                    // A label that no line can hold is as good as none.
                    let label = label.and_then(|label| Line::new(label).ok());
                    self.candidates.push(Candidate { price, original, label, offer: offer.clone() });
                }
                Err(reason) => dropped.push(reason),
            }
        }
        dropped
    }

    /// The stores that said whether they have it.
    pub fn telling(&self) -> Vec<Uuid> {
        self.said.keys().copied().collect()
    }

    /// What there is to be recorded.
    pub fn observation(self, seen_at: DateTime<Utc>) -> Observation {
        let msrp = self.sold.msrp_currency.as_deref().and_then(|code| code.parse::<Currency>().ok());
        let chosen = choose(self.candidates, self.sold.version_name.as_deref(), msrp);
        let mut stores: BTreeMap<Uuid, ObservedStore> = BTreeMap::new();
        for at in &self.sold.at {
            stores.entry(at.store_id).or_insert_with(|| ObservedStore {
                store_id: EntityId(at.store_id),
                said: self.said.get(&at.store_id).cloned(),
                confirmed_at: at.confirmed_at,
            });
        }
        let price = chosen.map(|chosen| ObservedPrice {
            price: chosen.price,
            original: chosen.original,
            offer: chosen.offer,
            matched_version: chosen.label,
        });
        Observation { seen_at, price, stores: stores.into_values().collect() }
    }
}

/// A supported currency is kept; another one is converted into US dollars, rounded once.
fn in_money(asked: Asked, rates: Option<&RateTable>) -> Result<(Money, Option<Original>), Dropped> {
    if let Some(currency) = asked.currency.supported() {
        let money = Money::new(asked.amount, currency).map_err(|_error| Dropped::TooPrecise)?;
        return Ok((money, None));
    }
    let code = asked.currency;
    let rates = rates.ok_or_else(|| Dropped::NoRates(code.to_string()))?;
    let not_quoted = || Dropped::NotQuoted(code.to_string());
    let exact = rates.convert(asked.amount.decimal(), code, Currency::Usd).ok_or_else(not_quoted)?;
    let rate = rates.convert(Decimal::ONE, code, Currency::Usd).ok_or_else(not_quoted)?;
    let amount = Amount::new(rounded(exact, Currency::Usd)).map_err(|_error| Dropped::TooLarge)?;
    if amount == Amount::ZERO {
        return Err(Dropped::Zero);
    }
    let money = Money::new(amount, Currency::Usd).map_err(|_error| Dropped::TooPrecise)?;
    let original = Original {
        amount: asked.amount,
        currency: code,
        rate: rate.round_dp_with_strategy(RATE_PLACES, RoundingStrategy::MidpointAwayFromZero).normalize(),
        rate_date: rates.date(),
    };
    Ok((money, Some(original)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> RateTable {
        let quotes = [("USD", "1.1172"), ("HKD", "8.7063"), ("IDR", "18544.2")];
        let quotes = quotes.map(|(code, rate)| (code.parse().unwrap(), rate.parse().unwrap()));
        RateTable::new("2026-10-30".parse().unwrap(), quotes).unwrap()
    }
    fn read(amount: &str, currency: &str) -> Result<(String, Option<Original>), &'static str> {
        let asked = Asked { amount: amount.parse().unwrap(), currency: currency.parse().unwrap() };
        let table = table();
        let (money, original) = in_money(asked, Some(&table)).map_err(|dropped| dropped.code())?;
        Ok((money.to_string(), original))
    }

    #[test]
    fn a_supported_currency_is_kept_and_a_quoted_one_becomes_dollars_with_its_provenance() {
        assert_eq!(read("12800", "JPY"), Ok(("12800 JPY".to_owned(), None)));
        let (money, original) = read("1280", "HKD").unwrap();
        let original = original.unwrap();
        // 1280 × 1.1172 ÷ 8.7063 = 164.2495…
        assert_eq!(money, "164.25 USD");
        assert_eq!((original.amount.to_string(), original.currency.as_str()), ("1280".to_owned(), "HKD"));
        assert_eq!(original.rate.to_string(), "0.128320871093346");
        assert_eq!(original.rate_date.to_string(), "2026-10-30");
    }

    #[test]
    fn what_cannot_be_converted_is_dropped() {
        assert_eq!(read("1280", "TWD"), Err("currency_not_quoted"));
        assert_eq!(read("1280", "XXX"), Err("currency_not_quoted"));
        assert_eq!(read("12.5", "JPY"), Err("price_too_precise"));
        assert_eq!(read("1", "IDR"), Err("price_zero"));
        let asked = Asked { amount: "5".parse().unwrap(), currency: "HKD".parse().unwrap() };
        assert_eq!(in_money(asked, None).map_err(|dropped| dropped.code()), Err("no_rates"));
    }
}
