//! `users`: accounts. Names, e-mail addresses and password hashes live here and nowhere else.

mod fields;

use std::str::FromStr;

use chrono::{DateTime, Utc};
use domain::{ids::UserId, money::Currency};
use serde::{Deserialize, Serialize};
use sqlx::{FromRow, PgExecutor, PgPool, Row, postgres::PgRow};
use uuid::Uuid;

use crate::{
    api_keys,
    passwords::{HashingError, Password, Passwords, TypedPassword},
    sessions, share_links,
};

pub use fields::{AccountRefused, Email, NsfwVisibility, TimeZone, Username};

/// What a row is read into. Listed by hand so that a new column never changes what old code reads.
pub(crate) const COLUMNS: &str = "id, username, email, is_admin, nsfw_visibility, preferred_currency, public_profile, \
     public_profile_show_nsfw, public_profile_show_value, time_zone, session_generation, suspended_at, \
     created_at, updated_at";

/// An account as it stands, without its password hash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// Who it is.
    pub id: UserId,
    /// Name as typed.
    pub username: String,
    /// Address as typed; none for accounts made without one.
    pub email: Option<String>,
    /// Whether this person runs the instance.
    pub is_admin: bool,
    /// What they are shown of NSFW figures.
    pub nsfw_visibility: NsfwVisibility,
    /// Display currency; none means amounts are shown as recorded.
    pub preferred_currency: Option<Currency>,
    /// Whether `/u/{username}` exists.
    pub public_profile: bool,
    /// Whether that page shows NSFW pieces.
    pub public_profile_show_nsfw: bool,
    /// Whether that page shows what the collection is worth.
    pub public_profile_show_value: bool,
    /// Whose "today" counts in their notifications.
    pub time_zone: TimeZone,
    /// Sessions that began under another number are over.
    pub session_generation: i32,
    /// Since when they may not sign in, if so.
    pub suspended_at: Option<DateTime<Utc>>,
    /// When the account was made.
    pub created_at: DateTime<Utc>,
    /// When any of this last changed.
    pub updated_at: DateTime<Utc>,
}

impl FromRow<'_, PgRow> for User {
    fn from_row(row: &PgRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            id: UserId::from(row.try_get::<Uuid, _>("id")?),
            username: row.try_get("username")?,
            email: row.try_get("email")?,
            is_admin: row.try_get("is_admin")?,
            nsfw_visibility: decoded("nsfw_visibility", row.try_get("nsfw_visibility")?)?,
            preferred_currency: row
                .try_get::<Option<String>, _>("preferred_currency")?
                .map(|code| decoded("preferred_currency", code))
                .transpose()?,
            public_profile: row.try_get("public_profile")?,
            public_profile_show_nsfw: row.try_get("public_profile_show_nsfw")?,
            public_profile_show_value: row.try_get("public_profile_show_value")?,
            time_zone: decoded("time_zone", row.try_get("time_zone")?)?,
            session_generation: row.try_get("session_generation")?,
            suspended_at: row.try_get("suspended_at")?,
            created_at: row.try_get("created_at")?,
            updated_at: row.try_get("updated_at")?,
        })
    }
}

fn decoded<T: FromStr>(column: &str, text: String) -> Result<T, sqlx::Error>
where
    T::Err: std::error::Error + Send + Sync + 'static,
{
    text.parse()
        .map_err(|error| sqlx::Error::ColumnDecode { index: column.to_owned(), source: Box::new(error) })
}

