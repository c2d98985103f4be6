//! The same log as a `cqrs_es::EventStore`, so that `CqrsFramework` and everything made for it runs on it.
//! One aggregate per command then, one try per append, and no answers kept: what the framework offers.

use crate::append::AppendError;
use crate::error::StoreError;
use crate::execute::numbered;
use crate::store::EventStore;
use cqrs_es::{Aggregate, AggregateContext, AggregateError, EventEnvelope};
use domain::claim::Claim;
use domain::collection::Collection;
use domain::entity::Entity;
use domain::figure::Figure;
use domain::ids::{CommandId, UserId};
use domain::preorder::Preorder;
use domain::refusal::Refusal;
use domain::stream::{Event, Metadata, Recorded, StreamId, Version};
use domain::world::State;
use std::collections::HashMap;
use std::error::Error;
use std::sync::Arc;
use uuid::Uuid;

/// An aggregate whose streams are in this log.
pub trait LedgerAggregate: Aggregate<Error = Refusal> {
    /// One of its events as an event of any aggregate.
    fn wrap(event: Self::Event) -> Event;
    /// The other way round; `None` for an event of another aggregate.
    fn unwrap(event: Event) -> Option<Self::Event>;
    /// Its state out of a state of any aggregate; `None` for one of another aggregate.
    fn of(state: State) -> Option<Self>;
    /// Whose data its events are, after they were applied.
    fn owner(&self, stream: &StreamId) -> Option<UserId>;
}

macro_rules! ledger_aggregate {
    ($aggregate:ident, |$this:ident, $stream:ident| $owner:expr) => {
        impl LedgerAggregate for $aggregate {
            fn wrap(event: Self::Event) -> Event {
                Event::$aggregate(event)
            }
            fn unwrap(event: Event) -> Option<Self::Event> {
                match event {
                    Event::$aggregate(event) => Some(event),
                    _ => None,
                }
            }
            fn of(state: State) -> Option<Self> {
                match state {
                    State::$aggregate(state) => Some(Arc::unwrap_or_clone(state)),
                    _ => None,
                }
            }
            fn owner(&self, $stream: &StreamId) -> Option<UserId> {
                let $this = self;
                $owner
            }
        }
    };
}

ledger_aggregate!(Collection, |_this, stream| match stream {
    StreamId::Collection(user) => Some(*user),
    _ => None,
});
ledger_aggregate!(Preorder, |this, _stream| this.owner);
ledger_aggregate!(Figure, |_this, _stream| None);
ledger_aggregate!(Entity, |_this, _stream| None);
ledger_aggregate!(Claim, |_this, _stream| None);

/// An aggregate as loaded, with its place in the log.
#[derive(Debug)]
pub struct LoadedAggregate<A> {
    aggregate: A,
    stream: StreamId,
    version: Version,
}

impl<A: Aggregate> AggregateContext<A> for LoadedAggregate<A> {
    fn aggregate(&mut self) -> &mut A {
        &mut self.aggregate
    }
}

fn away(error: impl Error + Send + Sync + 'static) -> AggregateError<Refusal> {
    AggregateError::DatabaseConnectionError(Box::new(error))
}

fn unexpected(error: impl Error + Send + Sync + 'static) -> AggregateError<Refusal> {
    AggregateError::UnexpectedError(Box::new(error))
}

fn failed(error: StoreError) -> AggregateError<Refusal> {
    match error {
        StoreError::Database(error) => away(error),
        StoreError::Undecodable(error) => AggregateError::DeserializationError(Box::new(error)),
    }
}

/// The metadata of a framework's command: what is missing or no id is left out, except the command's own id.
fn metadata_of(metadata: &HashMap<String, String>) -> Metadata {
    let id = |key: &str| metadata.get(key).and_then(|text| text.parse::<Uuid>().ok());
    Metadata {
        actor: id("actor").map(Into::into),
        command_id: CommandId(id("command_id").unwrap_or_else(Uuid::now_v7)),
        correlation_id: id("correlation_id"),
        causation_id: id("causation_id").map(Into::into),
    }
}

fn envelope<A: LedgerAggregate>(recorded: Recorded) -> Option<EventEnvelope<A>> {
    let Metadata { actor, command_id, correlation_id, causation_id } = recorded.metadata;
    let metadata = [
        ("actor", actor.map(|id| id.uuid())),
        ("command_id", Some(command_id.uuid())),
        ("correlation_id", correlation_id),
        ("causation_id", causation_id.map(|id| id.uuid())),
    ];
    Some(EventEnvelope {
        aggregate_id: recorded.stream.aggregate_id(),
        sequence: usize::try_from(recorded.version.0).ok()?,
        payload: A::unwrap(recorded.event)?,
        metadata: metadata.into_iter().filter_map(|(k, v)| Some((k.to_owned(), v?.to_string()))).collect(),
    })
}

impl<A: LedgerAggregate> cqrs_es::EventStore<A> for EventStore {
    type AC = LoadedAggregate<A>;

    async fn load_events(
        &self,
        aggregate_id: &str,
    ) -> Result<Vec<EventEnvelope<A>>, AggregateError<Refusal>> {
        let stream = StreamId::parse(A::TYPE, aggregate_id).map_err(unexpected)?;
        let events = self.load_stream(&stream).await.map_err(failed)?;
        let events: Result<Vec<_>, _> = events.into_iter().collect();
        Ok(events.map_err(|e| failed(e.into()))?.into_iter().filter_map(envelope).collect())
    }

    async fn load_aggregate(&self, aggregate_id: &str) -> Result<Self::AC, AggregateError<Refusal>> {
        let stream = StreamId::parse(A::TYPE, aggregate_id).map_err(unexpected)?;
        let (state, version) = self.load(&stream).await.map_err(failed)?;
        Ok(LoadedAggregate { aggregate: A::of(state).unwrap_or_default(), stream, version })
    }

    async fn commit(
        &self,
        events: Vec<A::Event>,
        context: Self::AC,
        metadata: HashMap<String, String>,
    ) -> Result<Vec<EventEnvelope<A>>, AggregateError<Refusal>> {
        if events.is_empty() {
            return Ok(Vec::new());
        }
        let LoadedAggregate { aggregate, stream, version } = context;
        let owner = aggregate.owner(&stream);
        let staged = events.into_iter().map(|event| (stream.clone(), owner, A::wrap(event))).collect();
        let (append, _) =
            numbered(vec![(stream, version)], staged, metadata_of(&metadata)).map_err(unexpected)?;
        match self.inner.queue.append(append).await {
            Ok(appended) => Ok(appended.events.into_iter().filter_map(envelope).collect()),
            Err(AppendError::Conflict(_)) => Err(AggregateError::AggregateConflict),
            Err(AppendError::Unavailable(e) | AppendError::Rejected(e)) => Err(away(e)),
            Err(AppendError::Busy) => Err(unexpected(crate::ExecuteError::Busy)),
            Err(AppendError::Unknown | AppendError::KeyTaken) => {
                Err(unexpected(crate::ExecuteError::OutcomeUnknown))
            }
        }
    }
}
