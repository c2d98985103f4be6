//! `user_sessions` and `tower_sessions`: who is signed in where.
//!
//! The session layer keeps what a cookie leads to in `tower_sessions`, under the cookie's secret. Each sign-in has a
//! row of its own in `user_sessions` beside it, with an id that can be shown; a session without it is over.

use chrono::{DateTime, TimeDelta, Utc};
use domain::ids::UserId;
use sqlx::{FromRow, PgExecutor, Row, postgres::PgRow};
use uuid::Uuid;

use crate::users::{self, User};

/// Schema and name of the session layer's table, as the session store wants them.
pub const TABLE: (&str, &str) = ("public", "tower_sessions");
/// Most characters kept of how a browser calls itself.
const USER_AGENT_CHARS: usize = 300;

/// How long a session lasts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lifetimes {
    /// It is over when it is not used for this long.
    pub idle: TimeDelta,
    /// It is over after this long, however much it is used.
    pub absolute: TimeDelta,
}

impl Default for Lifetimes {
    fn default() -> Self {
        Self { idle: TimeDelta::days(30), absolute: TimeDelta::days(90) }
    }
}

/// A session, as its owner sees it.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct SessionRow {
    /// What it is called. It opens nothing.
    pub id: Uuid,
    /// How they signed in: `password`, or the provider.
    pub signed_in_by: String,
    /// How the browser called itself then.
    pub user_agent: Option<String>,
    /// When it began.
    pub created_at: DateTime<Utc>,
    /// When it was last used, to the hour.
    pub seen_at: DateTime<Utc>,
    /// When it is over if it is not used before.
    pub idle_until: DateTime<Utc>,
    /// When it is over at the latest.
    pub ends_at: DateTime<Utc>,
}

const COLUMNS: &str = "id, signed_in_by, user_agent, created_at, seen_at, idle_until, ends_at";

/// Begins a session of somebody and says what it is called.
///
/// # Errors
/// Whatever the database reports.
pub async fn begin(
    db: impl PgExecutor<'_>,
    user: UserId,
    signed_in_by: &str,
    user_agent: Option<&str>,
    lasts: Lifetimes,
) -> Result<Uuid, sqlx::Error> {
    let id = Uuid::now_v7();
    sqlx::query(
        "INSERT INTO user_sessions (id, user_id, signed_in_by, user_agent, idle_until, ends_at)
         VALUES ($1, $2, $3, $4, now() + $5, now() + $6)",
    )
    .bind(id)
    .bind(user.uuid())
    .bind(signed_in_by)
    .bind(user_agent.map(|text| text.chars().take(USER_AGENT_CHARS).collect::<String>()))
    .bind(lasts.idle)
    .bind(lasts.absolute)
    .execute(db)
    .await?;
    Ok(id)
}

/// An account, and how the session stands that names it.
#[derive(Debug, Clone)]
pub struct Holder {
    /// The account.
    pub user: User,
    /// When the session began; none when it is over.
    pub began_at: Option<DateTime<Utc>>,
    /// Whether its last use is to be written down: it was more than an hour ago.
    pub unseen: bool,
}

impl FromRow<'_, PgRow> for Holder {
    fn from_row(row: &PgRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            user: User::from_row(row)?,
            began_at: row.try_get("session_began_at")?,
            unseen: row.try_get::<Option<bool>, _>("session_unseen")?.unwrap_or(false),
        })
    }
}

/// The account that a session names, and whether that session goes on; none when there is no such account.
///
/// # Errors
/// Whatever the database reports.
pub async fn holder(
    db: impl PgExecutor<'_>,
    user: UserId,
    session: Uuid,
) -> Result<Option<Holder>, sqlx::Error> {
    let columns = users::COLUMNS;
    let sql = format!(
        "SELECT {columns}, session_began_at, session_unseen
         FROM users LEFT JOIN LATERAL (
             SELECT created_at AS session_began_at, seen_at < now() - interval '1 hour' AS session_unseen
             FROM user_sessions AS s
             WHERE s.id = $2 AND s.user_id = users.id AND least(s.idle_until, s.ends_at) > now()
         ) AS session ON true
         WHERE users.id = $1"
    );
    sqlx::query_as(&sql).bind(user.uuid()).bind(session).fetch_optional(db).await
}

/// What the session store keeps under an id, as it wrote it; none for a session that is over.
///
/// # Errors
/// Whatever the database reports.
pub async fn stored(db: impl PgExecutor<'_>, id: &str) -> Result<Option<Vec<u8>>, sqlx::Error> {
    sqlx::query_scalar("SELECT data FROM tower_sessions WHERE id = $1 AND expiry_date > now()")
        .bind(id)
        .fetch_optional(db)
        .await
}

/// Writes down that a session is used, which prolongs it.
///
/// # Errors
/// Whatever the database reports.
pub async fn seen(db: impl PgExecutor<'_>, session: Uuid, lasts: Lifetimes) -> Result<(), sqlx::Error> {
    sqlx::query("UPDATE user_sessions SET seen_at = now(), idle_until = now() + $2 WHERE id = $1")
        .bind(session)
        .bind(lasts.idle)
        .execute(db)
        .await?;
    Ok(())
}

/// Somebody's sessions that go on, newest first.
///
/// # Errors
/// Whatever the database reports.
pub async fn of_user(db: impl PgExecutor<'_>, user: UserId) -> Result<Vec<SessionRow>, sqlx::Error> {
    let sql = format!(
        "SELECT {COLUMNS} FROM user_sessions
         WHERE user_id = $1 AND least(idle_until, ends_at) > now()
         ORDER BY created_at DESC, id DESC"
    );
    sqlx::query_as(&sql).bind(user.uuid()).fetch_all(db).await
}

/// Ends one of somebody's sessions; false when they have none of that name.
///
/// # Errors
/// Whatever the database reports.
pub async fn end(db: impl PgExecutor<'_>, user: UserId, session: Uuid) -> Result<bool, sqlx::Error> {
    let ended = sqlx::query("DELETE FROM user_sessions WHERE id = $1 AND user_id = $2")
        .bind(session)
        .bind(user.uuid())
        .execute(db)
        .await?;
    Ok(ended.rows_affected() > 0)
}

/// Ends all of somebody's sessions and says how many there were.
///
/// # Errors
/// Whatever the database reports.
pub async fn end_all(db: impl PgExecutor<'_>, user: UserId) -> Result<u64, sqlx::Error> {
    let ended =
        sqlx::query("DELETE FROM user_sessions WHERE user_id = $1").bind(user.uuid()).execute(db).await?;
    Ok(ended.rows_affected())
}

/// Deletes what has run out: sessions, and beside them sign-ins at providers that were never finished and resets of
/// passwords that nobody used. Says how many sessions there were.
///
/// # Errors
/// Whatever the database reports.
pub async fn delete_expired(db: impl PgExecutor<'_>) -> Result<u64, sqlx::Error> {
    let deleted = sqlx::query(
        "WITH over AS (DELETE FROM user_sessions WHERE least(idle_until, ends_at) < now()),
              unfinished AS (DELETE FROM oidc_flows WHERE expires_at < now()),
              unused AS (DELETE FROM password_resets WHERE expires_at < now())
         DELETE FROM tower_sessions WHERE expiry_date < now()",
    )
    .execute(db)
    .await?;
    Ok(deleted.rows_affected())
}
