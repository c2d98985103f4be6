//! `api_keys`: keys with which scripts speak for a person, within scopes.

use std::{fmt, str::FromStr};

use chrono::{DateTime, Utc};
use domain::ids::UserId;
use serde::{Deserialize, Serialize};
use sqlx::{FromRow, PgExecutor, PgPool, Row, postgres::PgRow};
use uuid::Uuid;

use crate::{
    tokens::{self, Token},
    users::{self, User},
};

/// How every key begins, so that scanners of code and logs know one when they see it.
pub const PREFIX: &str = "fl_";
/// How many characters of a key are kept to recognise it by.
const HINT_CHARS: usize = 8;
/// Most keys a person may have.
pub const MOST: i64 = 50;
/// Most characters of a key's name.
pub const NAME_CHARS: usize = 100;

/// One thing that a key may be allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Scope {
    /// Read figures, makers, prices, currencies.
    #[serde(rename = "catalogue:read")]
    CatalogueRead,
    /// Add and change them.
    #[serde(rename = "catalogue:write")]
    CatalogueWrite,
    /// Read the person's own pieces, pre-orders, wishes, cabinets, feed and notifications.
    #[serde(rename = "collection:read")]
    CollectionRead,
    /// Add and change them.
    #[serde(rename = "collection:write")]
    CollectionWrite,
    /// Delete them.
    #[serde(rename = "collection:delete")]
    CollectionDelete,
    /// Read what it is all worth and what it comes to.
    #[serde(rename = "stats:read")]
    StatsRead,
    /// Do what admins do; only admins can give it.
    #[serde(rename = "admin:*")]
    Admin,
}

impl Scope {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::CatalogueRead,
        Self::CatalogueWrite,
        Self::CollectionRead,
        Self::CollectionWrite,
        Self::CollectionDelete,
        Self::StatsRead,
        Self::Admin,
    ];
    /// Those of a key whose maker names none: reading.
    pub const DEFAULT: [Self; 3] = [Self::CatalogueRead, Self::CollectionRead, Self::StatsRead];

    /// The word that is stored and sent.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::CatalogueRead => "catalogue:read",
            Self::CatalogueWrite => "catalogue:write",
            Self::CollectionRead => "collection:read",
            Self::CollectionWrite => "collection:write",
            Self::CollectionDelete => "collection:delete",
            Self::StatsRead => "stats:read",
            Self::Admin => "admin:*",
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// There is no such scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("there is no such scope")]
pub struct UnknownScope;

impl FromStr for Scope {
    type Err = UnknownScope;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|one| one.as_str() == text).ok_or(UnknownScope)
    }
}

/// A key without its secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKey {
    /// What it is called in addresses. It opens nothing.
    pub id: Uuid,
    /// What its maker calls it.
    pub name: String,
    /// How it begins.
    pub hint: String,
    /// What it is allowed.
    pub scopes: Vec<Scope>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it stops to work; none for never.
    pub expires_at: Option<DateTime<Utc>>,
    /// When it was last used, to the minute.
    pub last_used_at: Option<DateTime<Utc>>,
}

const COLUMNS: &str = "id, name, hint, scopes, created_at, expires_at, last_used_at";

impl FromRow<'_, PgRow> for ApiKey {
    fn from_row(row: &PgRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            id: row.try_get("id")?,
            name: row.try_get("name")?,
            hint: row.try_get("hint")?,
            scopes: known(&row.try_get::<Vec<String>, _>("scopes")?),
            created_at: row.try_get("created_at")?,
            expires_at: row.try_get("expires_at")?,
            last_used_at: row.try_get("last_used_at")?,
        })
    }
}

/// A scope that this release does not know allows nothing.
fn known(scopes: &[String]) -> Vec<Scope> {
    scopes.iter().filter_map(|scope| scope.parse().ok()).collect()
}

/// A key to be made.
#[derive(Debug, Clone)]
pub struct NewKey {
    /// What its maker calls it.
    pub name: String,
    /// What it is to be allowed; at least one.
    pub scopes: Vec<Scope>,
    /// When it is to stop.
    pub expires_at: Option<DateTime<Utc>>,
}

/// Why a key could not be made.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// They have [`MOST`] already.
    #[error("nobody has more than {MOST} keys")]
    TooMany,
    /// The database's own trouble.
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

