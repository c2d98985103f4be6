//! What the stores of one figure say, put together.

use super::choose::{Candidate, choose};
use super::link::Link;
use crate::provider::{Asked, Dropped, Product};
use chrono::{DateTime, Utc};
use domain::figure::{Observation, ObservedPrice, ObservedStore, Offer, Stock};
use domain::ids::EntityId;
use domain::money::Currency;
use domain::money::rates::RateTable;
use domain::text::{HttpUrl, Line};
use projections::prices::queries::{Sold, SoldAt};
use std::collections::BTreeMap;
use uuid::Uuid;

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
                Asked::read(price, link.store.currency.as_deref()).and_then(|asked| asked.in_money(rates));
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
