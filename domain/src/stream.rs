//! Streams and events, whatever their aggregate: the vocabulary shared with the store and the read models.

use crate::claim::{ClaimCode, ClaimEvent};
use crate::collection::CollectionEvent;
use crate::entity::EntityEvent;
use crate::figure::FigureEvent;
use crate::ids::{CommandId, EntityId, EventId, FigureId, PieceId, UserId};
use crate::preorder::PreorderEvent;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use std::fmt;
use thiserror::Error;

/// A number that grows along the whole log, in commit order. The first event has 1; gaps are possible.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Default)]
#[serde(transparent)]
pub struct Position(pub i64);

/// How many events a stream has. 0 is a stream that does not exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Default)]
#[serde(transparent)]
pub struct Version(pub i64);

impl Version {
    /// The version of a stream without events.
    pub const NONE: Self = Self(0);

    /// The one after.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A position or version as it is written: digits only, and small enough for the log.
fn whole_number(text: &str) -> Result<i64, NotANumber> {
    if text.is_empty() || !text.bytes().all(|b| b.is_ascii_digit()) {
        return Err(NotANumber);
    }
    text.parse().map_err(|_| NotANumber)
}

/// A text that is no position or version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("a position or version is a whole number")]
pub struct NotANumber;

impl std::str::FromStr for Position {
    type Err = NotANumber;
    fn from_str(s: &str) -> Result<Self, Self::Err> {
        whole_number(s).map(Self)
    }
}

impl std::str::FromStr for Version {
    type Err = NotANumber;
    fn from_str(s: &str) -> Result<Self, Self::Err> {
        whole_number(s).map(Self)
    }
}

/// The name of one stream.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StreamId {
    /// One person's pieces, cabinets and wishes.
    Collection(UserId),
    /// The pre-order of one piece.
    Preorder(PieceId),
    /// One catalogue entry.
    Figure(FigureId),
    /// One manufacturer, series, character, sculptor or store.
    Entity(EntityId),
    /// Who a code belongs to.
    Claim(ClaimCode),
}

/// A stream type or id that is not one.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0:?} / {1:?} is not the name of a stream")]
pub struct UnknownStream(pub String, pub String);

impl StreamId {
    /// Every aggregate type.
    pub const TYPES: [&'static str; 5] = ["collection", "preorder", "figure", "entity", "claim"];

    /// The aggregate type, as stored.
    pub const fn aggregate_type(&self) -> &'static str {
        match self {
            Self::Collection(_) => "collection",
            Self::Preorder(_) => "preorder",
            Self::Figure(_) => "figure",
            Self::Entity(_) => "entity",
            Self::Claim(_) => "claim",
        }
    }

    /// The aggregate id, as stored.
    pub fn aggregate_id(&self) -> String {
        match self {
            Self::Collection(id) => id.to_string(),
            Self::Preorder(id) => id.to_string(),
            Self::Figure(id) => id.to_string(),
            Self::Entity(id) => id.to_string(),
            Self::Claim(code) => code.as_str().to_owned(),
        }
    }

    /// Reads a stream's name back.
    ///
    /// # Errors
    /// `UnknownStream` when the type is unknown or the id is not of its form.
    pub fn parse(aggregate_type: &str, aggregate_id: &str) -> Result<Self, UnknownStream> {
        let unknown = || UnknownStream(aggregate_type.to_owned(), aggregate_id.to_owned());
        match aggregate_type {
            "collection" => aggregate_id.parse().map(Self::Collection).map_err(|_| unknown()),
            "preorder" => aggregate_id.parse().map(Self::Preorder).map_err(|_| unknown()),
            "figure" => aggregate_id.parse().map(Self::Figure).map_err(|_| unknown()),
            "entity" => aggregate_id.parse().map(Self::Entity).map_err(|_| unknown()),
            "claim" => aggregate_id.parse().map(Self::Claim).map_err(|_| unknown()),
            _ => Err(unknown()),
        }
    }
}

impl fmt::Display for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.aggregate_type(), self.aggregate_id())
    }
}