/// Makes a key. Its secret is in the answer and nowhere else.
///
/// # Errors
/// [`KeyError`].
pub async fn create(pool: &PgPool, user: UserId, new: &NewKey) -> Result<(ApiKey, Token), KeyError> {
    let secret = Token::new(PREFIX);
    let hint: String = secret.as_str().chars().take(HINT_CHARS).collect();
    let scopes: Vec<&str> = new.scopes.iter().map(|scope| scope.as_str()).collect();
    let mut tx = pool.begin().await?;
    // One at a time for each person, or the bound would not hold.
    sqlx::query("SELECT 1 FROM users WHERE id = $1 FOR UPDATE").bind(user.uuid()).execute(&mut *tx).await?;
    let held: i64 = sqlx::query_scalar("SELECT count(*) FROM api_keys WHERE user_id = $1")
        .bind(user.uuid())
        .fetch_one(&mut *tx)
        .await?;
    if held >= MOST {
        return Err(KeyError::TooMany);
    }
    let sql = format!(
        "INSERT INTO api_keys (id, user_id, name, hint, secret_hash, scopes, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING {COLUMNS}"
    );
    let key = sqlx::query_as(&sql)
        .bind(Uuid::now_v7())
        .bind(user.uuid())
        .bind(&new.name)
        .bind(hint)
        .bind(secret.hash().as_slice())
        .bind(scopes)
        .bind(new.expires_at)
        .fetch_one(&mut *tx)
        .await?;
    tx.commit().await?;
    Ok((key, secret))
}

/// Somebody's keys, newest first, those that have run out as well.
///
/// # Errors
/// Whatever the database reports.
pub async fn of_user(db: impl PgExecutor<'_>, user: UserId) -> Result<Vec<ApiKey>, sqlx::Error> {
    let sql = format!("SELECT {COLUMNS} FROM api_keys WHERE user_id = $1 ORDER BY created_at DESC, id DESC");
    sqlx::query_as(&sql).bind(user.uuid()).fetch_all(db).await
}

/// Takes a key of somebody's away, at once; false when they have none of that id.
///
/// # Errors
/// Whatever the database reports.
pub async fn revoke(db: impl PgExecutor<'_>, user: UserId, id: Uuid) -> Result<bool, sqlx::Error> {
    let gone = sqlx::query("DELETE FROM api_keys WHERE id = $1 AND user_id = $2")
        .bind(id)
        .bind(user.uuid())
        .execute(db)
        .await?;
    Ok(gone.rows_affected() > 0)
}

/// Takes all of somebody's keys away and says how many there were.
///
/// # Errors
/// Whatever the database reports.
pub async fn revoke_all(db: impl PgExecutor<'_>, user: UserId) -> Result<u64, sqlx::Error> {
    let gone = sqlx::query("DELETE FROM api_keys WHERE user_id = $1").bind(user.uuid()).execute(db).await?;
    Ok(gone.rows_affected())
}

/// What a key that was offered leads to.
#[derive(Debug, Clone)]
pub struct Offered {
    /// Its id.
    pub id: Uuid,
    /// What it is allowed.
    pub scopes: Vec<Scope>,
    /// Whose it is. They may be suspended.
    pub user: User,
    unnoted: bool,
}

impl FromRow<'_, PgRow> for Offered {
    fn from_row(row: &PgRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            id: row.try_get("key_id")?,
            scopes: known(&row.try_get::<Vec<String>, _>("key_scopes")?),
            user: User::from_row(row)?,
            unnoted: row.try_get("key_unnoted")?,
        })
    }
}

/// Whose key this is, and that it is used; none for one that never was, is revoked or has run out.
///
/// # Errors
/// Whatever the database reports.
pub async fn offered(pool: &PgPool, secret: &str) -> Result<Option<Offered>, sqlx::Error> {
    let columns = users::COLUMNS;
    let sql = format!(
        "SELECT {columns}, key_id, key_scopes, key_unnoted
         FROM users JOIN (
             SELECT k.id AS key_id, k.user_id AS key_user, k.scopes AS key_scopes,
                    coalesce(k.last_used_at < now() - interval '1 minute', true) AS key_unnoted
             FROM api_keys AS k
             WHERE k.secret_hash = $1 AND coalesce(k.expires_at > now(), true)
         ) AS key ON key.key_user = users.id"
    );
    let found: Option<Offered> =
        sqlx::query_as(&sql).bind(tokens::hash(secret).as_slice()).fetch_optional(pool).await?;
    if let Some(used) = found.as_ref().filter(|found| found.unnoted) {
        sqlx::query("UPDATE api_keys SET last_used_at = now() WHERE id = $1")
            .bind(used.id)
            .execute(pool)
            .await?;
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_is_one_word_everywhere() {
        for scope in Scope::ALL {
            assert_eq!(scope.as_str().parse(), Ok(scope));
            assert_eq!(serde_json::to_value(scope).unwrap(), scope.as_str());
        }
        assert_eq!("admin".parse::<Scope>(), Err(UnknownScope));
        assert!(!Scope::DEFAULT.contains(&Scope::Admin));
    }
}
