//! `lookup_cleanup`: deletes answers of the outside world that nobody looks at any more.

use super::{Failure, Job, Schedule, Turn};
use async_trait::async_trait;
use chrono::{TimeDelta, Utc};
use operational::external_lookups;
use serde_json::{Value, json};
use sqlx::PgPool;

/// Long after the longest life of any of them.
const KEPT_FOR: TimeDelta = TimeDelta::days(30);

/// Deletes answers of the outside world that are out of date for long.
pub struct LookupCleanup {
    /// The database.
    pub pool: PgPool,
}

#[async_trait]
impl Job for LookupCleanup {
    fn name(&self) -> &'static str {
        "lookup_cleanup"
    }

    fn about(&self) -> &'static str {
        "Deletes answers of outside sources that were fetched more than thirty days ago"
    }

    fn schedule(&self) -> Schedule {
        Schedule::Fixed("35 3 * * *")
    }

    async fn run(&self, _turn: &Turn) -> Result<Value, Failure> {
        let before = Utc::now() - KEPT_FOR;
        Ok(json!({"deleted": external_lookups::delete_older_than(&self.pool, before).await?}))
    }
}
