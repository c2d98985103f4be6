//! From a command to an acknowledged append.
//!
//! A command is decided on states from memory where there are any. What it wants appended is checked by the
//! append itself; what is *not* appended (a refusal, or nothing to do) is confirmed: if a state was outrun
//! meanwhile, it is decided again. So every answer was true at one moment after the request arrived.
//!
//! A request's idempotency key is looked up where it matters: by the appender under its lock, and before a
//! refusal is answered. That is as good as looking first, and costs an ordinary request nothing.

use crate::append::{Append, AppendError, NewRecord};
use crate::error::ExecuteError;
use crate::records::{actor_column, versions_to_json};
use crate::spans::SPANS;
use crate::store::EventStore;
use crate::turns::TooLong;
use crate::{crash, stall_point};
use chrono::DateTime;
use domain::ids::{EventId, UserId};
use domain::stream::{Event, Metadata, Position, Recorded, StreamId, Version};
use domain::world::{Circumstances, Command, Decided, State, Stop, World};
use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};
use tokio::sync::MutexGuard;
use tracing::{Instrument, field};
use uuid::Uuid;

/// How often one command is decided again before it gives up with `Contended`.
const TRIES: u32 = 20;

/// What makes a repeated request the same request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Idempotency {
    /// The key that the client chose.
    pub key: String,
    /// SHA-256 of everything that makes the request what it is: method, path and body.
    pub request_hash: [u8; 32],
}

/// The circumstances of one run of a command.
#[derive(Debug, Clone, PartialEq)]
pub struct Execution {
    /// Who asks and when, and the id of the run.
    pub circumstances: Circumstances,
    /// Ties together everything that one request leads to.
    pub correlation_id: Option<Uuid>,
    /// The event that led to the command, when a policy sends it.
    pub causation_id: Option<EventId>,
    /// Given when a repeat must get the same answer.
    pub idempotency: Option<Idempotency>,
    /// Streams the command will ask for, if known: they are loaded together instead of one by one. Only
    /// worth naming for commands over many streams, such as a chunk of an import.
    pub prefetch: Vec<StreamId>,
}

impl Execution {
    /// Nothing but who asks and when.
    pub const fn new(circumstances: Circumstances) -> Self {
        Self {
            circumstances,
            correlation_id: None,
            causation_id: None,
            idempotency: None,
            prefetch: Vec::new(),
        }
    }
}

/// A command done.
#[derive(Debug, Clone, PartialEq)]
pub struct Executed<A> {
    /// What the command answers.
    pub answer: A,
    /// Read models at this position show what the command did: its last event's position; for a command
    /// that changed nothing, one at which that was so.
    pub position: Position,
    /// Every stream the command read or wrote, in stream order, with its version afterwards.
    pub versions: Vec<(StreamId, Version)>,
    /// The events as the log holds them; none when nothing changed or when the answer is a replayed one.
    pub events: Vec<Recorded>,
    /// Whether this is the answer to an earlier request with the same idempotency key.
    pub replayed: bool,
}

struct Known {
    state: State,
    version: Version,
    /// Read from the log in this run, as opposed to remembered.
    fresh: bool,
}

/// What one round of deciding came to.
enum Round<A> {
    Done(Executed<A>),
    /// A state was outrun: decide again.
    Again,
}

impl EventStore {
    /// Runs a command: loads what it asks for, lets it decide, and appends what it staged on all its
    /// streams at once, or nothing. When this returns `Ok`, the events are durable.
    ///
    /// # Errors
    /// See [`ExecuteError`]; only after `OutcomeUnknown` may something have been written.
    pub async fn execute<C: Command>(
        &self,
        command: &C,
        how: &Execution,
    ) -> Result<Executed<C::Answer>, ExecuteError> {
        let span = tracing::trace_span!(
            target: SPANS,
            "command",
            otel.name = C::NAME,
            correlation_id = how.correlation_id.map(field::display),
            command_id = %how.circumstances.command_id.uuid(),
            outcome = field::Empty,
            position = field::Empty,
            otel.status_code = field::Empty,
        );
        let began = Instant::now();
        let outcome = self.run(command, how).instrument(span.clone()).await;
        span.record("outcome", told(&outcome));
        match &outcome {
            Ok(executed) => _ = span.record("position", executed.position.0),
            Err(ExecuteError::Refused(_) | ExecuteError::KeyReused) => {}
            Err(_) => _ = span.record("otel.status_code", "ERROR"),
        }
        let labels = [("command", C::NAME), ("outcome", told(&outcome))];
        metrics::histogram!("figure_ledger_command_seconds", &labels).record(began.elapsed());
        outcome
    }

