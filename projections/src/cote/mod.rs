//! La Cote: what a collection is worth, what it cost, and how its worth went.
//!
//! A piece is worth its owner's valuation, else the market price that stands for its figure, else the list
//! price. Archived pieces, and those whose pre-order was not received, do not count. Rules and formulas are in
//! `docs/cote.md`.

mod evolution;
mod explain;
mod fold;
mod ranking;
mod reckoning;
mod rows;
#[cfg(test)]
mod tests;
mod worth;

pub use evolution::{Change, Evolution, Range, evolution};
pub use explain::{Part, SoldPart, parts, sold_parts};
pub use ranking::{CoteOrder, CoteSort, Ranked, SparkPoint, ranking};
pub use reckoning::{Reckoning, sale_table};
pub use rows::{CoteDayRow, CoteFigureRow, CotePieceRow, CotePointRow, CoteRows};
pub use worth::{Cost, Group, Sold, Tier, sold, worth};

use crate::engine::{FoldError, Projection, Timing};
use domain::stream::Recorded;

/// The read model of what collections are worth.
pub struct Cote;

impl Projection for Cote {
    const NAME: &'static str = "cote";
    const VERSION: u32 = 3;
    const DDL: &'static str = include_str!("../../../migrations/read-models/cote.sql");
    const READS: &'static [&'static str] = &["collection", "preorder", "figure"];
    // No answer to a command is read from it.
    const TIMING: Timing = Timing::After;
    type Rows = CoteRows;

    fn fold(rows: &mut CoteRows, event: &Recorded) -> Result<(), FoldError> {
        fold::fold(rows, event)
    }
}

/// The pieces of person `$1` that count, one row each, as the common table `counted`: what each is worth in
/// `value` and `currency`, by which `tier`, and what it cost. A gift without a price cost nothing. Only figures with a
/// market price are looked at: few of a large catalogue have one.
const COUNTED: &str = "counted AS (\
    SELECT p.piece_id, p.figure_id, p.is_nsfw, \
        CASE WHEN p.value_amount IS NOT NULL THEN 'manual' WHEN f.market_amount IS NOT NULL THEN 'market' \
            WHEN p.msrp_amount IS NOT NULL THEN 'msrp' END AS tier, \
        CASE WHEN p.value_amount IS NOT NULL THEN p.value_amount WHEN f.market_amount IS NOT NULL \
            THEN f.market_amount ELSE p.msrp_amount END AS value, \
        CASE WHEN p.value_amount IS NOT NULL THEN p.value_currency WHEN f.market_amount IS NOT NULL \
            THEN f.market_currency ELSE p.msrp_currency END AS currency, \
        CASE WHEN p.price_amount IS NULL AND p.is_gift THEN 0 ELSE p.price_amount END AS price, \
        CASE WHEN p.price_amount IS NOT NULL THEN p.price_currency END AS price_currency, \
        CASE WHEN p.price_amount IS NULL THEN NULL WHEN p.price_currency = 'EUR' THEN 1 \
            ELSE p.price_fx_rate END AS rate, \
        p.added_on, p.purchase_date \
    FROM cote_pieces AS p LEFT JOIN cote_figures AS f \
        ON f.figure_id = p.figure_id AND f.market_amount IS NOT NULL \
    WHERE p.user_id = $1 AND NOT p.awaited AND p.archived_on IS NULL)";
