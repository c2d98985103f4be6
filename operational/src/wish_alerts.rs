//! `wish_alerts`: how each wish with a target stood at the last price point of its figure.

use chrono::{DateTime, Utc};
use domain::ids::{FigureId, UserId};
use rust_decimal::Decimal;
use sqlx::PgConnection;
use std::collections::HashMap;
use uuid::Uuid;

/// How one wish stood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WishAlert {
    /// Whose wish.
    pub user_id: UserId,
    /// The target that it was judged by.
    pub target_amount: Decimal,
    /// Its currency.
    pub target_currency: String,
    /// The price was above the target.
    pub armed: bool,
}

/// How the wishes for a figure stood, by person.
///
/// # Errors
/// Whatever the database reports.
pub async fn of_figure(
    transaction: &mut PgConnection,
    figure_id: FigureId,
) -> sqlx::Result<HashMap<UserId, WishAlert>> {
    let rows: Vec<(Uuid, Decimal, String, bool)> = sqlx::query_as(
        "SELECT user_id, target_amount, target_currency, armed FROM wish_alerts WHERE figure_id = $1",
    )
    .bind(figure_id.uuid())
    .fetch_all(transaction)
    .await?;
    let alert = |(user_id, target_amount, target_currency, armed)| {
        let user_id = UserId(user_id);
        (user_id, WishAlert { user_id, target_amount, target_currency, armed })
    };
    Ok(rows.into_iter().map(alert).collect())
}

/// Replaces how the wishes for a figure stand. People who are gone are passed over.
///
/// # Errors
/// Whatever the database reports.
pub async fn set(
    transaction: &mut PgConnection,
    figure_id: FigureId,
    alerts: &[WishAlert],
    at: DateTime<Utc>,
) -> sqlx::Result<()> {
    let users: Vec<Uuid> = alerts.iter().map(|alert| alert.user_id.uuid()).collect();
    let amounts: Vec<Decimal> = alerts.iter().map(|alert| alert.target_amount).collect();
    let currencies: Vec<&str> = alerts.iter().map(|alert| alert.target_currency.as_str()).collect();
    let armed: Vec<bool> = alerts.iter().map(|alert| alert.armed).collect();
    sqlx::query("DELETE FROM wish_alerts WHERE figure_id = $1 AND user_id <> ALL ($2)")
        .bind(figure_id.uuid())
        .bind(&users)
        .execute(&mut *transaction)
        .await?;
    sqlx::query(
        "INSERT INTO wish_alerts (user_id, figure_id, target_amount, target_currency, armed, judged_at) \
         SELECT u.id, $1, a.amount, a.currency, a.armed, $6 \
         FROM unnest($2::uuid[], $3::numeric[], $4::text[], $5::bool[]) \
             AS a (user_id, amount, currency, armed) JOIN users AS u ON u.id = a.user_id \
         ON CONFLICT (user_id, figure_id) DO UPDATE SET target_amount = excluded.target_amount, \
             target_currency = excluded.target_currency, armed = excluded.armed, judged_at = excluded.judged_at",
    )
    .bind(figure_id.uuid())
    .bind(&users)
    .bind(&amounts)
    .bind(&currencies)
    .bind(&armed)
    .bind(at)
    .execute(transaction)
    .await?;
    Ok(())
}
