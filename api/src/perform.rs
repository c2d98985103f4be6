//! A write from end to end: run the command, wait until its answer can be read, say where it stands.
//!
//! ```ignore
//! const READS: &[&str] = &["collection"];
//!
//! async fn rename(State(state): State<AppState>, caller: Caller, Path(id): Path<Uuid>, seen: IfMatch,
//!     Command { body, idempotency }: Command<Rename>) -> Result<Written<ShelfView>, Problem> {
//!     let command = RenameShelf { user_id: caller.user.id, … };
//!     let done = state.perform(&caller, idempotency, &command).await?;
//!     state.readable(done.position, READS, &format!("/api/me/shelves/{id}")).await?;
//!     let shelf = shelves::by_id(&state.pool, caller.user.id, id).await?.ok_or(NOT_FOUND)?;
//!     Ok(Written::done(shelf).version(shelf.version).at(done.position))
//! }
//! ```

use std::{marker::PhantomData, time::Duration};

use axum::{
    extract::FromRequestParts,
    http::{HeaderValue, StatusCode, header, request::Parts},
};
use chrono::{SubsecRound, Utc};
use domain::{
    ids::CommandId,
    refusal::{Code, Refusal},
    stream::Position,
    world::{Circumstances, Command, Stop, World},
};
use event_store::{ExecuteError, Execution, SPANS, StoreError, Undecodable};
use operational::users::User;
use projections::engine::EngineError;
use tracing::Instrument;
use uuid::Uuid;

use crate::{
    answer::X_EVENT_POSITION,
    extract::{CurrentUser, Idempotency},
    guard::{correlation::CorrelationId, keys::Grants},
    problem::{
        BUSY, DATABASE_UNAVAILABLE, GONE_SINCE, IDEMPOTENCY_KEY_REUSED, OUTCOME_UNKNOWN, Problem,
        READ_MODEL_BEHIND, STREAM_UNREADABLE,
    },
    state::AppState,
};

/// How long a write waits for the read models that its answer is read from.
pub const READABLE_WITHIN: Duration = Duration::from_secs(2);

/// Whoever is signed in, and the request that speaks for them. Refuses like [`CurrentUser`].
#[derive(Debug, Clone)]
pub struct Caller {
    /// The account.
    pub user: User,
    /// Ties log lines and events to the request.
    pub correlation_id: Uuid,
    /// What they may do: everything of theirs, or what their API key is allowed.
    pub grants: Grants,
}

impl FromRequestParts<AppState> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Problem> {
        let CurrentUser(user) = CurrentUser::from_request_parts(parts, state).await?;
        let CorrelationId(correlation_id) = CorrelationId::from_request_parts(parts, state).await?;
        let grants = parts.extensions.get::<Grants>().cloned().unwrap_or_default();
        Ok(Self { user, correlation_id, grants })
    }
}

/// What a command came to.
#[derive(Debug, Clone)]
pub struct Performed<A> {
    /// What the command answered; a repeated request gets the answer of the first.
    pub answer: A,
    /// Read models that have reached this position know of it.
    pub position: Position,
}

/// What a command refuses that is only asked for its record.
const NEVER: Code = Code::NothingToDo;

/// Stands for a command of which only the record is of interest.
struct Before<C>(PhantomData<fn() -> C>);

impl<C: Command> Command for Before<C> {
    type Answer = C::Answer;
    const NAME: &'static str = C::NAME;

    fn decide(&self, _world: &mut World) -> Result<C::Answer, Stop> {
        Err(Refusal::new(NEVER, "it was not asked for before").into())
    }
}

impl AppState {
    /// Runs a command for somebody. It is durable when this returns.
    ///
    /// # Errors
    /// The command's refusal; 422 for an idempotency key of another request; 503 when the log is busy or the
    /// database is away.
    pub async fn perform<C: Command>(
        &self,
        caller: &Caller,
        idempotency: Option<Idempotency>,
        command: &C,
    ) -> Result<Performed<C::Answer>, Problem> {
        let execution = Execution {
            circumstances: Circumstances {
                actor: Some(caller.user.id),
                is_admin: caller.user.is_admin,
                // The log keeps microseconds; finer times would not come back as they went in.
                now: Utc::now().trunc_subsecs(6),
                command_id: CommandId(Uuid::now_v7()),
            },
            correlation_id: Some(caller.correlation_id),
            causation_id: None,
            idempotency: idempotency
                .map(|i| event_store::Idempotency { key: i.key, request_hash: i.request_hash }),
            prefetch: Vec::new(),
        };
        let executed = self.store.execute(command, &execution).await?;
        self.own_writes.note(caller.user.id, executed.position);
        Ok(Performed { answer: executed.answer, position: executed.position })
    }

