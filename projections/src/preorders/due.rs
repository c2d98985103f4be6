//! The pre-orders that have something coming up, for those who tell people of it.

use super::sums::delivery_date;
use chrono::{DateTime, NaiveDate, Utc};
use domain::dates::Precision;
use domain::ids::{FigureId, UserId};
use domain::preorder::Status;
use sqlx::PgConnection;
use uuid::Uuid;

/// A live pre-order of a piece that is not archived, and what it is of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upcoming {
    /// Its id.
    pub id: Uuid,
    /// Whose.
    pub user_id: UserId,
    /// Of which piece.
    pub owned_item_id: Uuid,
    /// How it stands.
    pub status: Status,
    /// When the figure is released.
    pub release: Option<(NaiveDate, Precision)>,
    /// When the parcel is expected.
    pub delivery: Option<NaiveDate>,
    /// The figure.
    pub figure_id: FigureId,
    /// What it is called.
    pub name: String,
    /// What it is called in addresses.
    pub slug: String,
    /// Whether it is marked so.
    pub is_nsfw: bool,
}

#[derive(sqlx::FromRow)]
struct Row {
    id: Uuid,
    user_id: Uuid,
    owned_item_id: Uuid,
    status: String,
    release_date_current: Option<NaiveDate>,
    release_date_precision: Option<String>,
    shipped_at: Option<DateTime<Utc>>,
    estimated_delivery_days: Option<i32>,
    figure_id: Uuid,
    name: String,
    slug: String,
    is_nsfw: bool,
}

/// Up to `limit` live pre-orders after an id, by id, whose figure is released or whose parcel is expected on one of
/// these days or in one of their months; both ends included. Pieces that are archived are left out.
///
/// # Errors
/// When the database does not answer.
pub async fn upcoming(
    connection: &mut PgConnection,
    from: NaiveDate,
    until: NaiveDate,
    after: Uuid,
    limit: i64,
) -> sqlx::Result<Vec<Upcoming>> {
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT p.id, p.user_id, p.owned_item_id, p.status, p.release_date_current, p.release_date_precision, \
             p.shipped_at, p.estimated_delivery_days, p.figure_id, f.name, f.slug, f.is_nsfw \
         FROM preorders AS p JOIN owned_items AS o ON o.id = p.owned_item_id \
         JOIN figures AS f ON f.id = p.figure_id \
         WHERE p.id > $3 AND o.archived_at IS NULL AND p.status NOT IN ('received', 'cancelled') \
             AND (p.status <> 'shipped' \
                     AND p.release_date_current BETWEEN date_trunc('month', $1::timestamp)::date AND $2 \
                  OR p.status = 'shipped' \
                     AND (p.shipped_at AT TIME ZONE 'UTC')::date + p.estimated_delivery_days BETWEEN $1 AND $2) \
         ORDER BY p.id LIMIT $4",
    )
    .bind(from)
    .bind(until)
    .bind(after)
    .bind(limit)
    .fetch_all(connection)
    .await?;
    rows.into_iter()
        .map(|row| {
            let precision = row.release_date_precision.as_deref().unwrap_or("day").parse();
            let precision =
                precision.map_err(|error: domain::dates::DateError| sqlx::Error::Decode(error.into()))?;
            let status = row.status.parse().map_err(|_unknown| {
                sqlx::Error::Decode(format!("{} is no status of a pre-order", row.status).into())
            })?;
            Ok(Upcoming {
                id: row.id,
                user_id: UserId(row.user_id),
                owned_item_id: row.owned_item_id,
                status,
                release: row.release_date_current.map(|date| (date, precision)),
                delivery: delivery_date(row.shipped_at, row.estimated_delivery_days),
                figure_id: FigureId(row.figure_id),
                name: row.name,
                slug: row.slug,
                is_nsfw: row.is_nsfw,
            })
        })
        .collect()
}
