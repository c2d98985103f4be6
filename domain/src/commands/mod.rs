//! What people can ask for: one file for each thing they do, every one a pure decision over a [`World`].
//!
//! The table at the end of `docs/events.md` says which streams each reads and writes.

mod bring_back;
mod catalogue_figure;
mod edit_entity;
mod edit_figure;
mod edit_piece;
mod edit_preorder;
mod end_pieces;
mod figure_photos;
mod finding;
mod identify_series;
mod import_product;
mod import_row;
mod many;
mod merge;
mod observe_market;
mod piece_pictures;
mod pieces;
mod place_preorder;
mod preorder_steps;
mod wishes;

pub use bring_back::{ArchivedBack, BringBack, ChapterBack, DateTold};
pub use catalogue_figure::{BuyLinkByName, CatalogueFigure, Catalogued};
pub use edit_entity::EditEntity;
pub use edit_figure::EditFigure;
pub use edit_piece::EditPiece;
pub use edit_preorder::EditPreorder;
pub use end_pieces::{ArchivePieces, DeletePieces, RestorePiece};
pub use figure_photos::{AddFigurePhotos, ChangeFigurePhotos};
pub use identify_series::{Identified, IdentifySeries};
pub use import_product::{ImportProduct, ImportWish, ProductImported, SeenAtStore, WishFate, WishImported};
pub use import_row::{
    FigureFound, ImportRow, MOST_COPIES, Remark, RowFate, RowImported, RowStatus, imported_piece_id,
};
pub use many::Many;
pub use merge::{MergeEntities, MergeFigures};
pub use observe_market::{Noted, ObserveMarket};
pub use piece_pictures::{AddDocument, AddPhotos, ChangePictures, MakeScan, PinCover};
pub use pieces::{
    AddPiece, ArrangePieces, CabinetCommand, ChangeCabinets, ChangePieces, PieceFields, ValuePiece,
};
pub use place_preorder::{PlacePreorder, PreorderFields, ReplacePreorder};
pub use preorder_steps::{CancelPreorder, Fate, SlipRelease, StepPreorder, Steps};
pub use wishes::{AcquireWish, Acquired, SetWish, Unwish, Wished};

use crate::refusal::{Code, Refusal};
use crate::stream::Version;
use std::fmt;
use std::str::FromStr;

/// The version of a piece and its pre-order together: what `ETag` shows for either of them, as `12-3`.
///
/// The two stand for one thing in the collector's hands: a price changed on one is changed on both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PieceVersion {
    /// The collection's version when the piece last changed.
    pub piece: Version,
    /// The pre-order stream's version when its chapter last changed; 0 without one.
    pub preorder: Version,
}

impl fmt::Display for PieceVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.piece, self.preorder)
    }
}

impl FromStr for PieceVersion {
    type Err = ();
    fn from_str(s: &str) -> Result<Self, Self::Err> {
        let (piece, preorder) = s.split_once('-').ok_or(())?;
        Ok(Self { piece: piece.parse().map_err(|_| ())?, preorder: preorder.parse().map_err(|_| ())? })
    }
}

fn stale() -> Refusal {
    Refusal::new(Code::Stale, "it was changed since you read it; read it again and repeat what you want")
}

/// Checks what the caller last saw against what is.
fn check<V: PartialEq>(expected: Option<V>, actual: V) -> Result<(), Refusal> {
    match expected {
        Some(expected) if expected != actual => Err(stale()),
        _ => Ok(()),
    }
}
