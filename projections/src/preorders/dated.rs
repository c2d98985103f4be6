//! What of somebody's pre-orders belongs into a calendar.

use super::sums::delivery_date;
use chrono::{DateTime, NaiveDate, Utc};
use domain::dates::{DateError, Precision};
use domain::ids::UserId;
use sqlx::PgPool;
use uuid::Uuid;

/// Most pre-orders that are told of, the latest placed.
const MOST: i64 = 10_000;

/// A live pre-order of a piece that is not archived, with its dates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dated {
    /// Its id.
    pub id: Uuid,
    /// What the figure is called now.
    pub name: String,
    /// Whether the figure is marked so.
    pub is_nsfw: bool,
    /// When it is released, as announced now.
    pub release: Option<(NaiveDate, Precision)>,
    /// When it was first announced to be.
    pub release_original: Option<(NaiveDate, Precision)>,
    /// When the parcel is expected, once it is on its way.
    pub delivery: Option<NaiveDate>,
    /// Grows with every change of it.
    pub version: i64,
    /// When it, or the catalogue's entry of its figure, last changed.
    pub changed_at: DateTime<Utc>,
}

#[derive(sqlx::FromRow)]
struct Row {
    id: Uuid,
    name: String,
    is_nsfw: bool,
    release_date_current: Option<NaiveDate>,
    release_date_precision: Option<String>,
    release_date_original: Option<NaiveDate>,
    release_date_original_precision: Option<String>,
    shipped_at: Option<DateTime<Utc>>,
    estimated_delivery_days: Option<i32>,
    version: i64,
    changed_at: DateTime<Utc>,
}

fn release(day: Option<NaiveDate>, word: Option<&str>) -> sqlx::Result<Option<(NaiveDate, Precision)>> {
    let precision = word.map_or(Ok(Precision::Day), str::parse);
    let precision = precision.map_err(|error: DateError| sqlx::Error::Decode(error.into()))?;
    Ok(day.map(|day| (day, precision)))
}

/// Somebody's live pre-orders that have a date, by id. Pieces that are archived are left out.
///
/// # Errors
/// When the database does not answer.
pub async fn dated(pool: &PgPool, user: UserId, hide_nsfw: bool) -> sqlx::Result<Vec<Dated>> {
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT * FROM ( \
             SELECT p.id, f.name, f.is_nsfw, p.release_date_current, p.release_date_precision, \
                 p.release_date_original, p.release_date_original_precision, p.shipped_at, \
                 p.estimated_delivery_days, p.version, greatest(p.updated_at, f.updated_at) AS changed_at \
             FROM preorders AS p JOIN owned_items AS o ON o.id = p.owned_item_id \
             JOIN figures AS f ON f.id = p.figure_id \
             WHERE p.user_id = $1 AND o.archived_at IS NULL AND p.status NOT IN ('received', 'cancelled') \
                 AND (p.release_date_current IS NOT NULL \
                      OR p.shipped_at IS NOT NULL AND p.estimated_delivery_days IS NOT NULL) \
                 AND NOT ($2 AND f.is_nsfw) \
             ORDER BY p.created_at DESC, p.id DESC LIMIT $3) AS latest \
         ORDER BY id",
    )
    .bind(user.uuid())
    .bind(hide_nsfw)
    .bind(MOST)
    .fetch_all(pool)
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(Dated {
                id: row.id,
                name: row.name,
                is_nsfw: row.is_nsfw,
                release: release(row.release_date_current, row.release_date_precision.as_deref())?,
                release_original: release(
                    row.release_date_original,
                    row.release_date_original_precision.as_deref(),
                )?,
                delivery: delivery_date(row.shipped_at, row.estimated_delivery_days),
                version: row.version,
                changed_at: row.changed_at,
            })
        })
        .collect()
}