/// Why an account could not be made or changed.
#[derive(Debug, thiserror::Error)]
pub enum UserError {
    /// Somebody has this name, in whatever case.
    #[error("the username is taken")]
    UsernameTaken,
    /// Another account has this address, in whatever case.
    #[error("the e-mail address belongs to another account")]
    EmailTaken,
    /// There is no such account.
    #[error("no such user")]
    NotFound,
    /// The change would leave nobody to run the instance.
    #[error("the last admin can be neither demoted, suspended nor erased")]
    LastAdmin,
    /// Hashing a password failed.
    #[error(transparent)]
    Hashing(#[from] HashingError),
    /// The database's own trouble.
    #[error(transparent)]
    Database(sqlx::Error),
}

impl From<sqlx::Error> for UserError {
    fn from(error: sqlx::Error) -> Self {
        match error.as_database_error().and_then(|e| e.constraint()) {
            Some("users_username_key") => Self::UsernameTaken,
            Some("users_email_key") => Self::EmailTaken,
            _ => Self::Database(error),
        }
    }
}

/// An account to be made.
#[derive(Debug, Clone)]
pub struct NewUser {
    /// Its name.
    pub username: Username,
    /// Its address, if it has one.
    pub email: Option<Email>,
    /// Its password.
    pub password: Password,
    /// Whether it runs the instance.
    pub is_admin: bool,
}

/// Makes an account, with an id that sorts by time.
///
/// # Errors
/// [`UserError::UsernameTaken`] or [`UserError::EmailTaken`], also when two people ask at once.
pub async fn create(pool: &PgPool, passwords: &Passwords, new: &NewUser) -> Result<User, UserError> {
    // Hashing is dear: names that are taken are told before it, and the indexes decide races.
    refuse_taken(pool, new).await?;
    let hash = passwords.hash(&new.password).await?;
    let sql = format!(
        "INSERT INTO users (id, username, email, password_hash, is_admin) VALUES ($1, $2, $3, $4, $5)
         RETURNING {COLUMNS}"
    );
    Ok(sqlx::query_as(&sql)
        .bind(Uuid::now_v7())
        .bind(new.username.as_str())
        .bind(new.email.as_ref().map(Email::as_str))
        .bind(hash)
        .bind(new.is_admin)
        .fetch_one(pool)
        .await?)
}

async fn refuse_taken(pool: &PgPool, new: &NewUser) -> Result<(), UserError> {
    let (name, address): (bool, bool) = sqlx::query_as(
        "SELECT EXISTS (SELECT 1 FROM users WHERE lower(username) = lower($1)),
                EXISTS (SELECT 1 FROM users WHERE lower(email) = lower($2))",
    )
    .bind(new.username.as_str())
    .bind(new.email.as_ref().map(Email::as_str))
    .fetch_one(pool)
    .await?;
    match (name, address) {
        (true, _) => Err(UserError::UsernameTaken),
        (false, true) => Err(UserError::EmailTaken),
        (false, false) => Ok(()),
    }
}

/// The account with this id.
///
/// # Errors
/// Whatever the database reports.
pub async fn by_id(db: impl PgExecutor<'_>, id: UserId) -> Result<Option<User>, sqlx::Error> {
    sqlx::query_as(&format!("SELECT {COLUMNS} FROM users WHERE id = $1"))
        .bind(id.uuid())
        .fetch_optional(db)
        .await
}

/// The account with this address, whatever its case.
///
/// # Errors
/// Whatever the database reports.
pub async fn by_email(db: impl PgExecutor<'_>, email: &Email) -> Result<Option<User>, sqlx::Error> {
    sqlx::query_as(&format!("SELECT {COLUMNS} FROM users WHERE lower(email) = lower($1)"))
        .bind(email.as_str())
        .fetch_optional(db)
        .await
}

/// The account with this name, whatever its case.
///
/// # Errors
/// Whatever the database reports.
pub async fn by_username(db: impl PgExecutor<'_>, username: &Username) -> Result<Option<User>, sqlx::Error> {
    sqlx::query_as(&format!("SELECT {COLUMNS} FROM users WHERE lower(username) = lower($1)"))
        .bind(username.as_str())
        .fetch_optional(db)
        .await
}

/// Whose name and password these are. None for an unknown name, a wrong password and an account without
/// one, all after the same work. A suspended account is returned like any other: the caller tells it so.
///
/// # Errors
/// [`UserError::Hashing`] or [`UserError::Database`].
pub async fn by_credentials(
    pool: &PgPool,
    passwords: &Passwords,
    username: &str,
    password: &TypedPassword,
) -> Result<Option<User>, UserError> {
    let found = match username.parse::<Username>() {
        Ok(name) => by_username(pool, &name).await?,
        Err(_) => None,
    };
    let stored = match &found {
        Some(user) => password_hash(pool, user.id).await?,
        None => None,
    };
    let right = passwords.verify(password, stored.as_deref()).await?;
    Ok(found.filter(|_| right))
}

/// Whether this is the account's password.
///
/// # Errors
/// [`UserError::Hashing`] or [`UserError::Database`].
pub async fn has_password(
    pool: &PgPool,
    passwords: &Passwords,
    id: UserId,
    password: &TypedPassword,
) -> Result<bool, UserError> {
    let stored = password_hash(pool, id).await?;
    Ok(passwords.verify(password, stored.as_deref()).await?)
}

/// Whether the account has a password at all; those made by signing in elsewhere have none at first.
///
/// # Errors
/// Whatever the database reports.
pub async fn keeps_password(db: impl PgExecutor<'_>, id: UserId) -> Result<bool, sqlx::Error> {
    Ok(password_hash(db, id).await?.is_some())
}

async fn password_hash(db: impl PgExecutor<'_>, id: UserId) -> Result<Option<String>, sqlx::Error> {
    let row: Option<Option<String>> = sqlx::query_scalar("SELECT password_hash FROM users WHERE id = $1")
        .bind(id.uuid())
        .fetch_optional(db)
        .await?;
    Ok(row.flatten())
}

/// What a person changes of their own account. None leaves a thing as it is.
#[derive(Debug, Clone, Default)]
pub struct ProfileChange {
    /// A new address.
    pub email: Option<Email>,
    /// A new password; it ends every session of the account.
    pub password: Option<Password>,
    /// What to show of NSFW figures.
    pub nsfw_visibility: Option<NsfwVisibility>,
    /// The display currency; `Some(None)` takes it off.
    pub preferred_currency: Option<Option<Currency>>,
    /// Whether there is a public page.
    pub public_profile: Option<bool>,
    /// Whether it shows NSFW pieces.
    pub public_profile_show_nsfw: Option<bool>,
    /// Whether it shows values.
    pub public_profile_show_value: Option<bool>,
    /// Whose "today" counts.
    pub time_zone: Option<TimeZone>,
}

/// Changes an account and returns it as it now is.
///
/// # Errors
/// [`UserError::EmailTaken`], [`UserError::NotFound`], or trouble with hashing or the database.
pub async fn update_profile(
    pool: &PgPool,
    passwords: &Passwords,
    id: UserId,
    change: &ProfileChange,
) -> Result<User, UserError> {
    let hash = match &change.password {
        Some(password) => Some(passwords.hash(password).await?),
        None => None,
    };
    let ends_sessions = hash.is_some();
    let mut tx = pool.begin().await?;
    let sql = format!(
        "UPDATE users SET
             email = coalesce($2, email),
             password_hash = coalesce($3, password_hash),
             session_generation = session_generation + CASE WHEN $3 IS NULL THEN 0 ELSE 1 END,
             nsfw_visibility = coalesce($4, nsfw_visibility),
             preferred_currency = CASE WHEN $5 THEN $6 ELSE preferred_currency END,
             public_profile = coalesce($7, public_profile),
             public_profile_show_nsfw = coalesce($8, public_profile_show_nsfw),
             public_profile_show_value = coalesce($9, public_profile_show_value),
             time_zone = coalesce($10, time_zone),
             updated_at = now()
         WHERE id = $1
         RETURNING {COLUMNS}"
    );
    let changed: Option<User> = sqlx::query_as(&sql)
        .bind(id.uuid())
        .bind(change.email.as_ref().map(Email::as_str))
        .bind(hash)
        .bind(change.nsfw_visibility.map(NsfwVisibility::as_str))
        .bind(change.preferred_currency.is_some())
        .bind(change.preferred_currency.flatten().map(Currency::code))
        .bind(change.public_profile)
        .bind(change.public_profile_show_nsfw)
        .bind(change.public_profile_show_value)
        .bind(change.time_zone.map(|zone| zone.to_string()))
        .fetch_optional(&mut *tx)
        .await?;
    if ends_sessions {
        sessions::end_all(&mut *tx, id).await?;
    }
    // A link that was sent to the old address, or before the new password, must not outlive it.
    if ends_sessions || change.email.is_some() {
        sqlx::query("DELETE FROM password_resets WHERE user_id = $1")
            .bind(id.uuid())
            .execute(&mut *tx)
            .await?;
    }
    tx.commit().await?;
    changed.ok_or(UserError::NotFound)
}

/// Where a page of [`list`] ended: the last account's creation time and id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserKey {
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// Its id, which tells apart those made in one microsecond.
    pub id: Uuid,
}

