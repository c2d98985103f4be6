//! Taking away what nothing names any more. Decision 30 says why it cannot take away what an upload is about to name.

use super::{BlobError, Blobs, Listed};
use chrono::{TimeDelta, Utc};
use domain::picture::BlobKey;
use event_store::crash_point;
use operational::blobs::{self, Condemned, Deleting};
use serde::Serialize;
use std::collections::{HashMap, HashSet};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How long a file stays after nothing names it any more: long enough to copy the files after the database.
pub const UNNAMED_FOR: TimeDelta = TimeDelta::days(1);
/// How old a write that was cut off is before it is taken away.
const LEFT_FOR: Duration = Duration::from_secs(24 * 60 * 60);
/// How many keys are looked up at once.
const AT_ONCE: i64 = 1_000;
/// How many are condemned at once: deleting them takes less than a minute.
const CONDEMNED_AT_ONCE: i64 = 50;
/// How long deleting one may take. Well within [`blobs::CONDEMNED_FOR`].
const DELETE_WITHIN: Duration = Duration::from_secs(40);

/// What knows which files are named.
pub trait Names {
    /// Which of these keys something names, in everything that was recorded before this was called.
    fn named(&self, keys: &[BlobKey]) -> impl Future<Output = Result<HashSet<BlobKey>, NamesError>> + Send;
}

