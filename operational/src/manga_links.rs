//! `users.manga_server_id` and `manga_slug`: where somebody shows their manga shelf, and what is kept of it.
//!
//! What is kept stands in `external_lookups`, one row for each server and slug that somebody has linked. It is about a
//! person, so it goes with the last link.

use std::{fmt, str::FromStr};

use chrono::{DateTime, Utc};
use domain::ids::UserId;
use serde::{Deserialize, Serialize};
use sqlx::{FromRow, PgConnection, PgExecutor, PgPool, types::Json};
use uuid::Uuid;

use crate::{
    external_lookups::{self, Lookup},
    manga_servers::{Server, Status},
};

/// What was answered, in `external_lookups`.
pub const PROVIDER: &str = "manga";
/// Why nothing was, since the last time that something was.
pub const FAILURES: &str = "manga_failure";

/// Under which those who unlink one page wait for each other.
const FORGET_LOCK: i32 = 0x6d61_6e67;

/// The name of a public page on a MangaCollector server: 1 to 64 of `A-Z`, `a-z`, `0-9`, `.`, `_` and `-`, the first a
/// letter or digit. Kept as typed.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct Slug(String);

/// This is no slug.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a slug has 1 to 64 of A-Z, a-z, 0-9, '.', '_' and '-', and begins with a letter or digit")]
pub struct NoSlug;

impl Slug {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Slug {
    type Err = NoSlug;

    fn from_str(text: &str) -> Result<Self, NoSlug> {
        let letter = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
        let of_shape = text.len() <= 64
            && text.bytes().next().is_some_and(|first| first.is_ascii_alphanumeric())
            && text.bytes().all(letter);
        of_shape.then(|| Self(text.to_owned())).ok_or(NoSlug)
    }
}

impl TryFrom<String> for Slug {
    type Error = NoSlug;

    fn try_from(text: String) -> Result<Self, NoSlug> {
        text.parse()
    }
}

impl fmt::Display for Slug {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A page on a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// The server.
    pub server_id: Uuid,
    /// Its origin.
    pub base_url: String,
    /// The page's name there.
    pub slug: Slug,
}

impl Page {
    /// Under which its lookups are kept.
    #[must_use]
    pub fn key(&self) -> String {
        key(self.server_id, self.slug.as_str())
    }
}

fn key(server_id: Uuid, slug: &str) -> String {
    format!("{server_id}:{slug}")
}

/// Somebody's link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// The server.
    pub server: Server,
    /// The page's name there.
    pub slug: Slug,
}

impl Link {
    /// The page that it leads to.
    #[must_use]
    pub fn page(&self) -> Page {
        Page { server_id: self.server.id, base_url: self.server.base_url.clone(), slug: self.slug.clone() }
    }
}

#[derive(FromRow)]
struct LinkRow {
    #[sqlx(flatten)]
    server: Server,
    #[sqlx(try_from = "String")]
    manga_slug: Slug,
}

#[derive(FromRow)]
struct PageRow {
    server_id: Uuid,
    base_url: String,
    #[sqlx(try_from = "String")]
    slug: Slug,
}

