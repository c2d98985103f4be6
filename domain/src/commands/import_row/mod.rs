//! One row of somebody's own list, brought in from elsewhere: a piece, a pre-order or a wish.
//!
//! Bringing the same list in again never doubles anything: ids derive from the user, the row's source and
//! the copy, and what the owner did in the meantime wins over what the list says.

mod figure;
mod ids;
mod outcome;
mod pieces;
#[cfg(test)]
mod testing;
mod wish;

pub(super) use figure::contradicts;
pub use ids::imported_piece_id;
pub(super) use ids::wish_code;
pub use outcome::{FigureFound, Remark, RowFate, RowImported};

use super::catalogue_figure::CatalogueFigure;
use super::pieces::PieceFields;
use crate::collection::words;
use crate::dates::ReleaseDate;
use crate::ids::{FigureId, UserId};
use crate::refusal::{Code, Refusal};
use crate::stream::StreamId;
use crate::text::{HttpUrl, Line, Note};
use crate::world::{Command, Stop, World};
use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

/// The most copies that one row may name.
pub const MOST_COPIES: u16 = 500;

words! {
    /// What a row says of its figure.
    RowStatus {
        /// It is there.
        Owned = "owned",
        /// It is on order.
        Ordered = "ordered",
        /// It is wanted.
        Wished = "wished",
    }
}

/// Bring in one row.
#[derive(Debug, Clone, PartialEq)]
pub struct ImportRow {
    /// Whose collection.
    pub user_id: UserId,
    /// What the row is for good, whatever else in it changes: `mfc:12345`.
    pub source: Line<100>,
    /// What an export with fewer columns may have called it.
    pub also: Vec<Line<100>>,
    /// What it says.
    pub status: RowStatus,
    /// How many copies, 1 to [`MOST_COPIES`]. A wish is one whatever this says.
    pub copies: u16,
    /// The figure that the read models suggest by its name. It is not taken when a code contradicts it.
    pub likely: Option<(FigureId, FigureFound)>,
    /// Whether several figures of the catalogue could be meant.
    pub ambiguous: bool,
    /// What to catalogue when the figure is unknown. Its codes are what it is looked for by first.
    pub figure: CatalogueFigure,
    /// Whether the row names its figure; an unknown one without a name cannot be catalogued.
    pub named: bool,
    /// What is known of each copy; `source` is filled in here.
    pub piece: PieceFields,
    /// The release date that a pre-order begins with.
    pub release: Option<ReleaseDate>,
    /// The day an order was paid.
    pub paid_on: Option<NaiveDate>,
    /// The day an order was shipped.
    pub shipped_on: Option<NaiveDate>,
    /// The day it arrived.
    pub received_on: Option<NaiveDate>,
    /// Where to follow the parcel.
    pub tracking_url: Option<HttpUrl>,
    /// The note of a wish.
    pub wish_note: Option<Note>,
}

impl Command for ImportRow {
    type Answer = RowImported;
    const NAME: &'static str = "import_row";

    fn decide(&self, world: &mut World) -> Result<RowImported, Stop> {
        if self.copies == 0 || self.copies > MOST_COPIES {
            return Err(Refusal::new(Code::TooMany, "a row names between 1 and 500 copies")
                .on("count")
                .into());
        }
        match self.status {
            RowStatus::Wished => self.wish(world),
            RowStatus::Owned | RowStatus::Ordered => self.pieces(world),
        }
    }
}

impl ImportRow {
    /// The streams it will ask for in any case, to be loaded together.
    pub fn streams(&self) -> Vec<StreamId> {
        let wish = StreamId::Claim(wish_code(self.user_id, &self.source));
        let mut streams = vec![StreamId::Collection(self.user_id), wish];
        if self.status == RowStatus::Ordered {
            streams.extend(
                (1..=self.copies.min(MOST_COPIES)).map(|n| StreamId::Preorder(self.copy(&self.source, n))),
            );
        }
        if let Some((id, _)) = self.likely {
            streams.push(StreamId::Figure(id));
        }
        streams.extend(self.figure.streams());
        streams
    }
}

#[cfg(test)]
mod tests {
    use super::testing::{Bench, day, row};
    use super::*;
    use crate::preorder::Status;

    #[test]
    fn the_same_row_again_changes_nothing() {
        for status in [RowStatus::Owned, RowStatus::Ordered, RowStatus::Wished] {
            let mut bench = Bench::new();
            let first = bench.run(&row(status, 2)).unwrap();
            assert_eq!(first.found, Some(FigureFound::Created));
            let again = bench.run(&row(status, 2)).unwrap();
            assert_eq!(again.fate, RowFate::Unchanged, "{status}");
            assert_eq!(bench.events, vec![], "{status}");
            assert_eq!((again.figure_id, again.piece_ids), (first.figure_id, first.piece_ids));
        }
    }

    #[test]
    fn a_row_goes_from_wished_over_ordered_to_owned_as_one_piece() {
        let mut bench = Bench::new();
        assert_eq!(bench.run(&row(RowStatus::Wished, 1)).unwrap().fate, RowFate::Wished);
        assert_eq!(bench.collection().wishes.len(), 1);
        let ordered = bench.run(&row(RowStatus::Ordered, 1)).unwrap();
        assert_eq!(ordered.fate, RowFate::Ordered);
        assert!(bench.collection().wishes.is_empty());
        let piece = ordered.piece_ids[0];
        assert_eq!(bench.status(piece), Some(Status::Preordered));
        let owned = ImportRow { received_on: day("2026-06-10"), ..row(RowStatus::Owned, 1) };
        let received = bench.run(&owned).unwrap();
        assert_eq!((received.fate, received.piece_ids), (RowFate::Received, vec![piece]));
        assert_eq!(bench.status(piece), Some(Status::Received));
        assert_eq!(bench.collection().pieces.len(), 1);
        let back = bench.run(&row(RowStatus::Wished, 1)).unwrap();
        assert_eq!((back.fate, back.remarks), (RowFate::Unchanged, vec![Remark::OwnedHere]));
    }

    #[test]
    fn no_row_and_too_many_copies_are_refused() {
        for copies in [0, MOST_COPIES + 1] {
            let refusal = Bench::new().run(&row(RowStatus::Owned, copies)).unwrap_err();
            assert_eq!(refusal.code, Code::TooMany);
        }
    }
}