impl User {
    /// Where this account stands in [`list`].
    #[must_use]
    pub const fn key(&self) -> UserKey {
        UserKey { created_at: self.created_at, id: self.id.uuid() }
    }
}

/// How many accounts there are.
///
/// # Errors
/// Whatever the database reports.
pub async fn count(db: impl PgExecutor<'_>) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar("SELECT count(*) FROM users").fetch_one(db).await
}

/// At most `limit` accounts after `after`, oldest first; with `q`, those whose name or address holds it,
/// without regard to case.
///
/// # Errors
/// Whatever the database reports.
pub async fn list(
    db: impl PgExecutor<'_>,
    q: Option<&str>,
    after: Option<UserKey>,
    limit: i64,
) -> Result<Vec<User>, sqlx::Error> {
    let sql = format!(
        "SELECT {COLUMNS} FROM users
         WHERE ($1::text IS NULL OR strpos(lower(username), lower($1)) > 0 OR strpos(lower(email), lower($1)) > 0)
           AND ($2::timestamptz IS NULL OR (created_at, id) > ($2, $3))
         ORDER BY created_at, id
         LIMIT $4"
    );
    sqlx::query_as(&sql)
        .bind(q)
        .bind(after.map(|key| key.created_at))
        .bind(after.map(|key| key.id))
        .bind(limit)
        .fetch_all(db)
        .await
}

