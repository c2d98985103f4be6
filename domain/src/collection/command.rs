//! What can be asked of a collection, as one stream. Commands over several streams use these; see `commands`.

use super::{ArchiveReason, Condition, Cost, Origin, PictureCommand, Placement, Sale, UnwishReason};
use crate::ids::{CabinetId, EntityId, FigureId, PieceId};
use crate::money::Money;
use crate::text::{Line, Location, Note};
use chrono::{DateTime, NaiveDate, Utc};

/// A piece to add.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs, reason = "the fields are those of `CollectionEvent::PieceAdded`")]
pub struct NewPiece {
    pub piece_id: PieceId,
    pub figure_id: FigureId,
    /// Every id that answers as the figure, itself included.
    pub same_figure: Vec<FigureId>,
    pub preordered: bool,
    pub condition: Option<Condition>,
    pub cost: Cost,
    pub purchase_date: Option<NaiveDate>,
    pub store_id: Option<EntityId>,
    pub location: Option<Location>,
    pub notes: Option<Note>,
    pub origin: Origin,
    pub origin_from: Option<Line<200>>,
    pub value: Option<Money>,
    pub source: Option<Line<200>>,
    /// Why the wish ends, if the figure is wished.
    pub unwish: UnwishReason,
}

/// The changes of one edit; what is `None` stays as it is.
#[derive(Debug, Clone, Default, PartialEq)]
#[allow(missing_docs, reason = "the fields are those of `Piece`")]
pub struct PieceEdit {
    pub condition: Option<Option<Condition>>,
    pub cost: Option<Cost>,
    pub purchase_date: Option<Option<NaiveDate>>,
    pub store_id: Option<Option<EntityId>>,
    pub location: Option<Option<Location>>,
    pub notes: Option<Option<Note>>,
    pub origin: Option<Origin>,
    pub origin_from: Option<Option<Line<200>>>,
}

/// A command on one collection.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs, reason = "the fields are those of the events they lead to")]
pub enum CollectionCommand {
    /// Add a piece; a wish for its figure ends.
    AddPiece(Box<NewPiece>),
    /// Correct what is recorded of a piece.
    EditPiece { piece_id: PieceId, edit: Box<PieceEdit> },
    /// State one's own valuation.
    ValuePiece { piece_id: PieceId, value: Money },
    /// Take it back.
    ClearValuation { piece_id: PieceId },
    /// Set the condition of pieces.
    SetCondition { piece_ids: Vec<PieceId>, condition: Option<Condition> },
    /// Move pieces to a cabinet or off every shelf.
    Move { piece_ids: Vec<PieceId>, location: Option<Location> },
    /// Re-home and re-order pieces.
    Arrange { placements: Vec<Placement> },
    /// Change the photos, scans, documents or cover of a piece.
    Picture { piece_id: PieceId, change: Box<PictureCommand> },
    /// Archive pieces. Their pre-orders are the caller's.
    Archive { piece_ids: Vec<PieceId>, reason: ArchiveReason, sale: Option<Sale> },
    /// Bring an archived piece back; a wish for its figure ends.
    Restore { piece_id: PieceId, same_figure: Vec<FigureId> },
    /// Say when a piece was added and archived where it was kept before.
    Date {
        piece_id: PieceId,
        added_at: DateTime<Utc>,
        archived_at: Option<DateTime<Utc>>,
        now: DateTime<Utc>,
    },
    /// Delete pieces. Their pre-orders are the caller's.
    Delete { piece_ids: Vec<PieceId> },
    /// Register a location.
    CreateCabinet { cabinet_id: CabinetId, name: Location },
    /// Rename a cabinet; its pieces move along.
    RenameCabinet { cabinet_id: CabinetId, name: Location },
    /// Delete a cabinet; its pieces are unshelved.
    DeleteCabinet { cabinet_id: CabinetId },
    /// Put the cabinets into this order; every one exactly once.
    OrderCabinets { cabinet_ids: Vec<CabinetId> },
    /// Wish a figure, or restate the wish.
    Wish { figure_id: FigureId, same_figure: Vec<FigureId>, target: Option<Money>, note: Option<Note> },
    /// Take a wish off.
    Unwish { same_figure: Vec<FigureId>, reason: UnwishReason },
}
