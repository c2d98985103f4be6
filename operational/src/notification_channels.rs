//! `notification_channels`: by what people can be told besides the app itself, as admins set it up.

use chrono::{DateTime, Utc};
use domain::ids::UserId;
use serde_json::Value;
use sqlx::{PgExecutor, PgPool};
use std::fmt;
use std::str::FromStr;
use uuid::Uuid;

/// A way to tell somebody something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Channel {
    /// The list in the app: always on.
    InApp,
    /// E-mail by the instance's SMTP server.
    Email,
    /// A topic of an ntfy server.
    Ntfy,
    /// A signed POST.
    Webhook,
    /// Whatever the instance's Apprise server reaches.
    Apprise,
    /// Browsers that subscribed.
    WebPush,
}

impl Channel {
    /// Every one of them.
    pub const ALL: [Self; 6] =
        [Self::InApp, Self::Email, Self::Ntfy, Self::Webhook, Self::Apprise, Self::WebPush];
    /// Those that leave the app.
    pub const EXTERNAL: [Self; 5] = [Self::Email, Self::Ntfy, Self::Webhook, Self::Apprise, Self::WebPush];

    /// Its name in tables and over HTTP.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InApp => "in_app",
            Self::Email => "email",
            Self::Ntfy => "ntfy",
            Self::Webhook => "webhook",
            Self::Apprise => "apprise",
            Self::WebPush => "web_push",
        }
    }
}

impl fmt::Display for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// No channel has this name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the channels are in_app, email, ntfy, webhook, apprise, web_push")]
pub struct UnknownChannel;

impl FromStr for Channel {
    type Err = UnknownChannel;

    fn from_str(text: &str) -> Result<Self, UnknownChannel> {
        Self::ALL.into_iter().find(|channel| channel.as_str() == text).ok_or(UnknownChannel)
    }
}

/// A channel as an admin set it up.
#[derive(Clone, PartialEq, sqlx::FromRow)]
pub struct Setup {
    /// Whether people can use it.
    pub enabled: bool,
    /// What may be shown.
    pub config: Value,
    /// What may not.
    pub secrets: Value,
    /// When somebody last set it.
    pub updated_at: Option<DateTime<Utc>>,
}

impl fmt::Debug for Setup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Setup").field("enabled", &self.enabled).finish_non_exhaustive()
    }
}

impl Setup {
    /// As long as nobody set it up.
    #[must_use]
    pub fn unset(channel: Channel) -> Self {
        let nothing = || Value::Object(serde_json::Map::new());
        Self { enabled: channel == Channel::InApp, config: nothing(), secrets: nothing(), updated_at: None }
    }
}

/// How a channel is set up.
///
/// # Errors
/// Whatever the database reports.
pub async fn get(db: impl PgExecutor<'_>, channel: Channel) -> sqlx::Result<Setup> {
    let found = sqlx::query_as(
        "SELECT enabled, config, secrets, updated_at FROM notification_channels WHERE channel_type = $1",
    )
    .bind(channel.as_str())
    .fetch_optional(db)
    .await?;
    Ok(found.filter(|_| channel != Channel::InApp).unwrap_or_else(|| Setup::unset(channel)))
}

/// Sets a channel up.
///
/// # Errors
/// Whatever the database reports.
pub async fn set(
    db: impl PgExecutor<'_>,
    channel: Channel,
    enabled: bool,
    config: &Value,
    secrets: &Value,
    by: UserId,
) -> sqlx::Result<()> {
    sqlx::query(
        "INSERT INTO notification_channels (channel_type, enabled, config, secrets, updated_at, updated_by) \
         VALUES ($1, $2, $3, $4, now(), $5) \
         ON CONFLICT (channel_type) DO UPDATE SET enabled = excluded.enabled, config = excluded.config, \
             secrets = excluded.secrets, updated_at = excluded.updated_at, updated_by = excluded.updated_by",
    )
    .bind(channel.as_str())
    .bind(enabled)
    .bind(config)
    .bind(secrets)
    .bind(by.uuid())
    .execute(db)
    .await?;
    Ok(())
}

/// The channels that people can use, in the order of [`Channel::ALL`].
///
/// # Errors
/// Whatever the database reports.
pub async fn enabled(pool: &PgPool) -> sqlx::Result<Vec<Channel>> {
    let on: Vec<String> = sqlx::query_scalar("SELECT channel_type FROM notification_channels WHERE enabled")
        .fetch_all(pool)
        .await?;
    let is_on =
        |channel: &Channel| *channel == Channel::InApp || on.iter().any(|one| one == channel.as_str());
    Ok(Channel::ALL.into_iter().filter(is_on).collect())
}

/// Where somebody wants to be told by one channel.
#[derive(Clone, PartialEq, sqlx::FromRow)]
pub struct Destination {
    /// What may be shown to them.
    pub config: Value,
    /// What may not.
    pub secrets: Value,
}

impl fmt::Debug for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Destination")
    }
}

/// Where somebody wants to be told by a channel (`notification_destinations`); `None` when they did not say.
///
/// # Errors
/// Whatever the database reports.
pub async fn destination(
    db: impl PgExecutor<'_>,
    user_id: UserId,
    channel: Channel,
) -> sqlx::Result<Option<Destination>> {
    sqlx::query_as(
        "SELECT config, secrets FROM notification_destinations WHERE user_id = $1 AND channel_type = $2",
    )
    .bind(user_id.uuid())
    .bind(channel.as_str())
    .fetch_optional(db)
    .await
}

/// Notes where somebody wants to be told by a channel; with `None`, nowhere.
///
/// # Errors
/// Whatever the database reports.
pub async fn set_destination(
    db: impl PgExecutor<'_>,
    user_id: UserId,
    channel: Channel,
    destination: Option<&Destination>,
) -> sqlx::Result<()> {
    let Some(Destination { config, secrets }) = destination else {
        sqlx::query("DELETE FROM notification_destinations WHERE user_id = $1 AND channel_type = $2")
            .bind(user_id.uuid())
            .bind(channel.as_str())
            .execute(db)
            .await?;
        return Ok(());
    };
    sqlx::query(
        "INSERT INTO notification_destinations (user_id, channel_type, config, secrets) VALUES ($1, $2, $3, $4) \
         ON CONFLICT (user_id, channel_type) DO UPDATE SET config = excluded.config, \
             secrets = excluded.secrets, updated_at = now()",
    )
    .bind(user_id.uuid())
    .bind(channel.as_str())
    .bind(config)
    .bind(secrets)
    .execute(db)
    .await?;
    Ok(())
}

/// Whether somebody can be reached by an id, and what they are not shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, sqlx::FromRow)]
pub struct Reachable {
    /// They hide NSFW figures.
    pub hides_nsfw: bool,
    /// An admin suspended the account.
    pub suspended: bool,
}

/// What matters of a person for telling them; `None` when they are gone.
///
/// # Errors
/// Whatever the database reports.
pub async fn reachable(db: impl PgExecutor<'_>, user_id: Uuid) -> sqlx::Result<Option<Reachable>> {
    sqlx::query_as(
        "SELECT nsfw_visibility = 'hide' AS hides_nsfw, suspended_at IS NOT NULL AS suspended \
         FROM users WHERE id = $1",
    )
    .bind(user_id)
    .fetch_optional(db)
    .await
}
