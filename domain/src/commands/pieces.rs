//! Add pieces, value them, arrange and change many at once; and the cabinets they stand in.

use super::catalogue_figure::optional;
use super::finding::{live_figure, own_piece};
use super::{PieceVersion, check};
use crate::collection::{CollectionCommand, Condition, Cost, NewPiece, Origin, Placement, UnwishReason};
use crate::entity::EntityKind;
use crate::ids::{CabinetId, FigureId, PieceId, UserId};
use crate::money::Money;
use crate::refusal::{Code, Refusal};
use crate::stream::Version;
use crate::text::{Line, Location, Name, Note};
use crate::world::{Command, Stop, World};
use chrono::NaiveDate;

/// What the collector says of a piece when it enters the collection.
#[derive(Debug, Clone, Default, PartialEq)]
#[allow(missing_docs, reason = "the fields are those of `CollectionEvent::PieceAdded`")]
pub struct PieceFields {
    pub condition: Option<Condition>,
    pub cost: Cost,
    pub purchase_date: Option<NaiveDate>,
    pub store: Option<Name>,
    pub location: Option<Location>,
    pub notes: Option<Note>,
    pub origin: Option<Origin>,
    pub origin_from: Option<Line<200>>,
    pub value: Option<Money>,
    pub source: Option<Line<200>>,
}

/// Add one copy of a figure; a wish for the figure ends.
#[derive(Debug, Clone, PartialEq)]
pub struct AddPiece {
    /// Whose collection.
    pub user_id: UserId,
    /// The new piece.
    pub piece_id: PieceId,
    /// The figure it is a copy of.
    pub figure_id: FigureId,
    /// What is known of it.
    pub fields: PieceFields,
}

impl Command for AddPiece {
    type Answer = PieceId;
    const NAME: &'static str = "add_piece";

    fn decide(&self, world: &mut World) -> Result<PieceId, Stop> {
        add(world, self.user_id, self.piece_id, self.figure_id, &self.fields, false, UnwishReason::Owned)
    }
}

/// A cost that is recorded for the first time, with its rate.
pub(super) fn frozen(world: &World, cost: Cost, purchase_date: Option<NaiveDate>) -> Cost {
    cost.frozen(world.rates(), purchase_date, world.now().date_naive())
}

/// Adds a piece on behalf of a command.
pub(super) fn add(
    world: &mut World,
    user: UserId,
    piece_id: PieceId,
    figure_id: FigureId,
    fields: &PieceFields,
    preordered: bool,
    unwish: UnwishReason,
) -> Result<PieceId, Stop> {
    let figure = live_figure(world, figure_id)?;
    let store_id = optional(world, EntityKind::Store, &fields.store, "store")?;
    let new = NewPiece {
        piece_id,
        figure_id: figure.id,
        same_figure: figure.same(),
        preordered,
        condition: fields.condition,
        cost: frozen(world, fields.cost, fields.purchase_date),
        purchase_date: fields.purchase_date,
        store_id,
        location: fields.location.clone(),
        notes: fields.notes.clone(),
        origin: fields.origin.unwrap_or(Origin::Purchased),
        origin_from: fields.origin_from.clone(),
        value: fields.value,
        source: fields.source.clone(),
        unwish,
    };
    world.tell_collection(user, CollectionCommand::AddPiece(Box::new(new)))?;
    Ok(piece_id)
}

/// State one's own valuation of a piece, or (`None`) take it back.
#[derive(Debug, Clone, PartialEq)]
pub struct ValuePiece {
    /// Whose collection.
    pub user_id: UserId,
    /// The piece.
    pub piece_id: PieceId,
    /// What the caller last saw.
    pub expected: Option<PieceVersion>,
    /// The valuation.
    pub value: Option<Money>,
}

impl Command for ValuePiece {
    type Answer = PieceId;
    const NAME: &'static str = "value_piece";

    fn decide(&self, world: &mut World) -> Result<PieceId, Stop> {
        own_piece(world, self.user_id, self.piece_id, self.expected)?;
        let piece_id = self.piece_id;
        world.tell_collection(
            self.user_id,
            match self.value {
                Some(value) => CollectionCommand::ValuePiece { piece_id, value },
                None => CollectionCommand::ClearValuation { piece_id },
            },
        )?;
        Ok(piece_id)
    }
}

