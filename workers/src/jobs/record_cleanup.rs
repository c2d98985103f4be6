//! `record_cleanup`: deletes answers kept for requests that come again.

use super::{Failure, Job, Schedule, Turn};
use async_trait::async_trait;
use chrono::Utc;
use event_store::{EventStore, RECORDS_KEPT};
use serde_json::{Value, json};

/// Deletes the answers that are kept for requests with an `Idempotency-Key`, a day after.
pub struct RecordCleanup {
    /// The log.
    pub store: EventStore,
}

#[async_trait]
impl Job for RecordCleanup {
    fn name(&self) -> &'static str {
        "record_cleanup"
    }

    fn about(&self) -> &'static str {
        "Deletes the answers kept for requests with an Idempotency-Key that are older than a day"
    }

    fn schedule(&self) -> Schedule {
        Schedule::Fixed("20 * * * *")
    }

    async fn run(&self, _turn: &Turn) -> Result<Value, Failure> {
        Ok(json!({"deleted": self.store.forget_records(Utc::now() - RECORDS_KEPT).await?}))
    }
}
