//! One person's collection: pieces, cabinets and wishes.
//!
//! Owning and wishing exclude each other, so both live in this one stream; see
//! `docs/decisions/0002-wishes-share-the-collection-stream.md`.

mod command;
mod decide;
mod event;
pub(crate) mod pictures;
mod values;

pub use command::{CollectionCommand, NewPiece, PieceEdit};
pub use event::CollectionEvent;
pub use pictures::{PictureCommand, Pictures, PiecePhoto, PieceScan};
pub(crate) use values::words;
pub use values::{ArchiveReason, Condition, Cost, Origin, Placement, Sale, UnwishReason};

use crate::ids::{CabinetId, EntityId, FigureId, PieceId};
use crate::money::Money;
use crate::refusal::{Code, Refusal};
use crate::stream::Version;
use crate::text::{Line, Location, Note, folded};
use chrono::NaiveDate;
use imbl::{HashMap, HashSet};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// What decisions need to know of a piece; notes are not among it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Piece {
    /// What it is a copy of, as it was when added; may have been merged since.
    pub figure_id: FigureId,
    /// Whether it came by a pre-order; that one's stream knows how it stands.
    pub preordered: bool,
    /// Why it is archived, if it is.
    pub archived: Option<ArchiveReason>,
    /// Its state.
    pub condition: Option<Condition>,
    /// What it cost.
    pub cost: Cost,
    /// The day it was bought.
    pub purchase_date: Option<NaiveDate>,
    /// Where it was bought.
    pub store_id: Option<EntityId>,
    /// Where it stands.
    pub location: Option<Location>,
    /// How it came.
    pub origin: Origin,
    /// From whom.
    pub origin_from: Option<Line<200>>,
    /// The owner's own valuation.
    pub value: Option<Money>,
    /// Its pictures and documents, once there were any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pictures: Option<Arc<Pictures>>,
    /// The stream's version when this piece last changed. Photos, scans and documents are things of their own:
    /// only what changes the pinned cover changes the piece.
    pub version: Version,
}

/// A wish.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Wish {
    /// The price to wait for.
    pub target: Option<Money>,
    /// A note; kept because setting the same wish again is no change.
    pub note: Option<Note>,
    /// The stream's version when this wish last changed.
    pub version: Version,
}

/// A registered location.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Cabinet {
    /// Its name as typed.
    pub name: Location,
    /// The stream's version when it last changed.
    pub version: Version,
}

/// The state of one collection.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Collection {
    /// Pieces, archived ones too. Behind a pointer each: the map has room for entries that are not there, and copies
    /// those beside the one that changes.
    pub pieces: HashMap<PieceId, Arc<Piece>>,
    /// How many unarchived pieces there are of a figure.
    pub live: HashMap<FigureId, u32>,
    /// Deleted pieces whose ids an import derived: they must not come back by running it again.
    pub deleted_imports: HashSet<PieceId>,
    /// Wishes.
    pub wishes: HashMap<FigureId, Wish>,
    /// Cabinets.
    pub cabinets: HashMap<CabinetId, Cabinet>,
    /// Whether the account is gone. Nothing else is here then, and nothing comes any more.
    #[serde(default)]
    pub erased: bool,
    /// How many events the stream has.
    pub version: Version,
}

impl Collection {
    /// Passes for as long as the account exists.
    ///
    /// # Errors
    /// `PersonErased`.
    pub fn alive(&self) -> Result<(), Refusal> {
        if self.erased {
            return Err(Refusal::new(Code::PersonErased, "this account was erased"));
        }
        Ok(())
    }

    /// Whether an unarchived piece of any of these figures is there, pre-ordered ones included.
    pub fn owns_any(&self, figures: &[FigureId]) -> bool {
        figures.iter().any(|f| self.live.get(f).is_some_and(|n| *n > 0))
    }

    /// The registered cabinet of that name, without regard to case.
    pub fn cabinet_named(&self, name: &str) -> Option<CabinetId> {
        let wanted = folded(name);
        self.cabinets.iter().find(|(_, c)| folded(c.name.as_str()) == wanted).map(|(id, _)| *id)
    }

    fn live_changed(&mut self, figure: FigureId, up: bool) {
        let count = self.live.get(&figure).copied().unwrap_or(0);
        let count = if up { count.saturating_add(1) } else { count.saturating_sub(1) };
        if count == 0 {
            self.live.remove(&figure);
        } else {
            self.live.insert(figure, count);
        }
    }

    fn change(&mut self, id: PieceId, with: impl FnOnce(&mut Piece)) {
        let version = self.version;
        if let Some(piece) = self.pieces.get_mut(&id) {
            let piece = Arc::make_mut(piece);
            with(piece);
            piece.version = version;
        }
    }

