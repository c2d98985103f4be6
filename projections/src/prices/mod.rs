//! The market: what stores ask for figures, and whether they have them.

mod fold;
pub mod queries;
mod rows;
#[cfg(test)]
mod tests;

pub use rows::{MergedStoreRow, PricePointRow, ProviderPriceRow, Rows, StoreStockRow};

use crate::engine::{FoldError, Projection, Timing};
use domain::entity::{EntityEvent, EntityKind};
use domain::stream::{Event, Recorded, StreamId};

/// The market.
pub struct Prices;

impl Projection for Prices {
    const NAME: &'static str = "prices";
    const VERSION: u32 = 1;
    const DDL: &'static str = include_str!("../../../migrations/read-models/prices.sql");
    const READS: &'static [&'static str] = &["figure", "entity"];
    // No answer to a command is read from it.
    const TIMING: Timing = Timing::After;
    type Rows = Rows;

    fn fold(rows: &mut Rows, event: &Recorded) -> Result<(), FoldError> {
        match (&event.stream, &event.event) {
            (StreamId::Figure(id), Event::Figure(change)) => rows.fold_figure(id.uuid(), change, event),
            (
                StreamId::Entity(loser),
                Event::Entity(EntityEvent::MergedInto { kind: EntityKind::Store, winner_id }),
            ) => {
                rows.merge_stores(loser.uuid(), winner_id.uuid());
                Ok(())
            }
            _ => Ok(()),
        }
    }
}
