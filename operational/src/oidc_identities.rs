//! `oidc_identities`: which accounts elsewhere open an account here.

use chrono::{DateTime, Utc};
use domain::ids::UserId;
use sqlx::{FromRow, PgConnection, PgExecutor, PgPool};
use uuid::Uuid;

use crate::{
    tokens::Token,
    users::{self, Email, User, Username},
};

/// Who a provider says somebody is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The provider's name here: `google` or `generic`.
    pub provider: String,
    /// Its issuer: a subject means nothing at another one.
    pub issuer: String,
    /// What the issuer calls the person, for good.
    pub subject: String,
    /// The address that it tells, for showing.
    pub email: Option<String>,
}

/// A link, as its owner sees it.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct Link {
    /// The provider's name here.
    pub provider: String,
    /// The address that it last told.
    pub email: Option<String>,
    /// When it was linked.
    pub created_at: DateTime<Utc>,
    /// When it was last used to sign in.
    pub last_used_at: Option<DateTime<Utc>>,
}

/// Why a link could not be made or undone.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    /// The identity opens somebody else's account.
    #[error("this identity belongs to another account")]
    Taken,
    /// The account has another identity of this provider.
    #[error("the account is linked to another identity of this provider")]
    Linked,
    /// Without it nobody could sign in to the account.
    #[error("this is the only way into the account")]
    OnlyWayIn,
    /// Another account has the address.
    #[error("another account has this e-mail address")]
    EmailTaken,
    /// The database's own trouble.
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

/// What an account is linked to, by provider.
///
/// # Errors
/// Whatever the database reports.
pub async fn of_user(db: impl PgExecutor<'_>, user: UserId) -> Result<Vec<Link>, sqlx::Error> {
    sqlx::query_as(
        "SELECT provider, email, created_at, last_used_at FROM oidc_identities WHERE user_id = $1 ORDER BY provider",
    )
    .bind(user.uuid())
    .fetch_all(db)
    .await
}

/// The account that an identity opens, noting that it was used; none when it opens none.
///
/// # Errors
/// Whatever the database reports.
pub async fn sign_in(pool: &PgPool, identity: &Identity) -> Result<Option<User>, sqlx::Error> {
    let owner: Option<Uuid> = sqlx::query_scalar(
        "UPDATE oidc_identities SET last_used_at = now(), email = coalesce($4, email)
         WHERE provider = $1 AND issuer = $2 AND subject = $3 RETURNING user_id",
    )
    .bind(&identity.provider)
    .bind(&identity.issuer)
    .bind(&identity.subject)
    .bind(&identity.email)
    .fetch_optional(pool)
    .await?;
    match owner {
        Some(owner) => users::by_id(pool, owner.into()).await,
        None => Ok(None),
    }
}

/// Links an identity to an account. Doing it twice is doing it once.
///
/// # Errors
/// [`LinkError::Taken`], [`LinkError::Linked`], the database's.
pub async fn link(pool: &PgPool, user: UserId, identity: &Identity) -> Result<(), LinkError> {
    let mut tx = pool.begin().await?;
    lock(&mut tx, user).await?;
    insert(&mut tx, user, identity).await?;
    let owner: Option<Uuid> = sqlx::query_scalar(
        "SELECT user_id FROM oidc_identities WHERE provider = $1 AND issuer = $2 AND subject = $3",
    )
    .bind(&identity.provider)
    .bind(&identity.issuer)
    .bind(&identity.subject)
    .fetch_optional(&mut *tx)
    .await?;
    match owner {
        Some(owner) if owner == user.uuid() => Ok(tx.commit().await?),
        Some(_) => Err(LinkError::Taken),
        None => Err(LinkError::Linked),
    }
}

/// Takes the link to a provider away; false when there is none. `usable` are the providers at which people can sign
/// in today: a link to any other is no way in.
///
/// # Errors
/// [`LinkError::OnlyWayIn`], also when two links are taken away at once; the database's.
pub async fn unlink(pool: &PgPool, user: UserId, provider: &str, usable: &[&str]) -> Result<bool, LinkError> {
    let mut tx = pool.begin().await?;
    lock(&mut tx, user).await?;
    let gone = sqlx::query("DELETE FROM oidc_identities WHERE user_id = $1 AND provider = $2")
        .bind(user.uuid())
        .bind(provider)
        .execute(&mut *tx)
        .await?;
    if gone.rows_affected() == 0 {
        return Ok(false);
    }
    let open: bool = sqlx::query_scalar(
        "SELECT EXISTS (SELECT 1 FROM users WHERE id = $1 AND password_hash IS NOT NULL)
             OR EXISTS (SELECT 1 FROM oidc_identities WHERE user_id = $1 AND provider = ANY ($2))",
    )
    .bind(user.uuid())
    .bind(usable)
    .fetch_one(&mut *tx)
    .await?;
    if !open {
        return Err(LinkError::OnlyWayIn);
    }
    tx.commit().await?;
    Ok(true)
}