/// Why a link was not made.
#[derive(Debug, thiserror::Error)]
pub enum Unlinkable {
    /// There is no such server, or the person is gone.
    #[error("there is no such server")]
    NotFound,
    /// It was revoked.
    #[error("this server was revoked")]
    Revoked(Box<Server>),
    /// The database's own trouble.
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

/// Somebody's link, if they have one.
///
/// # Errors
/// Whatever the database reports.
pub async fn of(db: impl PgExecutor<'_>, user: UserId) -> sqlx::Result<Option<Link>> {
    let row: Option<LinkRow> = sqlx::query_as(
        "SELECT s.*, u.manga_slug FROM users AS u JOIN manga_servers AS s ON s.id = u.manga_server_id \
         WHERE u.id = $1",
    )
    .bind(user.uuid())
    .fetch_optional(db)
    .await?;
    Ok(row.map(|row| Link { server: row.server, slug: row.manga_slug }))
}

/// Links a page in the place of the one before. A pending server will do: it is not asked until it is approved.
///
/// # Errors
/// [`Unlinkable`].
pub async fn set(pool: &PgPool, user: UserId, server_id: Uuid, slug: &Slug) -> Result<Link, Unlinkable> {
    let mut tx = pool.begin().await?;
    // Who reviews it at this moment tells those who linked it before; whoever comes after sees what it is.
    let server: Option<Server> = sqlx::query_as("SELECT * FROM manga_servers WHERE id = $1 FOR SHARE")
        .bind(server_id)
        .fetch_optional(&mut *tx)
        .await?;
    let server = server.ok_or(Unlinkable::NotFound)?;
    if server.status == Status::Revoked {
        return Err(Unlinkable::Revoked(Box::new(server)));
    }
    let before = old_page(&mut tx, user).await?;
    let linked = sqlx::query(
        "UPDATE users SET manga_server_id = $2, manga_slug = $3, updated_at = now() WHERE id = $1",
    )
    .bind(user.uuid())
    .bind(server_id)
    .bind(slug.as_str())
    .execute(&mut *tx)
    .await?;
    if linked.rows_affected() == 0 {
        return Err(Unlinkable::NotFound);
    }
    if let Some((server, slug)) = before {
        forget_if_unlinked(&mut tx, server, &slug).await?;
    }
    tx.commit().await?;
    Ok(Link { server, slug: slug.clone() })
}

/// Takes somebody's link away; whether they had one.
///
/// # Errors
/// Whatever the database reports.
pub async fn remove(pool: &PgPool, user: UserId) -> sqlx::Result<bool> {
    let mut tx = pool.begin().await?;
    let before = old_page(&mut tx, user).await?;
    sqlx::query(
        "UPDATE users SET manga_server_id = NULL, manga_slug = NULL, updated_at = now() WHERE id = $1",
    )
    .bind(user.uuid())
    .execute(&mut *tx)
    .await?;
    if let Some((server, slug)) = &before {
        forget_if_unlinked(&mut tx, *server, slug).await?;
    }
    tx.commit().await?;
    Ok(before.is_some())
}

async fn old_page(tx: &mut PgConnection, user: UserId) -> sqlx::Result<Option<(Uuid, String)>> {
    sqlx::query_as(
        "SELECT manga_server_id, manga_slug FROM users WHERE id = $1 AND manga_server_id IS NOT NULL \
         FOR NO KEY UPDATE",
    )
    .bind(user.uuid())
    .fetch_optional(tx)
    .await
}

/// Deletes what is kept of a page that nobody links any more.
///
/// # Errors
/// Whatever the database reports.
pub async fn forget_if_unlinked(tx: &mut PgConnection, server: Uuid, slug: &str) -> sqlx::Result<()> {
    // Of two who leave at once each would still see the other, and nobody would be the last.
    sqlx::query("SELECT pg_advisory_xact_lock($1, hashtext($2))")
        .bind(FORGET_LOCK)
        .bind(key(server, slug))
        .execute(&mut *tx)
        .await?;
    sqlx::query(
        "DELETE FROM external_lookups WHERE provider IN ($1, $2) AND lookup_key = $3 \
         AND NOT EXISTS (SELECT FROM users WHERE manga_server_id = $4 AND manga_slug = $5)",
    )
    .bind(PROVIDER)
    .bind(FAILURES)
    .bind(key(server, slug))
    .bind(server)
    .bind(slug)
    .execute(tx)
    .await?;
    Ok(())
}

/// Deletes what is kept of all pages of a server.
///
/// # Errors
/// Whatever the database reports.
pub(crate) async fn forget_all_of(tx: &mut PgConnection, server: Uuid) -> sqlx::Result<()> {
    sqlx::query("DELETE FROM external_lookups WHERE provider IN ($1, $2) AND starts_with(lookup_key, $3)")
        .bind(PROVIDER)
        .bind(FAILURES)
        .bind(key(server, ""))
        .execute(tx)
        .await?;
    Ok(())
}

/// Keeps what a page said, or why it said nothing, as long as somebody links it, its server is approved and where it
/// was: it was asked without a lock, and all that may have changed meanwhile. Whether it was kept.
///
/// # Errors
/// Whatever the database reports.
pub async fn keep<T: Serialize + Sync, E: Serialize + Sync>(
    pool: &PgPool,
    page: &Page,
    said: Result<&T, &E>,
    at: DateTime<Utc>,
) -> sqlx::Result<bool> {
    let mut tx = pool.begin().await?;
    // The server first, as whoever links does: two that wait for each other would end with an error.
    let there: Option<Uuid> = sqlx::query_scalar(
        "SELECT id FROM manga_servers WHERE id = $1 AND base_url = $2 AND status = 'approved' FOR SHARE",
    )
    .bind(page.server_id)
    .bind(&page.base_url)
    .fetch_optional(&mut *tx)
    .await?;
    let linked: Option<Uuid> = sqlx::query_scalar(
        "SELECT id FROM users WHERE manga_server_id = $1 AND manga_slug = $2 ORDER BY id LIMIT 1 FOR SHARE",
    )
    .bind(there)
    .bind(page.slug.as_str())
    .fetch_optional(&mut *tx)
    .await?;
    if linked.is_none() {
        return Ok(false);
    }
    match said {
        Ok(said) => {
            external_lookups::put(&mut *tx, PROVIDER, &page.key(), said, at).await?;
            sqlx::query("DELETE FROM external_lookups WHERE provider = $1 AND lookup_key = $2")
                .bind(FAILURES)
                .bind(page.key())
                .execute(&mut *tx)
                .await?;
        }
        Err(failure) => external_lookups::put(&mut *tx, FAILURES, &page.key(), failure, at).await?,
    }
    tx.commit().await?;
    Ok(true)
}

/// Pages on approved servers that somebody who is not suspended links, that were not had since `had_before`, and did
/// not fail since `failed_before`; server by server.
///
/// # Errors
/// Whatever the database reports.
pub async fn due(
    db: impl PgExecutor<'_>,
    had_before: DateTime<Utc>,
    failed_before: DateTime<Utc>,
) -> sqlx::Result<Vec<Page>> {
    let rows: Vec<PageRow> = sqlx::query_as(
        "SELECT l.server_id, l.base_url, l.slug FROM ( \
             SELECT DISTINCT s.id AS server_id, s.base_url, u.manga_slug AS slug FROM users AS u \
             JOIN manga_servers AS s ON s.id = u.manga_server_id AND s.status = 'approved' \
             WHERE u.suspended_at IS NULL) AS l \
         WHERE NOT EXISTS (SELECT FROM external_lookups AS k \
             WHERE k.lookup_key = l.server_id || ':' || l.slug \
             AND (k.provider = $1 AND k.fetched_at > $3 OR k.provider = $2 AND k.fetched_at > $4)) \
         ORDER BY l.server_id, l.slug",
    )
    .bind(PROVIDER)
    .bind(FAILURES)
    .bind(had_before)
    .bind(failed_before)
    .fetch_all(db)
    .await?;
    let page = |row: PageRow| Page { server_id: row.server_id, base_url: row.base_url, slug: row.slug };
    Ok(rows.into_iter().map(page).collect())
}

/// What is kept of the first of these series on somebody's shelf, as long as its server is approved: one entry of what
/// [`keep`] was given, out of its member `entries`, an object whose keys are the numbers.
///
/// # Errors
/// Whatever the database reports.
pub async fn entry<T: for<'de> Deserialize<'de>>(
    db: impl PgExecutor<'_>,
    user: UserId,
    mal_ids: &[i64],
) -> sqlx::Result<Option<Lookup<(i64, T)>>> {
    let row: Option<(i64, Json<serde_json::Value>, DateTime<Utc>)> = sqlx::query_as(
        "SELECT w.mal_id, k.payload -> 'entries' -> w.mal_id::text, k.fetched_at FROM users AS u \
         JOIN manga_servers AS s ON s.id = u.manga_server_id AND s.status = 'approved' \
         JOIN external_lookups AS k ON k.provider = $1 AND k.lookup_key = s.id || ':' || u.manga_slug \
         CROSS JOIN unnest($3::bigint[]) WITH ORDINALITY AS w (mal_id, place) \
         WHERE u.id = $2 AND k.payload -> 'entries' ? w.mal_id::text ORDER BY w.place LIMIT 1",
    )
    .bind(PROVIDER)
    .bind(user.uuid())
    .bind(mal_ids)
    .fetch_optional(db)
    .await?;
    Ok(row.and_then(|(mal_id, entry, fetched_at)| {
        let entry = serde_json::from_value(entry.0).ok()?;
        Some(Lookup { payload: (mal_id, entry), fetched_at })
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slug_is_one_part_of_an_address_whatever_it_is() {
        for text in ["a", "Alice", "alice-shelf_2.0", "0", &"a".repeat(64)] {
            assert_eq!(text.parse::<Slug>().unwrap().as_str(), text);
        }
        for text in [
            "",
            ".",
            "..",
            "-a",
            "_a",
            "a/b",
            "a?b",
            "a#b",
            "a%2fb",
            "a b",
            "\u{e9}",
            "a\n",
            "a@b",
            &"a".repeat(65),
        ] {
            assert_eq!(text.parse::<Slug>(), Err(NoSlug), "{text}");
        }
    }
}
