//! Manufacturers, series, characters, sculptors and stores: made by typing a name, one per slug.

mod event;

pub use event::EntityEvent;

use crate::ids::{EntityId, UserId};
use crate::refusal::{Code, Refusal};
use crate::stream::Version;
use crate::text::Name;
use serde::{Deserialize, Serialize};

/// What an entity is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EntityKind {
    /// A company that makes figures.
    Manufacturer,
    /// An anime, game or manga.
    Series,
    /// A character.
    Character,
    /// A sculptor.
    Sculptor,
    /// A shop.
    Store,
}

impl EntityKind {
    /// Every kind.
    pub const ALL: [Self; 5] =
        [Self::Manufacturer, Self::Series, Self::Character, Self::Sculptor, Self::Store];

    /// The word for one of them.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Manufacturer => "manufacturer",
            Self::Series => "series",
            Self::Character => "character",
            Self::Sculptor => "sculptor",
            Self::Store => "store",
        }
    }
}

/// The state of one entity.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Entity {
    /// What it is; `None` for a stream without events.
    pub kind: Option<EntityKind>,
    /// Who typed it first.
    pub created_by: Option<UserId>,
    /// Its name now.
    pub name: Option<Name>,
    /// Its slug now.
    pub slug: String,
    /// The series' number on MyAnimeList.
    pub mal_id: Option<i64>,
    /// Where it went.
    pub merged_into: Option<EntityId>,
    /// What it absorbed.
    pub aliases: Vec<EntityId>,
    /// How many events it has.
    pub version: Version,
}

/// What can be asked of an entity.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs, reason = "the fields are those of the events they lead to")]
pub enum EntityCommand {
    /// Bring it into being.
    Name { entity_id: EntityId, kind: EntityKind, name: Name, slug: String, created_by: Option<UserId> },
    /// Give it another name.
    Rename { name: Name, slug: String },
    /// Say which series of MyAnimeList it is.
    SetMalId { mal_id: Option<i64> },
    /// Continue as another one.
    MergeInto { winner_id: EntityId, winner_kind: EntityKind },
    /// Take another one in, with everything that it had taken in.
    Absorb { loser_id: EntityId, loser_aliases: Vec<EntityId> },
}

impl Entity {
    /// Decides a command on this entity alone; the claims of its slugs are the caller's.
    ///
    /// # Errors
    /// `EntityNotFound`, `AlreadyExists`, `AlreadyMerged`, `MergeImpossible`, `InvalidField`.
    pub fn decide(&self, command: EntityCommand) -> Result<Vec<EntityEvent>, Refusal> {
        if let EntityCommand::Name { entity_id, kind, name, slug, created_by } = command {
            if self.kind.is_some() {
                return Err(Refusal::new(Code::AlreadyExists, "this entity exists already"));
            }
            return Ok(vec![EntityEvent::Named { entity_id, kind, name, slug, created_by }]);
        }
        let Some(kind) = self.kind else {
            return Err(Refusal::new(Code::EntityNotFound, "there is no such entry"));
        };
        if self.merged_into.is_some() {
            return Err(Refusal::new(
                Code::AlreadyMerged,
                "this entry was merged into another; use that one",
            ));
        }
        match command {
            EntityCommand::Name { .. } => Ok(vec![]),
            EntityCommand::Rename { name, slug } => {
                if self.name.as_ref() == Some(&name) {
                    return Ok(vec![]);
                }
                Ok(vec![EntityEvent::Renamed { kind, name, slug }])
            }
            EntityCommand::SetMalId { mal_id } => {
                if kind != EntityKind::Series {
                    return Err(
                        Refusal::new(Code::InvalidField, "only a series has a MyAnimeList id").on("mal_id")
                    );
                }
                if mal_id.is_some_and(|id| !(1..=10_000_000).contains(&id)) {
                    return Err(Refusal::new(Code::InvalidField, "a MyAnimeList id is a positive number")
                        .on("mal_id"));
                }
                if self.mal_id == mal_id {
                    return Ok(vec![]);
                }
                Ok(vec![EntityEvent::MalIdSet { mal_id }])
            }
            EntityCommand::MergeInto { winner_id, winner_kind } => {
                if winner_kind != kind {
                    return Err(Refusal::new(
                        Code::MergeImpossible,
                        "only entries of the same kind can be merged",
                    )
                    .on("into"));
                }
                Ok(vec![EntityEvent::MergedInto { kind, winner_id }])
            }
            EntityCommand::Absorb { loser_id, loser_aliases } => {
                let mut aliases = self.aliases.clone();
                aliases.push(loser_id);
                aliases.extend(loser_aliases);
                Ok(vec![EntityEvent::Absorbed { kind, loser_id, aliases }])
            }
        }
    }

    /// Folds one event.
    pub fn apply(&mut self, event: &EntityEvent) {
        self.version = self.version.next();
        match event {
            EntityEvent::Named { kind, name, slug, created_by, .. } => {
                self.kind = Some(*kind);
                self.created_by = *created_by;
                self.name = Some(name.clone());
                self.slug.clone_from(slug);
            }
            EntityEvent::Renamed { name, slug, .. } => {
                self.name = Some(name.clone());
                self.slug.clone_from(slug);
            }
            EntityEvent::MalIdSet { mal_id } => self.mal_id = *mal_id,
            EntityEvent::MergedInto { winner_id, .. } => self.merged_into = Some(*winner_id),
            EntityEvent::Absorbed { aliases, .. } => self.aliases.clone_from(aliases),
        }
    }
}