/// Makes an account that this identity opens, without a password. Its name is like `wanted`, if that is free.
///
/// # Errors
/// [`LinkError::EmailTaken`]: an address never opens the account that has it. [`LinkError::Taken`] when the identity
/// got an account meanwhile. The database's.
pub async fn sign_up(
    pool: &PgPool,
    wanted: &str,
    email: Option<&Email>,
    identity: &Identity,
) -> Result<User, LinkError> {
    const TRIES: usize = 10;
    let mut tx = pool.begin().await?;
    let taken: bool =
        sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM users WHERE lower(email) = lower($1))")
            .bind(email.map(Email::as_str))
            .fetch_one(&mut *tx)
            .await?;
    if taken {
        return Err(LinkError::EmailTaken);
    }
    let base = presentable(wanted);
    let sql = format!(
        "INSERT INTO users (id, username, email) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING RETURNING {}",
        users::COLUMNS
    );
    for attempt in 0..TRIES {
        let made: Option<User> = sqlx::query_as(&sql)
            .bind(Uuid::now_v7())
            .bind(if attempt == 0 { base.clone() } else { with_suffix(&base) })
            .bind(email.map(Email::as_str))
            .fetch_optional(&mut *tx)
            .await?;
        if let Some(user) = made {
            if !insert(&mut tx, user.id, identity).await? {
                return Err(LinkError::Taken);
            }
            tx.commit().await?;
            return Ok(user);
        }
    }
    // Names that begin alike are never so many: somebody took the address just now.
    Err(LinkError::EmailTaken)
}

async fn lock(tx: &mut PgConnection, user: UserId) -> Result<(), sqlx::Error> {
    sqlx::query("SELECT 1 FROM users WHERE id = $1 FOR UPDATE").bind(user.uuid()).execute(tx).await?;
    Ok(())
}

async fn insert(tx: &mut PgConnection, user: UserId, identity: &Identity) -> Result<bool, sqlx::Error> {
    let made = sqlx::query(
        "INSERT INTO oidc_identities (id, user_id, provider, issuer, subject, email, last_used_at)
         VALUES ($1, $2, $3, $4, $5, $6, now()) ON CONFLICT DO NOTHING",
    )
    .bind(Uuid::now_v7())
    .bind(user.uuid())
    .bind(&identity.provider)
    .bind(&identity.issuer)
    .bind(&identity.subject)
    .bind(&identity.email)
    .execute(tx)
    .await?;
    Ok(made.rows_affected() > 0)
}

/// What is left of a name when it has to be a username: at most 20 characters, so that a suffix fits.
fn presentable(wanted: &str) -> String {
    let kept: String = wanted
        .chars()
        .map(|letter| if letter == ' ' || letter == '.' { '-' } else { letter })
        .filter(|letter| letter.is_ascii_alphanumeric() || *letter == '_' || *letter == '-')
        .take(20)
        .collect();
    let kept = kept.trim_matches('-');
    if kept.parse::<Username>().is_ok() { kept.to_owned() } else { with_suffix("collector") }
}

fn with_suffix(base: &str) -> String {
    let random = Token::new("");
    let tail: String = random
        .as_str()
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .take(6)
        .collect::<String>()
        .to_lowercase();
    format!("{base}-{tail}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_a_provider_calls_somebody_becomes_a_username() {
        assert_eq!(presentable("Miku.Hatsune"), "Miku-Hatsune");
        assert_eq!(presentable("a b c"), "a-b-c");
        for odd in ["", "初音ミク", "аlice", "--", "x", &"y".repeat(10_000), "\0\n", "<script>"] {
            let name = presentable(odd);
            assert!(name.parse::<Username>().is_ok(), "{odd:?} became {name:?}");
            assert!(with_suffix(&name).parse::<Username>().is_ok(), "{name}");
        }
    }
}
