//! What is still to be paid on live pre-orders.

use chrono::NaiveDate;
use domain::ids::UserId;
use domain::money::Currency;
use rust_decimal::Decimal;
use sqlx::PgPool;
use uuid::Uuid;

/// A balance that is to be paid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    /// The pre-order.
    pub preorder_id: Uuid,
    /// Its piece.
    pub owned_item_id: Uuid,
    /// What it is called; none where the viewer hides it, and while the catalogue has yet to hear of it.
    pub figure_name: Option<String>,
    /// Whether it is not safe for work.
    pub is_nsfw: bool,
    /// First day of the period in which it is released.
    pub release_date: Option<NaiveDate>,
    /// `day`, `month` or `year`.
    pub precision: Option<String>,
    /// Of the balance.
    pub currency: Currency,
    /// Price and shipping without the deposit.
    pub balance: Decimal,
}

#[derive(sqlx::FromRow)]
struct Row {
    id: Uuid,
    owned_item_id: Uuid,
    figure_name: Option<String>,
    is_nsfw: bool,
    release_date: Option<NaiveDate>,
    release_date_precision: Option<String>,
    currency: String,
    balance: Decimal,
}

/// Every balance that a person still has to pay, in the order of release; what has no date comes last.
/// Without a price there is no balance.
///
/// # Errors
/// When the database does not answer.
pub async fn due(pool: &PgPool, user: UserId, hide_nsfw: bool) -> sqlx::Result<Vec<Due>> {
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT p.id, p.owned_item_id, CASE WHEN NOT ($2 AND f.is_nsfw) THEN f.name END AS figure_name, \
             coalesce(f.is_nsfw, false) AS is_nsfw, \
             p.release_date_current AS release_date, p.release_date_precision, p.price_currency AS currency, \
             p.price_amount + coalesce(p.shipping_amount, 0) - coalesce(p.deposit_amount, 0) AS balance \
         FROM preorders AS p JOIN owned_items AS o ON o.id = p.owned_item_id \
         LEFT JOIN figures AS f ON f.id = p.figure_id \
         WHERE p.user_id = $1 AND o.archived_at IS NULL AND p.status NOT IN ('received', 'cancelled') \
             AND p.balance_paid_at IS NULL AND p.price_amount IS NOT NULL \
         ORDER BY p.release_date_current NULLS LAST, p.id",
    )
    .bind(user.uuid())
    .bind(hide_nsfw)
    .fetch_all(pool)
    .await?;
    let read = |row: Row| {
        Some(Due {
            preorder_id: row.id,
            owned_item_id: row.owned_item_id,
            figure_name: row.figure_name,
            is_nsfw: row.is_nsfw,
            release_date: row.release_date,
            precision: row.release_date_precision,
            currency: row.currency.parse().ok()?,
            balance: row.balance,
        })
    };
    Ok(rows.into_iter().filter_map(read).collect())
}