    /// Folds one event.
    pub fn apply(&mut self, event: &CollectionEvent) {
        use CollectionEvent as E;
        self.version = self.version.next();
        let version = self.version;
        match event {
            E::PieceAdded {
                piece_id,
                figure_id,
                preordered,
                condition,
                cost,
                purchase_date,
                store_id,
                location,
                origin,
                origin_from,
                value,
                ..
            } => {
                self.pieces.insert(
                    *piece_id,
                    Arc::new(Piece {
                        figure_id: *figure_id,
                        preordered: *preordered,
                        archived: None,
                        condition: *condition,
                        cost: *cost,
                        purchase_date: *purchase_date,
                        store_id: *store_id,
                        location: location.clone(),
                        origin: *origin,
                        origin_from: origin_from.clone(),
                        value: *value,
                        pictures: None,
                        version,
                    }),
                );
                self.live_changed(*figure_id, true);
            }
            E::PiecesConditionSet { piece_ids, condition } => {
                for id in piece_ids {
                    self.change(*id, |p| p.condition = *condition);
                }
            }
            E::PiecesMoved { piece_ids, location } => {
                for id in piece_ids {
                    self.change(*id, |p| p.location.clone_from(location));
                }
            }
            E::PiecesArranged { placements } => {
                for placement in placements {
                    self.change(placement.piece_id, |p| p.location.clone_from(&placement.location));
                }
            }
            E::PieceCostRecorded { piece_id, cost } => self.change(*piece_id, |p| p.cost = *cost),
            E::PiecePurchaseRecorded { piece_id, purchase_date, store_id } => {
                self.change(*piece_id, |p| {
                    p.purchase_date = *purchase_date;
                    p.store_id = *store_id;
                });
            }
            E::PieceNoted { piece_id, .. } => self.change(*piece_id, |_| ()),
            E::PieceProvenanceRecorded { piece_id, origin, origin_from } => {
                self.change(*piece_id, |p| {
                    p.origin = *origin;
                    p.origin_from.clone_from(origin_from);
                });
            }
            E::PieceValued { piece_id, value } => self.change(*piece_id, |p| p.value = Some(*value)),
            E::PieceValuationCleared { piece_id } => self.change(*piece_id, |p| p.value = None),
            E::PieceCoverPinned { .. }
            | E::PhotosAdded { .. }
            | E::PhotosOrdered { .. }
            | E::PhotoReplaced { .. }
            | E::PhotoRemoved { .. }
            | E::PhotoShared { .. }
            | E::ScanMade { .. }
            | E::ScanFramesReplaced { .. }
            | E::ScanRemoved { .. }
            | E::ScanShared { .. }
            | E::DocumentAdded { .. }
            | E::DocumentRemoved { .. } => {
                if let Some(piece) = event.pictured_piece().and_then(|id| self.pieces.get_mut(&id)) {
                    let piece = Arc::make_mut(piece);
                    if piece.pictured(event) {
                        piece.version = version;
                    }
                }
            }
            E::PiecesArchived { piece_ids, reason, .. } => {
                for id in piece_ids {
                    if let Some(figure) = self.pieces.get(id).filter(|p| p.archived.is_none()) {
                        let figure = figure.figure_id;
                        self.live_changed(figure, false);
                    }
                    self.change(*id, |p| p.archived = Some(*reason));
                }
            }
            E::PieceRestored { piece_id } => {
                if let Some(figure) = self.pieces.get(piece_id).filter(|p| p.archived.is_some()) {
                    let figure = figure.figure_id;
                    self.live_changed(figure, true);
                }
                self.change(*piece_id, |p| p.archived = None);
            }
            E::PieceDated { piece_id, .. } => self.change(*piece_id, |_| ()),
            E::PiecesDeleted { piece_ids } => {
                for id in piece_ids {
                    if let Some(piece) = self.pieces.remove(id)
                        && piece.archived.is_none()
                    {
                        self.live_changed(piece.figure_id, false);
                    }
                    // Version 5 ids are derived from an import's row; the others can never come again.
                    if id.uuid().get_version_num() == 5 {
                        self.deleted_imports.insert(*id);
                    }
                }
            }
            E::CabinetCreated { cabinet_id, name } => {
                self.cabinets.insert(*cabinet_id, Cabinet { name: name.clone(), version });
            }
            E::CabinetRenamed { cabinet_id, previous, name } => {
                self.cabinets.insert(*cabinet_id, Cabinet { name: name.clone(), version });
                self.rehome(previous, Some(name));
            }
            E::CabinetDeleted { cabinet_id, name } => {
                self.cabinets.remove(cabinet_id);
                self.rehome(name, None);
            }
            E::CabinetsOrdered { .. } => {}
            E::Wished { figure_id, target, note } => {
                self.wishes.insert(*figure_id, Wish { target: *target, note: note.clone(), version });
            }
            E::WishTargetSet { figure_id, target } => {
                if let Some(wish) = self.wishes.get_mut(figure_id) {
                    wish.target = *target;
                    wish.version = version;
                }
            }
            E::WishNoted { figure_id, note } => {
                if let Some(wish) = self.wishes.get_mut(figure_id) {
                    wish.note.clone_from(note);
                    wish.version = version;
                }
            }
            E::Unwished { figure_id, .. } => {
                self.wishes.remove(figure_id);
            }
            E::PersonErased {} => *self = Self { erased: true, version, ..Self::default() },
            E::Erased {} => {}
        }
    }

    /// Moves every piece of a cabinet elsewhere, as renaming and deleting one do.
    fn rehome(&mut self, from: &Location, to: Option<&Location>) {
        let from = folded(from.as_str());
        let moved: Vec<PieceId> = self
            .pieces
            .iter()
            .filter(|(_, p)| p.location.as_ref().is_some_and(|l| folded(l.as_str()) == from))
            .map(|(id, _)| *id)
            .collect();
        for id in moved {
            self.change(id, |p| p.location = to.cloned());
        }
    }
}
