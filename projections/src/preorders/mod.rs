//! Pre-orders: `preorders` holds the current chapter of each piece, `preorder_chapters` those it replaced,
//! `preorder_date_history` every change of `release_date_current`. When a figure's date in the catalogue changes,
//! the live pre-orders that carried the old one are offered the new one, until their own date changes.

mod dated;
mod due;
mod fold;
mod queries;
mod rows;
mod sums;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;

pub use dated::{Dated, dated};
pub use due::{Upcoming, upcoming};
pub use queries::{
    Found, Listing, PieceEssentials, PreorderFilter, PreorderOrder, PreorderSort, chapters_of, find, history,
    list, stands_for,
};
pub use rows::{CatalogueDateRow, ChapterRow, DateHistoryRow, PreorderRow, PreorderRows};
pub use sums::{Breakdown, Lost, breakdown, countdown, delivery_date, is_live, losses, paid};

use crate::engine::{FoldError, Projection};
use domain::stream::Recorded;

/// The read model of the pre-orders.
pub struct Preorders;

impl Projection for Preorders {
    const NAME: &'static str = "preorders";
    const VERSION: u32 = 2;
    const DDL: &'static str = include_str!("../../../migrations/read-models/preorders.sql");
    const READS: &'static [&'static str] = &["preorder", "collection", "figure", "entity"];
    type Rows = PreorderRows;

    fn fold(rows: &mut PreorderRows, event: &Recorded) -> Result<(), FoldError> {
        fold::fold(rows, event)
    }
}