/// An event of any aggregate.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// Of a collection.
    Collection(CollectionEvent),
    /// Of a pre-order.
    Preorder(PreorderEvent),
    /// Of a figure.
    Figure(FigureEvent),
    /// Of an entity.
    Entity(EntityEvent),
    /// Of a claim.
    Claim(ClaimEvent),
}

impl Event {
    /// The globally unique type, such as `collection.piece_added`.
    pub fn event_type(&self) -> &'static str {
        match self {
            Self::Collection(e) => e.event_type_name(),
            Self::Preorder(e) => e.event_type_name(),
            Self::Figure(e) => e.event_type_name(),
            Self::Entity(e) => e.event_type_name(),
            Self::Claim(e) => e.event_type_name(),
        }
    }

    /// The version of its shape that is written today.
    pub const fn event_version(&self) -> &'static str {
        "1"
    }

    /// Whether it is what is left of an event of an erased person.
    pub const fn is_erased(&self) -> bool {
        matches!(
            self,
            Self::Collection(CollectionEvent::Erased {}) | Self::Preorder(PreorderEvent::Erased {})
        )
    }

    /// The payload as JSON text.
    ///
    /// # Errors
    /// Only when the serialiser fails, which none of these types makes it do.
    pub fn to_json(&self) -> Result<String, serde_json::Error> {
        match self {
            Self::Collection(e) => serde_json::to_string(e),
            Self::Preorder(e) => serde_json::to_string(e),
            Self::Figure(e) => serde_json::to_string(e),
            Self::Entity(e) => serde_json::to_string(e),
            Self::Claim(e) => serde_json::to_string(e),
        }
    }

    /// Reads a payload of the current version of its shape.
    ///
    /// # Errors
    /// When the payload does not fit the type.
    pub fn from_json(aggregate_type: &str, payload: &str) -> Result<Self, serde_json::Error> {
        match aggregate_type {
            "collection" => serde_json::from_str(payload).map(Self::Collection),
            "preorder" => serde_json::from_str(payload).map(Self::Preorder),
            "figure" => serde_json::from_str(payload).map(Self::Figure),
            "entity" => serde_json::from_str(payload).map(Self::Entity),
            "claim" => serde_json::from_str(payload).map(Self::Claim),
            other => Err(serde::de::Error::custom(format!("unknown aggregate type {other:?}"))),
        }
    }
}

/// Who and why: stored beside every event, and nothing else personal with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Metadata {
    /// The user who asked; absent when the system itself acted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub actor: Option<UserId>,
    /// The command that caused the event.
    pub command_id: CommandId,
    /// Ties together everything one request led to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub correlation_id: Option<uuid::Uuid>,
    /// The event that led to the command, when a policy sent it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub causation_id: Option<EventId>,
}

/// An event as the log holds it.
#[derive(Debug, Clone, PartialEq)]
pub struct Recorded {
    /// Its place in the whole log.
    pub position: Position,
    /// Its id.
    pub event_id: EventId,
    /// Its stream.
    pub stream: StreamId,
    /// Its number within the stream: the stream's version with it.
    pub version: Version,
    /// The user whose data it is.
    pub owner: Option<UserId>,
    /// When it was recorded: UTC, microseconds, never before the event at the position before it.
    pub recorded_at: DateTime<Utc>,
    /// Who and why.
    pub metadata: Metadata,
    /// What happened.
    pub event: Event,
}

/// Gives an event enum its globally unique type names and the framework's `DomainEvent`.
macro_rules! event_types {
    ($event:ident, $prefix:literal, { $($variant:ident = $name:literal),* $(,)? }) => {
        impl $event {
            /// Every event type of this aggregate.
            pub const TYPES: &'static [&'static str] = &[$(concat!($prefix, ".", $name)),*];

            /// The globally unique type.
            pub const fn event_type_name(&self) -> &'static str {
                match self { $(Self::$variant { .. } => concat!($prefix, ".", $name)),* }
            }
        }

        impl cqrs_es::DomainEvent for $event {
            fn event_type(&self) -> String {
                self.event_type_name().to_owned()
            }
            fn event_version(&self) -> String {
                "1".to_owned()
            }
        }
    };
}
pub(crate) use event_types;
