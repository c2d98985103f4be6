//! What stores ask for a figure and whether they have it, as a price provider tells it.
//!
//! Only what is new becomes an event: a price that stands where it stood, and stock that is as it was, leave the
//! log alone. When they were last seen so is kept beside the log.

use super::FigureEvent;
use crate::ids::EntityId;
use crate::money::rates::CurrencyCode;
use crate::money::{Amount, Money};
use crate::refusal::{Code, Refusal};
use crate::text::{HttpUrl, Line};
use chrono::{DateTime, NaiveDate, SubsecRound, TimeDelta, Utc};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::str::FromStr;

/// For how long a store's stock counts as known after it was last seen.
pub const STOCK_KNOWN_FOR: TimeDelta = TimeDelta::days(7);

/// Whether a store has a figure. Not knowing is the absence of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stock {
    /// Sold out.
    OutOfStock,
    /// To be ordered before its release.
    Preorder,
    /// On the shelf.
    InStock,
}

impl Stock {
    /// Every one of them, the least welcome first.
    pub const ALL: [Self; 3] = [Self::OutOfStock, Self::Preorder, Self::InStock];

    /// The word for it in tables and over HTTP.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::OutOfStock => "out_of_stock",
            Self::Preorder => "preorder",
            Self::InStock => "in_stock",
        }
    }

    /// Whether it can be ordered now.
    pub const fn is_buyable(self) -> bool {
        matches!(self, Self::InStock | Self::Preorder)
    }

    /// What still counts as known at a time, when it was last seen so at another.
    pub fn known(self, last_seen: DateTime<Utc>, at: DateTime<Utc>) -> Option<Self> {
        (at.signed_duration_since(last_seen) <= STOCK_KNOWN_FOR).then_some(self)
    }
}

impl FromStr for Stock {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|stock| stock.as_str() == text).ok_or(())
    }
}

/// Where a figure is offered, and who says so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offer {
    /// The provider that was asked: host and port of its address.
    pub provider: Line<260>,
    /// What the provider calls the store.
    pub source: Line<100>,
    /// The store, as the catalogue knows it.
    pub store_id: EntityId,
    /// The page of the figure in the store.
    pub url: HttpUrl,
}

/// A price as the store asked it, before it was converted into a currency that amounts are recorded in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Original {
    /// What the store asked.
    pub amount: Amount,
    /// In this currency.
    pub currency: CurrencyCode,
    /// How much of the recorded currency one unit of it was worth.
    pub rate: Decimal,
    /// The day of that rate.
    pub rate_date: NaiveDate,
}

/// What was known of the stock of one of the stores that sell a figure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoreStock {
    /// The store.
    pub store_id: EntityId,
    /// Absent when nothing was known, or too long ago.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stock: Option<Stock>,
}

/// The payload of `figure.price_moved`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PriceMove {
    /// The market price from here on.
    pub price: Money,
    /// The one before it; absent for the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<Money>,
    /// What the store asked, when that was converted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub original: Option<Original>,
    /// Where it is asked.
    pub offer: Offer,
    /// The version it is for, as the store labels it; absent when the store names none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub matched_version: Option<Line<200>>,
    /// Every store that the figure's buy links name, as its stock was known then.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stores: Vec<StoreStock>,
    /// When the provider answered.
    pub seen_at: DateTime<Utc>,
}

/// The stock of one store as it was last told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeenStock {
    /// Where.
    pub offer: Offer,
    /// What.
    pub stock: Stock,
    /// When that began.
    pub seen_at: DateTime<Utc>,
}

/// What is known of the market of one figure.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Market {
    /// The price that stands.
    pub price: Option<Box<PriceMove>>,
    /// The stock per store.
    pub stock: BTreeMap<EntityId, SeenStock>,
}

/// A price that a provider gave.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "the fields are those of `PriceMove`")]
pub struct ObservedPrice {
    pub price: Money,
    pub original: Option<Original>,
    pub offer: Offer,
    pub matched_version: Option<Line<200>>,
}