/// What an admin changes of anybody's account. None leaves a thing as it is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct AccessChange {
    /// Whether they run the instance.
    pub is_admin: Option<bool>,
    /// Whether they are shut out. Shutting out ends every session and link of the account and takes its keys away.
    pub suspended: Option<bool>,
}

/// Changes what an account may do and returns it as it now is.
///
/// # Errors
/// [`UserError::LastAdmin`] when nobody who can sign in would run the instance afterwards, also when two
/// admins demote each other at once; [`UserError::NotFound`]; the database's.
pub async fn change_access(pool: &PgPool, id: UserId, change: AccessChange) -> Result<User, UserError> {
    let mut tx = pool.begin().await?;
    // Locking every admin, in one order, makes two demotions at once come one after the other.
    let admins: Vec<Uuid> = sqlx::query_scalar(
        "SELECT id FROM users WHERE is_admin AND suspended_at IS NULL ORDER BY id FOR UPDATE",
    )
    .fetch_all(&mut *tx)
    .await?;
    let steps_down = change.is_admin == Some(false) || change.suspended == Some(true);
    if steps_down && admins == [id.uuid()] {
        return Err(UserError::LastAdmin);
    }
    let sql = format!(
        "UPDATE users SET
             is_admin = coalesce($2, is_admin),
             session_generation =
                 session_generation + CASE WHEN $3 AND suspended_at IS NULL THEN 1 ELSE 0 END,
             suspended_at = CASE WHEN $3 THEN coalesce(suspended_at, now())
                                 WHEN NOT $3 THEN NULL
                                 ELSE suspended_at END,
             updated_at = now()
         WHERE id = $1
         RETURNING {COLUMNS}"
    );
    let changed: Option<User> = sqlx::query_as(&sql)
        .bind(id.uuid())
        .bind(change.is_admin)
        .bind(change.suspended)
        .fetch_optional(&mut *tx)
        .await?;
    if change.suspended == Some(true) {
        sessions::end_all(&mut *tx, id).await?;
        api_keys::revoke_all(&mut *tx, id).await?;
        share_links::end_all(&mut *tx, id).await?;
        sqlx::query("DELETE FROM password_resets WHERE user_id = $1")
            .bind(id.uuid())
            .execute(&mut *tx)
            .await?;
    }
    tx.commit().await?;
    changed.ok_or(UserError::NotFound)
}
