//! A decision over several streams: the world a command sees, and what it stages.
//!
//! A command is a pure function over a [`World`]. It asks for the states it needs; when one is not loaded,
//! the function stops with a request for it, the runner loads it and calls the function again from the start.
//! What a command stages is visible to the rest of it. See
//! `docs/decisions/0001-decisions-over-several-streams.md`.

use crate::claim::{Claim, ClaimCode, ClaimCommand};
use crate::collection::{Collection, CollectionCommand};
use crate::entity::{Entity, EntityCommand};
use crate::figure::{Figure, FigureCommand};
use crate::ids::{CommandId, EntityId, FigureId, PieceId, UserId};
use crate::money::rates::Rates;
use crate::preorder::{Preorder, PreorderCommand};
use crate::refusal::Refusal;
use crate::stream::{Event, StreamId, Version};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use uuid::Uuid;

/// The state of a stream of any aggregate. A copy is cheap.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Of a collection.
    Collection(Arc<Collection>),
    /// Of a pre-order.
    Preorder(Arc<Preorder>),
    /// Of a figure.
    Figure(Arc<Figure>),
    /// Of an entity.
    Entity(Arc<Entity>),
    /// Of a claim.
    Claim(Arc<Claim>),
}

impl State {
    /// Raised whenever the shape of a state changes: older snapshots are ignored then.
    pub const SHAPE: i32 = 5;

    /// The state of a stream without events.
    pub fn empty(stream: &StreamId) -> Self {
        match stream {
            StreamId::Collection(_) => Self::Collection(Arc::default()),
            StreamId::Preorder(_) => Self::Preorder(Arc::default()),
            StreamId::Figure(_) => Self::Figure(Arc::default()),
            StreamId::Entity(_) => Self::Entity(Arc::default()),
            StreamId::Claim(_) => Self::Claim(Arc::default()),
        }
    }

    /// Folds one event. An event of another aggregate changes nothing.
    pub fn apply(&mut self, event: &Event) {
        match (self, event) {
            (Self::Collection(s), Event::Collection(e)) => Arc::make_mut(s).apply(e),
            (Self::Preorder(s), Event::Preorder(e)) => Arc::make_mut(s).apply(e),
            (Self::Figure(s), Event::Figure(e)) => Arc::make_mut(s).apply(e),
            (Self::Entity(s), Event::Entity(e)) => Arc::make_mut(s).apply(e),
            (Self::Claim(s), Event::Claim(e)) => Arc::make_mut(s).apply(e),
            _ => {}
        }
    }
}

/// Why a decision stopped.
#[derive(Debug, Clone, PartialEq)]
pub enum Stop {
    /// It needs this stream; load it and decide again.
    Load(StreamId),
    /// It is refused.
    Refused(Refusal),
}

impl From<Refusal> for Stop {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

/// Who asks, when, and under which id. Everything a decision may know of the outside.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Circumstances {
    /// The user who asks; `None` for the operator at the command line.
    pub actor: Option<UserId>,
    /// Whether the asker administers the instance.
    pub is_admin: bool,
    /// The time, UTC.
    pub now: DateTime<Utc>,
    /// The id of this run of the command; new ids derive from it.
    pub command_id: CommandId,
}

/// An event staged for appending.
#[derive(Debug, Clone, PartialEq)]
pub struct Staged {
    /// Where it goes.
    pub stream: StreamId,
    /// Whose data it is.
    pub owner: Option<UserId>,
    /// What happened.
    pub event: Event,
}

/// What a decision came to: what it read, at which versions, and what it wants appended.
#[derive(Debug, Clone, PartialEq)]
pub struct Decided {
    /// Every stream read, in stream order, with the version it was read at.
    pub read: Vec<(StreamId, Version)>,
    /// The events, in the order in which they were staged.
    pub staged: Vec<Staged>,
}

/// The world as one command sees it.
pub struct World {
    states: HashMap<StreamId, (State, Version)>,
    read: BTreeMap<StreamId, Version>,
    staged: Vec<Staged>,
    circumstances: Circumstances,
    rates: Rates,
    ids: u64,
}

