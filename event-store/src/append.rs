//! The queue and the one appender of a process: it writes whatever has queued in one transaction.
//!
//! - Only appends whose versions were outrun fail; the rest of the batch is written.
//! - A batch that the database refuses is split in halves until the refused append fails alone.
//! - While the database is away, a batch is tried again for a while; nothing of it was written then.
//! - A connection lost at the commit is followed by a look at the log, never by sending again blindly.

use crate::commit::{Batch, Broken, Proof, simple, was_committed};
use crate::memory::Memory;
use crate::planning::BY_KEYS;
use crate::spans::SPANS;
use crate::store::{FoldInside, Options};
use crate::{crash, crash_point, stall_point, subscribe};
use domain::ids::CommandId;
use domain::stream::{Position, Recorded, StreamId, Version};
use futures::FutureExt;
use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection, PgConnection};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::runtime::Builder;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot, watch};
use tracing::{Instrument, Span, field, trace_span};
use uuid::Uuid;

/// The record to keep of a command that came with an idempotency key.
#[derive(Debug, Clone)]
pub(crate) struct NewRecord {
    pub(crate) actor: Uuid,
    pub(crate) key: String,
    pub(crate) command: &'static str,
    pub(crate) request_hash: [u8; 32],
    pub(crate) answer: String,
    pub(crate) versions: String,
}

/// What one command wants written: all of it or nothing.
#[derive(Debug)]
pub(crate) struct Append {
    pub(crate) command_id: CommandId,
    /// Every stream read or written, each once, with the version it must still have.
    pub(crate) expected: Vec<(StreamId, Version)>,
    /// In order; positions and times are filled in as they are written.
    pub(crate) events: Vec<Recorded>,
    /// The payloads of the events, in the same order.
    pub(crate) payloads: Vec<String>,
    /// The metadata all its events share.
    pub(crate) metadata: String,
    pub(crate) record: Option<NewRecord>,
    /// Filled in as it is written: its last event's position, or the head when it has none.
    pub(crate) position: Position,
}

impl Append {
    /// About the bytes that writing it sends.
    fn bytes(&self) -> usize {
        let payloads: usize = self.payloads.iter().map(|p| p.len() + self.metadata.len() + 160).sum();
        let record = self.record.as_ref().map_or(0, |r| r.answer.len() + r.versions.len() + r.key.len() + 80);
        payloads + record + 80 * self.expected.len()
    }
}

/// What became of an append.
#[derive(Debug)]
pub(crate) struct Appended {
    pub(crate) events: Vec<Recorded>,
    pub(crate) position: Position,
}

/// Why an append was not written, or is not known to be.
#[derive(Debug)]
pub(crate) enum AppendError {
    /// These streams are at other versions than expected.
    Conflict(Vec<(StreamId, Version)>),
    /// The idempotency key has a record already.
    KeyTaken,
    /// No room in the queue.
    Busy,
    /// The database is away; nothing was written.
    Unavailable(Arc<sqlx::Error>),
    /// The database refuses it.
    Rejected(Arc<sqlx::Error>),
    /// It may have been written.
    Unknown,
}

type Answer = Result<Appended, AppendError>;

struct Job {
    append: Append,
    bytes: usize,
    answer: oneshot::Sender<Answer>,
    /// From queueing to the answer.
    span: Span,
    _room: OwnedSemaphorePermit,
}

impl Job {
    /// The request that it serves, if any.
    fn correlation_id(&self) -> Option<Uuid> {
        self.append.events.first().and_then(|event| event.metadata.correlation_id)
    }
}

/// Where appends wait, bounded in number and bytes.
pub(crate) struct Queue {
    jobs: mpsc::Sender<Job>,
    room: Arc<Semaphore>,
    /// Those who wait for room hold what they want written, so they are no more than those who have it.
    waiting: Semaphore,
    bytes: u32,
    wait: Duration,
}

impl Queue {
    /// How many appends wait, and how many may.
    pub(crate) fn depth(&self) -> (usize, usize) {
        let room = self.jobs.max_capacity();
        (room.saturating_sub(self.jobs.capacity()), room)
    }

