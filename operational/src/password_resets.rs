//! `password_resets`: tokens that set a new password, once.

use chrono::{DateTime, TimeDelta, Utc};
use domain::ids::UserId;
use sqlx::{PgExecutor, PgPool};
use uuid::Uuid;

use crate::{
    passwords::{Password, Passwords},
    sessions,
    tokens::{self, Token},
    users::{self, User, UserError},
};

/// Who asked for a reset, and with that how long it may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AskedBy {
    /// Whoever knows the address; the token goes there.
    Person,
    /// An admin, who hands the token over.
    Admin,
}

impl AskedBy {
    /// How long the token is good for.
    #[must_use]
    pub fn lasts(self) -> TimeDelta {
        match self {
            Self::Person => TimeDelta::hours(1),
            Self::Admin => TimeDelta::hours(24),
        }
    }

    const fn as_str(self) -> &'static str {
        match self {
            Self::Person => "person",
            Self::Admin => "admin",
        }
    }
}

/// Makes a token for somebody, in the place of an earlier one, and says when it runs out. An admin's always stands;
/// somebody who only knows the address gets none while an admin's is good, and one in five minutes at most: they could
/// void it, and flood a mailbox.
///
/// # Errors
/// Whatever the database reports; it refuses an account that does not exist.
pub async fn begin(
    db: impl PgExecutor<'_>,
    user: UserId,
    asked_by: AskedBy,
) -> Result<Option<(Token, DateTime<Utc>)>, sqlx::Error> {
    let token = Token::new("");
    let until: Option<DateTime<Utc>> = sqlx::query_scalar(
        "INSERT INTO password_resets (user_id, token_hash, asked_by, expires_at) VALUES ($1, $2, $3, now() + $4)
         ON CONFLICT (user_id) DO UPDATE
             SET token_hash = excluded.token_hash, asked_by = excluded.asked_by,
                 created_at = now(), expires_at = excluded.expires_at
             WHERE excluded.asked_by = 'admin' OR password_resets.expires_at <= now()
                OR (password_resets.asked_by = 'person' AND password_resets.created_at <= now() - interval '5 minutes')
         RETURNING expires_at",
    )
    .bind(user.uuid())
    .bind(token.hash().as_slice())
    .bind(asked_by.as_str())
    .bind(asked_by.lasts())
    .fetch_optional(db)
    .await?;
    Ok(until.map(|until| (token, until)))
}

/// Sets a new password with a token, which is used up by it, and ends every session of the account. None when the
/// token never was, is used up, was replaced or has run out, and for suspended accounts.
///
/// # Errors
/// [`UserError::Hashing`] or [`UserError::Database`].
pub async fn redeem(
    pool: &PgPool,
    passwords: &Passwords,
    token: &str,
    password: &Password,
) -> Result<Option<User>, UserError> {
    let token_hash = tokens::hash(token);
    let known: bool = sqlx::query_scalar(
        "SELECT EXISTS (SELECT 1 FROM password_resets WHERE token_hash = $1 AND expires_at > now())",
    )
    .bind(token_hash.as_slice())
    .fetch_one(pool)
    .await?;
    // Hashing is dear: made-up tokens are told before it.
    if !known {
        return Ok(None);
    }
    let hash = passwords.hash(password).await?;
    let mut tx = pool.begin().await?;
    let taken: Option<Uuid> = sqlx::query_scalar(
        "DELETE FROM password_resets WHERE token_hash = $1 AND expires_at > now() RETURNING user_id",
    )
    .bind(token_hash.as_slice())
    .fetch_optional(&mut *tx)
    .await?;
    let Some(user) = taken.map(UserId::from) else { return Ok(None) };
    let sql = format!(
        "UPDATE users SET password_hash = $2, session_generation = session_generation + 1, updated_at = now()
         WHERE id = $1 AND suspended_at IS NULL RETURNING {}",
        users::COLUMNS
    );
    let changed: Option<User> =
        sqlx::query_as(&sql).bind(user.uuid()).bind(hash).fetch_optional(&mut *tx).await?;
    sessions::end_all(&mut *tx, user).await?;
    tx.commit().await?;
    Ok(changed)
}