/// What a provider said of a store's stock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObservedStore {
    /// The store, whether it was asked or not.
    pub store_id: EntityId,
    /// Where it sells the figure and whether it has it; `None` when it did not say.
    pub said: Option<(Offer, Stock)>,
    /// When what is on record was last seen to be so.
    pub confirmed_at: Option<DateTime<Utc>>,
}

/// What one look at the stores of a figure came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observation {
    /// When the provider answered.
    pub seen_at: DateTime<Utc>,
    /// The price that was chosen among the answers.
    pub price: Option<ObservedPrice>,
    /// Every store of the figure's buy links, each once.
    pub stores: Vec<ObservedStore>,
}

impl Market {
    /// One event for what really moved. What is older than what stands says nothing.
    pub(super) fn observe(&self, seen: &Observation) -> Result<Vec<FigureEvent>, Refusal> {
        // As precise as the log and its tables are.
        let seen_at = seen.seen_at.trunc_subsecs(6);
        if seen.price.as_ref().is_some_and(|seen| seen.price.amount() == Amount::ZERO) {
            return Err(Refusal::new(Code::InvalidAmount, "a market price is above zero").on("price"));
        }
        let mut events = Vec::new();
        let mut stores = Vec::with_capacity(seen.stores.len());
        for store in &seen.stores {
            let standing = self.stock.get(&store.store_id);
            let known = standing.and_then(|standing| {
                let last = store.confirmed_at.map_or(standing.seen_at, |at| at.max(standing.seen_at));
                standing.stock.known(last, seen_at)
            });
            let stock = store.said.as_ref().map(|(_, stock)| *stock).or(known);
            stores.push(StoreStock { store_id: store.store_id, stock });
            let Some((offer, stock)) = &store.said else { continue };
            if standing.is_none_or(|standing| standing.stock != *stock && standing.seen_at <= seen_at) {
                events.push(FigureEvent::StockChanged {
                    offer: offer.clone(),
                    previous: known,
                    stock: *stock,
                    seen_at,
                });
            }
        }
        let standing = self.price.as_deref();
        if let Some(price) = &seen.price
            && standing.is_none_or(|standing| standing.seen_at <= seen_at && standing.is_moved_by(price))
        {
            events.push(FigureEvent::PriceMoved(Box::new(PriceMove {
                price: price.price,
                previous: standing.map(|standing| standing.price),
                original: price.original.clone(),
                offer: price.offer.clone(),
                matched_version: price.matched_version.clone(),
                stores,
                seen_at,
            })));
        }
        Ok(events)
    }

    /// What another figure's market knows better than this one.
    pub(super) fn inherit(&self, other: &Self) -> Vec<FigureEvent> {
        let mut events = Vec::new();
        for (store, seen) in &other.stock {
            let own = self.stock.get(store);
            if own.is_none_or(|own| own.seen_at < seen.seen_at && own.stock != seen.stock) {
                // Nothing came back into stock by it, so nothing is said to have been sold out.
                events.push(FigureEvent::StockChanged {
                    offer: seen.offer.clone(),
                    previous: None,
                    stock: seen.stock,
                    seen_at: seen.seen_at,
                });
            }
        }
        let own = self.price.as_deref();
        if let Some(seen) = &other.price
            && own.is_none_or(|own| own.seen_at < seen.seen_at && own.price != seen.price)
        {
            let previous = own.map(|own| own.price);
            events.push(FigureEvent::PriceMoved(Box::new(PriceMove { previous, ..(**seen).clone() })));
        }
        events
    }
}

impl PriceMove {
    /// Whether a price is another one. Where both were converted out of one currency, what the store asked
    /// decides: a rate that moves is no price that moves.
    fn is_moved_by(&self, seen: &ObservedPrice) -> bool {
        match (&self.original, &seen.original) {
            (Some(stood), Some(asked)) if stood.currency == asked.currency => stood.amount != asked.amount,
            _ => self.price != seen.price,
        }
    }
}
