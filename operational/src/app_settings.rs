//! `app_settings`: policies of the instance that an admin changes while it runs.

use crate::cron::CronExpression;
use chrono::{DateTime, Utc};
use domain::ids::UserId;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use sqlx::PgExecutor;
use uuid::Uuid;

/// When the market prices are asked for.
pub const PRICE_CRON: &str = "cote.price_cron";
/// Who may ask for a 3D reconstruction.
pub const CREATION_POLICY: &str = "gsplat.creation_policy";

/// A setting that there is, and what it may hold.
pub struct Known {
    /// Dotted name.
    pub key: &'static str,
    /// What it is for.
    pub meaning: &'static str,
    /// What holds until somebody sets it: JSON.
    pub default: &'static str,
    check: fn(&Value) -> Result<Value, String>,
}

/// Every setting that there is, by key.
pub const KNOWN: &[Known] = &[
    Known {
        key: PRICE_CRON,
        meaning: "When market prices are asked for: five fields of cron, UTC. Empty: never",
        default: "\"\"",
        check: schedule_or_nothing,
    },
    Known {
        key: CREATION_POLICY,
        meaning: "Who may ask for a 3D reconstruction: admins_only or everyone",
        default: "\"admins_only\"",
        check: |value| one_of(value, &["admins_only", "everyone"]),
    },
];

impl Known {
    /// The one with this key.
    #[must_use]
    pub fn find(key: &str) -> Option<&'static Self> {
        KNOWN.iter().find(|known| known.key == key)
    }

    /// What holds until somebody sets it.
    #[must_use]
    pub fn default(&self) -> Value {
        serde_json::from_str(self.default).unwrap_or_default()
    }

    /// The value as it is kept.
    ///
    /// # Errors
    /// A sentence that says what it may hold.
    pub fn checked(&self, value: &Value) -> Result<Value, String> {
        (self.check)(value)
    }
}

fn schedule_or_nothing(value: &Value) -> Result<Value, String> {
    let text = value.as_str().ok_or("a schedule is a text, such as \"0 4 * * *\"; \"\" turns it off")?;
    if text.trim().is_empty() {
        return Ok("".into());
    }
    let schedule: CronExpression = text.parse().map_err(|error: crate::cron::NoCron| error.to_string())?;
    Ok(schedule.as_str().into())
}

fn one_of(value: &Value, words: &[&str]) -> Result<Value, String> {
    match value.as_str() {
        Some(word) if words.contains(&word) => Ok(word.into()),
        _ => Err(format!("it is one of {}", words.join(", "))),
    }
}

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
    pub value: Value,
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

/// One setting as it was last written, or none when it never was.
///
/// # Errors
/// Whatever the database reports.
pub async fn find(db: impl PgExecutor<'_>, key: &str) -> Result<Option<Setting>, sqlx::Error> {
    let row: Option<(String, Value, DateTime<Utc>, Option<Uuid>)> =
        sqlx::query_as("SELECT key, value, updated_at, updated_by FROM app_settings WHERE key = $1")
            .bind(key)
            .fetch_optional(db)
            .await?;
    Ok(row.map(Setting::of))
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
    Ok(rows.into_iter().map(Setting::of).collect())
}

impl Setting {
    fn of((key, value, updated_at, by): (String, Value, DateTime<Utc>, Option<Uuid>)) -> Self {
        Self { key, value, updated_at, updated_by: by.map(UserId::from) }
    }
}
