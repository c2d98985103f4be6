//! The tables of the market.

use crate::engine::{row, row_set};
use chrono::{DateTime, NaiveDate, Utc};
use domain::figure::PriceMove;
use rust_decimal::Decimal;
use uuid::Uuid;

row! {
    /// The market price that stands for a figure.
    pub struct ProviderPriceRow in "figure_provider_prices", key(figure_id: Uuid), index(store_id) {
        amount: Decimal,
        currency: String,
        source: String,
        matched_version: Option<String>,
        fetched_at: DateTime<Utc>,
        provider: String,
        store_id: Uuid,
        url: String,
        original_amount: Option<Decimal>,
        original_currency: Option<String>,
        original_rate: Option<Decimal>,
        original_rate_date: Option<NaiveDate>,
    }
}
row! {
    /// A point at which the market price of a figure moved.
    pub struct PricePointRow in "figure_price_history", key(id: Uuid), index(figure_id) {
        figure_id: Uuid,
        amount: Decimal,
        currency: String,
        source: String,
        matched_version: Option<String>,
        recorded_at: DateTime<Utc>,
        original_amount: Option<Decimal>,
        original_currency: Option<String>,
        original_rate: Option<Decimal>,
        original_rate_date: Option<NaiveDate>,
    }
}
row! {
    /// What a store last said of its stock of a figure.
    pub struct StoreStockRow in "figure_store_stock",
        key(figure_id: Uuid, store_id: Uuid), index(figure_id, store_id) {
        stock: String,
        source: String,
        url: String,
        seen_at: DateTime<Utc>,
    }
}
row! {
    /// Where a merged store went.
    pub struct MergedStoreRow in "price_merged_stores", key(store_id: Uuid), index(winner_id) { winner_id: Uuid }
}

row_set! {
    /// The tables of the market.
    pub struct Rows {
        pub(super) latest: ProviderPriceRow,
        pub(super) history: PricePointRow,
        pub(super) stock: StoreStockRow,
        pub(super) merged_stores: MergedStoreRow,
    }
}

impl ProviderPriceRow {
    pub(super) fn of(figure_id: Uuid, store_id: Uuid, price: &PriceMove) -> Self {
        let original = price.original.as_ref();
        Self {
            figure_id,
            amount: price.price.amount().decimal(),
            currency: price.price.currency().code().to_owned(),
            source: price.offer.source.to_string(),
            matched_version: price.matched_version.as_ref().map(ToString::to_string),
            fetched_at: price.seen_at,
            provider: price.offer.provider.to_string(),
            store_id,
            url: price.offer.url.as_str().to_owned(),
            original_amount: original.map(|original| original.amount.decimal()),
            original_currency: original.map(|original| original.currency.as_str().to_owned()),
            original_rate: original.map(|original| original.rate),
            original_rate_date: original.map(|original| original.rate_date),
        }
    }

    /// The point of the history that begins with this price.
    pub(super) fn point(&self, id: Uuid) -> PricePointRow {
        PricePointRow {
            id,
            figure_id: self.figure_id,
            amount: self.amount,
            currency: self.currency.clone(),
            source: self.source.clone(),
            matched_version: self.matched_version.clone(),
            recorded_at: self.fetched_at,
            original_amount: self.original_amount,
            original_currency: self.original_currency.clone(),
            original_rate: self.original_rate,
            original_rate_date: self.original_rate_date,
        }
    }
}
