//! What events do to the market.

use super::rows::{MergedStoreRow, PricePointRow, ProviderPriceRow, Rows, StoreStockRow};
use crate::engine::FoldError;
use chrono::{DateTime, Utc};
use domain::figure::{FigureEvent, Offer, PriceMove, Stock};
use domain::ids::EntityId;
use domain::stream::Recorded;
use uuid::Uuid;

impl Rows {
    pub(super) fn fold_figure(
        &mut self,
        id: Uuid,
        change: &FigureEvent,
        event: &Recorded,
    ) -> Result<(), FoldError> {
        match change {
            FigureEvent::PriceMoved(price) => self.move_price(id, price, event),
            FigureEvent::StockChanged { offer, stock, seen_at, .. } => {
                self.change_stock(id, offer, *stock, *seen_at);
            }
            FigureEvent::MergedInto { winner_id } => self.merge_figures(id, winner_id.uuid()),
            _ => {}
        }
        Ok(())
    }

    fn move_price(&mut self, figure: Uuid, price: &PriceMove, event: &Recorded) {
        let row = ProviderPriceRow::of(figure, self.store_now(price.offer.store_id), price);
        // A figure goes on with the price of one that was merged into it, and has that one's history already.
        let stands = self
            .latest
            .get(&figure)
            .is_some_and(|latest| latest.amount == row.amount && latest.currency == row.currency);
        if !stands {
            self.history.insert(row.point(event.event_id.0));
        }
        self.latest.insert(row);
    }

    fn change_stock(&mut self, figure_id: Uuid, offer: &Offer, stock: Stock, seen_at: DateTime<Utc>) {
        let store_id = self.store_now(offer.store_id);
        self.stock.insert(StoreStockRow {
            figure_id,
            store_id,
            stock: stock.as_str().to_owned(),
            source: offer.source.to_string(),
            url: offer.url.as_str().to_owned(),
            seen_at,
        });
    }

    /// Both histories become one; the price and the stock that were seen later stand.
    fn merge_figures(&mut self, loser: Uuid, winner: Uuid) {
        for point in self.history.keys_where(PricePointRow::figure_id, loser) {
            self.history.update(&point, |row| row.figure_id = winner);
        }
        if let Some(price) = self.latest.get(&loser).cloned() {
            self.latest.remove(&loser);
            if self.latest.get(&winner).is_none_or(|own| own.fetched_at < price.fetched_at) {
                self.latest.insert(ProviderPriceRow { figure_id: winner, ..price });
            }
        }
        for key in self.stock.keys_where(StoreStockRow::figure_id, loser) {
            self.move_stock(key, (winner, key.1));
        }
    }

    fn move_stock(&mut self, from: (Uuid, Uuid), to: (Uuid, Uuid)) {
        let Some(row) = self.stock.get(&from).cloned() else { return };
        self.stock.remove(&from);
        if self.stock.get(&to).is_none_or(|own| own.seen_at < row.seen_at) {
            self.stock.insert(StoreStockRow { figure_id: to.0, store_id: to.1, ..row });
        }
    }

    /// The id that a store has now.
    fn store_now(&self, id: EntityId) -> Uuid {
        self.merged_stores.get(&id.uuid()).map_or(id.uuid(), |row| row.winner_id)
    }

    pub(super) fn merge_stores(&mut self, loser: Uuid, winner: Uuid) {
        for figure in self.latest.keys_where(ProviderPriceRow::store_id, loser) {
            self.latest.update(&figure, |row| row.store_id = winner);
        }
        for key in self.stock.keys_where(StoreStockRow::store_id, loser) {
            self.move_stock(key, (key.0, winner));
        }
        for id in self.merged_stores.keys_where(MergedStoreRow::winner_id, loser) {
            self.merged_stores.update(&id, |row| row.winner_id = winner);
        }
        self.merged_stores.insert(MergedStoreRow { store_id: loser, winner_id: winner });
    }
}
