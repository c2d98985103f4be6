//! The ids that derive from a row and its source, and under which source an earlier import derived them.

use super::ImportRow;
use crate::claim::ClaimCode;
use crate::collection::{Collection, Piece};
use crate::ids::{PieceId, UserId};
use crate::text::Line;
use crate::world::{Stop, World};
use uuid::Uuid;

/// Under which the ids of imported pieces are derived. Changing it would double everybody's next import.
pub(super) const NAMESPACE: Uuid = Uuid::from_u128(0x8c1f_6a52_40de_5b0b_9a6e_2f7d_c3b1_4e90);

/// The id of a row's copy; the first is 1.
pub fn imported_piece_id(user: UserId, source: &Line<100>, copy: u16) -> PieceId {
    PieceId(Uuid::new_v5(&NAMESPACE, format!("piece\0{user}\0{source}\0{copy}").as_bytes()))
}

/// The claim that remembers which figure a row's wish is for. It is a hash, so that it tells nobody whose.
pub(in crate::commands) fn wish_code(user: UserId, source: &Line<100>) -> ClaimCode {
    let hash = Uuid::new_v5(&NAMESPACE, format!("wish\0{user}\0{source}").as_bytes());
    ClaimCode::import("wish", &hash.to_string())
}

impl ImportRow {
    pub(super) fn copy(&self, source: &Line<100>, number: u16) -> PieceId {
        imported_piece_id(self.user_id, source, number)
    }

    /// What an earlier import called the row: its columns are the collector's choice, so the id or the barcode
    /// may have been there then or may be missing now. The row's own name when no other brought its copies.
    pub(super) fn known_as(&self, world: &mut World, collection: &Collection) -> Result<Line<100>, Stop> {
        let known = |source: &Line<100>| {
            let first = self.copy(source, 1);
            collection.pieces.contains_key(&first) || collection.deleted_imports.contains(&first)
        };
        if known(&self.source) {
            return Ok(self.source.clone());
        }
        if let Some(other) = self.also.iter().find(|source| known(source)) {
            return Ok(other.clone());
        }
        let figure = if self.figure.mfc_id.is_none() { self.known_figure(world)? } else { None };
        let by_id = figure
            .and_then(|(found, _)| found.figure.mfc_id)
            .and_then(|id| Line::new(&format!("mfc:{id}")).ok())
            .filter(known);
        Ok(by_id.unwrap_or_else(|| self.source.clone()))
    }

    /// The pieces of this row that are in the collection.
    pub(super) fn present<'a>(&self, source: &Line<100>, collection: &'a Collection) -> Option<&'a Piece> {
        (1..=self.copies).find_map(|n| collection.piece(self.copy(source, n)).ok())
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Bench, figure, row};
    use super::super::{RowFate, RowStatus};
    use super::*;

    #[test]
    fn a_row_of_an_export_with_other_columns_is_the_same_row() {
        let jan = Some("4580590123458");
        let full = ImportRow { figure: figure("Aster", Some(12), jan), ..row(RowStatus::Owned, 2) };
        let by_jan = Line::new("jan:04580590123458").unwrap();
        let without_id = ImportRow {
            source: by_jan.clone(),
            figure: figure("Aster", None, jan),
            copies: 3,
            ..row(RowStatus::Owned, 3)
        };
        let mut bench = Bench::new();
        let two = bench.run(&full).unwrap();
        let three = bench.run(&without_id).unwrap();
        assert_eq!((three.fate, three.new_copies), (RowFate::CopiesAdded, 1));
        assert_eq!(three.piece_ids[..2], two.piece_ids[..]);

        let mut bench = Bench::new();
        bench.run(&ImportRow { copies: 1, ..without_id }).unwrap();
        let again = ImportRow { also: vec![by_jan], copies: 1, ..full };
        assert_eq!(bench.run(&again).unwrap().fate, RowFate::Unchanged);
        assert_eq!(bench.collection().pieces.len(), 1);
    }
}
