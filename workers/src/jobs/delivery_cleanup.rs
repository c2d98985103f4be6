//! `delivery_cleanup`: lets go of deliveries that were done with long ago.

use super::{Failure, Job, Schedule, Turn};
use async_trait::async_trait;
use chrono::{TimeDelta, Utc};
use operational::notification_deliveries;
use serde_json::{Value, json};
use sqlx::PgPool;

/// Long enough to look into what went wrong.
const KEPT_FOR: TimeDelta = TimeDelta::days(30);

/// Deletes deliveries that arrived, or that nobody was there to get. Dead ones stay until somebody looks.
pub struct DeliveryCleanup {
    /// The database.
    pub pool: PgPool,
}

#[async_trait]
impl Job for DeliveryCleanup {
    fn name(&self) -> &'static str {
        "delivery_cleanup"
    }

    fn about(&self) -> &'static str {
        "Deletes deliveries of notifications that were done with more than thirty days ago"
    }

    fn schedule(&self) -> Schedule {
        Schedule::Fixed("45 3 * * *")
    }

    async fn run(&self, _turn: &Turn) -> Result<Value, Failure> {
        let before = Utc::now() - KEPT_FOR;
        Ok(json!({"deleted": notification_deliveries::forget(&self.pool, before).await?}))
    }
}
