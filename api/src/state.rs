//! What every handler shares.

use std::{ops::Deref, sync::Arc};

use operational::passwords::Passwords;
use sqlx::PgPool;
use tokio::sync::watch;

use crate::{config::Config, guard::attempts::Attempts};

/// The shared state. A clone is one reference count; fields are reached through it directly.
#[derive(Clone)]
pub struct AppState(Arc<Inner>);

/// What is shared. New engines (the log, the read models) are added here and made in [`AppState::new`].
pub struct Inner {
    /// The settings in force.
    pub config: Config,
    /// Connections to the database.
    pub pool: PgPool,
    /// Hashing of passwords.
    pub passwords: Passwords,
    /// Attempts to sign in or up, per address.
    pub attempts: Attempts,
    stopping: watch::Sender<bool>,
}

impl AppState {
    /// Puts the shared parts together. The database is migrated already.
    #[must_use]
    pub fn new(config: Config, pool: PgPool, passwords: Passwords) -> Self {
        let attempts = Attempts::new(config.rate_limit_enabled);
        Self(Arc::new(Inner { config, pool, passwords, attempts, stopping: watch::Sender::new(false) }))
    }

    /// Says that the server is going down: it is no longer ready, and what waits on
    /// [`AppState::stopping`] goes on.
    pub fn stop(&self) {
        self.0.stopping.send_replace(true);
    }

    /// Whether the server is going down.
    #[must_use]
    pub fn is_stopping(&self) -> bool {
        *self.0.stopping.borrow()
    }

    /// Ends when the server is going down. Long answers and background tasks stop on it.
    pub async fn stopping(&self) {
        let mut stopping = self.0.stopping.subscribe();
        // The sender lives in this very state, so the wait cannot end by its being dropped.
        let _stopped = stopping.wait_for(|stopping| *stopping).await;
    }
}

impl Deref for AppState {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.0
    }
}