/// Re-home and re-order pieces in one go.
#[derive(Debug, Clone, PartialEq)]
pub struct ArrangePieces {
    /// Whose collection.
    pub user_id: UserId,
    /// Where each goes.
    pub placements: Vec<Placement>,
}

impl Command for ArrangePieces {
    type Answer = ();
    const NAME: &'static str = "arrange_pieces";

    fn decide(&self, world: &mut World) -> Result<(), Stop> {
        world
            .tell_collection(self.user_id, CollectionCommand::Arrange { placements: self.placements.clone() })
    }
}

/// Set location or condition on many pieces: all or nothing. What is `None` stays as it is.
#[derive(Debug, Clone, PartialEq)]
pub struct ChangePieces {
    /// Whose collection.
    pub user_id: UserId,
    /// The pieces.
    pub piece_ids: Vec<PieceId>,
    /// Where they go.
    pub location: Option<Option<Location>>,
    /// Their condition.
    pub condition: Option<Option<Condition>>,
}

impl Command for ChangePieces {
    type Answer = ();
    const NAME: &'static str = "change_pieces";

    fn decide(&self, world: &mut World) -> Result<(), Stop> {
        if self.location.is_none() && self.condition.is_none() {
            return Err(Refusal::new(Code::NothingToDo, "say what to set: location or condition").into());
        }
        if let Some(location) = &self.location {
            let (piece_ids, location) = (self.piece_ids.clone(), location.clone());
            world.tell_collection(self.user_id, CollectionCommand::Move { piece_ids, location })?;
        }
        if let Some(condition) = self.condition {
            let piece_ids = self.piece_ids.clone();
            world.tell_collection(self.user_id, CollectionCommand::SetCondition { piece_ids, condition })?;
        }
        Ok(())
    }
}

/// What to do with cabinets.
#[derive(Debug, Clone, PartialEq)]
pub enum CabinetCommand {
    /// Register one.
    Create {
        /// Its id.
        cabinet_id: CabinetId,
        /// Its name.
        name: Location,
    },
    /// Rename one; its pieces move along.
    Rename {
        /// Which one.
        cabinet_id: CabinetId,
        /// What the caller last saw.
        expected: Option<Version>,
        /// Its new name.
        name: Location,
    },
    /// Delete one; its pieces are unshelved and never deleted.
    Delete {
        /// Which one.
        cabinet_id: CabinetId,
        /// What the caller last saw.
        expected: Option<Version>,
    },
    /// Put all into this order.
    Order {
        /// Every one exactly once.
        cabinet_ids: Vec<CabinetId>,
    },
}

/// Register, rename, delete or order cabinets.
#[derive(Debug, Clone, PartialEq)]
pub struct ChangeCabinets {
    /// Whose collection.
    pub user_id: UserId,
    /// What to do.
    pub change: CabinetCommand,
}

impl Command for ChangeCabinets {
    type Answer = Option<CabinetId>;
    const NAME: &'static str = "change_cabinets";

    fn decide(&self, world: &mut World) -> Result<Option<CabinetId>, Stop> {
        let seen = |world: &mut World, id: &CabinetId, expected: Option<Version>| -> Result<(), Stop> {
            let collection = world.collection(self.user_id)?;
            // A cabinet that is not there is refused by the collection itself.
            let version = collection.cabinets.get(id).map(|c| c.version);
            Ok(version.map_or(Ok(()), |v| check(expected, v))?)
        };
        let (command, id) = match &self.change {
            CabinetCommand::Create { cabinet_id, name } => (
                CollectionCommand::CreateCabinet { cabinet_id: *cabinet_id, name: name.clone() },
                Some(*cabinet_id),
            ),
            CabinetCommand::Rename { cabinet_id, expected, name } => {
                seen(world, cabinet_id, *expected)?;
                (
                    CollectionCommand::RenameCabinet { cabinet_id: *cabinet_id, name: name.clone() },
                    Some(*cabinet_id),
                )
            }
            CabinetCommand::Delete { cabinet_id, expected } => {
                seen(world, cabinet_id, *expected)?;
                (CollectionCommand::DeleteCabinet { cabinet_id: *cabinet_id }, None)
            }
            CabinetCommand::Order { cabinet_ids } => {
                (CollectionCommand::OrderCabinets { cabinet_ids: cabinet_ids.clone() }, None)
            }
        };
        world.tell_collection(self.user_id, command)?;
        Ok(id)
    }
}