    async fn run<C: Command>(
        &self,
        command: &C,
        how: &Execution,
    ) -> Result<Executed<C::Answer>, ExecuteError> {
        let wait = self.inner.queue_wait;
        let _turn = match how.circumstances.actor {
            Some(user) => {
                Some(self.inner.turns.of_asker(user, wait).await.map_err(|TooLong| ExecuteError::Busy)?)
            }
            None => None,
        };
        let mut known = HashMap::new();
        self.prefetch(&how.prefetch, &mut known).await?;
        let mut turn: Option<(StreamId, MutexGuard<'_, ()>)> = None;
        for attempt in 0..TRIES {
            let mut lost_over = None;
            match self.round(command, how, &mut known, &mut lost_over).await? {
                Round::Done(executed) => return Ok(executed),
                Round::Again => {}
            }
            if let Some(stream) = lost_over
                && turn.as_ref().is_none_or(|(held, _)| *held != stream)
            {
                // One lock of the second kind at a time: the old one goes before the new one is asked for.
                drop(turn.take());
                let guard = self.inner.turns.of_stream(&stream, wait).await;
                turn = Some((stream.clone(), guard.map_err(|TooLong| ExecuteError::Contended)?));
                // While waiting, others went on with that stream.
                if let Some((state, version)) = self.inner.cache.get(&stream)
                    && known.get(&stream).is_some_and(|k: &Known| k.version < version)
                {
                    known.insert(stream, Known { state, version, fresh: false });
                }
            }
            if attempt > 0 {
                let most = 1_u64 << attempt.min(6);
                let time = Duration::from_millis(rand::random_range(0..=most));
                crash::pause("command.pause", time).await;
            }
        }
        Err(ExecuteError::Contended)
    }

    async fn round<C: Command>(
        &self,
        command: &C,
        how: &Execution,
        known: &mut HashMap<StreamId, Known>,
        lost_over: &mut Option<StreamId>,
    ) -> Result<Round<C::Answer>, ExecuteError> {
        let (outcome, decided) = loop {
            let states = known.iter().map(|(s, k)| (s.clone(), (k.state.clone(), k.version))).collect();
            let mut world = World::new(how.circumstances, states).with_rates(self.rates());
            let outcome = command.decide(&mut world);
            let decided = world.decided();
            match outcome {
                Err(Stop::Load(stream)) => {
                    let loaded = self.recall(&stream).await?;
                    known.insert(stream, loaded);
                }
                Err(Stop::Refused(refusal)) => break (Err(refusal), decided),
                Ok(answer) => break (Ok(answer), decided),
            }
        };
        stall_point!("command.decided");
        match outcome {
            Err(refusal) => {
                if let Some(idempotency) = &how.idempotency
                    && let Some(replayed) =
                        self.recorded_answer(how.circumstances.actor, idempotency, C::NAME).await?
                {
                    return Ok(Round::Done(replayed));
                }
                match self.confirm(&decided.read, known, false).await? {
                    Some(_) => Err(refusal.into()),
                    None => Ok(Round::Again),
                }
            }
            Ok(answer) if decided.staged.is_empty() && how.idempotency.is_none() => {
                Ok(match self.confirm(&decided.read, known, true).await? {
                    Some(position) => Round::Done(Executed {
                        answer,
                        position,
                        versions: decided.read,
                        events: Vec::new(),
                        replayed: false,
                    }),
                    None => Round::Again,
                })
            }
            Ok(answer) => self.append::<C>(how, answer, decided, known, lost_over).await,
        }
    }

    async fn append<C: Command>(
        &self,
        how: &Execution,
        answer: C::Answer,
        decided: Decided,
        known: &mut HashMap<StreamId, Known>,
        lost_over: &mut Option<StreamId>,
    ) -> Result<Round<C::Answer>, ExecuteError> {
        let metadata = Metadata {
            actor: how.circumstances.actor,
            command_id: how.circumstances.command_id,
            correlation_id: how.correlation_id,
            causation_id: how.causation_id,
        };
        let staged = decided.staged.into_iter().map(|s| (s.stream, s.owner, s.event)).collect();
        let (mut append, versions) = numbered(decided.read, staged, metadata)?;
        if let Some(idempotency) = &how.idempotency {
            append.record = Some(NewRecord {
                actor: actor_column(how.circumstances.actor),
                key: idempotency.key.clone(),
                command: C::NAME,
                request_hash: idempotency.request_hash,
                answer: serde_json::to_string(&answer)?,
                versions: versions_to_json(&versions)?,
            });
        }
        let outcome = self.inner.queue.append(append).await;
        stall_point!("command.answered");
        match outcome {
            Ok(appended) => {
                self.remember(&appended.events, known);
                Ok(Round::Done(Executed {
                    answer,
                    position: appended.position,
                    versions,
                    events: appended.events,
                    replayed: false,
                }))
            }
            Err(AppendError::Conflict(outrun)) => {
                *lost_over = outrun.first().map(|(stream, _)| stream.clone());
                for (stream, actual) in outrun {
                    self.outrun(&stream, actual, known).await?;
                }
                Ok(Round::Again)
            }
            Err(AppendError::KeyTaken) => {
                let Some(idempotency) = &how.idempotency else { return Ok(Round::Again) };
                // It may be gone again: the append that held the key may have failed at its commit.
                Ok(self
                    .recorded_answer(how.circumstances.actor, idempotency, C::NAME)
                    .await?
                    .map_or(Round::Again, Round::Done))
            }
            Err(AppendError::Busy) => Err(ExecuteError::Busy),
            Err(AppendError::Unavailable(e)) => Err(ExecuteError::Unavailable(e)),
            Err(AppendError::Rejected(e)) => Err(ExecuteError::Rejected(e)),
            Err(AppendError::Unknown) => Err(ExecuteError::OutcomeUnknown),
        }
    }

    /// A state from memory, else from the log.
    async fn recall(&self, stream: &StreamId) -> Result<Known, ExecuteError> {
        if let Some((state, version)) = self.inner.cache.get(stream) {
            return Ok(Known { state, version, fresh: false });
        }
        let (state, version) = self.load(stream).await?;
        stall_point!("command.loaded");
        self.inner.cache.put(stream, state.clone(), version);
        Ok(Known { state, version, fresh: true })
    }

    async fn prefetch(
        &self,
        streams: &[StreamId],
        known: &mut HashMap<StreamId, Known>,
    ) -> Result<(), ExecuteError> {
        let mut missing = Vec::new();
        for stream in streams {
            match self.inner.cache.get(stream) {
                Some((state, version)) => {
                    known.insert(stream.clone(), Known { state, version, fresh: false });
                }
                None => missing.push(stream.clone()),
            }
        }
        for (stream, state, version) in self.load_together(missing).await? {
            self.inner.cache.put(&stream, state.clone(), version);
            known.insert(stream, Known { state, version, fresh: true });
        }
        Ok(())
    }

    /// Whether everything read is as it was read: then a position at which it was so. Otherwise what was
    /// outrun is brought up to date, and `None` returned. The position is looked up only when asked for.
    async fn confirm(
        &self,
        read: &[(StreamId, Version)],
        known: &mut HashMap<StreamId, Known>,
        position: bool,
    ) -> Result<Option<Position>, ExecuteError> {
        let remembered = read.iter().any(|(s, _)| known.get(s).is_none_or(|k| !k.fresh));
        // States read one after another may never have stood side by side; a single one needs no second look.
        if !position && !remembered && read.len() <= 1 {
            return Ok(Some(Position(0)));
        }
        let streams: Vec<&StreamId> = read.iter().map(|(s, _)| s).collect();
        let now = self.standing(&streams).await?;
        stall_point!("command.confirmed");
        let mut same = true;
        for ((stream, version), (actual, _)) in read.iter().zip(&now) {
            if version != actual {
                same = false;
                self.outrun(stream, *actual, known).await?;
            }
        }
        Ok(same.then(|| now.iter().map(|(_, p)| *p).max().unwrap_or_default()))
    }

    /// Brings up to date what was outrun: from where it stood when the stream only grew.
    async fn outrun(
        &self,
        stream: &StreamId,
        actual: Version,
        known: &mut HashMap<StreamId, Known>,
    ) -> Result<(), ExecuteError> {
        let (state, version) = match known.remove(stream) {
            Some(old) if old.version < actual => self.catch_up(stream, old.state, old.version).await?,
            _ => {
                self.inner.cache.forget(stream);
                self.load(stream).await?
            }
        };
        self.inner.cache.put(stream, state.clone(), version);
        known.insert(stream.clone(), Known { state, version, fresh: true });
        Ok(())
    }

    /// Keeps the states that an append led to, and saves snapshots where they are due.
    fn remember(&self, events: &[Recorded], known: &mut HashMap<StreamId, Known>) {
        let mut written: BTreeMap<&StreamId, (Version, EventId)> = BTreeMap::new();
        for event in events {
            if let Some(known) = known.get_mut(&event.stream) {
                known.state.apply(&event.event);
                let before = known.version;
                let (_, last) = written.entry(&event.stream).or_insert((before, event.event_id));
                *last = event.event_id;
                known.version = event.version;
            }
        }
        let every = self.inner.snapshot_every;
        for (stream, (before, last)) in written {
            let Some(now) = known.get(stream) else { continue };
            self.inner.cache.put(stream, now.state.clone(), now.version);
            if before.0 / every != now.version.0 / every {
                self.save_snapshot(stream.clone(), now.state.clone(), now.version, last);
            }
        }
    }
}

/// What became of a command, in a word.
fn told<A>(outcome: &Result<Executed<A>, ExecuteError>) -> &'static str {
    match outcome {
        Ok(executed) if executed.replayed => "replayed",
        Ok(executed) if executed.events.is_empty() => "unchanged",
        Ok(_) => "done",
        Err(ExecuteError::Refused(_) | ExecuteError::KeyReused) => "refused",
        Err(ExecuteError::Busy) => "busy",
        Err(ExecuteError::Contended) => "contended",
        Err(ExecuteError::Unavailable(_)) => "unavailable",
        Err(ExecuteError::OutcomeUnknown) => "unknown",
        Err(ExecuteError::Undecodable(_) | ExecuteError::Rejected(_) | ExecuteError::Encoding(_)) => "failed",
    }
}

/// Turns staged events into an append, numbered from the versions read; also the versions afterwards.
pub(crate) fn numbered(
    read: Vec<(StreamId, Version)>,
    staged: Vec<(StreamId, Option<UserId>, Event)>,
    metadata: Metadata,
) -> Result<(Append, Vec<(StreamId, Version)>), serde_json::Error> {
    let mut versions: BTreeMap<StreamId, Version> = read.iter().cloned().collect();
    let mut payloads = Vec::with_capacity(staged.len());
    let mut events = Vec::with_capacity(staged.len());
    for (stream, owner, event) in staged {
        payloads.push(event.to_json()?);
        let version = versions.entry(stream.clone()).or_default();
        *version = version.next();
        events.push(Recorded {
            position: Position(0),
            event_id: EventId(Uuid::now_v7()),
            version: *version,
            stream,
            owner,
            recorded_at: DateTime::UNIX_EPOCH,
            metadata,
            event,
        });
    }
    let append = Append {
        command_id: metadata.command_id,
        expected: read,
        events,
        payloads,
        metadata: serde_json::to_string(&metadata)?,
        record: None,
        position: Position(0),
    };
    Ok((append, versions.into_iter().collect()))
}