    /// Queues an append and waits for what becomes of it.
    pub(crate) async fn append(&self, append: Append) -> Answer {
        let correlation_id = append.events.first().and_then(|event| event.metadata.correlation_id);
        let span = trace_span!(
            target: SPANS,
            "append",
            correlation_id = correlation_id.map(field::display),
            events = append.events.len(),
        );
        self.enter(append, span.clone()).instrument(span).await
    }

    async fn enter(&self, append: Append, span: Span) -> Answer {
        let Ok(waiting) = self.waiting.try_acquire() else { return Err(AppendError::Busy) };
        let bytes = append.bytes();
        let (answer, answered) = oneshot::channel();
        let enter = async {
            let weight = u32::try_from(bytes).unwrap_or(u32::MAX).clamp(1, self.bytes);
            let room = self.room.clone().acquire_many_owned(weight).await.ok()?;
            let slot = self.jobs.reserve().await.ok()?;
            slot.send(Job { append, bytes, answer, span, _room: room });
            Some(())
        };
        let entered = tokio::time::timeout(self.wait, enter).await;
        drop(waiting);
        match entered {
            Ok(Some(())) => answered.await.unwrap_or(Err(AppendError::Unknown)),
            Ok(None) => Err(AppendError::Unavailable(Arc::new(sqlx::Error::WorkerCrashed))),
            Err(_) => Err(AppendError::Busy),
        }
    }
}

/// How long an appender waits at most for commands that may come.
const LONGEST_GATHERING: Duration = Duration::from_millis(3);
/// When none has come for so long, none is waited for.
const QUIET: Duration = Duration::from_micros(200);

/// From how many commands on they are written in two halves in turns.
const TWO_HALVES: usize = 48;

/// What the last batch was like.
#[derive(Default)]
struct Written {
    /// How many commands were under way: those of the batch, and those that queued meanwhile.
    commands: usize,
    took: Duration,
}

impl Written {
    /// How many commands are worth waiting for. Where many are under way, half of them: while one half is written,
    /// the other half's answers are read and its next commands decided, so neither the database nor the deciding
    /// waits for the other. With few, what a commit costs whatever its size weighs more.
    const fn worth_waiting_for(&self) -> usize {
        if self.commands < TWO_HALVES { self.commands } else { self.commands.div_ceil(2) }
    }
}

/// The task that writes.
pub(crate) struct Appender {
    jobs: mpsc::Receiver<Job>,
    connect: PgConnectOptions,
    connection: Option<PgConnection>,
    batch_events: usize,
    batch_bytes: usize,
    give_up_after: Duration,
    /// How the log stands, as the connection last saw it.
    memory: Memory,
    fold: FoldInside,
    head: watch::Sender<Position>,
}

impl Appender {
    /// Starts it. It ends when the queue is dropped and empty.
    pub(crate) fn start(
        connect: PgConnectOptions,
        options: &Options,
        fold: FoldInside,
        head: watch::Sender<Position>,
    ) -> Queue {
        let (sender, jobs) = mpsc::channel(options.queue_length.max(1));
        let appender = Self {
            jobs,
            connect: connect.application_name("figure-ledger appender").options(BY_KEYS),
            connection: None,
            batch_events: options.batch_events,
            batch_bytes: options.batch_bytes,
            give_up_after: options.give_up_after,
            memory: Memory::default(),
            fold,
            head,
        };
        appender.begin();
        let bytes = options.queue_bytes.clamp(1, Semaphore::MAX_PERMITS);
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        Queue {
            jobs: sender,
            waiting: Semaphore::new(options.queue_length.clamp(1, Semaphore::MAX_PERMITS)),
            room: Arc::new(Semaphore::new(usize::try_from(bytes).unwrap_or(usize::MAX))),
            bytes,
            wait: options.queue_wait,
        }
    }

    /// Runs on a thread of its own. Every batch is a handful of round trips, and whoever shares a thread with all
    /// requests is called back after each only when the thread looks up from them: in a busy process an append
    /// waited as long for its own thread as for the database.
    fn begin(self) {
        // What is stepped through has one thread for everything.
        if crash::is_stepped() {
            tokio::spawn(self.run());
            return;
        }
        let thread = std::thread::Builder::new().name("appender".to_owned());
        let began = thread.spawn(move || match Builder::new_current_thread().enable_all().build() {
            Ok(runtime) => runtime.block_on(self.run()),
            Err(error) => tracing::error!(%error, "the appender cannot run"),
        });
        // Whoever appends is told that nothing was written: the queue is gone with the thread.
        if let Err(error) = began {
            tracing::error!(%error, "the appender has no thread");
        }
    }

