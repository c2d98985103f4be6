//! Folding the log again and comparing the outcome with the live tables.

use super::checkpoint;
use super::compare::Difference;
use super::handle::{EngineError, Projections};
use super::projection::Definition;
use super::replay::{Ground, Replay, Replayed, replay};
use super::spill::Budget;
use super::tables;
use domain::stream::Position;
use serde::Serialize;
use sqlx::PgConnection;
use tokio::sync::watch;

/// Shared by whoever verifies: no event is blanked meanwhile. The number means nothing.
pub(super) const VERIFY_LOCK: i32 = 0x7072_6f76;

/// A projection that was compared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Verified {
    /// Its name.
    pub projection: &'static str,
    /// The position at which both sides stand.
    pub position: Position,
    /// How many differences were reported.
    pub differences: u64,
}

impl Projections {
    /// Compares projections, all when none is named, with a fresh fold of the log, each at the position and
    /// in the snapshot of its own checkpoint. The live tables go on meanwhile. Reading the log is told to
    /// `progress`, every difference to `report`, table by table in the order of their keys. One that cannot be
    /// compared does not keep the others from it.
    ///
    /// The fold goes into temporary tables of connections of its own, as a rebuild's into shadow tables, so memory
    /// stays bounded however long the log is; PostgreSQL compares.
    ///
    /// # Errors
    /// `Unknown`, `Log`; and of the first that could not be compared, after the others were: `OtherVersion`, `Failed`,
    /// `Database`.
    pub async fn verify(
        &self,
        names: &[&str],
        progress: impl FnMut(Replayed) + Send,
        report: impl FnMut(&'static str, Difference) + Send,
    ) -> Result<Vec<Verified>, EngineError> {
        let each = self.verify_each(names, progress, report).await?;
        each.into_iter().map(|(_, outcome)| outcome).collect()
    }

    /// The same, and tells of each what came of it; those first that could not even begin.
    ///
    /// # Errors
    /// `Unknown`, `Log`: then nothing was compared.
    pub async fn verify_each(
        &self,
        names: &[&str],
        mut progress: impl FnMut(Replayed) + Send,
        mut report: impl FnMut(&'static str, Difference) + Send,
    ) -> Result<Vec<(Definition, Result<Verified, EngineError>)>, EngineError> {
        let (mut outcomes, mut replays) = (Vec::new(), Vec::new());
        for definition in self.chosen(names)? {
            match self.to_compare(definition).await {
                Ok(replay) => replays.push(replay),
                Err(error) => outcomes.push((definition, Err(error))),
            }
        }
        let begun: Vec<Definition> = replays.iter().map(|replay| replay.definition).collect();
        let longest = replays.iter().map(|replay| replay.until.0).max().unwrap_or_default();
        let budget = Budget::new(self.inner.options.replay_bytes, longest);
        let replayed = replay(&self.inner.store, replays, budget, &mut progress).await?;
        for (definition, replayed) in begun.into_iter().zip(replayed) {
            let outcome = match replayed {
                Ok(replay) => self.verified(replay, &mut report).await,
                Err(error) => Err(error),
            };
            outcomes.push((definition, outcome));
        }
        Ok(outcomes)
    }

    async fn to_compare(&self, definition: Definition) -> Result<Replay, EngineError> {
        let mut site = self.connect().await?;
        let begin = format!(
            "SET idle_in_transaction_session_timeout = 0; SELECT pg_advisory_lock_shared({VERIFY_LOCK}, 0)"
        );
        tables::run(&mut site, &begin).await?;
        let until = known(&mut site, &definition).await?;
        let never = watch::channel(false).1;
        let batch = self.inner.options.batch;
        Ok(Replay::prepare(definition, until, site, Ground::Temporary, never, batch).await?)
    }

    async fn verified(
        &self,
        mut replay: Replay,
        report: &mut (dyn FnMut(&'static str, Difference) + Send),
    ) -> Result<Verified, EngineError> {
        let projection = replay.definition.name;
        let mut differences = 0_u64;
        let mut note = |difference| {
            differences = differences.saturating_add(1);
            report(projection, difference);
        };
        let position = self.compare(&mut replay, &mut note).await?;
        Ok(Verified { projection, position, differences })
    }

    /// Compares the live tables with those that were folded; gives the position at which both stand.
    async fn compare(
        &self,
        replay: &mut Replay,
        report: &mut (dyn FnMut(Difference) + Send),
    ) -> Result<Position, EngineError> {
        replay.write_all().await?;
        // The tables are locked before the snapshot is taken: a swap in between would leave tables without
        // visible rows.
        let measure = format!("SET plan_cache_mode = auto; ANALYZE {}", list(replay, "pg_temp"));
        tables::run(&mut replay.site, &measure).await?;
        let lock = format!(
            "BEGIN ISOLATION LEVEL REPEATABLE READ; LOCK TABLE {} IN ACCESS SHARE MODE",
            list(replay, "public")
        );
        tables::run(&mut replay.site, &lock).await?;
        let definition = replay.definition;
        let position = known(&mut replay.site, &definition).await?;
        replay.look_for_skips().await?;
        let mut at = replay.until;
        while at < position && !replay.catch_up(&self.inner.store, &mut at, position).await? {
            replay.write_all().await?;
        }
        // Written in the transaction that compares, so that its snapshot shows them.
        replay.write_all().await?;
        replay.compare(report).await?;
        tables::run(&mut replay.site, "ROLLBACK").await?;
        Ok(position)
    }
}

fn list(replay: &Replay, schema: &str) -> String {
    let names = replay.definition.tables().into_iter().map(|table| format!("{schema}.{table}"));
    names.collect::<Vec<_>>().join(", ")
}

/// The position of a projection whose tables have the version of this release.
async fn known(site: &mut PgConnection, definition: &Definition) -> Result<Position, EngineError> {
    let found = checkpoint::read(site, definition.name).await?;
    let checkpoint = found.ok_or_else(|| EngineError::Unknown(definition.name.to_owned()))?;
    if checkpoint.version != definition.version {
        let (projection, stored, own) = (definition.name, checkpoint.version, definition.version);
        return Err(EngineError::OtherVersion { projection, stored, own });
    }
    Ok(checkpoint.position)
}
