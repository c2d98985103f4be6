//! `manga_servers`: the MangaCollector servers that people proposed and admins let in.

use std::{fmt, str::FromStr};

use chrono::{DateTime, SubsecRound, Utc};
use domain::{ids::UserId, text::Line};
use serde::{Deserialize, Serialize};
use sqlx::{FromRow, PgConnection, PgExecutor, PgPool};
use url::Url;
use uuid::Uuid;

use crate::{manga_links, manga_tellings};

/// How many proposals of one person may wait at a time.
pub const MOST_PENDING: i64 = 10;
/// Longest origin, in bytes: a name has at most 253.
const LONGEST_ORIGIN: usize = 270;
const COLUMNS: &str = "s.id, s.base_url, s.name, s.status, s.note, s.submitted_by, s.reviewed_by, s.reviewed_at, \
     s.created_at, s.updated_at";

/// What people call a server.
pub type ServerName = Line<100>;
/// Why a server was revoked.
pub type Reason = Line<500>;

/// An origin: scheme, host in lower case and, unless it is the scheme's own, port. Nothing else.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Origin(Url);

/// This is no origin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("give the address of a server and no more, such as https://manga.example: no path, user or query")]
pub struct NoOrigin;

impl Origin {
    /// Its address, with a slash for a path.
    #[must_use]
    pub const fn url(&self) -> &Url {
        &self.0
    }

    /// Host and, unless it is the scheme's own, port.
    #[must_use]
    pub fn authority(&self) -> &str {
        self.0.authority()
    }
}

impl FromStr for Origin {
    type Err = NoOrigin;

    fn from_str(text: &str) -> Result<Self, NoOrigin> {
        let mut url: Url = text.trim().parse().map_err(|_none| NoOrigin)?;
        let host = url.host_str().ok_or(NoOrigin)?.trim_end_matches('.').to_owned();
        // A dot at the end of a name changes nothing of where it leads.
        if url.domain().is_some() {
            url.set_host(Some(&host)).map_err(|_none| NoOrigin)?;
        }
        let bare = matches!(url.scheme(), "http" | "https")
            && url.username().is_empty()
            && url.password().is_none()
            && url.path() == "/"
            && url.query().is_none()
            && url.fragment().is_none()
            && url.port() != Some(0);
        (bare && url.as_str().len() <= LONGEST_ORIGIN).then_some(Self(url)).ok_or(NoOrigin)
    }
}

impl TryFrom<String> for Origin {
    type Error = NoOrigin;

    fn try_from(text: String) -> Result<Self, NoOrigin> {
        text.parse()
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.origin().ascii_serialization())
    }
}

/// What admins think of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Nobody has looked at it yet.
    Pending,
    /// It may be asked.
    Approved,
    /// It may not, or no longer.
    Revoked,
}

/// There is no such status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a server is pending, approved or revoked")]
pub struct UnknownStatus;

impl Status {
    /// Its name in tables and over HTTP.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Approved => "approved",
            Self::Revoked => "revoked",
        }
    }
}

impl FromStr for Status {
    type Err = UnknownStatus;

    fn from_str(text: &str) -> Result<Self, UnknownStatus> {
        let all = [Self::Pending, Self::Approved, Self::Revoked];
        all.into_iter().find(|status| status.as_str() == text).ok_or(UnknownStatus)
    }
}

impl TryFrom<String> for Status {
    type Error = UnknownStatus;

    fn try_from(text: String) -> Result<Self, UnknownStatus> {
        text.parse()
    }
}

/// A server.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct Server {
    /// Its id.
    pub id: Uuid,
    /// Its origin.
    pub base_url: String,
    /// What people call it; its host until an admin says otherwise.
    pub name: String,
    /// What admins think of it.
    #[sqlx(try_from = "String")]
    pub status: Status,
    /// Why it was revoked.
    pub note: Option<String>,
    /// Who proposed it, unless they are gone.
    pub submitted_by: Option<Uuid>,
    /// Who reviewed it last, unless they are gone.
    pub reviewed_by: Option<Uuid>,
    /// When.
    pub reviewed_at: Option<DateTime<Utc>>,
    /// When it was proposed.
    pub created_at: DateTime<Utc>,
    /// When any of this last changed.
    pub updated_at: DateTime<Utc>,
}

/// A server, with how many linked it.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct Counted {
    /// The server.
    #[sqlx(flatten)]
    pub server: Server,
    /// The name of whoever proposed it.
    pub submitted_by_name: Option<String>,
    /// How many people linked it.
    pub linked: i64,
}

/// Why a server was not added or changed.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// Another row has this origin.
    #[error("this server is known already")]
    Known(Box<Server>),
    /// Too many proposals of one person wait.
    #[error("at most {MOST_PENDING} proposals of one person wait at a time")]
    TooMany,
    /// Somebody linked it.
    #[error("{0} people linked it")]
    Linked(i64),
    /// There is no such server.
    #[error("there is no such server")]
    NotFound,
    /// The database's own trouble.
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

