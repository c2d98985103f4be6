//! Rename a manufacturer, series, character, sculptor or store, or say which series of MyAnimeList it is.

use super::check;
use super::finding::{live_entity, no_letters};
use crate::claim::{ClaimCode, ClaimCommand, Holder};
use crate::entity::{EntityCommand, EntityKind};
use crate::ids::EntityId;
use crate::refusal::{Code, Refusal};
use crate::slug::slugify;
use crate::stream::Version;
use crate::text::Name;
use crate::world::{Command, Stop, World};

/// Correct an entity; its creator and admins may.
#[derive(Debug, Clone, PartialEq)]
pub struct EditEntity {
    /// Which one.
    pub entity_id: EntityId,
    /// What it must be.
    pub kind: EntityKind,
    /// What the caller last saw.
    pub expected: Option<Version>,
    /// A new name; it still answers to the old one.
    pub name: Option<Name>,
    /// The series' number on MyAnimeList.
    pub mal_id: Option<Option<i64>>,
}

impl Command for EditEntity {
    type Answer = EntityId;
    const NAME: &'static str = "edit_entity";

    fn decide(&self, world: &mut World) -> Result<EntityId, Stop> {
        let (id, entity) = live_entity(world, self.entity_id, self.kind)?;
        let who = *world.circumstances();
        if who.actor.is_some() && !who.is_admin && entity.created_by != who.actor {
            return Err(Refusal::new(
                Code::NotAllowed,
                "only the person who first typed this name and admins can change it",
            )
            .into());
        }
        check(self.expected, entity.version)?;
        if let Some(name) = &self.name {
            let slug = slugify(name.as_str()).ok_or_else(|| no_letters("name"))?;
            let code = ClaimCode::slug(self.kind, &slug);
            match world.claim(code.clone())?.holder {
                Some(Holder::Entity(holder)) => {
                    let (holder, _) = live_entity(world, holder, self.kind)?;
                    if holder != id {
                        return Err(Refusal::new(
                            Code::NameTaken,
                            "another entry answers to this name; if they are the same, merge them",
                        )
                        .on("name")
                        .because_of(holder.uuid())
                        .into());
                    }
                }
                _ => world.tell_claim(
                    &code,
                    ClaimCommand::Take { code: code.clone(), holder: Holder::Entity(id) },
                )?,
            }
            world.tell_entity(id, EntityCommand::Rename { name: name.clone(), slug })?;
        }
        if let Some(mal_id) = self.mal_id {
            world.tell_entity(id, EntityCommand::SetMalId { mal_id })?;
        }
        Ok(id)
    }
}
