//! What a person's collection comes to when it is counted: a few bounded statements for each answer, over the
//! tables of pieces, pre-orders, wishes and figures. Those of one answer run side by side, so what one event changed
//! may be in one of them and not yet in another; the next answer has it in all.
//!
//! A piece *counts* when it never had a pre-order or was received, archived or not; it is *kept* when it
//! is not archived as well. It was *acquired* on the day of its receipt, else of its purchase, else on the
//! day it was added; what it cost was *spent* on its purchase date, else on the day it was added. Days are
//! UTC days.

mod costs;
mod counters;
mod forecast;
mod insights;
mod parts;
mod shelf;
mod year;

pub use costs::{Costs, fitting};
pub use counters::{
    Compared, Counters, Health, Month, Months, Pieces, Spend, Statistics, months, statistics,
};
pub use forecast::{Due, due};
pub(crate) use insights::rates_of;
pub use insights::{Breakdown, Insights, Named, insights};
pub use parts::{Part, Whole, parts};
pub use shelf::Completion;
pub use year::{Acquired, MostSlipped, Year, YearOf, year_in_review};

/// The pieces of person `$1` that count, one row each, as the common table `mine`. Catalogue entries are not in it:
/// to look all of them up takes longer than all the rest.
const MINE: &str = "mine AS MATERIALIZED (\
    SELECT piece_id AS id, figure_id, archived_on IS NULL AS is_kept, \
        price_amount AS price, shipping_amount AS shipping, fees_amount AS fees, \
        price_currency AS currency, price_fx_rate AS rate, \
        CASE WHEN price_currency IS NOT NULL THEN coalesce(price_amount, 0) + coalesce(shipping_amount, 0) \
            + coalesce(fees_amount, 0) END AS cost, \
        coalesce(purchase_date, added_on) AS spent_on, \
        coalesce(received_on, purchase_date, added_on) AS acquired_on \
    FROM cote_pieces WHERE user_id = $1 AND NOT awaited)";

/// The maker or sculptor that the one of this column is now, where it was merged.
fn now(column: &str) -> String {
    format!("coalesce((SELECT e.merged_into FROM figure_entity_names AS e WHERE e.id = {column}), {column})")
}
