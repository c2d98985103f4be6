//! Say which series of MyAnimeList a name stands for, where nobody has said so before.

use super::finding::{live_entity, no_letters};
use crate::claim::{ClaimCode, Holder};
use crate::entity::{EntityCommand, EntityKind};
use crate::refusal::{Code, Refusal};
use crate::slug::slugify;
use crate::stream::StreamId;
use crate::text::Name;
use crate::world::{Command, Stop, World};
use serde::{Deserialize, Serialize};

/// Give a series its number, unless it has one: what somebody set by hand stays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdentifySeries {
    /// Any name that the series answers to.
    pub name: Name,
    /// Its number on MyAnimeList.
    pub mal_id: i64,
}

/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Identified {
    /// It has this number now.
    Now,
    /// It had this very number.
    Before,
    /// It has another one, which stays.
    Otherwise(i64),
}

impl IdentifySeries {
    /// The streams it will ask for in any case, to be loaded together.
    pub fn streams(&self) -> Vec<StreamId> {
        let slug = slugify(self.name.as_str());
        slug.map(|slug| StreamId::Claim(ClaimCode::slug(EntityKind::Series, &slug))).into_iter().collect()
    }
}

impl Command for IdentifySeries {
    type Answer = Identified;
    const NAME: &'static str = "identify_series";

    fn decide(&self, world: &mut World) -> Result<Identified, Stop> {
        let slug = slugify(self.name.as_str()).ok_or_else(|| no_letters("series"))?;
        let code = ClaimCode::slug(EntityKind::Series, &slug);
        let Some(Holder::Entity(id)) = world.claim(code)?.holder else {
            return Err(Refusal::new(Code::EntityNotFound, "there is no such series").on("series").into());
        };
        let (id, series) = live_entity(world, id, EntityKind::Series)?;
        match series.mal_id {
            Some(same) if same == self.mal_id => Ok(Identified::Before),
            Some(other) => Ok(Identified::Otherwise(other)),
            None => {
                world.tell_entity(id, EntityCommand::SetMalId { mal_id: Some(self.mal_id) })?;
                Ok(Identified::Now)
            }
        }
    }
}
