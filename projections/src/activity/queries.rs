//! Reading the feed.

use super::rows::ActivityRow;
use crate::engine::Row as _;
use domain::ids::UserId;
use serde_json::Value;
use sqlx::PgPool;

/// One row of the feed.
pub type Told = ActivityRow;

/// A person's feed before a position, the latest first; `limit` rows at most.
///
/// `without_nsfw` leaves out what is about a single NSFW figure, as it was marked then or is now, and
/// takes the names of NSFW figures out of the rest.
///
/// # Errors
/// When the database does.
pub async fn of_user(
    pool: &PgPool,
    user: UserId,
    before: Option<i64>,
    limit: i64,
    without_nsfw: bool,
) -> sqlx::Result<Vec<Told>> {
    let columns = ActivityRow::COLUMNS.iter().map(|c| format!("a.{c}")).collect::<Vec<_>>().join(", ");
    let sql = format!(
        "SELECT {columns} FROM activity_events AS a \
         LEFT JOIN figures AS f ON f.id = (a.payload #>> '{{figure,id}}')::uuid \
         WHERE a.user_id = $1 AND a.position < $2 \
         AND NOT ($3 AND (f.is_nsfw IS TRUE OR (a.payload #>> '{{figure,is_nsfw}}')::boolean IS TRUE)) \
         ORDER BY a.position DESC LIMIT $4"
    );
    let rows = sqlx::query(&sql)
        .bind(user.uuid())
        .bind(before.unwrap_or(i64::MAX))
        .bind(without_nsfw)
        .bind(limit)
        .fetch_all(pool)
        .await?;
    rows.iter()
        .map(|row| {
            let mut told = ActivityRow::read(row)?;
            if let Some(Value::Array(figures)) = told.payload.get_mut("figures").filter(|_| without_nsfw) {
                figures.retain(|figure| figure.get("is_nsfw") != Some(&Value::Bool(true)));
            }
            Ok(told)
        })
        .collect()
}
