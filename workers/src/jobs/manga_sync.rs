//! `manga_sync`: reads the manga shelves that people linked.

use super::{Failure, Job, Schedule, Turn};
use crate::manga::{HOLDS_FOR, Manga};
use async_trait::async_trait;
use chrono::{TimeDelta, Utc};
use operational::manga_links;
use serde_json::{Value, json};
use sqlx::PgPool;
use std::collections::BTreeMap;

/// A page that failed is tried again by the run after the next.
const FAILED_RESTS: TimeDelta = TimeDelta::minutes(90);

/// Reads the shelves of everybody who linked an approved server, those whose day is over. One after the other, and no
/// faster than the servers are asked in any case.
pub struct MangaSync {
    /// The database.
    pub pool: PgPool,
    /// What asks.
    pub manga: Manga,
}

#[async_trait]
impl Job for MangaSync {
    fn name(&self) -> &'static str {
        "manga_sync"
    }

    fn about(&self) -> &'static str {
        "Reads the manga shelves that people linked, those that were last read more than a day ago"
    }

    fn schedule(&self) -> Schedule {
        Schedule::Fixed("50 * * * *")
    }

    async fn run(&self, turn: &Turn) -> Result<Value, Failure> {
        let now = Utc::now();
        let due = manga_links::due(&self.pool, now - HOLDS_FOR, now - FAILED_RESTS).await?;
        let (mut read, mut failed) = (0_u64, BTreeMap::<String, u64>::new());
        for page in &due {
            let fetched = turn.cancelled.run_until_cancelled(self.manga.fetch(page)).await;
            match fetched {
                None => break,
                Some(Ok(_)) => read = read.saturating_add(1),
                Some(Err(error)) => {
                    let count = failed.entry(error.code().to_owned()).or_default();
                    *count = count.saturating_add(1);
                }
            }
        }
        Ok(json!({"due": due.len(), "read": read, "failed": failed}))
    }
}
