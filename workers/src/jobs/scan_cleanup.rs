//! `scan_cleanup`: takes away files that nothing names any more, and what uploads that were cut off have left.

use super::{Failure, Job, Schedule, Turn};
use crate::blobs::Blobs;
use crate::blobs::collect::{Names, NamesError, UNNAMED_FOR};
use async_trait::async_trait;
use chrono::{TimeDelta, Utc};
use domain::picture::BlobKey;
use event_store::EventStore;
use operational::renders;
use projections::engine::{Projection, Projections, Waited};
use projections::pictures::{self, Pictures};
use serde_json::{Value, json};
use sqlx::PgPool;
use std::collections::HashSet;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How long it waits for the read models to hold everything.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long films and models that came to nothing stay to be looked into.
const RENDERS_KEPT_FOR: TimeDelta = TimeDelta::days(30);

/// Deletes files that nothing names.
pub struct ScanCleanup {
    /// The files.
    pub blobs: Blobs,
    /// What knows their names.
    pub names: PictureNames,
}

/// What names files: photos, scans and documents as they stand, and what was made of scans.
pub struct PictureNames {
    /// The database.
    pub pool: PgPool,
    /// The log.
    pub store: EventStore,
    /// The read models.
    pub projections: Projections,
}

impl Names for PictureNames {
    async fn named(&self, keys: &[BlobKey]) -> Result<HashSet<BlobKey>, NamesError> {
        let head = self.store.head().await?;
        if let Waited::Behind(which) = self.projections.wait_for(&[Pictures::NAME], head, PATIENCE).await {
            return Err(NamesError::Behind(which));
        }
        let mut named = pictures::named(&self.pool, keys).await?;
        named.extend(renders::named_blobs(&self.pool, keys).await?);
        Ok(named)
    }
}

impl ScanCleanup {
    /// Films and models of scans that are no more or have other frames by now, and those that came to nothing long ago.
    async fn let_go_of_renders(&self, cancelled: &CancellationToken) -> sqlx::Result<()> {
        let pool = &self.names.pool;
        renders::forget(pool, Utc::now() - RENDERS_KEPT_FOR).await?;
        // What is asked for is of what the read model holds, so that a scan it lacks is gone.
        crate::renders::tidy(pool, cancelled).await
    }
}

#[async_trait]
impl Job for ScanCleanup {
    fn name(&self) -> &'static str {
        "scan_cleanup"
    }

    fn about(&self) -> &'static str {
        "Deletes files of photos, scans and documents that nothing has named for a day, and what cut-off uploads left"
    }

    fn schedule(&self) -> Schedule {
        Schedule::Fixed("50 */6 * * *")
    }

    async fn run(&self, turn: &Turn) -> Result<Value, Failure> {
        self.let_go_of_renders(&turn.cancelled).await?;
        match self.blobs.collect(&self.names, UNNAMED_FOR, &turn.cancelled).await {
            Ok(collected) if collected.missing > 0 => Err(Failure {
                message: format!(
                    "{} files are named and not there; the log says which: bring them back from a backup",
                    collected.missing
                ),
                result: Some(json!(collected)),
            }),
            Ok(collected) => Ok(json!(collected)),
            Err((error, so_far)) => Err(Failure { message: error.to_string(), result: Some(json!(so_far)) }),
        }
    }
}
