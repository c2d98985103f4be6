//! Rebuilding what this release folds otherwise than the one that made the tables.

use super::checkpoint::{self, State};
use super::fold::Failure;
use super::handle::{EngineError, Projections};
use super::lead;
use super::rebuilds::{self, RebuildState, failure_of};
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::time::{sleep, timeout};

const SHORTEST_REST: Duration = Duration::from_millis(200);
const LONGEST_REST: Duration = Duration::from_secs(30);
/// Who is on record for it.
const BY: &str = "a newer release";

/// Keeps the tables at the versions of this release, in every process that runs: whichever has the newer version
/// rebuilds, while the old rows serve and whoever has the older version folds on. All that have to be rebuilt share
/// one reading of the log.
pub(super) async fn keep_up(projections: Projections) {
    let mut rest = SHORTEST_REST;
    let mut failed = Tried::new();
    loop {
        let rung = projections.inner.bell.notified();
        match look(&projections, &mut failed).await {
            Ok(()) => {
                rest = SHORTEST_REST;
                let _ = timeout(projections.inner.options.poll_every, rung).await;
            }
            Err(error) => {
                tracing::warn!(%error, "rebuilding for a new version was interrupted; trying again");
                sleep(rest).await;
                rest = rest.saturating_mul(2).min(LONGEST_REST);
            }
        }
    }
}

/// What came of rebuilding here those that this release folds otherwise.
type Tried = BTreeMap<&'static str, Outcome>;

enum Outcome {
    /// An event that it cannot take.
    Failed(Failure),
    /// The same, and the projection stands still for everybody to see. Whoever lets it go on has it tried again.
    Shown,
}

async fn look(projections: &Projections, failed: &mut Tried) -> Result<(), EngineError> {
    let outgrown = outgrown(projections, failed).await?;
    if outgrown.is_empty() {
        return Ok(());
    }
    let rebuilding = match projections.begin_rebuild(&outgrown, BY).await {
        // Another process is at it, or somebody by hand.
        Err(EngineError::Busy(_)) if outgrown.len() == 1 => return Ok(()),
        Err(EngineError::Busy(busy)) => {
            let others: Vec<&str> = outgrown.iter().copied().filter(|name| *name != busy).collect();
            match projections.begin_rebuild(&others, BY).await {
                Err(EngineError::Busy(_)) => return Ok(()),
                begun => begun?,
            }
        }
        begun => begun?,
    };
    tracing::info!(projections = outgrown.join(", "), "rebuilding for a new version");
    for (definition, outcome) in rebuilding.run_each(|_| ()).await {
        match outcome {
            Ok(_) | Err(EngineError::CalledOff(_) | EngineError::OtherVersion { .. }) => {}
            Err(error) => match failure_of(&error) {
                Some(failure) => {
                    tracing::error!(projection = definition.name, %failure, "the new version cannot be folded");
                    failed.insert(definition.name, Outcome::Failed(failure.clone()));
                }
                None => return Err(error),
            },
        }
    }
    Ok(())
}

/// The projections whose tables are of an older version and that are to be rebuilt now. One whose new fold cannot
/// take an event is stopped there, visibly, unless a process of the older version folds it: that goes on.
async fn outgrown(projections: &Projections, failed: &mut Tried) -> Result<Vec<&'static str>, EngineError> {
    let mut connection = projections.inner.pool.acquire().await?;
    let mut found = Vec::new();
    let older = |row: &checkpoint::Checkpoint| {
        let definition = projections.definition(&row.name).ok()?;
        (row.version < definition.version && row.state != State::Paused).then_some(definition)
    };
    let rows = checkpoint::all(&mut connection).await?;
    let rows: Vec<_> = rows.into_iter().filter_map(|row| older(&row).map(|known| (row, known))).collect();
    if rows.is_empty() {
        return Ok(found);
    }
    let latest = rebuilds::all(&mut connection).await?;
    let folded = lead::folded(&mut connection).await?;
    for (row, definition) in rows {
        let is_called_off = latest.get(definition.name).is_some_and(|rebuild| {
            rebuild.state == RebuildState::Cancelled && rebuild.version == definition.version
        });
        if is_called_off {
            continue;
        }
        match (row.state, failed.remove(definition.name)) {
            // Also one that stands still: at an event that the release before this one could not take.
            (_, None) | (State::Running, Some(Outcome::Shown)) => found.push(definition.name),
            (State::Running, Some(Outcome::Failed(failure))) if folded.contains(definition.name) => {
                failed.insert(definition.name, Outcome::Failed(failure));
            }
            (State::Running, Some(Outcome::Failed(failure))) => {
                tracing::error!(projection = definition.name, %failure, "a projection stopped");
                checkpoint::stop(&mut connection, definition.name, row.version, row.position, &failure)
                    .await?;
                failed.insert(definition.name, Outcome::Shown);
                projections.refresh().await?;
            }
            (State::Stopped | State::Paused, Some(_)) => {
                failed.insert(definition.name, Outcome::Shown);
            }
        }
    }
    Ok(found)
}
