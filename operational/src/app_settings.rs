//! `app_settings`: policies of the instance that an admin changes while it runs.

use chrono::{DateTime, Utc};
use domain::ids::UserId;
use serde::{Serialize, de::DeserializeOwned};
use sqlx::PgExecutor;
use uuid::Uuid;

/// A setting could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum SettingError {
    /// The stored value is not of the type the caller asked for.
    #[error("setting {key} does not hold what it should: {source}")]
    Shape {
        /// The setting's key.
        key: String,
        /// What was wrong with it.
        source: serde_json::Error,
    },
    /// The database's own trouble.
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

/// One setting as it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Setting {
    /// Dotted name, such as `cote.price_cron`.
    pub key: String,
    /// Its value.
    pub value: serde_json::Value,
    /// When it was last written.
    pub updated_at: DateTime<Utc>,
    /// Who wrote it; none for the program itself and for people erased since.
    pub updated_by: Option<UserId>,
}

/// The value under `key`, or none when it was never set.
///
/// # Errors
/// [`SettingError::Shape`] when it is of another type, else the database's.
pub async fn get<T: DeserializeOwned>(db: impl PgExecutor<'_>, key: &str) -> Result<Option<T>, SettingError> {
    let value: Option<serde_json::Value> =
        sqlx::query_scalar("SELECT value FROM app_settings WHERE key = $1")
            .bind(key)
            .fetch_optional(db)
            .await?;
    value
        .map(serde_json::from_value)
        .transpose()
        .map_err(|source| SettingError::Shape { key: key.to_owned(), source })
}

/// Writes the value under `key`, making or replacing it.
///
/// # Errors
/// [`SettingError::Shape`] when `value` has no JSON form, else the database's.
pub async fn set<T: Serialize>(
    db: impl PgExecutor<'_>,
    key: &str,
    value: &T,
    by: Option<UserId>,
) -> Result<(), SettingError> {
    let value =
        serde_json::to_value(value).map_err(|source| SettingError::Shape { key: key.to_owned(), source })?;
    sqlx::query(
        "INSERT INTO app_settings (key, value, updated_at, updated_by) VALUES ($1, $2, now(), $3)
         ON CONFLICT (key) DO UPDATE
         SET value = excluded.value, updated_at = excluded.updated_at, updated_by = excluded.updated_by",
    )
    .bind(key)
    .bind(value)
    .bind(by.map(UserId::uuid))
    .execute(db)
    .await?;
    Ok(())
}

/// Every setting, by key.
///
/// # Errors
/// Whatever the database reports.
pub async fn list(db: impl PgExecutor<'_>) -> Result<Vec<Setting>, sqlx::Error> {
    let rows: Vec<(String, serde_json::Value, DateTime<Utc>, Option<Uuid>)> = sqlx::query_as(
        "SELECT key, value, updated_at, updated_by FROM app_settings ORDER BY key COLLATE \"C\"",
    )
    .fetch_all(db)
    .await?;
    Ok(rows
        .into_iter()
        .map(|(key, value, updated_at, by)| Setting {
            key,
            value,
            updated_at,
            updated_by: by.map(UserId::from),
        })
        .collect())
}
