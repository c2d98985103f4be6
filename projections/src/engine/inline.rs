//! Folding inside the append: one commit makes a command durable and readable.
//!
//! A projection that has reached the head is handed over to the appender: what it writes for a batch of
//! events goes into the very statement that inserts them. Between batches it keeps the rows that its fold
//! asked for, so that most batches load nothing; that is right as long as its checkpoint is as it was left,
//! which the statement checks. Whatever goes wrong, the events are appended without it and it is handed
//! back to the task that follows the log, which knows how to halve, to stop and to tell.

use super::checkpoint::{self, Left};
use super::fold::Fold;
use super::handle::Projections;
use super::projection::Definition;
use super::runner::span_of_fold;
use chrono::{DateTime, Utc};
use domain::stream::{Position, Recorded};
use event_store::{Compound, FoldFailed, InlineFold};
use sqlx::PgConnection;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;
use tracing::Instrument;

/// How many events are folded inside an append at most: others wait for it.
const MOST_EVENTS: usize = 2_000;
/// How many rows of a table are kept between batches.
const MOST_ROWS: usize = 20_000;

/// A projection at the head of the log.
pub(super) struct Live {
    definition: Definition,
    position: Position,
    updated_at: DateTime<Utc>,
    fold: Fold,
}

impl Live {
    /// One whose checkpoint is here, and was changed then.
    pub fn new(
        definition: Definition,
        skips: BTreeSet<Position>,
        position: Position,
        updated_at: DateTime<Utc>,
    ) -> Self {
        Self { definition, position, updated_at, fold: Fold::on_demand(&definition, skips) }
    }
}

/// How a projection stands with the appender.
pub(super) enum Standing {
    /// Its tables are at this position; the checkpoint was changed then.
    At(Position, DateTime<Utc>),
    /// A batch is being written.
    Busy,
    /// It was handed back.
    Gone,
}

#[derive(Default)]
struct Seats {
    live: BTreeMap<&'static str, Live>,
    /// A batch is being written.
    busy: bool,
    /// What that batch folds.
    folded: Vec<Live>,
}

/// The projections that the appender folds.
#[derive(Default)]
pub(super) struct Inline {
    seats: Mutex<Seats>,
    /// Changed when some were handed back.
    returned: watch::Sender<()>,
}

impl Inline {
    fn seats(&self) -> MutexGuard<'_, Seats> {
        self.seats.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes up who waits for a projection to be handed back.
    pub fn returned(&self) -> watch::Receiver<()> {
        self.returned.subscribe()
    }

    /// Hands a projection over.
    pub fn take_in(&self, live: Live) {
        self.seats().live.insert(live.definition.name, live);
    }

    /// How a projection stands.
    pub fn standing(&self, name: &str) -> Standing {
        let seats = self.seats();
        match seats.live.get(name) {
            Some(live) => Standing::At(live.position, live.updated_at),
            None if seats.busy => Standing::Busy,
            None => Standing::Gone,
        }
    }

    /// Takes a projection back if it still stands there.
    pub fn withdraw_unmoved(&self, name: &str, position: Position) -> bool {
        let mut seats = self.seats();
        let unmoved = seats.live.get(name).is_some_and(|live| live.position == position);
        if unmoved {
            seats.live.remove(name);
        }
        unmoved
    }

    /// Takes a projection back wherever it stands.
    pub fn withdraw(&self, name: &str) {
        self.seats().live.remove(name);
    }

    fn hand_back(&self) {
        self.returned.send_modify(|()| ());
    }
}

/// While this lives, the appender of this process folds.
pub(super) struct FoldedInside(Projections);

impl FoldedInside {
    /// Lets it.
    pub fn begin(projections: &Projections) -> Self {
        projections.inner.store.fold_inside(Some(Arc::new(Inside(projections.clone()))));
        Self(projections.clone())
    }
}

impl Drop for FoldedInside {
    fn drop(&mut self) {
        self.0.inner.store.fold_inside(None);
        self.0.inner.inline.seats().live.clear();
    }
}

struct Inside(Projections);

#[async_trait::async_trait]
impl InlineFold for Inside {
    async fn fold(
        &self,
        connection: &mut PgConnection,
        events: &[Recorded],
        compound: &mut Compound,
    ) -> Result<(), FoldFailed> {
        let inline = &self.0.inner.inline;
        let (Some(first), Some(last)) = (events.first(), events.last()) else { return Ok(()) };
        let taken = {
            let mut seats = inline.seats();
            seats.busy = true;
            std::mem::take(&mut seats.live)
        };
        let mut folded = Vec::new();
        let mut left = Vec::new();
        for mut live in taken.into_values() {
            // The events in between are not here: it is behind.
            if live.position.0 + 1 != first.position.0 || events.len() > MOST_EVENTS {
                continue;
            }
            if live.fold.reads_any(events) {
                let span = span_of_fold(&live.definition, events.len(), last.position, None);
                let folding = live.fold.run_loading(connection, events.iter().map(Ok));
                let outcome = folding.instrument(span).await;
                if let Err((_, failure)) = outcome.map_err(|error| FoldFailed(error.to_string()))? {
                    tracing::debug!(projection = live.definition.name, %failure, "left to the follower");
                    continue;
                }
                for table in live.fold.tables() {
                    table.write_into(compound).map_err(|error| FoldFailed(error.to_string()))?;
                }
            }
            left.push(Left {
                name: live.definition.name,
                version: live.definition.version,
                position: live.position,
                updated_at: live.updated_at,
            });
            live.position = last.position;
            live.updated_at = last.recorded_at;
            folded.push(live);
        }
        if !left.is_empty() {
            checkpoint::advance_all(compound, &left, last.position, last.recorded_at)
                .map_err(|error| FoldFailed(error.to_string()))?;
        }
        inline.seats().folded = folded;
        Ok(())
    }

    fn settled(&self, committed: bool) {
        let inline = &self.0.inner.inline;
        let (mut names, mut position) = (Vec::new(), Position::default());
        {
            let mut seats = inline.seats();
            seats.busy = false;
            for mut live in std::mem::take(&mut seats.folded) {
                if !committed {
                    continue;
                }
                live.fold.tables().into_iter().for_each(|table| table.settle_keeping(MOST_ROWS));
                names.push(live.definition.name);
                position = live.position;
                seats.live.insert(live.definition.name, live);
            }
        }
        if names.len() < self.0.inner.definitions.len() {
            inline.hand_back();
        }
        if !names.is_empty() {
            self.0.learn_all(&names, position);
        }
    }
}