    async fn run(mut self) {
        let mut held = None;
        let mut last = Written::default();
        loop {
            let first = match held.take() {
                Some(job) => job,
                None => match self.jobs.recv().await {
                    Some(job) => job,
                    None => break,
                },
            };
            tokio::task::yield_now().await;
            stall_point!("append.collect");
            let batch;
            (batch, held) = self.gather(first, &last).await;
            let (began, commands) = (Instant::now(), batch.len());
            // A bug must not end the one who writes for all. Whoever waits for this batch is told that its outcome is
            // not known: their answers are gone with it.
            if AssertUnwindSafe(self.write(batch)).catch_unwind().await.is_err() {
                tracing::error!("writing a batch panicked; going on with a new connection");
                self.connection = None;
                self.memory.forget();
                if let Some(fold) = self.fold.get() {
                    fold.settled(false);
                }
            }
            last.took = began.elapsed();
            last.commands = commands + self.jobs.len() + usize::from(held.is_some());
        }
        if let Some(connection) = self.connection {
            let _ = connection.close().await;
        }
    }

    /// Takes what has queued, up to the bounds; what does not fit is the second part of the answer.
    ///
    /// Those whose commands the last commit has answered are about to send their next ones: a commit for the
    /// first of them alone would let all others wait for two. So it waits until as many have queued as are worth
    /// it, but no longer than they keep coming, and no longer than a good part of what the commit takes.
    async fn gather(&mut self, first: Job, last: &Written) -> (Vec<Job>, Option<Job>) {
        let (mut events, mut bytes) = (first.append.events.len(), first.bytes);
        let mut batch = vec![first];
        let until = Instant::now() + (last.took / 2).min(LONGEST_GATHERING);
        let mut quiet = Instant::now() + QUIET;
        loop {
            while let Ok(job) = self.jobs.try_recv() {
                events += job.append.events.len();
                bytes += job.bytes;
                if events > self.batch_events || bytes > self.batch_bytes {
                    return (batch, Some(job));
                }
                batch.push(job);
                quiet = Instant::now() + QUIET;
            }
            if batch.len() >= last.worth_waiting_for() || Instant::now() >= until.min(quiet) {
                return (batch, None);
            }
            // Those who decide may need this processor.
            std::thread::yield_now();
            tokio::task::yield_now().await;
        }
    }

    /// Writes a batch, splitting it while the database refuses it.
    async fn write(&mut self, batch: Vec<Job>) {
        let mut parts = vec![batch];
        while let Some(mut jobs) = parts.pop() {
            // Nobody waits for these any more, so nobody was told that they were written.
            jobs.retain(|job| !job.answer.is_closed());
            if jobs.is_empty() {
                continue;
            }
            let span = span_of_batch(&jobs);
            match self.write_part(&mut jobs).instrument(span).await {
                Ok(answers) => {
                    crash_point!("append.before_acknowledge");
                    for (job, answer) in jobs.into_iter().zip(answers) {
                        let _ = job.answer.send(answer);
                    }
                }
                Err(Failed::Refused(error)) if jobs.len() > 1 => {
                    tracing::warn!(%error, appends = jobs.len(), "a batch was refused; splitting it");
                    let second = jobs.split_off(jobs.len() / 2);
                    parts.push(second);
                    parts.push(jobs);
                }
                Err(failed) => {
                    let failed = match failed {
                        Failed::Refused(e) => {
                            let correlation_id =
                                jobs.first().and_then(Job::correlation_id).map(field::display);
                            tracing::error!(error = %e, correlation_id, "the database refuses an append");
                            Some((Arc::new(e), true))
                        }
                        Failed::Away(e) => Some((Arc::new(e), false)),
                        Failed::Unknown => None,
                    };
                    for job in jobs {
                        let _ = job.answer.send(Err(match &failed {
                            Some((e, true)) => AppendError::Rejected(e.clone()),
                            Some((e, false)) => AppendError::Unavailable(e.clone()),
                            None => AppendError::Unknown,
                        }));
                    }
                }
            }
        }
    }

