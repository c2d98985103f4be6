//! What became of a row: its fate, how its figure was found, and what else its owner should know.

use crate::collection::words;
use crate::ids::{FigureId, PieceId};
use serde::{Deserialize, Serialize};

words! {
    /// What became of a row.
    RowFate {
        /// Its copies were added.
        Added = "added",
        /// Some of its copies were there; the others were added.
        CopiesAdded = "copies_added",
        /// Its copies were placed as pre-orders.
        Preordered = "preordered",
        /// Its wish became a pre-order.
        Ordered = "ordered",
        /// Its pre-order was received.
        Received = "received",
        /// Its pre-order was shipped.
        Shipped = "shipped",
        /// It was wished.
        Wished = "wished",
        /// Everything it says is known.
        Unchanged = "unchanged",
        /// Its owner deleted it here, and it stays so.
        DeletedByOwner = "deleted_by_owner",
    }
}

words! {
    /// How a row's figure was found.
    FigureFound {
        /// An earlier import of the same row knew it.
        Before = "before",
        /// By its barcode.
        Jan = "jan",
        /// By its MyFigureCollection id.
        MfcId = "mfc_id",
        /// By its name.
        Name = "name",
        /// By a name that is nearly the same.
        Likeness = "likeness",
        /// Not at all: it was added to the catalogue.
        Created = "created",
        /// Several could be meant, so it was added to the catalogue.
        AmbiguousCreated = "ambiguous_created",
    }
}

words! {
    /// What its owner should know of a row besides its fate.
    Remark {
        /// It was on the wishlist and is not any more.
        WishEnded = "wish_ended",
        /// A piece of it is archived, and stays so.
        Archived = "archived",
        /// The list says ordered or wished, but it is owned here already.
        OwnedHere = "owned_here",
        /// Its pre-order was cancelled here, and stays so.
        CancelledHere = "cancelled_here",
        /// The list names fewer copies than are here; none was deleted.
        FewerCopies = "fewer_copies",
        /// Copies that its owner deleted here were left out.
        SomeDeleted = "some_deleted",
        /// The list marks it as adult, the catalogue does not.
        NsfwDiffers = "nsfw_differs",
    }
}

/// What became of a row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RowImported {
    /// In a word.
    pub fate: RowFate,
    /// How its figure was found; absent when nothing had to be found.
    pub found: Option<FigureFound>,
    /// The figure; absent when all its copies were deleted by their owner.
    pub figure_id: Option<FigureId>,
    /// Its pieces, by copy; deleted ones are left out.
    pub piece_ids: Vec<PieceId>,
    /// How many copies are new.
    pub new_copies: u16,
    /// What else there is to say.
    pub remarks: Vec<Remark>,
}

/// What happened to the copies of a row so far.
#[derive(Default)]
pub(super) struct Tally {
    pub(super) pieces: Vec<PieceId>,
    pub(super) kept: u16,
    pub(super) new: u16,
    pub(super) received: u16,
    pub(super) shipped: u16,
    pub(super) deleted: u16,
    pub(super) remarks: Vec<Remark>,
}

impl Tally {
    pub(super) fn remark(&mut self, remark: Remark) {
        if !self.remarks.contains(&remark) {
            self.remarks.push(remark);
        }
    }
}
