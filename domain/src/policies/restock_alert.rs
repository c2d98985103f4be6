//! A wished figure is to be had again: told once per figure, store and day.

use crate::figure::{FigureEvent, Offer, Stock};
use chrono::{DateTime, Utc};

/// A store that has a figure again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Restocked<'e> {
    /// Where.
    pub offer: &'e Offer,
    /// On the shelf, or to be pre-ordered.
    pub stock: Stock,
    /// When that was seen. Its UTC day is the day that counts.
    pub seen_at: DateTime<Utc>,
}

/// Whether an event means that a store has a figure again: it was known to be sold out there, and is no longer.
/// Stock that was not known before is no restock.
pub fn restocked(event: &FigureEvent) -> Option<Restocked<'_>> {
    match event {
        FigureEvent::StockChanged { offer, previous: Some(Stock::OutOfStock), stock, seen_at }
            if stock.is_buyable() =>
        {
            Some(Restocked { offer, stock: *stock, seen_at: *seen_at })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::ids::EntityId;
    use uuid::Uuid;

    fn changed(previous: Option<Stock>, stock: Stock) -> FigureEvent {
        let offer = Offer {
            provider: "127.0.0.1:1".to_owned().try_into().unwrap(),
            source: "shop".to_owned().try_into().unwrap(),
            store_id: EntityId(Uuid::from_u128(1)),
            url: "https://shop.example/1".to_owned().try_into().unwrap(),
        };
        FigureEvent::StockChanged { offer, previous, stock, seen_at: Utc::now() }
    }

    #[test]
    fn only_going_from_sold_out_to_buyable_is_a_restock() {
        use Stock::{InStock, OutOfStock, Preorder};
        let cases = [
            (Some(OutOfStock), InStock, true),
            (Some(OutOfStock), Preorder, true),
            (Some(Preorder), InStock, false),
            (Some(InStock), OutOfStock, false),
            (None, InStock, false),
        ];
        for (previous, stock, expected) in cases {
            assert_eq!(restocked(&changed(previous, stock)).is_some(), expected, "{previous:?} {stock:?}");
        }
    }
}
