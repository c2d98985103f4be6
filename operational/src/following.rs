//! `following`: who follows whom, and finding people at all.
//!
//! Somebody is found by others while their profile is on and they are not suspended; else they are left out of every
//! answer here, as if there were no such account. Rows stay, so that switching a profile off and on loses nobody.

use chrono::{DateTime, Utc};
use domain::ids::UserId;
use serde::{Deserialize, Serialize};
use sqlx::{FromRow, PgExecutor, PgPool};

use crate::users::{COLUMNS, User, Username};

/// Whether user `u` is found by others.
const FOUND: &str = "u.public_profile AND u.suspended_at IS NULL";
/// What people are sorted by where it is not by time.
const BY_NAME: &str = "lower(u.username) COLLATE \"C\"";

/// Somebody who is found, as one person sees them.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct Person {
    /// Their account.
    #[sqlx(flatten)]
    pub user: User,
    /// Whether whoever looks follows them.
    pub is_followed: bool,
    /// Since when the one follows the other, in a list of such.
    pub followed_at: Option<DateTime<Utc>>,
}

/// Where a page of those who follow or are followed ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FollowKey {
    /// Since when.
    pub followed_at: Option<DateTime<Utc>>,
    /// Their name in lower case, which tells apart those of one microsecond.
    pub name: String,
}

impl Person {
    /// Where they stand in [`followed_by`] and [`followers_of`].
    #[must_use]
    pub fn key(&self) -> FollowKey {
        FollowKey { followed_at: self.followed_at, name: self.name_key() }
    }

    /// Where they stand in [`discover`].
    #[must_use]
    pub fn name_key(&self) -> String {
        self.user.username.to_ascii_lowercase()
    }
}

/// The account of this name, whatever its case, if it is found by others.
///
/// # Errors
/// Whatever the database reports.
pub async fn find(db: impl PgExecutor<'_>, name: &Username) -> sqlx::Result<Option<User>> {
    sqlx::query_as(&format!(
        "SELECT {COLUMNS} FROM users AS u WHERE lower(u.username) = lower($1) AND {FOUND}"
    ))
    .bind(name.as_str())
    .fetch_optional(db)
    .await
}

/// Whether somebody follows somebody.
///
/// # Errors
/// Whatever the database reports.
pub async fn follows(db: impl PgExecutor<'_>, follower: UserId, followed: UserId) -> sqlx::Result<bool> {
    sqlx::query_scalar("SELECT EXISTS (SELECT FROM following WHERE follower_id = $1 AND followed_id = $2)")
        .bind(follower.uuid())
        .bind(followed.uuid())
        .fetch_one(db)
        .await
}

/// Has somebody follow somebody else. Once more is the same; whom nobody finds is not followed.
///
/// # Errors
/// Whatever the database reports; for oneself, that.
pub async fn follow(db: impl PgExecutor<'_>, follower: UserId, followed: UserId) -> sqlx::Result<()> {
    // The account is held for this statement: erasing it meanwhile waits, or leaves nobody to follow.
    sqlx::query(&format!(
        "INSERT INTO following (follower_id, followed_id) \
         SELECT $1, u.id FROM users AS u WHERE u.id = $2 AND {FOUND} FOR KEY SHARE ON CONFLICT DO NOTHING"
    ))
    .bind(follower.uuid())
    .bind(followed.uuid())
    .execute(db)
    .await?;
    Ok(())
}

/// Has somebody follow somebody no longer, whether that one is found or not. Whether they did before.
///
/// # Errors
/// Whatever the database reports.
pub async fn unfollow(db: impl PgExecutor<'_>, follower: UserId, name: &Username) -> sqlx::Result<bool> {
    let gone = sqlx::query(
        "DELETE FROM following AS f USING users AS u \
         WHERE u.id = f.followed_id AND f.follower_id = $1 AND lower(u.username) = lower($2)",
    )
    .bind(follower.uuid())
    .bind(name.as_str())
    .execute(db)
    .await?;
    Ok(gone.rows_affected() > 0)
}

/// How many people are found among those who follow somebody, and among those whom they follow.
///
/// # Errors
/// Whatever the database reports.
pub async fn counts(db: impl PgExecutor<'_>, user: UserId) -> sqlx::Result<(i64, i64)> {
    sqlx::query_as(&format!(
        "SELECT (SELECT count(*) FROM following AS f JOIN users AS u ON u.id = f.follower_id \
             WHERE f.followed_id = $1 AND {FOUND}), \
            (SELECT count(*) FROM following AS f JOIN users AS u ON u.id = f.followed_id \
             WHERE f.follower_id = $1 AND {FOUND})"
    ))
    .bind(user.uuid())
    .fetch_one(db)
    .await
}

/// Whom somebody follows, the latest first; `limit` people after `after`.
///
/// # Errors
/// Whatever the database reports.
pub async fn followed_by(
    pool: &PgPool,
    user: UserId,
    after: Option<&FollowKey>,
    limit: i64,
) -> sqlx::Result<Vec<Person>> {
    listed(pool, ("follower_id", "followed_id"), user, after, limit).await
}

/// Who follows somebody, the latest first; `limit` people after `after`.
///
/// # Errors
/// Whatever the database reports.
pub async fn followers_of(
    pool: &PgPool,
    user: UserId,
    after: Option<&FollowKey>,
    limit: i64,
) -> sqlx::Result<Vec<Person>> {
    listed(pool, ("followed_id", "follower_id"), user, after, limit).await
}

async fn listed(
    pool: &PgPool,
    (own, other): (&str, &str),
    user: UserId,
    after: Option<&FollowKey>,
    limit: i64,
) -> sqlx::Result<Vec<Person>> {
    let sql = format!(
        "SELECT {COLUMNS}, f.followed_at, \
             EXISTS (SELECT FROM following AS me WHERE me.follower_id = $1 AND me.followed_id = u.id) AS is_followed \
         FROM following AS f JOIN users AS u ON u.id = f.{other} WHERE f.{own} = $1 AND {FOUND} \
             AND ($2::text IS NULL OR (f.followed_at, {BY_NAME}) < ($3, $2)) \
         ORDER BY f.followed_at DESC, {BY_NAME} DESC LIMIT $4"
    );
    sqlx::query_as(&sql)
        .bind(user.uuid())
        .bind(after.map(|key| key.name.as_str()))
        .bind(after.and_then(|key| key.followed_at))
        .bind(limit)
        .fetch_all(pool)
        .await
}

/// The people whom `viewer` finds, themselves left out, by name; with `q`, those whose name holds it, without regard
/// to case. `limit` of them after the name `after`.
///
/// # Errors
/// Whatever the database reports.
pub async fn discover(
    pool: &PgPool,
    viewer: UserId,
    q: Option<&str>,
    after: Option<&str>,
    limit: i64,
) -> sqlx::Result<Vec<Person>> {
    let sql = format!(
        "SELECT {COLUMNS}, NULL::timestamptz AS followed_at, \
             EXISTS (SELECT FROM following AS me WHERE me.follower_id = $1 AND me.followed_id = u.id) AS is_followed \
         FROM users AS u WHERE {FOUND} AND u.id <> $1 \
             AND ($2::text IS NULL OR strpos(lower(u.username), lower($2)) > 0) \
             AND ($3::text IS NULL OR {BY_NAME} > $3) \
         ORDER BY {BY_NAME} LIMIT $4"
    );
    sqlx::query_as(&sql).bind(viewer.uuid()).bind(q).bind(after).bind(limit).fetch_all(pool).await
}
