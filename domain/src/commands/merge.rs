//! Merge two figures or two entities that turned out to be the same: one append on both streams.

use super::finding::{live_entity, live_figure};
use crate::entity::{EntityCommand, EntityKind};
use crate::figure::{Details, Edit, Figure, FigureCommand, PhotoCommand};
use crate::ids::{EntityId, FigureId};
use crate::refusal::{Code, Refusal};
use crate::world::{Command, Stop, World};

fn admins_only(world: &World) -> Result<(), Refusal> {
    let who = world.circumstances();
    if who.actor.is_some() && !who.is_admin {
        return Err(Refusal::new(Code::NotAllowed, "only admins can merge"));
    }
    Ok(())
}

fn with_itself() -> Refusal {
    Refusal::new(Code::MergeImpossible, "these are the same already").on("into")
}

/// The second continues; the first answers as it from now on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MergeFigures {
    /// The duplicate.
    pub loser_id: FigureId,
    /// The one to keep; if it was merged itself, the one it went into.
    pub winner_id: FigureId,
}

impl Command for MergeFigures {
    type Answer = FigureId;
    const NAME: &'static str = "merge_figures";

    fn decide(&self, world: &mut World) -> Result<FigureId, Stop> {
        admins_only(world)?;
        let winner = live_figure(world, self.winner_id).map_err(on_into)?;
        if live_figure(world, self.loser_id)?.id == winner.id {
            return Err(with_itself().into());
        }
        let loser = world.figure(self.loser_id)?;
        world.tell_figure(self.loser_id, FigureCommand::MergeInto(winner.id))?;
        world.tell_figure(winner.id, FigureCommand::Absorb(self.loser_id, loser.aliases.clone()))?;
        // What only the duplicate knew is not lost: its codes answer as the winner anyway.
        let keep = gained(&winner.figure, &loser);
        world.tell_figure(winner.id, FigureCommand::Edit(Box::new(keep)))?;
        world.tell_figure(winner.id, FigureCommand::Inherit(Box::new(loser.market.clone())))?;
        let photos = PhotoCommand::Inherit(loser.photos.clone());
        world.tell_figure(winner.id, FigureCommand::Photo(Box::new(photos)))?;
        Ok(winner.id)
    }
}

/// What the winner lacks and the loser has. What both say, the winner says.
fn gained(winner: &Figure, loser: &Figure) -> Edit {
    let (w, l) = (&winner.details, &loser.details);
    Edit {
        manufacturer_id: Some(winner.manufacturer_id.or(loser.manufacturer_id)),
        sculptor_id: Some(winner.sculptor_id.or(loser.sculptor_id)),
        series_ids: Some(both(&winner.series_ids, &loser.series_ids)),
        character_ids: Some(both(&winner.character_ids, &loser.character_ids)),
        details: Some(Details {
            scale: w.scale.clone().or_else(|| l.scale.clone()),
            height_mm: w.height_mm.or(l.height_mm),
            materials: w.materials.clone().or_else(|| l.materials.clone()),
            version_name: w.version_name.clone().or_else(|| l.version_name.clone()),
            edition: w.edition.clone().or_else(|| l.edition.clone()),
            official_image_url: w.official_image_url.clone().or_else(|| l.official_image_url.clone()),
            description: w.description.clone().or_else(|| l.description.clone()),
        }),
        releases: winner.releases.is_empty().then(|| loser.releases.clone()),
        msrp: Some(winner.msrp.or(loser.msrp)),
        jan: Some(winner.jan.clone().or_else(|| loser.jan.clone())),
        mfc_id: Some(winner.mfc_id.or(loser.mfc_id)),
        buy_links: Some(both(&winner.buy_links, &loser.buy_links)),
        // Its photos come along, and nobody is to see those unasked.
        is_nsfw: (loser.is_nsfw && !winner.is_nsfw).then_some(true),
        ..Edit::default()
    }
}

/// The first list, then what only the second has.
fn both<T: Clone + PartialEq>(first: &[T], second: &[T]) -> Vec<T> {
    let mut all = first.to_vec();
    all.extend(second.iter().filter(|one| !first.contains(one)).cloned());
    all
}

/// The second continues; everything that pointed at the first points at it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MergeEntities {
    /// What both are.
    pub kind: EntityKind,
    /// The duplicate.
    pub loser_id: EntityId,
    /// The one to keep; if it was merged itself, the one it went into.
    pub winner_id: EntityId,
}

impl Command for MergeEntities {
    type Answer = EntityId;
    const NAME: &'static str = "merge_entities";

    fn decide(&self, world: &mut World) -> Result<EntityId, Stop> {
        admins_only(world)?;
        let (winner_id, _) = live_entity(world, self.winner_id, self.kind).map_err(on_into)?;
        if live_entity(world, self.loser_id, self.kind)?.0 == winner_id {
            return Err(with_itself().into());
        }
        let loser = world.entity(self.loser_id)?;
        world.tell_entity(self.loser_id, EntityCommand::MergeInto { winner_id, winner_kind: self.kind })?;
        world.tell_entity(
            winner_id,
            EntityCommand::Absorb { loser_id: self.loser_id, loser_aliases: loser.aliases.clone() },
        )?;
        Ok(winner_id)
    }
}

/// A missing winner is the fault of the field that names it.
fn on_into(stop: Stop) -> Stop {
    match stop {
        Stop::Refused(refusal) => Stop::Refused(refusal.on("into")),
        load => load,
    }
}
