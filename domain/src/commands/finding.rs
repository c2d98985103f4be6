//! Finding things by id, name or code, across merges and renames.

use super::PieceVersion;
use crate::claim::{ClaimCode, ClaimCommand, Holder};
use crate::collection::{Collection, Piece};
use crate::entity::{Entity, EntityCommand, EntityKind};
use crate::figure::Figure;
use crate::ids::{EntityId, FigureId, PieceId, UserId};
use crate::preorder::Preorder;
use crate::refusal::{Code, Refusal};
use crate::slug::slugify;
use crate::stream::Version;
use crate::text::Name;
use crate::world::{Stop, World};
use std::sync::Arc;

/// How many merges are followed before something must be wrong; cycles are refused when merging.
const MOST_HOPS: usize = 64;

/// A figure in the catalogue, under the id it has now.
pub struct LiveFigure {
    /// Its id now.
    pub id: FigureId,
    /// Its state.
    pub figure: Arc<Figure>,
}

impl LiveFigure {
    /// Every id that answers as this figure, its own first.
    pub fn same(&self) -> Vec<FigureId> {
        std::iter::once(self.id).chain(self.figure.aliases.iter().copied()).collect()
    }
}

/// The figure that an id stands for now, following merges.
pub fn live_figure(world: &mut World, id: FigureId) -> Result<LiveFigure, Stop> {
    let mut id = id;
    for _ in 0..MOST_HOPS {
        let figure = world.figure(id)?;
        match figure.merged_into {
            Some(winner) => id = winner,
            None if figure.name.is_some() => return Ok(LiveFigure { id, figure }),
            None => break,
        }
    }
    Err(Refusal::new(Code::FigureNotFound, "there is no such figure in the catalogue").on("figure_id").into())
}

/// The entity that an id stands for now, following merges; it must be of that kind.
pub fn live_entity(
    world: &mut World,
    id: EntityId,
    kind: EntityKind,
) -> Result<(EntityId, Arc<Entity>), Stop> {
    let mut id = id;
    for _ in 0..MOST_HOPS {
        let entity = world.entity(id)?;
        match entity.merged_into {
            Some(winner) => id = winner,
            None if entity.kind == Some(kind) => return Ok((id, entity)),
            None => break,
        }
    }
    Err(Refusal::new(Code::EntityNotFound, format!("there is no such {}", kind.as_str())).into())
}

/// The entity that answers to a name, made now if none does. Names are the same when their slugs agree.
pub fn entity_named(
    world: &mut World,
    kind: EntityKind,
    name: &Name,
    field: &'static str,
) -> Result<EntityId, Stop> {
    let slug = slugify(name.as_str()).ok_or_else(|| no_letters(field))?;
    let code = ClaimCode::slug(kind, &slug);
    if let Some(Holder::Entity(id)) = world.claim(code.clone())?.holder {
        return live_entity(world, id, kind).map(|(id, _)| id);
    }
    let id = EntityId(world.new_id());
    let created_by = world.circumstances().actor;
    world.tell_entity_new(
        id,
        EntityCommand::Name { entity_id: id, kind, name: name.clone(), slug, created_by },
    )?;
    world.tell_claim(&code, ClaimCommand::Take { code: code.clone(), holder: Holder::Entity(id) })?;
    Ok(id)
}

/// The same for several names; a name given twice counts once, and the order stays.
pub fn entities_named(
    world: &mut World,
    kind: EntityKind,
    names: &[Name],
    field: &'static str,
) -> Result<Vec<EntityId>, Stop> {
    let mut ids = Vec::new();
    for name in names {
        let id = entity_named(world, kind, name, field)?;
        if !ids.contains(&id) {
            ids.push(id);
        }
    }
    Ok(ids)
}

/// A name that no slug can be made of.
pub fn no_letters(field: &'static str) -> Refusal {
    Refusal::new(Code::InvalidName, "a name needs at least one letter or digit").on(field)
}

/// The figure that holds a code now, if one does.
pub fn code_holder(world: &mut World, code: &ClaimCode) -> Result<Option<FigureId>, Stop> {
    match world.claim(code.clone())?.holder {
        Some(Holder::Figure(id)) => live_figure(world, id).map(|f| Some(f.id)),
        _ => Ok(None),
    }
}

/// Takes a code for a figure.
///
/// # Errors
/// `taken`, naming the figure that has it.
pub fn take_code(world: &mut World, code: &ClaimCode, figure: FigureId, taken: Refusal) -> Result<(), Stop> {
    match code_holder(world, code)? {
        Some(holder) if holder == figure => Ok(()),
        Some(holder) => Err(taken.held_by(holder).into()),
        None => {
            world.tell_claim(code, ClaimCommand::Take { code: code.clone(), holder: Holder::Figure(figure) })
        }
    }
}

/// Gives a figure's code back.
pub fn release_code(world: &mut World, code: &ClaimCode, figure: FigureId) -> Result<(), Stop> {
    // The claim may still name a figure that was merged into this one.
    if code_holder(world, code)? == Some(figure)
        && let Some(holder) = world.claim(code.clone())?.holder
    {
        world.tell_claim(code, ClaimCommand::Release { holder })?;
    }
    Ok(())
}

/// A barcode that another figure has.
pub fn jan_taken() -> Refusal {
    Refusal::new(Code::JanTaken, "another figure has this barcode; use that one").on("jan")
}

/// A MyFigureCollection id that another figure has.
pub fn mfc_id_taken() -> Refusal {
    Refusal::new(Code::MfcIdTaken, "another figure has this MyFigureCollection id; use that one").on("mfc_id")
}

/// A piece with its pre-order.
pub struct FoundPiece {
    /// The piece.
    pub piece: Piece,
    /// The state of its pre-order; empty without one.
    pub preorder: Arc<Preorder>,
}

/// A piece of a person's own collection.
///
/// # Errors
/// `PieceNotFound`, also for other people's; `Stale` when `expected` names another version.
pub fn own_piece(
    world: &mut World,
    user: UserId,
    piece_id: PieceId,
    expected: Option<PieceVersion>,
) -> Result<FoundPiece, Stop> {
    let collection: Arc<Collection> = world.collection(user)?;
    let piece = collection.piece(piece_id)?.clone();
    let preorder = if piece.preordered { world.preorder(piece_id)? } else { Arc::default() };
    let version = PieceVersion {
        piece: piece.version,
        preorder: preorder.chapter.as_ref().map_or(Version::NONE, |c| c.version),
    };
    super::check(expected, version)?;
    Ok(FoundPiece { piece, preorder })
}
