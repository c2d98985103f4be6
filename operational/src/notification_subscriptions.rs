//! `notification_subscriptions`: which event somebody wants to be told of by which channel.

use crate::notification_channels::Channel;
use crate::notifications::Kind;
use domain::ids::UserId;
use sqlx::{PgConnection, PgPool};
use std::collections::BTreeSet;

/// One choice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Route {
    /// Of what.
    pub kind: Kind,
    /// By what.
    pub channel: Channel,
    /// Whether.
    pub enabled: bool,
}

/// What somebody has switched on, besides the app itself.
///
/// # Errors
/// Whatever the database reports.
pub async fn of_user(pool: &PgPool, user_id: UserId) -> sqlx::Result<BTreeSet<(Kind, Channel)>> {
    let rows: Vec<(String, String)> = sqlx::query_as(
        "SELECT event_type, channel_type FROM notification_subscriptions WHERE user_id = $1 AND enabled",
    )
    .bind(user_id.uuid())
    .fetch_all(pool)
    .await?;
    Ok(rows.iter().filter_map(|(kind, channel)| Some((kind.parse().ok()?, channel.parse().ok()?))).collect())
}

/// Changes these choices of somebody's and leaves all others as they are.
///
/// # Errors
/// Whatever the database reports.
pub async fn merge(transaction: &mut PgConnection, user_id: UserId, routes: &[Route]) -> sqlx::Result<()> {
    let kinds: Vec<&str> = routes.iter().map(|route| route.kind.as_str()).collect();
    let channels: Vec<&str> = routes.iter().map(|route| route.channel.as_str()).collect();
    let enabled: Vec<bool> = routes.iter().map(|route| route.enabled).collect();
    sqlx::query(
        "INSERT INTO notification_subscriptions (user_id, event_type, channel_type, enabled) \
         SELECT $1, * FROM unnest($2::text[], $3::text[], $4::bool[]) \
         ON CONFLICT (user_id, event_type, channel_type) DO UPDATE SET enabled = excluded.enabled",
    )
    .bind(user_id.uuid())
    .bind(&kinds)
    .bind(&channels)
    .bind(&enabled)
    .execute(transaction)
    .await?;
    Ok(())
}
