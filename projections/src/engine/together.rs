//! Folding in one transaction what the append has left: events that another process appended, and the
//! projections that can wait.

use super::checkpoint::{self, Left};
use super::handle::{EngineError, Projections};
use super::log::{Entry, Feed, Run};
use super::runner::span_of_fold;
use super::seats::Seated;
use event_store::{Compound, crash_point};
use futures::FutureExt;
use sqlx::Connection;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tracing::Instrument;

/// How long those that can wait are left alone while events keep coming: the more at once, the cheaper each.
const REST: Duration = Duration::from_millis(50);
/// A connection that is silent for longer is taken for dead.
const ANSWERED_WITHIN: Duration = Duration::from_secs(15);
/// How long the database is left alone after it failed.
const PAUSE: Duration = Duration::from_millis(100);

/// Keeps all that have seats at the head.
pub(super) async fn follow(projections: Projections, feed: Arc<Feed>) {
    let seats = &projections.inner.seats;
    let mut head = projections.inner.store.subscribe();
    let mut changes = seats.changes();
    let mut rested = Instant::now();
    loop {
        changes.mark_unchanged();
        look_again(&projections).await;
        let newest = *head.borrow_and_update();
        let all = Instant::now() >= rested || seats.is_called().now_or_never().is_some();
        let up = seats.up_behind(newest, all);
        if up.is_empty() {
            let rest = async {
                // At rest nothing wakes it up but what happens.
                if seats.is_behind(newest) { sleep_until(rested).await } else { std::future::pending().await }
            };
            tokio::select! {
                changed = head.changed() => if changed.is_err() { return },
                _ = changes.changed() => {}
                () = seats.is_called() => rested = Instant::now(),
                () = rest => {}
            }
            continue;
        }
        if all {
            rested = Instant::now() + REST;
        }
        let names: Vec<_> = up.iter().map(|seated| seated.definition.name).collect();
        // A connection may fall silent, and a bug must not end the task that all of them depend on.
        let folding = AssertUnwindSafe(fold(&projections, &feed, up)).catch_unwind();
        let rests = match timeout(ANSWERED_WITHIN, folding).await {
            Ok(Ok(Ok(Outcome::Folded(folded)))) => {
                let moved: Vec<_> = folded.iter().map(|seated| seated.definition.name).collect();
                let at = folded.first().map(|seated| seated.position);
                seats.back(&names, folded);
                if let Some(position) = at {
                    projections.learn_all(&moved, position);
                }
                false
            }
            Ok(Ok(Ok(Outcome::Elsewhere(up)))) => {
                seats.doubt(&names, up);
                false
            }
            // The head was told before the log has it: after a restore under a running server.
            Ok(Ok(Ok(Outcome::Nothing(up)))) => {
                seats.back(&names, up);
                true
            }
            Ok(Ok(Err(error))) => {
                tracing::debug!(%error, "read models could not be folded together");
                seats.lose(&names);
                true
            }
            Ok(Err(_panic)) => {
                tracing::error!("folding read models together panicked; each is folded alone");
                seats.lose(&names);
                true
            }
            Err(_silent) => {
                tracing::warn!("the database does not answer while read models are folded");
                seats.lose(&names);
                true
            }
        };
        if rests {
            sleep(PAUSE).await;
        }
    }
}

/// What came of folding some together.
enum Outcome {
    /// These were; whoever is missing is to be folded alone.
    Folded(Vec<Seated>),
    /// Nothing stands: the checkpoint of one of these was moved by somebody else.
    Elsewhere(Vec<Seated>),
    /// There was nothing to fold.
    Nothing(Vec<Seated>),
}

/// Lets those sit down again that were folded for nothing, unless somebody else has moved their checkpoint.
async fn look_again(projections: &Projections) {
    let inner = &projections.inner;
    let doubted = inner.seats.doubted();
    if doubted.is_empty() {
        return;
    }
    let names: Vec<_> = doubted.iter().map(|seated| seated.definition.name).collect();
    let looking = async { checkpoint::all(&mut *inner.pool.acquire().await?).await };
    match timeout(ANSWERED_WITHIN, looking).await {
        Ok(Ok(rows)) => {
            let is_left = |seated: &Seated| {
                let row = rows.iter().find(|row| row.name == seated.definition.name);
                row.is_some_and(|row| {
                    row.is_left_at(seated.definition.version, seated.position, seated.updated_at)
                })
            };
            inner.seats.back(&names, doubted.into_iter().filter(is_left).collect());
        }
        Ok(Err(error)) => {
            tracing::debug!(%error, "the checkpoints could not be looked at");
            inner.seats.lose(&names);
        }
        Err(_silent) => {
            tracing::warn!("the database does not answer while checkpoints are looked at");
            inner.seats.lose(&names);
        }
    }
}

/// Folds what comes next, in one transaction.
async fn fold(projections: &Projections, feed: &Feed, up: Vec<Seated>) -> Result<Outcome, EngineError> {
    let inner = &projections.inner;
    let Some(from) = up.first().map(|seated| seated.position) else { return Ok(Outcome::Nothing(up)) };
    let Some(run) = feed.run_after(from).await? else { return Ok(Outcome::Nothing(up)) };
    let Some(events) = readable(&run) else { return Ok(Outcome::Folded(Vec::new())) };
    let Some(last) = events.last().copied() else { return Ok(Outcome::Nothing(up)) };
    let mut connection = inner.pool.acquire().await?;
    let mut transaction = connection.begin().await?;
    // Before any table, as everybody does who folds or swaps tables: else they could wait for one another.
    let names: Vec<_> = up.iter().map(|seated| seated.definition.name).collect();
    checkpoint::hold(&mut transaction, &names).await?;
    let mut compound = Compound::default();
    let mut folded = Vec::new();
    let mut left = Vec::new();
    for mut seated in up {
        if events.iter().any(|event| seated.fold.reads(event)) {
            let span = span_of_fold(&seated.definition, events.len(), last.position, None);
            let folding = seated.fold.run_loading(&mut transaction, events.iter().copied().map(Ok));
            if let Err((_, failure)) = folding.instrument(span).await? {
                tracing::debug!(projection = seated.definition.name, %failure, "left to the follower");
                continue;
            }
            crash_point!("projections.before_rows");
            for table in seated.fold.tables() {
                table.write_into(&mut compound).map_err(sqlx::Error::Encode)?;
            }
        }
        left.push(Left::by(&seated));
        seated.move_to(last.position, last.recorded_at);
        folded.push(seated);
    }
    if left.is_empty() {
        return Ok(Outcome::Folded(folded));
    }
    checkpoint::advance_all(&mut compound, &left, last.position, last.recorded_at)
        .map_err(sqlx::Error::Encode)?;
    if !compound.write(&mut transaction).await? {
        return Ok(Outcome::Elsewhere(folded));
    }
    crash_point!("projections.before_commit");
    transaction.commit().await?;
    crash_point!("projections.after_commit");
    Ok(Outcome::Folded(folded))
}

/// The events of a run, unless one of them cannot be read.
fn readable(run: &Run) -> Option<Vec<&domain::stream::Recorded>> {
    run.entries().map(|entry: &Entry| entry.as_ref().ok()).collect()
}
