//! Folding new events into the live tables, as they come, in the process that may (`lead.rs`).

use super::checkpoint::{self, State};
use super::fold::{Failure, Fold};
use super::handle::{EngineError, Progress, Projections};
use super::log::{Batch, Entry, Feed, position};
use super::projection::Definition;
use super::seats::{Seated, Standing};
use chrono::{DateTime, Utc};
use domain::stream::Position;
use event_store::{SPANS, crash_point};
use sqlx::PgPool;
use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{sleep, timeout};
use tracing::{Instrument, Span, field};
use uuid::Uuid;

const SHORTEST_REST: Duration = Duration::from_millis(100);
const LONGEST_REST: Duration = Duration::from_secs(5);
/// How long a checkpoint may take to be read.
const READ_WITHIN: Duration = Duration::from_secs(15);
/// How long a batch may take to be folded: a hundred times as long as a large one does.
const FOLDED_WITHIN: Duration = Duration::from_secs(120);

/// Keeps one projection going. What passes (a lost connection, a lock, a full disk) is tried again, after ever
/// longer rests, and shown meanwhile; only an event that cannot be folded stops it.
pub(super) async fn follow(projections: Projections, feed: Arc<Feed>, definition: Definition) {
    let mut trouble = Trouble { rest: SHORTEST_REST, is_noted: false };
    loop {
        if let Err(error) = follow_from_checkpoint(&projections, &feed, &definition, &mut trouble).await {
            tracing::warn!(projection = definition.name, %error, "folding was interrupted; trying again");
            trouble.is_noted = true;
            note(&projections, &definition, Some(&format!("trying again: {error}"))).await;
            sleep(trouble.rest).await;
            trouble.rest = trouble.rest.saturating_mul(2).min(LONGEST_REST);
        }
    }
}

/// The database may fall silent in the middle: that is trouble like any other, to be tried again.
async fn within<T, E: Into<EngineError>>(
    limit: Duration,
    asked: impl Future<Output = Result<T, E>>,
) -> Result<T, EngineError> {
    match timeout(limit, asked).await {
        Ok(answer) => answer.map_err(Into::into),
        Err(silent) => Err(sqlx::Error::Io(io::Error::new(io::ErrorKind::TimedOut, silent)).into()),
    }
}

/// What keeps a projection from folding at the moment.
struct Trouble {
    rest: Duration,
    is_noted: bool,
}

impl Trouble {
    async fn is_over(&mut self, projections: &Projections, definition: &Definition) {
        self.rest = SHORTEST_REST;
        if std::mem::take(&mut self.is_noted) {
            note(projections, definition, None).await;
        }
    }
}

/// For whoever looks at the status; it is in the log as well, so it may fail.
async fn note(projections: &Projections, definition: &Definition, trouble: Option<&str>) {
    let noted = async {
        let mut connection = projections.inner.pool.acquire().await?;
        checkpoint::note_trouble(&mut connection, definition.name, definition.version, trouble).await
    };
    if let Err(error) = noted.await {
        tracing::debug!(%error, "what keeps a projection from folding could not be noted");
    }
}

/// Folds until the checkpoint should be looked at again.
async fn follow_from_checkpoint(
    projections: &Projections,
    feed: &Feed,
    definition: &Definition,
    trouble: &mut Trouble,
) -> Result<(), EngineError> {
    let inner = &projections.inner;
    let rung = inner.bell.notified();
    // After a failure it may still have its seat.
    inner.seats.dismiss(definition.name);
    let reading = async { checkpoint::read(&mut *inner.pool.acquire().await?, definition.name).await };
    let Some(found) = within(READ_WITHIN, reading).await? else {
        sleep(inner.options.poll_every).await;
        return Ok(());
    };
    projections.learn(definition.name, Progress { position: found.position, state: found.state });
    if found.version != definition.version || found.state != State::Running {
        let _ = timeout(inner.options.poll_every, rung).await;
        return Ok(());
    }
    let reading = async { checkpoint::skips(&mut *inner.pool.acquire().await?, definition.name).await };
    let skips = within(READ_WITHIN, reading).await?;
    let mut at = found.position;
    let mut updated_at = found.updated_at;
    loop {
        let Some(batch) = feed.after(at).await? else {
            trouble.is_over(projections, definition).await;
            return rest_at_head(projections, definition, skips, at, updated_at).await;
        };
        match within(FOLDED_WITHIN, apply(&inner.pool, definition, &skips, at, &batch)).await? {
            Applied::Moved(to, when) => {
                at = to;
                updated_at = when.unwrap_or(updated_at);
                trouble.is_over(projections, definition).await;
                projections.learn(definition.name, Progress { position: at, state: State::Running });
            }
            Applied::Elsewhere | Applied::Stopped => return Ok(()),
        }
    }
}