/// It cannot be said what is named.
#[derive(Debug, thiserror::Error)]
pub enum NamesError {
    /// Some read models do not hold everything yet.
    #[error("what names files is not known: {} has stopped, is paused or is late", .0.join(", "))]
    Behind(Vec<String>),
    /// The log does not answer.
    #[error("what names files is not known: {0}")]
    Log(#[from] event_store::StoreError),
    /// The database does not answer.
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

/// Why collecting stopped. What was deleted by then was to be.
#[derive(Debug, thiserror::Error)]
pub enum CollectError {
    /// It is not known what is named.
    #[error(transparent)]
    Names(#[from] NamesError),
    /// Files cannot be listed or deleted.
    #[error(transparent)]
    Blobs(#[from] BlobError),
}

impl From<sqlx::Error> for CollectError {
    fn from(error: sqlx::Error) -> Self {
        Self::Names(error.into())
    }
}

/// What collecting came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Collected {
    /// Files whose names were looked for.
    pub looked_at: u64,
    /// Files that nothing names since this run; a later one deletes them.
    pub newly_unnamed: u64,
    /// Files deleted.
    pub deleted: u64,
    /// How many bytes they had.
    pub deleted_bytes: u64,
    /// Leftovers of writes that were cut off, deleted.
    pub leftovers: u64,
    /// Stored files that this database knows nothing of. They are left alone.
    pub unknown: u64,
    /// Files that are named and are not there: each is a picture that cannot be shown.
    pub missing: u64,
}

impl Blobs {
    /// Looks for files that nothing names, and deletes those that nothing has named for so long.
    ///
    /// # Errors
    /// [`CollectError`], with what was done before.
    pub async fn collect(
        &self,
        names: &(impl Names + Sync),
        unnamed_for: TimeDelta,
        cancelled: &CancellationToken,
    ) -> Result<Collected, (CollectError, Collected)> {
        let mut so_far = Collected::default();
        match self.collect_into(&mut so_far, names, unnamed_for, cancelled).await {
            Ok(()) => Ok(so_far),
            Err(error) => Err((error, so_far)),
        }
    }

    async fn collect_into(
        &self,
        so_far: &mut Collected,
        names: &(impl Names + Sync),
        unnamed_for: TimeDelta,
        cancelled: &CancellationToken,
    ) -> Result<(), CollectError> {
        let mut after = None;
        while !cancelled.is_cancelled() {
            let keys = blobs::unleased(&self.0.pool, after, AT_ONCE).await?;
            let Some(last) = keys.last() else { break };
            after = Some(*last);
            let named = names.named(&keys).await?;
            so_far.looked_at = so_far.looked_at.saturating_add(keys.len() as u64);
            let fresh = blobs::note_names(&self.0.pool, &keys, &named).await?;
            so_far.newly_unnamed = so_far.newly_unnamed.saturating_add(fresh);
        }
        while !cancelled.is_cancelled() {
            let condemned = blobs::condemn(&self.0.pool, unnamed_for, CONDEMNED_AT_ONCE).await?;
            if condemned.is_empty() {
                break;
            }
            if self.execute(so_far, names, &condemned).await? == 0 {
                break;
            }
        }
        let there = self.0.place.first_bytes().await.map_err(BlobError::from)?;
        for first in 0..=u8::MAX {
            if cancelled.is_cancelled() {
                break;
            }
            self.compare(so_far, names, first, there.contains(&first)).await?;
        }
        Ok(())
    }

    /// Deletes what was condemned and is still not named. Gives how many are done with.
    async fn execute(
        &self,
        so_far: &mut Collected,
        names: &(impl Names + Sync),
        condemned: &[Condemned],
    ) -> Result<usize, CollectError> {
        let Some(since) = condemned.first().map(|one| one.since) else { return Ok(0) };
        let mut waiting: Vec<BlobKey> = condemned.iter().map(|one| one.key).collect();
        let outcome = self.delete_unnamed(so_far, names, condemned, &mut waiting).await;
        // Not what deleting was begun for: that may yet happen, and whoever needs it has to store it again.
        blobs::pardon(&self.0.pool, &waiting, since, false).await?;
        outcome
    }

    async fn delete_unnamed(
        &self,
        so_far: &mut Collected,
        names: &(impl Names + Sync),
        condemned: &[Condemned],
        waiting: &mut Vec<BlobKey>,
    ) -> Result<usize, CollectError> {
        crash_point!("cleanup.after_condemn");
        // From here on nobody can lease them, so nothing can come to name them.
        let named = names.named(waiting).await?;
        let mut done = named.len();
        for one in condemned {
            if named.contains(&one.key) {
                blobs::pardon(&self.0.pool, &[one.key], one.since, true).await?;
                continue;
            }
            let Some(deleting) = Deleting::begin(&self.0.pool, one).await? else { continue };
            waiting.retain(|key| *key != one.key);
            crash_point!("cleanup.before_file");
            match tokio::time::timeout(DELETE_WITHIN, self.0.place.delete(&one.key)).await {
                Ok(deleted) => deleted.map_err(BlobError::from)?,
                Err(_late) => {
                    return Err(BlobError::from(super::StoreError::broken("deleting took too long")).into());
                }
            }
            crash_point!("cleanup.after_file");
            deleting.done().await?;
            done = done.saturating_add(1);
            so_far.deleted = so_far.deleted.saturating_add(1);
            so_far.deleted_bytes =
                so_far.deleted_bytes.saturating_add(u64::try_from(one.bytes).unwrap_or_default());
        }
        Ok(done)
    }

    /// Compares what is stored with what is known to be, below one first byte.
    async fn compare(
        &self,
        so_far: &mut Collected,
        names: &(impl Names + Sync),
        first: u8,
        has_files: bool,
    ) -> Result<(), CollectError> {
        if has_files {
            let swept = self.0.place.sweep(first, LEFT_FOR).await.map_err(BlobError::from)?;
            so_far.leftovers = so_far.leftovers.saturating_add(swept);
        }
        // Known first: what is stored meanwhile is then at worst unknown, and too young to count.
        let known: HashMap<BlobKey, bool> =
            blobs::beginning_with(&self.0.pool, first).await?.into_iter().collect();
        let listed = match has_files {
            true => self.0.place.list(first).await.map_err(BlobError::from)?,
            false => Vec::new(),
        };
        let old = Utc::now() - UNNAMED_FOR;
        let is_unknown =
            |one: &&Listed| one.stored_at < old && one.key.is_none_or(|key| !known.contains_key(&key));
        so_far.unknown = so_far.unknown.saturating_add(listed.iter().filter(is_unknown).count() as u64);
        let there: HashSet<BlobKey> = listed.iter().filter_map(|one| one.key).collect();
        let mut gone = Vec::new();
        for (key, is_stored) in known {
            if is_stored && !there.contains(&key) {
                gone.push(key);
            }
        }
        if gone.is_empty() {
            return Ok(());
        }
        for key in names.named(&gone).await? {
            // It may have been stored while the others were listed.
            if self.0.place.size(&key).await.map_err(BlobError::from)?.is_some() {
                continue;
            }
            tracing::error!(%key, "a stored file is gone, and something names it");
            so_far.missing = so_far.missing.saturating_add(1);
        }
        Ok(())
    }
}