    /// What this very request came to before. For what may be gone by it: when its answer got lost, whoever asks again
    /// is not to be told that there never was such a thing. `None` for a new request, and for one without a key.
    ///
    /// # Errors
    /// As [`perform`](Self::perform), but for refusals.
    pub async fn performed_before<C: Command>(
        &self,
        caller: &Caller,
        idempotency: Option<Idempotency>,
    ) -> Result<Option<Performed<C::Answer>>, Problem> {
        if idempotency.is_none() {
            return Ok(None);
        }
        match self.perform(caller, idempotency, &Before::<C>(PhantomData)).await {
            Ok(before) => Ok(Some(before)),
            Err(problem) if problem.code() == NEVER.as_str() => Ok(None),
            Err(problem) => Err(problem),
        }
    }

    /// Waits until the named read models have reached a position.
    ///
    /// # Errors
    /// `read_model_behind` (202, with `Location` and `X-Event-Position`) when they are late or stopped: the
    /// write stands, and the resource will read so at `location` once they have caught up.
    pub async fn readable(&self, position: Position, reads: &[&str], location: &str) -> Result<(), Problem> {
        let span = tracing::trace_span!(target: SPANS, "wait_for_read_models", %position, ?reads);
        let waited = self.projections.wait_for(reads, position, READABLE_WITHIN).instrument(span).await;
        if waited.is_reached() {
            return Ok(());
        }
        let behind = Problem::from(READ_MODEL_BEHIND).header(X_EVENT_POSITION, position.0);
        Err(match HeaderValue::try_from(location) {
            Ok(location) => behind.header(header::LOCATION, location),
            Err(_not_a_header) => behind,
        })
    }
}

/// What is said of an accepted write whose thing is gone before it could be read: not that there never was one.
#[must_use]
pub fn gone_since(problem: Problem, position: Position) -> Problem {
    if problem.status() == StatusCode::NOT_FOUND {
        return Problem::from(GONE_SINCE).header(X_EVENT_POSITION, position.0);
    }
    problem
}

impl From<ExecuteError> for Problem {
    fn from(error: ExecuteError) -> Self {
        let again = |kind| Self::from(kind).header(header::RETRY_AFTER, 1_i64);
        match error {
            ExecuteError::Refused(refusal) => refusal.into(),
            ExecuteError::KeyReused => IDEMPOTENCY_KEY_REUSED.into(),
            ExecuteError::Busy | ExecuteError::Contended => again(BUSY),
            ExecuteError::Unavailable(cause) => {
                tracing::warn!(%cause, "the log cannot be reached");
                again(DATABASE_UNAVAILABLE)
            }
            ExecuteError::OutcomeUnknown => again(OUTCOME_UNKNOWN),
            ExecuteError::Undecodable(event) => event.into(),
            other => Self::internal(other),
        }
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Database(error) => error.into(),
            StoreError::Undecodable(event) => event.into(),
        }
    }
}

/// What is wrong with the event goes to the log only; its position leads an operator to it.
impl From<Undecodable> for Problem {
    fn from(event: Undecodable) -> Self {
        tracing::error!(
            position = event.position.0,
            stream = %format_args!("{}/{}", event.stream_type, event.stream_id),
            event_type = %event.event_type,
            reason = %event.reason,
            "an event cannot be read"
        );
        Self::from(STREAM_UNREADABLE).extra("position", event.position.0)
    }
}

impl From<EngineError> for Problem {
    fn from(error: EngineError) -> Self {
        match error {
            EngineError::Database(error) => error.into(),
            EngineError::Log(error) => error.into(),
            other => Self::internal(other),
        }
    }
}