    /// Writes some appends in one transaction, trying again while the database is away.
    async fn write_part(&mut self, jobs: &mut [Job]) -> Result<Vec<Answer>, Failed> {
        let (began, commands) = (Instant::now(), jobs.len());
        let until = began + self.give_up_after;
        let mut batch = Batch::new(jobs.iter_mut().map(|job| &mut job.append).collect());
        let mut pause = Pause::default();
        let fold = self.fold.get();
        loop {
            let mut connection = match self.connection.take() {
                Some(connection) => connection,
                None => match connect(&self.connect).await {
                    Ok(connection) => {
                        self.memory.forget();
                        connection
                    }
                    Err(e) if Instant::now() < until => {
                        tracing::warn!(error = %e, "the appender cannot reach the database; trying again");
                        pause.take().await;
                        continue;
                    }
                    Err(e) => return Err(Failed::Away(e)),
                },
            };
            match batch.write(&mut connection, &mut self.memory, fold.as_ref()).await {
                Ok(()) => {
                    self.connection = Some(connection);
                    break;
                }
                Err(Broken::Before(e)) if is_passing(&e) => {
                    // Dropping the connection ends its transaction.
                    drop(connection);
                    if Instant::now() >= until {
                        return Err(Failed::Away(e));
                    }
                    tracing::warn!(error = %e, "an append was interrupted before its commit; trying again");
                    pause.take().await;
                }
                Err(Broken::Before(e)) => {
                    if simple(&mut connection, "ROLLBACK").await.is_ok() {
                        self.connection = Some(connection);
                    }
                    return Err(Failed::Refused(e));
                }
                Err(Broken::AtCommit(e, proof)) => {
                    drop(connection);
                    tracing::warn!(error = %e, "a commit went unanswered; looking whether it took place");
                    let committed = self.resolve(&proof, until).await;
                    batch.settle(fold.as_ref(), committed.unwrap_or(false));
                    match committed {
                        Some(true) => break,
                        Some(false) if Instant::now() < until => pause.take().await,
                        Some(false) => return Err(Failed::Away(e)),
                        None => return Err(Failed::Unknown),
                    }
                }
            }
        }
        crash_point!("append.after_commit");
        let size = |n: usize| f64::from(u32::try_from(n).unwrap_or(u32::MAX));
        metrics::histogram!("figure_ledger_append_batch_commands").record(size(commands));
        metrics::histogram!("figure_ledger_append_batch_events").record(size(batch.events_written()));
        metrics::histogram!("figure_ledger_append_seconds").record(began.elapsed());
        if batch.wrote_events() {
            subscribe::advance(&self.head, batch.head());
        }
        Ok(batch.answers())
    }

    /// Whether a commit took place; `None` when the database does not come back in time to tell.
    async fn resolve(&mut self, proof: &Proof, until: Instant) -> Option<bool> {
        let mut pause = Pause::default();
        loop {
            stall_point!("append.resolve");
            let asked = async {
                let mut connection = connect(&self.connect).await?;
                let committed = was_committed(&mut connection, proof).await?;
                Ok::<_, sqlx::Error>((connection, committed))
            };
            match asked.await {
                Ok((connection, committed)) => {
                    self.connection = Some(connection);
                    return Some(committed);
                }
                Err(_) if Instant::now() < until => pause.take().await,
                Err(error) => {
                    tracing::error!(%error, "it stays unknown whether a batch was committed");
                    return None;
                }
            }
        }
    }
}

/// The span of a batch. It is part of the trace of its first append, and linked with those of the others.
fn span_of_batch(jobs: &[Job]) -> Span {
    let Some((first, others)) = jobs.split_first() else { return Span::none() };
    let correlation_id = if others.is_empty() { first.correlation_id() } else { None };
    let span = trace_span!(
        target: SPANS,
        parent: &first.span,
        "write",
        correlation_id = correlation_id.map(field::display),
        commands = jobs.len(),
        events = jobs.iter().map(|job| job.append.events.len()).sum::<usize>(),
    );
    for other in others {
        span.follows_from(&other.span);
    }
    span
}