/// Adds a server that nobody has reviewed yet.
///
/// # Errors
/// `Known`, also when two propose it at once; `TooMany`; `NotFound` when the person is gone; the database's.
pub async fn propose(pool: &PgPool, origin: &Origin, by: UserId) -> Result<Server, Refused> {
    let mut tx = pool.begin().await?;
    // One person's proposals come one after the other, so that they can be counted.
    let person: Option<Uuid> = sqlx::query_scalar("SELECT id FROM users WHERE id = $1 FOR NO KEY UPDATE")
        .bind(by.uuid())
        .fetch_optional(&mut *tx)
        .await?;
    let person = person.ok_or(Refused::NotFound)?;
    if let Some(known) = by_origin(&mut *tx, origin).await? {
        return Err(Refused::Known(Box::new(known)));
    }
    let waiting: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM manga_servers WHERE submitted_by = $1 AND status = 'pending'",
    )
    .bind(person)
    .fetch_one(&mut *tx)
    .await?;
    if waiting >= MOST_PENDING {
        return Err(Refused::TooMany);
    }
    let added: Option<Server> = sqlx::query_as(&format!(
        "INSERT INTO manga_servers AS s (id, base_url, name, submitted_by) VALUES ($1, $2, $3, $4) \
         ON CONFLICT (base_url) DO NOTHING RETURNING {COLUMNS}"
    ))
    .bind(Uuid::now_v7())
    .bind(origin.to_string())
    .bind(origin.authority())
    .bind(person)
    .fetch_optional(&mut *tx)
    .await?;
    tx.commit().await?;
    match added {
        Some(added) => Ok(added),
        None => match by_origin(pool, origin).await? {
            Some(known) => Err(Refused::Known(Box::new(known))),
            None => Err(Refused::NotFound),
        },
    }
}

/// The server with this origin.
///
/// # Errors
/// Whatever the database reports.
pub async fn by_origin(db: impl PgExecutor<'_>, origin: &Origin) -> sqlx::Result<Option<Server>> {
    sqlx::query_as(&format!("SELECT {COLUMNS} FROM manga_servers AS s WHERE s.base_url = $1"))
        .bind(origin.to_string())
        .fetch_optional(db)
        .await
}

/// The server with this id, with how many linked it.
///
/// # Errors
/// Whatever the database reports.
pub async fn find(db: impl PgExecutor<'_>, id: Uuid) -> sqlx::Result<Option<Counted>> {
    sqlx::query_as(&format!("{} WHERE s.id = $1", counted())).bind(id).fetch_optional(db).await
}

fn counted() -> String {
    format!(
        "SELECT {COLUMNS}, p.username AS submitted_by_name, \
             (SELECT count(*) FROM users AS u WHERE u.manga_server_id = s.id) AS linked \
         FROM manga_servers AS s LEFT JOIN users AS p ON p.id = s.submitted_by"
    )
}

/// At most `limit` servers after an origin, by origin; with `viewer`, those that are approved, that they proposed and
/// that they linked.
///
/// # Errors
/// Whatever the database reports.
pub async fn list(
    db: impl PgExecutor<'_>,
    viewer: Option<UserId>,
    status: Option<Status>,
    after: Option<&str>,
    limit: i64,
) -> sqlx::Result<Vec<Counted>> {
    sqlx::query_as(&format!(
        "{} WHERE ($1::uuid IS NULL OR s.status = 'approved' OR s.submitted_by = $1 \
             OR s.id = (SELECT manga_server_id FROM users WHERE id = $1)) \
         AND ($2::text IS NULL OR s.status = $2) AND ($3::text IS NULL OR s.base_url > $3) \
         ORDER BY s.base_url LIMIT $4",
        counted()
    ))
    .bind(viewer.map(UserId::uuid))
    .bind(status.map(Status::as_str))
    .bind(after)
    .bind(limit)
    .fetch_all(db)
    .await
}

/// What an admin says of a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It may be asked.
    Approve,
    /// It may not: why.
    Revoke(Reason),
}

impl Verdict {
    const fn status(&self) -> Status {
        match self {
            Self::Approve => Status::Approved,
            Self::Revoke(_) => Status::Revoked,
        }
    }
}

