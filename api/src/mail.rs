//! Letters by the mail server that an admin set up for the channel `email`.

use async_trait::async_trait;
use chrono::Utc;
use operational::notification_channels::{self, Channel, Destination, Setup};
use serde_json::json;
use sqlx::PgPool;
use uuid::Uuid;
use workers::channels::{Channels, Message};

use crate::{
    identity::letters::{Letter, Letters},
    state::AppState,
};

/// Sends letters as e-mail.
pub struct Mail {
    pool: PgPool,
    channels: Channels,
}

impl Mail {
    /// By the channels of a server.
    #[must_use]
    pub fn of(state: &AppState) -> Self {
        Self { pool: state.pool.clone(), channels: state.deliveries.channels().clone() }
    }

    async fn setup(&self) -> Option<Setup> {
        let setup = notification_channels::get(&self.pool, Channel::Email).await.ok()?;
        (setup.enabled && setup.config.get("host").is_some()).then_some(setup)
    }
}

#[async_trait]
impl Letters for Mail {
    async fn can_send(&self) -> bool {
        self.setup().await.is_some()
    }

    async fn send(&self, letter: Letter) -> Result<(), String> {
        let setup = self.setup().await.ok_or("no mail server is set up")?;
        let to = Destination { config: json!({"address": letter.to}), secrets: json!({}) };
        let message = Message {
            id: Uuid::now_v7(),
            event_type: "letter".to_owned(),
            occurred_at: Utc::now(),
            title: letter.subject,
            text: letter.text,
            payload: json!({}),
        };
        let sent = self.channels.get(Channel::Email).send(&setup, &to, &message).await;
        sent.map(drop).map_err(|unsent| unsent.said().to_owned())
    }
}
