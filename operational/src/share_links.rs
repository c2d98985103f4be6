//! `share_links`: addresses that open something of somebody to whoever has them.

use chrono::{DateTime, Utc};
use domain::ids::{CabinetId, UserId};
use sqlx::{FromRow, PgExecutor, Row, postgres::PgRow};
use uuid::Uuid;

use crate::{
    tokens::{self, Token},
    users::{self, User},
};

/// What a link can open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Somebody's wishlist, for those who look for a present.
    Wishlist,
    /// One of somebody's cabinets.
    Cabinet,
    /// Somebody's calendar of releases and deliveries.
    Calendar,
}

impl Kind {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Wishlist => "wishlist",
            Self::Cabinet => "cabinet",
            Self::Calendar => "calendar",
        }
    }
}

/// What of somebody's is shared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Shared {
    /// Their wishlist.
    Wishlist,
    /// This cabinet. Whether it is theirs is for the caller to know.
    Cabinet(CabinetId),
    /// Their calendar.
    Calendar,
}

impl Shared {
    const fn kind(self) -> Kind {
        match self {
            Self::Wishlist => Kind::Wishlist,
            Self::Cabinet(_) => Kind::Cabinet,
            Self::Calendar => Kind::Calendar,
        }
    }

    const fn subject(self, user: UserId) -> Uuid {
        match self {
            Self::Cabinet(cabinet) => cabinet.uuid(),
            Self::Wishlist | Self::Calendar => user.uuid(),
        }
    }
}

/// Makes a link, or gives the one there is a new token: the one before opens nothing from then on. The token is in
/// the answer and nowhere else. None for accounts that are suspended or gone.
///
/// # Errors
/// Whatever the database reports.
pub async fn begin(
    db: impl PgExecutor<'_>,
    user: UserId,
    shared: Shared,
) -> sqlx::Result<Option<(Token, DateTime<Utc>)>> {
    let token = Token::new("");
    // The lock makes this come before or after a suspension, which ends all links.
    let made: Option<DateTime<Utc>> = sqlx::query_scalar(
        "INSERT INTO share_links (id, user_id, kind, subject_id, token_hash)
         SELECT $1, u.id, $3, $4, $5 FROM users AS u WHERE u.id = $2 AND u.suspended_at IS NULL FOR SHARE OF u
         ON CONFLICT (user_id, kind, subject_id) DO UPDATE SET token_hash = excluded.token_hash, created_at = now()
         RETURNING created_at",
    )
    .bind(Uuid::now_v7())
    .bind(user.uuid())
    .bind(shared.kind().as_str())
    .bind(shared.subject(user))
    .bind(token.hash().as_slice())
    .fetch_optional(db)
    .await?;
    Ok(made.map(|made| (token, made)))
}

/// Since when somebody shares this with the token in force; none when they do not.
///
/// # Errors
/// Whatever the database reports.
pub async fn since(
    db: impl PgExecutor<'_>,
    user: UserId,
    shared: Shared,
) -> sqlx::Result<Option<DateTime<Utc>>> {
    sqlx::query_scalar(
        "SELECT created_at FROM share_links WHERE user_id = $1 AND kind = $2 AND subject_id = $3",
    )
    .bind(user.uuid())
    .bind(shared.kind().as_str())
    .bind(shared.subject(user))
    .fetch_optional(db)
    .await
}

/// Ends a link, and wipes the reservations made by it; false when there was none.
///
/// # Errors
/// Whatever the database reports.
pub async fn end(db: impl PgExecutor<'_>, user: UserId, shared: Shared) -> sqlx::Result<bool> {
    let gone = sqlx::query("DELETE FROM share_links WHERE user_id = $1 AND kind = $2 AND subject_id = $3")
        .bind(user.uuid())
        .bind(shared.kind().as_str())
        .bind(shared.subject(user))
        .execute(db)
        .await?;
    Ok(gone.rows_affected() > 0)
}

/// Ends every link of somebody, for good, and says how many there were.
///
/// # Errors
/// Whatever the database reports.
pub async fn end_all(db: impl PgExecutor<'_>, user: UserId) -> sqlx::Result<u64> {
    let gone =
        sqlx::query("DELETE FROM share_links WHERE user_id = $1").bind(user.uuid()).execute(db).await?;
    Ok(gone.rows_affected())
}

/// A link that was opened.
#[derive(Debug, Clone)]
pub struct Opened {
    /// The link's own id, which opens nothing.
    pub link_id: Uuid,
    /// The cabinet, or the person themselves.
    pub subject_id: Uuid,
    /// Whose it is.
    pub owner: User,
    pub(crate) token_hash: [u8; 32],
}

/// What a token opens; none for one that never was, was replaced or ended, opens something else, or is of somebody
/// who is suspended.
///
/// # Errors
/// Whatever the database reports.
pub async fn opened(db: impl PgExecutor<'_>, kind: Kind, token: &str) -> sqlx::Result<Option<Opened>> {
    let (columns, token_hash) = (users::COLUMNS, tokens::hash(token));
    let sql = format!(
        "SELECT {columns}, link_id, link_subject
         FROM users JOIN (
             SELECT l.id AS link_id, l.user_id AS link_user, l.subject_id AS link_subject
             FROM share_links AS l WHERE l.token_hash = $1 AND l.kind = $2
         ) AS link ON link.link_user = users.id
         WHERE users.suspended_at IS NULL"
    );
    let row: Option<PgRow> =
        sqlx::query(&sql).bind(token_hash.as_slice()).bind(kind.as_str()).fetch_optional(db).await?;
    row.map(|row| {
        Ok(Opened {
            link_id: row.try_get("link_id")?,
            subject_id: row.try_get("link_subject")?,
            owner: User::from_row(&row)?,
            token_hash,
        })
    })
    .transpose()
}