/// Approves or revokes a server and notes that everybody who linked it is to be told, in one transaction;
/// [`manga_tellings::tell_some`] tells them. One that stands so already stays as it is, but for the reason, and nobody is
/// told again.
///
/// # Errors
/// `NotFound`, the database's.
pub async fn review(
    pool: &PgPool,
    id: Uuid,
    verdict: &Verdict,
    by: UserId,
    now: DateTime<Utc>,
) -> Result<Counted, Refused> {
    let mut tx = pool.begin().await?;
    // Whoever links it meanwhile waits, and then sees what it is.
    let before = locked(&mut tx, id).await?;
    let reason = match verdict {
        Verdict::Approve => None,
        Verdict::Revoke(reason) => Some(reason.as_str()),
    };
    if before.status == verdict.status() {
        sqlx::query("UPDATE manga_servers SET note = $2, updated_at = now() WHERE id = $1 AND note IS DISTINCT FROM $2")
            .bind(id)
            .bind(reason)
            .execute(&mut *tx)
            .await?;
    } else {
        // As the database keeps it, so that what is told of it names the same moment.
        let now = now.trunc_subsecs(6);
        sqlx::query(
            "UPDATE manga_servers SET status = $2, note = $3, reviewed_by = $4, reviewed_at = $5, \
                 updated_at = now() WHERE id = $1",
        )
        .bind(id)
        .bind(verdict.status().as_str())
        .bind(reason)
        .bind(by.uuid())
        .bind(now)
        .execute(&mut *tx)
        .await?;
        manga_tellings::note(&mut tx, &before, verdict, now).await?;
    }
    let after = find(&mut *tx, id).await?.ok_or(Refused::NotFound)?;
    tx.commit().await?;
    Ok(after)
}

async fn locked(tx: &mut PgConnection, id: Uuid) -> Result<Server, Refused> {
    let found =
        sqlx::query_as(&format!("SELECT {COLUMNS} FROM manga_servers AS s WHERE s.id = $1 FOR UPDATE"))
            .bind(id)
            .fetch_optional(tx)
            .await?;
    found.ok_or(Refused::NotFound)
}

/// Gives a server another name, or the origin that it has moved to; what was kept of the place before goes.
///
/// # Errors
/// `Known` when another has that origin, `NotFound`, the database's.
pub async fn rename(
    pool: &PgPool,
    id: Uuid,
    name: Option<&ServerName>,
    origin: Option<&Origin>,
) -> Result<Counted, Refused> {
    let mut tx = pool.begin().await?;
    let before = locked(&mut tx, id).await?;
    let base_url = origin.map(Origin::to_string).filter(|url| *url != before.base_url);
    let changed = sqlx::query(
        "UPDATE manga_servers SET name = coalesce($2, name), base_url = coalesce($3, base_url), updated_at = now() \
         WHERE id = $1",
    )
    .bind(id)
    .bind(name.map(ServerName::as_str))
    .bind(&base_url)
    .execute(&mut *tx)
    .await;
    if let Err(error) = changed {
        let taken = error.as_database_error().and_then(|error| error.constraint())
            == Some("manga_servers_base_url_key");
        tx.rollback().await?;
        let known = match origin.filter(|_| taken) {
            Some(origin) => by_origin(pool, origin).await?,
            None => None,
        };
        return Err(known.map_or(Refused::Database(error), |known| Refused::Known(Box::new(known))));
    }
    if base_url.is_some() {
        manga_links::forget_all_of(&mut tx, id).await?;
    }
    let after = find(&mut *tx, id).await?.ok_or(Refused::NotFound)?;
    tx.commit().await?;
    Ok(after)
}

/// Takes a server off the list.
///
/// # Errors
/// `Linked` while anybody has linked it, `NotFound`, the database's.
pub async fn delete(pool: &PgPool, id: Uuid) -> Result<(), Refused> {
    let mut tx = pool.begin().await?;
    locked(&mut tx, id).await?;
    let linked: i64 = sqlx::query_scalar("SELECT count(*) FROM users WHERE manga_server_id = $1")
        .bind(id)
        .fetch_one(&mut *tx)
        .await?;
    if linked > 0 {
        return Err(Refused::Linked(linked));
    }
    sqlx::query("DELETE FROM manga_servers WHERE id = $1").bind(id).execute(&mut *tx).await?;
    manga_links::forget_all_of(&mut tx, id).await?;
    tx.commit().await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_origin_is_written_in_one_way() {
        for (typed, kept) in [
            ("https://Manga.Example", "https://manga.example"),
            ("HTTPS://MANGA.example:443/", "https://manga.example"),
            (" http://manga.example:80 ", "http://manga.example"),
            ("https://manga.example.:8443", "https://manga.example:8443"),
            ("https://m\u{fc}nchen.example", "https://xn--mnchen-3ya.example"),
            ("http://0x7f.1/", "http://127.0.0.1"),
            ("http://[::1]:9000", "http://[::1]:9000"),
        ] {
            assert_eq!(typed.parse::<Origin>().unwrap().to_string(), kept, "{typed}");
        }
    }

    #[test]
    fn what_is_more_than_an_origin_is_none() {
        for text in [
            "",
            "manga.example",
            "ftp://manga.example",
            "https://user@manga.example",
            "https://user:pass@manga.example",
            "https://manga.example/shelf",
            "https://manga.example/?q=1",
            "https://manga.example/#top",
            "https://manga.example:0",
            "https://",
            "https://./",
            "javascript:alert(1)",
        ] {
            assert_eq!(text.parse::<Origin>(), Err(NoOrigin), "{text}");
        }
        let long = format!("https://{}.example", "a".repeat(300));
        assert_eq!(long.parse::<Origin>(), Err(NoOrigin));
    }
}
