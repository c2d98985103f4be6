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
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep, sleep_until};
use tracing::Instrument;

/// How long those that can wait are left alone while events keep coming: the more at once, the cheaper each.
const REST: Duration = Duration::from_millis(50);
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
        let folded = fold(&projections, &feed, up).await;
        let failed = folded.is_err();
        match folded {
            Ok(folded) => {
                let moved: Vec<_> = folded.iter().map(|seated| seated.definition.name).collect();
                let at = folded.first().map(|seated| seated.position);
                seats.back(folded);
                if let Some(position) = at {
                    projections.learn_all(&moved, position);
                }
            }
            Err(error) => tracing::debug!(%error, "read models could not be folded together"),
        }
        seats.lose(names);
        if failed {
            sleep(PAUSE).await;
        }
    }
}

/// Folds what comes next, in one transaction; whoever is not in the answer is to be folded alone.
async fn fold(projections: &Projections, feed: &Feed, up: Vec<Seated>) -> Result<Vec<Seated>, EngineError> {
    let inner = &projections.inner;
    let Some(from) = up.first().map(|seated| seated.position) else { return Ok(up) };
    let Some(run) = feed.run_after(from).await? else { return Ok(up) };
    let Some(events) = readable(&run) else { return Ok(Vec::new()) };
    let Some(last) = events.last().copied() else { return Ok(up) };
    let mut connection = inner.pool.acquire().await?;
    let mut transaction = connection.begin().await?;
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
        seated.position = last.position;
        seated.updated_at = last.recorded_at;
        folded.push(seated);
    }
    if left.is_empty() {
        return Ok(folded);
    }
    checkpoint::advance_all(&mut compound, &left, last.position, last.recorded_at)
        .map_err(sqlx::Error::Encode)?;
    if !compound.write(&mut transaction).await? {
        // Somebody else has moved a checkpoint.
        return Ok(Vec::new());
    }
    crash_point!("projections.before_commit");
    transaction.commit().await?;
    crash_point!("projections.after_commit");
    Ok(folded)
}

/// The events of a run, unless one of them cannot be read.
fn readable(run: &Run) -> Option<Vec<&domain::stream::Recorded>> {
    run.entries().map(|entry: &Entry| entry.as_ref().ok()).collect()
}
