//! `session_cleanup`: deletes sessions that have run out.

use super::{Failure, Job, Schedule, Turn};
use async_trait::async_trait;
use operational::sessions;
use serde_json::{Value, json};
use sqlx::PgPool;

/// Deletes sessions that have run out.
pub struct SessionCleanup {
    /// The database.
    pub pool: PgPool,
}

#[async_trait]
impl Job for SessionCleanup {
    fn name(&self) -> &'static str {
        "session_cleanup"
    }

    fn about(&self) -> &'static str {
        "Deletes sessions that have run out"
    }

    fn schedule(&self) -> Schedule {
        Schedule::Fixed("15 * * * *")
    }

    async fn run(&self, _turn: &Turn) -> Result<Value, Failure> {
        Ok(json!({"deleted": sessions::delete_expired(&self.pool).await?}))
    }
}
