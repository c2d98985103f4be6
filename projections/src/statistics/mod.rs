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

/// The pieces of person `$1` that count, one row each: what the common tables `mine` hold. What it takes of their figures
/// stands beside them: to look all of these up takes longer than all the rest.
const MINE: &str = "(\
    SELECT piece_id AS id, figure_id, archived_on IS NULL AS is_kept, \
        price_amount AS price, shipping_amount AS shipping, fees_amount AS fees, \
        price_currency AS currency, price_fx_rate AS rate, \
        CASE WHEN price_currency IS NOT NULL THEN coalesce(price_amount, 0) + coalesce(shipping_amount, 0) \
            + coalesce(fees_amount, 0) END AS cost, \
        coalesce(purchase_date, added_on) AS spent_on, \
        coalesce(received_on, purchase_date, added_on) AS acquired_on \
    FROM cote_pieces WHERE user_id = $1 AND NOT awaited)";

/// Where makers, series and sculptors went that were merged, as the common table `moved`.
const MOVED: &str = "moved AS MATERIALIZED (\
    SELECT id, merged_into FROM figure_entity_names WHERE merged_into IS NOT NULL)";

/// The rows of `from`, counted by what one of their columns names, as that is called now: `id` and `n`. [`MOVED`] is
/// to be there.
fn tallied(column: &str, from: &str) -> String {
    format!(
        "SELECT coalesce(moved.merged_into, t.id) AS id, sum(t.n)::bigint AS n \
         FROM (SELECT {column} AS id, count(*) AS n FROM {from} GROUP BY {column}) AS t \
         LEFT JOIN moved ON moved.id = t.id GROUP BY coalesce(moved.merged_into, t.id)"
    )
}
