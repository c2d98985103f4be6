//! Folding the log again and comparing the outcome with the live tables.

use super::checkpoint;
use super::fold::Fold;
use super::handle::{EngineError, Projections};
use super::rebuild::{Replay, Replayed, replay};
use super::tables;
use domain::stream::Position;
use serde::Serialize;
use serde_json::Value;
use sqlx::{Connection, PgConnection};

/// Something that stands otherwise in a live table than a fresh fold would have it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Difference {
    /// The table.
    pub table: &'static str,
    /// The values of the row's key columns.
    pub key: Vec<Value>,
    /// The column; none when one side lacks the row.
    pub column: Option<&'static str>,
    /// The live value or row; none when the row is missing there.
    pub live: Option<Value>,
    /// The folded value or row; none when there should be no such row.
    pub folded: Option<Value>,
}

impl std::fmt::Display for Difference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let key = self.key.iter().map(Value::to_string).collect::<Vec<_>>().join(", ");
        write!(f, "{} ({key})", self.table)?;
        if let Some(column) = self.column {
            write!(f, " {column}")?;
        }
        let side = |value: &Option<Value>| value.as_ref().map_or("missing".to_owned(), Value::to_string);
        write!(f, ": live {}, folded {}", side(&self.live), side(&self.folded))
    }
}

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
    /// `progress`, every difference to `report`.
    ///
    /// # Errors
    /// `Unknown`, `OtherVersion`, `Failed`, `Database`, `Log`.
    pub async fn verify(
        &self,
        names: &[&str],
        mut progress: impl FnMut(Replayed) + Send,
        mut report: impl FnMut(&'static str, Difference) + Send,
    ) -> Result<Vec<Verified>, EngineError> {
        let mut sides = Vec::new();
        let mut replays = Vec::new();
        for definition in self.chosen(names)? {
            // Connections of its own: folding the log takes long, and the live folds need theirs.
            let mut snapshot = PgConnection::connect_with(&self.inner.pool.connect_options()).await?;
            // The tables are locked before the snapshot is taken: a swap in between would leave tables
            // without visible rows.
            let begin = format!(
                "SET idle_in_transaction_session_timeout = 0; \
                 BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; LOCK TABLE {} IN ACCESS SHARE MODE",
                definition.tables().join(", ")
            );
            tables::run(&mut snapshot, &begin).await?;
            let checkpoint = checkpoint::read(&mut snapshot, definition.name)
                .await?
                .ok_or_else(|| EngineError::Unknown(definition.name.to_owned()))?;
            if checkpoint.version != definition.version {
                let (projection, stored, own) = (definition.name, checkpoint.version, definition.version);
                return Err(EngineError::OtherVersion { projection, stored, own });
            }
            let skips = checkpoint::skips(&mut snapshot, definition.name).await?;
            let fold = Fold::whole(&definition, skips);
            replays.push(Replay { definition, fold, until: checkpoint.position });
            sides.push(snapshot);
        }
        let replays = replay(&self.inner.store, replays, &mut progress).await?;
        let mut verified = Vec::new();
        for (Replay { definition, mut fold, until }, mut snapshot) in replays.into_iter().zip(sides) {
            let mut differences = 0_u64;
            for table in fold.tables() {
                let mut note = |difference| {
                    differences = differences.saturating_add(1);
                    report(definition.name, difference);
                };
                table.compare(&mut snapshot, &mut note).await?;
            }
            verified.push(Verified { projection: definition.name, position: until, differences });
        }
        Ok(verified)
    }
}