/// One of the accessors below: the state of a stream, noted as read.
macro_rules! reader {
    ($(#[$doc:meta])* $vis:vis $name:ident, $id:ty, $variant:ident, $state:ty) => {
        $(#[$doc])*
        ///
        /// # Errors
        /// `Stop::Load` when the stream is not loaded yet.
        $vis fn $name(&mut self, id: $id) -> Result<Arc<$state>, Stop> {
            let stream = StreamId::$variant(id);
            match self.state(&stream)? {
                State::$variant(state) => Ok(state),
                _ => Ok(Arc::default()),
            }
        }
    };
}

impl World {
    /// A world in which these streams are loaded, and no rates are known.
    pub fn new(circumstances: Circumstances, states: HashMap<StreamId, (State, Version)>) -> Self {
        Self {
            states,
            read: BTreeMap::new(),
            staged: Vec::new(),
            circumstances,
            rates: Rates::default(),
            ids: 0,
        }
    }

    /// The same world with rates in hand.
    #[must_use]
    pub fn with_rates(self, rates: Rates) -> Self {
        Self { rates, ..self }
    }

    /// The rates that costs are frozen with.
    pub const fn rates(&self) -> &Rates {
        &self.rates
    }

    /// Who asks and when.
    pub const fn circumstances(&self) -> &Circumstances {
        &self.circumstances
    }

    /// The time, UTC.
    pub const fn now(&self) -> DateTime<Utc> {
        self.circumstances.now
    }

    /// A new id: time-ordered, and the same each time the same run of a command is decided again.
    pub fn new_id(&mut self) -> Uuid {
        self.ids += 1;
        let mut hash = Sha256::new();
        hash.update(self.circumstances.command_id.uuid().as_bytes());
        hash.update(self.ids.to_be_bytes());
        let mut random = [0_u8; 10];
        for (to, from) in random.iter_mut().zip(hash.finalize()) {
            *to = from;
        }
        let millis = u64::try_from(self.circumstances.now.timestamp_millis()).unwrap_or(0);
        uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid()
    }

    fn state(&mut self, stream: &StreamId) -> Result<State, Stop> {
        let (state, version) = self.states.get(stream).ok_or_else(|| Stop::Load(stream.clone()))?;
        self.read.entry(stream.clone()).or_insert(*version);
        Ok(state.clone())
    }

    reader! {
        /// A person's collection, erased or not.
        any_collection, UserId, Collection, Collection
    }
    reader! {
        /// The pre-order of a piece.
        pub preorder, PieceId, Preorder, Preorder
    }
    reader! {
        /// A figure.
        pub figure, FigureId, Figure, Figure
    }
    reader! {
        /// An entity.
        pub entity, EntityId, Entity, Entity
    }
    reader! {
        /// A claim.
        pub claim, ClaimCode, Claim, Claim
    }

    /// A person's collection. Whatever a command does to a person's own things, pre-orders too, it asks for
    /// this first; so nothing is done any more once they are erased.
    ///
    /// # Errors
    /// `Stop::Load` when the stream is not loaded yet; `PersonErased`.
    pub fn collection(&mut self, user: UserId) -> Result<Arc<Collection>, Stop> {
        let collection = self.any_collection(user)?;
        collection.alive()?;
        Ok(collection)
    }

    /// Lets a collection decide and stages what it comes to.
    ///
    /// # Errors
    /// `Stop::Load`, or the collection's refusal.
    pub fn tell_collection(&mut self, user: UserId, command: CollectionCommand) -> Result<(), Stop> {
        let events = self.collection(user)?.decide(command)?;
        self.stage(&StreamId::Collection(user), Some(user), events.into_iter().map(Event::Collection));
        Ok(())
    }

    /// Lets a pre-order decide and stages what it comes to.
    ///
    /// # Errors
    /// `Stop::Load`, or the pre-order's refusal.
    pub fn tell_preorder(
        &mut self,
        owner: UserId,
        piece: PieceId,
        command: PreorderCommand,
    ) -> Result<(), Stop> {
        self.collection(owner)?;
        let events = self.preorder(piece)?.decide(command)?;
        self.stage(&StreamId::Preorder(piece), Some(owner), events.into_iter().map(Event::Preorder));
        Ok(())
    }

    /// Lets a figure decide and stages what it comes to.
    ///
    /// # Errors
    /// `Stop::Load`, or the figure's refusal.
    pub fn tell_figure(&mut self, figure: FigureId, command: FigureCommand) -> Result<(), Stop> {
        let events = self.figure(figure)?.decide(command)?;
        self.stage(&StreamId::Figure(figure), None, events.into_iter().map(Event::Figure));
        Ok(())
    }

    /// Lets an entity decide and stages what it comes to.
    ///
    /// # Errors
    /// `Stop::Load`, or the entity's refusal.
    pub fn tell_entity(&mut self, entity: EntityId, command: EntityCommand) -> Result<(), Stop> {
        let events = self.entity(entity)?.decide(command)?;
        self.stage(&StreamId::Entity(entity), None, events.into_iter().map(Event::Entity));
        Ok(())
    }

    /// Brings an entity of a new id into being. The id was made by [`World::new_id`], so its stream is empty:
    /// the append checks that, and nothing needs loading.
    ///
    /// # Errors
    /// The entity's refusal.
    pub fn tell_entity_new(&mut self, entity: EntityId, command: EntityCommand) -> Result<(), Stop> {
        let stream = StreamId::Entity(entity);
        self.states.entry(stream.clone()).or_insert_with(|| (State::empty(&stream), Version::NONE));
        self.tell_entity(entity, command)
    }

    /// Lets a claim decide and stages what it comes to.
    ///
    /// # Errors
    /// `Stop::Load`, or the claim's refusal.
    pub fn tell_claim(&mut self, code: &ClaimCode, command: ClaimCommand) -> Result<(), Stop> {
        let events = self.claim(code.clone())?.decide(command)?;
        self.stage(&StreamId::Claim(code.clone()), None, events.into_iter().map(Event::Claim));
        Ok(())
    }

    fn stage(&mut self, stream: &StreamId, owner: Option<UserId>, events: impl Iterator<Item = Event>) {
        for event in events {
            if let Some((state, _)) = self.states.get_mut(stream) {
                state.apply(&event);
            }
            self.staged.push(Staged { stream: stream.clone(), owner, event });
        }
    }

    /// What the decision came to.
    pub fn decided(self) -> Decided {
        Decided { read: self.read.into_iter().collect(), staged: self.staged }
    }
}

/// A command: pure, and decided again from the start whenever a stream is missing or was outrun.
pub trait Command: Send + Sync {
    /// What the caller needs to know besides "done": usually the id of what was made. It is kept in the
    /// command's record, so that a repeated request gets the same answer.
    type Answer: Serialize + serde::de::DeserializeOwned + Send;

    /// The command's name, for records and metrics: `add_piece`.
    const NAME: &'static str;

    /// Decides.
    ///
    /// # Errors
    /// `Stop::Load` for a missing stream, `Stop::Refused` with the reason.
    fn decide(&self, world: &mut World) -> Result<Self::Answer, Stop>;
}