/// Lets those fold it who fold several at once, until they give it back or the checkpoint was changed by somebody
/// else.
async fn rest_at_head(
    projections: &Projections,
    definition: &Definition,
    skips: BTreeSet<Position>,
    at: Position,
    updated_at: DateTime<Utc>,
) -> Result<(), EngineError> {
    let inner = &projections.inner;
    let mut seats = inner.seats.changes();
    inner.seats.sit(Seated::new(*definition, skips, at, updated_at));
    loop {
        let rung = inner.bell.notified();
        let look = tokio::select! {
            _ = seats.changed() => false,
            () = rung => true,
            () = sleep(inner.options.poll_every) => true,
        };
        match inner.seats.standing(definition.name) {
            // The end of that wakes this up again when it goes wrong.
            Standing::Busy => {}
            Standing::Gone => return Ok(()),
            Standing::At(position, updated_at) => {
                if !look {
                    continue;
                }
                let reading =
                    async { checkpoint::read(&mut *inner.pool.acquire().await?, definition.name).await };
                let row = within(READ_WITHIN, reading).await?;
                if !row.is_some_and(|row| row.is_left_at(definition.version, position, updated_at))
                    && inner.seats.dismiss_unmoved(definition.name, position)
                {
                    return Ok(());
                }
            }
        }
    }
}

/// What came of a batch.
enum Applied {
    /// The events up to here are in the tables; the checkpoint was changed then, unless there were none.
    Moved(Position, Option<DateTime<Utc>>),
    /// The checkpoint was not where it should be: somebody else folds, or it was halted.
    Elsewhere,
    /// The very first event cannot be folded.
    Stopped,
}

/// Folds the events of a batch after a position, in one transaction. When one of them cannot be folded,
/// those before it are; the projection stops there when it is the first.
async fn apply(
    pool: &PgPool,
    definition: &Definition,
    skips: &BTreeSet<Position>,
    from: Position,
    batch: &Batch,
) -> Result<Applied, EngineError> {
    let mut entries = batch.after(from);
    loop {
        let Some(last) = entries.last() else { return Ok(Applied::Moved(from, None)) };
        let span = span_of_fold(definition, entries.len(), position(last), correlation_of(entries));
        let (done, failure) = match attempt(pool, definition, skips, from, entries).instrument(span).await {
            Ok(Attempt::Folded(at)) => return Ok(Applied::Moved(position(last), Some(at))),
            Ok(Attempt::Elsewhere) => return Ok(Applied::Elsewhere),
            Ok(Attempt::Failed(done, failure)) => (done, failure),
            // The rows do not fit the tables: halve the batch until the event that is to blame is alone.
            Err(error) if is_about_the_rows(&error) => (entries.len() / 2, unfit(last, &error)),
            Err(error) => return Err(error.into()),
        };
        if done == 0 {
            let correlation_id = correlation_of(entries.get(..1).unwrap_or_default()).map(field::display);
            tracing::error!(projection = definition.name, %failure, correlation_id, "a projection stopped");
            checkpoint::stop(
                &mut *pool.acquire().await?,
                definition.name,
                definition.version,
                from,
                &failure,
            )
            .await?;
            return Ok(Applied::Stopped);
        }
        entries = entries.get(..done).unwrap_or_default();
    }
}

/// The span of folding a batch for one projection. Inside the append it is part of the trace of the request, else
/// one of its own.
pub(super) fn span_of_fold(
    definition: &Definition,
    events: usize,
    to: Position,
    correlation_id: Option<Uuid>,
) -> Span {
    tracing::trace_span!(
        target: SPANS,
        "fold",
        otel.name = format!("fold {}", definition.name),
        projection = definition.name,
        events,
        position = to.0,
        correlation_id = correlation_id.map(field::display),
    )
}

/// The request that led to these events, if it is one and the same.
fn correlation_of(entries: &[Entry]) -> Option<Uuid> {
    let mut ids = entries.iter().map(|entry| entry.as_ref().ok()?.metadata.correlation_id);
    let first = ids.next()??;
    ids.all(|id| id == Some(first)).then_some(first)
}

enum Attempt {
    Folded(DateTime<Utc>),
    Elsewhere,
    Failed(usize, Failure),
}

async fn attempt(
    pool: &PgPool,
    definition: &Definition,
    skips: &BTreeSet<Position>,
    from: Position,
    entries: &[Entry],
) -> sqlx::Result<Attempt> {
    let to = entries.last().map_or(from, position);
    let mut transaction = pool.begin().await?;
    let moved = checkpoint::advance(&mut transaction, definition.name, definition.version, from, to).await?;
    let Some(at) = moved else { return Ok(Attempt::Elsewhere) };
    let mut fold = Fold::on_demand(definition, skips.clone());
    let each = entries.iter().map(Result::as_ref);
    if let Err((done, failure)) = fold.run_loading(&mut transaction, each).await? {
        return Ok(Attempt::Failed(done, failure));
    }
    crash_point!("projections.before_rows");
    for table in fold.tables() {
        table.write(&mut transaction).await?;
    }
    crash_point!("projections.before_commit");
    transaction.commit().await?;
    crash_point!("projections.after_commit");
    Ok(Attempt::Folded(at))
}

/// Whether PostgreSQL refuses values or constraints, which trying again does not change.
fn is_about_the_rows(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(|error| error.code());
    matches!(error, sqlx::Error::Encode(_))
        || code.is_some_and(|code| code.starts_with("22") || code.starts_with("23"))
}

fn unfit(entry: &Entry, error: &sqlx::Error) -> Failure {
    let event_type = match entry {
        Ok(event) => event.event.event_type().to_owned(),
        Err(undecodable) => undecodable.event_type.to_string(),
    };
    Failure { position: position(entry), event_type, reason: format!("its rows do not fit: {error}") }
}
