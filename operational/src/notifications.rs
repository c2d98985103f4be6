//! `notifications` and `notification_dedup`: what people were told, each thing once.

use crate::notification_deliveries;
use chrono::{DateTime, Utc};
use domain::ids::UserId;
use serde_json::Value;
use sqlx::{PgConnection, PgPool};
use std::str::FromStr;
use uuid::Uuid;

/// The channel of the database on which every telling notifies; the payload is the id of whoever is told.
pub const CHANNEL: &str = "figure_ledger_told";

/// What can be told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// An achievement was unlocked.
    AchievementUnlocked,
    /// A pre-ordered figure is released today, or this month.
    PreorderReleaseToday,
    /// A pre-ordered figure is released in seven days.
    PreorderReleaseJ7,
    /// A parcel is expected today.
    PreorderDeliveryToday,
    /// A parcel was expected yesterday.
    PreorderDeliveryOverdue,
    /// A market price crossed down to a wish's target.
    WishlistPriceBelowTarget,
    /// A wished figure is to be had again.
    WishlistBackInStock,
    /// The MangaCollector server that one linked may be used.
    MangaServerApproved,
    /// The MangaCollector server that one linked may be used no longer.
    MangaServerRevoked,
}

/// Nothing is told under this name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("there is no such event")]
pub struct UnknownKind;

impl FromStr for Kind {
    type Err = UnknownKind;

    fn from_str(text: &str) -> Result<Self, UnknownKind> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text).ok_or(UnknownKind)
    }
}

impl Kind {
    /// Every one of them.
    pub const ALL: [Self; 9] = [
        Self::AchievementUnlocked,
        Self::PreorderReleaseToday,
        Self::PreorderReleaseJ7,
        Self::PreorderDeliveryToday,
        Self::PreorderDeliveryOverdue,
        Self::WishlistPriceBelowTarget,
        Self::WishlistBackInStock,
        Self::MangaServerApproved,
        Self::MangaServerRevoked,
    ];

    /// Its name in tables and over HTTP.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AchievementUnlocked => "achievement_unlocked",
            Self::PreorderReleaseToday => "preorder_release_today",
            Self::PreorderReleaseJ7 => "preorder_release_j7",
            Self::PreorderDeliveryToday => "preorder_delivery_today",
            Self::PreorderDeliveryOverdue => "preorder_delivery_overdue",
            Self::WishlistPriceBelowTarget => "wishlist_price_below_target",
            Self::WishlistBackInStock => "wishlist_back_in_stock",
            Self::MangaServerApproved => "manga_server_approved",
            Self::MangaServerRevoked => "manga_server_revoked",
        }
    }
}

/// Something to tell somebody.
#[derive(Debug, Clone, PartialEq)]
pub struct Telling {
    /// Derived from what led to it, so that the same thing has the same id.
    pub id: Uuid,
    /// Whom.
    pub user_id: UserId,
    /// What of.
    pub kind: Kind,
    /// What makes it the same thing, after the kind: told once per person.
    pub about: String,
    /// The facts.
    pub payload: Value,
    /// When it came about.
    pub at: DateTime<Utc>,
}

/// Something that somebody was told.
#[derive(Debug, Clone, PartialEq, sqlx::FromRow)]
pub struct Notification {
    /// Its id.
    pub id: Uuid,
    /// What it tells of: the name of a [`Kind`].
    pub event_type: String,
    /// The facts.
    pub payload: Value,
    /// When it came about.
    pub created_at: DateTime<Utc>,
    /// When it was read; empty until then.
    pub read_at: Option<DateTime<Utc>>,
}

/// Tells somebody something, unless they were told before, or are gone; whether they are told now. Belongs into the
/// transaction of what led to it, and queues there what goes out by other channels.
///
/// # Errors
/// Whatever the database reports.
pub async fn tell(transaction: &mut PgConnection, telling: &Telling) -> sqlx::Result<bool> {
    tell_at(transaction, telling, Utc::now()).await
}

/// The same, at a time that the caller's clock shows: quiet hours and digests are reckoned from it.
///
/// # Errors
/// Whatever the database reports.
pub async fn tell_at(
    transaction: &mut PgConnection,
    telling: &Telling,
    now: DateTime<Utc>,
) -> sqlx::Result<bool> {
    let told = sqlx::query(
        "WITH person AS (SELECT id FROM users WHERE id = $2 FOR KEY SHARE), \
         fresh AS (INSERT INTO notification_dedup (user_id, dedup_key) \
                   SELECT id, $3 || ':' || $4 FROM person ON CONFLICT DO NOTHING RETURNING user_id) \
         INSERT INTO notifications (id, user_id, event_type, payload, created_at) \
         SELECT $1, user_id, $3, $5, $6 FROM fresh ON CONFLICT (id) DO NOTHING",
    )
    .bind(telling.id)
    .bind(telling.user_id.uuid())
    .bind(telling.kind.as_str())
    .bind(&telling.about)
    .bind(&telling.payload)
    .bind(telling.at)
    .execute(&mut *transaction)
    .await?;
    if told.rows_affected() == 0 {
        return Ok(false);
    }
    notification_deliveries::queue(&mut *transaction, telling, now).await?;
    sqlx::query("SELECT pg_notify($1, $2)")
        .bind(CHANNEL)
        .bind(telling.user_id.to_string())
        .execute(transaction)
        .await?;
    Ok(true)
}