/// Why some appends were not written.
enum Failed {
    /// The database refuses them.
    Refused(sqlx::Error),
    /// It stayed away for too long; nothing was written.
    Away(sqlx::Error),
    /// It stayed away after the commit was sent.
    Unknown,
}

/// Growing pauses between tries.
#[derive(Default)]
struct Pause(u32);

impl Pause {
    async fn take(&mut self) {
        let millis = (10_u64 << self.0.min(6)).min(500);
        self.0 += 1;
        crash::pause("append.pause", Duration::from_millis(millis)).await;
    }
}

/// Whether the failure is the moment's and not the append's: trying again may help.
pub(crate) fn is_passing(error: &sqlx::Error) -> bool {
    let sqlx::Error::Database(database) = error else {
        return !matches!(
            error,
            sqlx::Error::Encode(_) | sqlx::Error::Decode(_) | sqlx::Error::ColumnDecode { .. }
        );
    };
    database.code().is_some_and(|code| {
        // Connection, resources, operator, system; locks and deadlocks; idle too long; read-only for now;
        // a plan outlived by a change of tables.
        matches!(code.get(..2), Some("08" | "53" | "57" | "58" | "40"))
            || matches!(&*code, "55P03" | "25P03" | "25006" | "0A000")
    })
}

/// Whether somebody else was in the way: a lock that was not let go of in time, a deadlock, a conflict, or a
/// statement that took too long.
pub(crate) fn is_about_locks(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    code.is_some_and(|code| code.starts_with("40") || matches!(&*code, "55P03" | "57014"))
}

async fn connect(options: &PgConnectOptions) -> Result<PgConnection, sqlx::Error> {
    let attempt = async {
        let mut connection = PgConnection::connect_with(options).await?;
        // A process that freezes with the lock must not stop the others; an acknowledged append is durable.
        simple(
            &mut connection,
            "SET lock_timeout = '5s'; SET idle_in_transaction_session_timeout = '5s'; \
             SET synchronous_commit = on",
        )
        .await?;
        Ok(connection)
    };
    match tokio::time::timeout(Duration::from_secs(5), attempt).await {
        Ok(outcome) => outcome,
        Err(_) => Err(sqlx::Error::PoolTimedOut),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use chrono::DateTime;
    use domain::claim::{ClaimEvent, Holder};
    use domain::ids::{EventId, FigureId};
    use domain::stream::{Event, Metadata};

    #[test]
    fn few_commands_are_waited_for_together_and_many_by_halves() {
        let waited_for = |commands| Written { commands, took: Duration::ZERO }.worth_waiting_for();
        assert_eq!([0, 1, 16, 47].map(waited_for), [0, 1, 16, 47]);
        assert_eq!([48, 49, 64].map(waited_for), [24, 25, 32]);
    }

    pub(crate) fn stream(n: u128) -> StreamId {
        StreamId::Figure(FigureId(Uuid::from_u128(n)))
    }

    /// An append that expects each stream at a version and writes so many events to it.
    pub(crate) fn append(streams: &[(&StreamId, i64, i64)], key: Option<&str>) -> Append {
        let command_id = CommandId(Uuid::nil());
        let event = |stream: &StreamId, version| Recorded {
            position: Position(0),
            event_id: EventId(Uuid::nil()),
            stream: stream.clone(),
            version: Version(version),
            owner: None,
            recorded_at: DateTime::UNIX_EPOCH,
            metadata: Metadata { actor: None, command_id, correlation_id: None, causation_id: None },
            event: Event::Claim(ClaimEvent::Released { holder: Holder::Figure(FigureId(Uuid::nil())) }),
        };
        let events: Vec<_> =
            streams.iter().flat_map(|(s, v, n)| (1..=*n).map(move |i| event(s, v + i))).collect();
        Append {
            command_id,
            expected: streams.iter().map(|(s, v, _)| ((*s).clone(), Version(*v))).collect(),
            payloads: events.iter().map(|_| "{}".to_owned()).collect(),
            events,
            metadata: "{}".to_owned(),
            record: key.map(|key| NewRecord {
                actor: Uuid::nil(),
                key: key.to_owned(),
                command: "test",
                request_hash: [0; 32],
                answer: "null".to_owned(),
                versions: "[]".to_owned(),
            }),
            position: Position(0),
        }
    }
}
