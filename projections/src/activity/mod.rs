//! The feed: what each person did, told with what things were called at the time.
//!
//! One doing is one row: a bulk edit, a price that stands on piece and pre-order, a receipt that also says
//! the condition, a cancellation that also archives. The row's id, time and place are those of the first
//! event that it tells.
//!
//! | kind | told of | payload besides `figure` and `piece_id` |
//! |---|---|---|
//! | `piece_added` | a piece without a pre-order | cost, `origin`, `origin_from`, `location` |
//! | `pieces_edited` | condition, location, cost, origin of one or many pieces | `count`, `changes`; many: `figures` |
//! | `piece_valued`, `valuation_cleared` | the owner's own valuation | `value_amount`, `value_currency` |
//! | `pieces_arranged` | re-homing and re-ordering | `count`, `figures` |
//! | `pieces_archived`, `piece_restored`, `pieces_deleted` | the archive and beyond | `count`, `figures`, `reason`, `sold_amount`, `sold_currency` |
//! | `photos_added` | photos of a piece; those of one upload are one row | `count` |
//! | `scan_made` | a turntable scan of a piece | `scan_id`, `frames` |
//! | `cabinet_created`, `cabinet_renamed`, `cabinet_deleted` | registered locations | `name`, `previous` |
//! | `wished`, `wish_target_set`, `unwished` | wishes; one that ended by owning is told by the piece | `max_price_amount`, `max_price_currency` |
//! | `preorder_placed`, `preorder_replaced` | with the piece | `preorder_id`, cost, `deposit_amount`, `status`, `release_date` |
//! | `preorder_advanced`, `preorder_corrected` | steps | `from`, `to` |
//! | `preorder_shipped`, `preorder_received` | steps with a day | `shipped_on`, `received_on`, `condition` |
//! | `preorder_cancelled` | with what became of the piece | `paid_amount`, `refund_amount`, `lost_amount`, `currency`, `item` |
//! | `release_date_named`, `_slipped`, `_brought_forward`, `_narrowed` | announcements | `from`, `to`, their precisions, `source` |
//! | `balance_paid`, `balance_reopened` | | |
//!
//! `figure` is `{id, name, slug, is_nsfw}`; `figures` are at most five of them. Amounts are decimal strings.
//! Notes, shops, tracking, delivery estimates, documents, and the order of cabinets and photos are not told.

mod fold;
pub mod kind;
mod queries;
mod rows;
#[cfg(test)]
mod tests;

pub use queries::{Told, of_user};
pub use rows::{ActivityRow, ActivityRows, LatestRow, ToldFigureRow, ToldPieceRow};

use crate::engine::{FoldError, Projection};
use domain::stream::Recorded;

/// The read model of the feed.
pub struct Activity;

impl Projection for Activity {
    const NAME: &'static str = "activity";
    const VERSION: u32 = 3;
    const DDL: &'static str = include_str!("../../../migrations/read-models/activity.sql");
    const READS: &'static [&'static str] = &["collection", "preorder", "figure"];
    type Rows = ActivityRows;

    fn fold(rows: &mut ActivityRows, event: &Recorded) -> Result<(), FoldError> {
        fold::fold(rows, event)
    }
}
