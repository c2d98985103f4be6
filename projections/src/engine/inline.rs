//! Folding inside the append: one commit makes a command durable and readable.
//!
//! Of the projections that have a seat (`seats.rs`), those from which answers are read are folded by the
//! appender: what they write for a batch of events goes into the very statement that inserts them. Whatever
//! goes wrong, the events are appended without it.

use super::checkpoint::{self, Left};
use super::handle::Projections;
use super::log::Feed;
use super::runner::span_of_fold;
use super::seats::Seated;
use domain::stream::{Position, Recorded};
use event_store::{Compound, FoldFailed, InlineFold};
use sqlx::PgConnection;
use std::sync::{Arc, Mutex, PoisonError};
use tracing::Instrument;

/// How many events are folded inside an append at most: others wait for it.
const MOST_EVENTS: usize = 2_000;

/// While this lives, the appender of this process folds.
pub(super) struct FoldedInside(Projections);

impl FoldedInside {
    /// Lets it.
    pub fn begin(projections: &Projections, feed: &Arc<Feed>) -> Self {
        let inside =
            Inside { projections: projections.clone(), feed: feed.clone(), underway: Mutex::default() };
        projections.inner.store.fold_inside(Some(Arc::new(inside)));
        Self(projections.clone())
    }
}

impl Drop for FoldedInside {
    fn drop(&mut self) {
        self.0.inner.store.fold_inside(None);
        self.0.inner.seats.clear();
    }
}

struct Inside {
    projections: Projections,
    feed: Arc<Feed>,
    underway: Mutex<Underway>,
}

/// The batch that is being written.
#[derive(Default)]
struct Underway {
    /// Everybody who got up for it.
    names: Vec<&'static str>,
    folded: Vec<Seated>,
    events: Vec<Recorded>,
}

impl Inside {
    fn underway(&self) -> std::sync::MutexGuard<'_, Underway> {
        self.underway.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait::async_trait]
impl InlineFold for Inside {
    async fn fold(
        &self,
        connection: &mut PgConnection,
        events: &[Recorded],
        compound: &mut Compound,
    ) -> Result<(), FoldFailed> {
        let (Some(first), Some(last)) = (events.first(), events.last()) else { return Ok(()) };
        // Whoever is not right before them, or has too much to do, is folded afterwards.
        let up = if events.len() > MOST_EVENTS {
            Vec::new()
        } else {
            self.projections.inner.seats.up_inside(Position(first.position.0 - 1))
        };
        self.underway().names = up.iter().map(|seated| seated.definition.name).collect();
        let mut folded = Vec::new();
        let mut left = Vec::new();
        for mut seated in up {
            if seated.fold.reads_any(events) {
                let span = span_of_fold(&seated.definition, events.len(), last.position, None);
                let folding = seated.fold.run_loading(connection, events.iter().map(Ok));
                let outcome = folding.instrument(span).await;
                if let Err((_, failure)) = outcome.map_err(|error| FoldFailed(error.to_string()))? {
                    tracing::debug!(projection = seated.definition.name, %failure, "left to the follower");
                    continue;
                }
                for table in seated.fold.tables() {
                    table.write_into(compound).map_err(|error| FoldFailed(error.to_string()))?;
                }
            }
            left.push(Left::by(&seated));
            seated.move_to(last.position, last.recorded_at);
            folded.push(seated);
        }
        if !left.is_empty() {
            checkpoint::advance_all(compound, &left, last.position, last.recorded_at)
                .map_err(|error| FoldFailed(error.to_string()))?;
        }
        let mut underway = self.underway();
        underway.folded = folded;
        underway.events = events.to_vec();
        Ok(())
    }

    fn announces(&self) -> String {
        self.underway().folded.iter().map(|seated| seated.definition.name).collect::<Vec<_>>().join(" ")
    }

    fn settled(&self, committed: bool) {
        let Underway { names, folded, events } = std::mem::take(&mut *self.underway());
        let inner = &self.projections.inner;
        let at = folded.first().map(|seated| seated.position);
        let moved: Vec<_> = folded.iter().map(|seated| seated.definition.name).collect();
        if committed {
            self.feed.offer(events);
            inner.seats.back(&names, folded);
        } else {
            // Somebody else has appended, or moved one of their checkpoints; or the database has gone away.
            inner.seats.doubt(&names, folded);
        }
        // Another process may have appended while the end of this batch was unknown, and been heard of already.
        if at.is_some_and(|at| at < *inner.store.subscribe().borrow()) {
            inner.seats.call();
        }
        if let Some(position) = at.filter(|_| committed) {
            // Other processes learn of it from the append.
            self.projections.learn_quietly(&moved, position);
        }
    }
}
