//! The parts that a sum of money is made of.

use super::MINE;
use chrono::NaiveDate;
use domain::ids::UserId;
use domain::money::Currency;
use rust_decimal::Decimal;
use sqlx::PgPool;
use uuid::Uuid;

/// Which sum.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whole {
    /// What pieces cost: ever, or in one calendar year. Parts are pieces.
    Spent(Option<i32>),
    /// What was not refunded of cancelled pre-orders: ever, or in one calendar year. Parts are pre-orders.
    Lost(Option<i32>),
    /// Deposits paid on open pre-orders. Parts are pre-orders.
    Deposits,
    /// What the wishes would cost. Parts are figures.
    Wishes,
    /// The targets of the wishes. Parts are figures.
    Targets,
}

/// One part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// The piece, pre-order or figure; none for a figure that the viewer hides.
    pub id: Option<Uuid>,
    /// What the figure is called; none where the viewer hides it, and while the catalogue has yet to hear of it.
    pub figure_name: Option<String>,
    /// Whether it is not safe for work.
    pub is_nsfw: bool,
    /// The day that it counts on.
    pub on: NaiveDate,
    /// How much.
    pub amount: Decimal,
    /// Of the amount.
    pub currency: Currency,
    /// EUR for one unit, frozen; none means today's.
    pub rate: Option<Decimal>,
}

#[derive(sqlx::FromRow)]
struct Row {
    id: Option<Uuid>,
    figure_name: Option<String>,
    is_nsfw: bool,
    day: NaiveDate,
    amount: Decimal,
    currency: String,
    rate: Option<Decimal>,
}

impl Whole {
    const fn year(self) -> Option<i32> {
        match self {
            Self::Spent(year) | Self::Lost(year) => year,
            Self::Deposits | Self::Wishes | Self::Targets => None,
        }
    }

    fn statement(self) -> String {
        let name = "CASE WHEN NOT ($2 AND f.is_nsfw) THEN f.name END AS figure_name, \
             coalesce(f.is_nsfw, false) AS is_nsfw";
        let in_year = |day: &str| format!("($3::int IS NULL OR extract(year FROM {day}) = $3)");
        let wishes = |id: &str, amount: &str, currency: &str| {
            format!(
                "SELECT CASE WHEN NOT ($2 AND coalesce(f.is_nsfw, false)) THEN {id} END AS id, {name}, \
                     (w.created_at AT TIME ZONE 'UTC')::date AS day, {amount} AS amount, {currency} AS currency, NULL::numeric AS rate \
                 FROM wishlist_items AS w LEFT JOIN figures AS f ON f.id = w.figure_id \
                 LEFT JOIN figure_provider_prices AS m ON m.figure_id = w.figure_id \
                 WHERE w.user_id = $1 AND {amount} IS NOT NULL AND $3::int IS NULL ORDER BY day, {id}"
            )
        };
        match self {
            Self::Spent(_) => format!(
                "WITH mine AS {MINE} SELECT mine.id, {name}, mine.spent_on AS day, mine.cost AS amount, mine.currency, \
                     mine.rate FROM mine LEFT JOIN figures AS f ON f.id = mine.figure_id \
                 WHERE mine.currency IS NOT NULL AND {} ORDER BY day, id",
                in_year("mine.spent_on"),
            ),
            Self::Lost(_) => format!(
                "WITH c AS (SELECT id, figure_id, price_currency, price_fx_rate, cancelled_at, status, \
                         coalesce(paid_amount, 0) - coalesce(deposit_refund_amount, 0) AS lost \
                     FROM preorders WHERE user_id = $1 \
                     UNION ALL SELECT id, figure_id, price_currency, price_fx_rate, cancelled_at, status, \
                         coalesce(paid_amount, 0) - coalesce(deposit_refund_amount, 0) \
                     FROM preorder_chapters WHERE user_id = $1) \
                 SELECT c.id, {name}, (c.cancelled_at AT TIME ZONE 'UTC')::date AS day, c.lost AS amount, \
                     c.price_currency AS currency, c.price_fx_rate AS rate \
                 FROM c LEFT JOIN figures AS f ON f.id = c.figure_id \
                 WHERE c.status = 'cancelled' AND c.lost > 0 AND c.price_currency IS NOT NULL AND {} ORDER BY day, id",
                in_year("(c.cancelled_at AT TIME ZONE 'UTC')"),
            ),
            Self::Deposits => format!(
                "SELECT p.id, {name}, (p.created_at AT TIME ZONE 'UTC')::date AS day, p.deposit_amount AS amount, \
                     p.price_currency AS currency, NULL::numeric AS rate \
                 FROM preorders AS p JOIN owned_items AS o ON o.id = p.owned_item_id \
                 LEFT JOIN figures AS f ON f.id = p.figure_id \
                 WHERE p.user_id = $1 AND o.archived_at IS NULL AND p.status NOT IN ('received', 'cancelled') \
                     AND p.deposit_amount IS NOT NULL AND p.balance_paid_at IS NULL AND $3::int IS NULL \
                 ORDER BY day, id"
            ),
            Self::Wishes => wishes(
                "w.figure_id",
                "coalesce(m.amount, f.msrp_amount)",
                "CASE WHEN m.amount IS NULL THEN f.msrp_currency ELSE m.currency END",
            ),
            Self::Targets => wishes("w.figure_id", "w.max_price_amount", "w.max_price_currency"),
        }
    }
}

/// Every part of a sum of a person's, oldest first.
///
/// # Errors
/// When the database does not answer.
pub async fn parts(pool: &PgPool, user: UserId, whole: Whole, hide_nsfw: bool) -> sqlx::Result<Vec<Part>> {
    let rows: Vec<Row> = sqlx::query_as(&whole.statement())
        .bind(user.uuid())
        .bind(hide_nsfw)
        .bind(whole.year())
        .fetch_all(pool)
        .await?;
    let read = |row: Row| {
        Some(Part {
            id: row.id,
            figure_name: row.figure_name,
            is_nsfw: row.is_nsfw,
            on: row.day,
            amount: row.amount,
            currency: row.currency.parse().ok()?,
            rate: row.rate,
        })
    };
    Ok(rows.into_iter().filter_map(read).collect())
}
