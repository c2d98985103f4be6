//! What a person's collection comes to when it is counted: one bounded statement for each answer, over the
//! tables of pieces, pre-orders, wishes and figures.
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
mod year;

pub use costs::{Costs, fitting};
pub use counters::{Completion, Counters, Health, Month, Pieces, Spend, Statistics, statistics};
pub use forecast::{Due, due};
pub(crate) use insights::rates_of;
pub use insights::{Breakdown, Insights, Named, insights};
pub use parts::{Part, Whole, parts};
pub use year::{Acquired, MostSlipped, Year, YearOf, year_in_review};

/// The pieces of person `$1` that count, one row each, as the common table `mine`.
const MINE: &str = "mine AS MATERIALIZED (\
    SELECT o.id, o.figure_id, o.condition, o.archived_at IS NULL AS is_kept, \
        o.price_amount AS price, o.shipping_amount AS shipping, o.fees_amount AS fees, \
        o.price_currency AS currency, o.price_fx_rate AS rate, \
        CASE WHEN o.price_currency IS NOT NULL THEN coalesce(o.price_amount, 0) + coalesce(o.shipping_amount, 0) \
            + coalesce(o.fees_amount, 0) END AS cost, \
        coalesce(o.purchase_date, (o.created_at AT TIME ZONE 'UTC')::date) AS spent_on, \
        coalesce((o.received_at AT TIME ZONE 'UTC')::date, o.purchase_date, \
            (o.created_at AT TIME ZONE 'UTC')::date) AS acquired_on, \
        f.figure_type, f.manufacturer_id, f.sculptor_id, f.msrp_amount AS msrp, f.msrp_currency, \
        coalesce(f.is_nsfw, false) AS is_nsfw \
    FROM owned_items AS o LEFT JOIN figures AS f ON f.id = o.figure_id \
    WHERE o.user_id = $1 AND (o.preorder_status IS NULL OR o.preorder_status = 'received'))";