impl Telling {
    /// Whether it is about something NSFW.
    #[must_use]
    pub fn is_nsfw(&self) -> bool {
        is_nsfw(&self.payload)
    }
}

/// Whether these facts are about an NSFW figure, or an achievement of such.
#[must_use]
pub fn is_nsfw(payload: &Value) -> bool {
    let marked = |value: &Value| value.get("is_nsfw").and_then(Value::as_bool).unwrap_or(false);
    marked(payload) || payload.get("figure").is_some_and(marked)
}

/// Whether a row is about an NSFW figure, or an achievement of such; as [`is_nsfw`].
const NSFW: &str =
    "coalesce((payload -> 'figure' ->> 'is_nsfw')::boolean, (payload ->> 'is_nsfw')::boolean, false)";

/// What somebody was told, the latest first, after a place in that order; without what is about NSFW figures when
/// they hide those.
///
/// # Errors
/// Whatever the database reports.
pub async fn list(
    pool: &PgPool,
    user_id: UserId,
    unread_only: bool,
    hides_nsfw: bool,
    after: Option<(DateTime<Utc>, Uuid)>,
    limit: i64,
) -> sqlx::Result<Vec<Notification>> {
    let (time, id) = after.unzip();
    sqlx::query_as(&format!(
        "SELECT id, event_type, payload, created_at, read_at FROM notifications \
         WHERE user_id = $1 AND (NOT $2 OR read_at IS NULL) AND NOT ($6 AND {NSFW}) \
             AND ($3::timestamptz IS NULL OR (created_at, id) < ($3, $4)) \
         ORDER BY created_at DESC, id DESC LIMIT $5"
    ))
    .bind(user_id.uuid())
    .bind(unread_only)
    .bind(time)
    .bind(id)
    .bind(limit)
    .bind(hides_nsfw)
    .fetch_all(pool)
    .await
}

/// What somebody was told since a moment, by when the row was written, the first first.
///
/// # Errors
/// Whatever the database reports.
pub async fn told_since(
    pool: &PgPool,
    user_id: UserId,
    hides_nsfw: bool,
    after: (DateTime<Utc>, Uuid),
    limit: i64,
) -> sqlx::Result<Vec<(DateTime<Utc>, Notification)>> {
    #[derive(sqlx::FromRow)]
    struct Told {
        told_at: DateTime<Utc>,
        #[sqlx(flatten)]
        notification: Notification,
    }
    let rows: Vec<Told> = sqlx::query_as(&format!(
        "SELECT id, event_type, payload, created_at, read_at, told_at FROM notifications \
         WHERE user_id = $1 AND (told_at, id) > ($2, $5) AND NOT ($3 AND {NSFW}) ORDER BY told_at, id LIMIT $4"
    ))
    .bind(user_id.uuid())
    .bind(after.0)
    .bind(hides_nsfw)
    .bind(limit)
    .bind(after.1)
    .fetch_all(pool)
    .await?;
    Ok(rows.into_iter().map(|row| (row.told_at, row.notification)).collect())
}

/// How many somebody has not read, of those that [`list`] lists.
///
/// # Errors
/// Whatever the database reports.
pub async fn unread(pool: &PgPool, user_id: UserId, hides_nsfw: bool) -> sqlx::Result<i64> {
    let sql = format!(
        "SELECT count(*) FROM notifications WHERE user_id = $1 AND read_at IS NULL AND NOT ($2 AND {NSFW})"
    );
    sqlx::query_scalar(&sql).bind(user_id.uuid()).bind(hides_nsfw).fetch_one(pool).await
}

/// Notes that somebody read one of theirs; `None` when it is not theirs. Read once, it keeps its time.
///
/// # Errors
/// Whatever the database reports.
pub async fn read(pool: &PgPool, user_id: UserId, id: Uuid) -> sqlx::Result<Option<Notification>> {
    sqlx::query_as(
        "UPDATE notifications SET read_at = coalesce(read_at, now()) WHERE id = $1 AND user_id = $2 \
         RETURNING id, event_type, payload, created_at, read_at",
    )
    .bind(id)
    .bind(user_id.uuid())
    .fetch_optional(pool)
    .await
}

/// Notes that somebody read all of theirs; how many were unread.
///
/// # Errors
/// Whatever the database reports.
pub async fn read_all(pool: &PgPool, user_id: UserId) -> sqlx::Result<u64> {
    let read = sqlx::query("UPDATE notifications SET read_at = now() WHERE user_id = $1 AND read_at IS NULL")
        .bind(user_id.uuid())
        .execute(pool)
        .await?;
    Ok(read.rows_affected())
}
