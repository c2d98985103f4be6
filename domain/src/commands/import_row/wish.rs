//! A row that is wished: it becomes a wish, unless its figure is owned, wished or was taken off the list.

use super::ImportRow;
use super::ids::wish_code;
use super::outcome::{Remark, RowFate, RowImported, Tally};
use crate::claim::{ClaimCommand, Holder};
use crate::collection::CollectionCommand;
use crate::world::{Stop, World};

impl ImportRow {
    pub(super) fn wish(&self, world: &mut World) -> Result<RowImported, Stop> {
        let user = self.user_id;
        let collection = world.collection(user)?;
        let mut outcome = RowImported {
            fate: RowFate::Unchanged,
            found: None,
            figure_id: None,
            piece_ids: Vec::new(),
            new_copies: 0,
            remarks: Vec::new(),
        };
        if let Some(piece) = self.present(&self.source, &collection).filter(|p| p.archived.is_none()) {
            outcome.figure_id = Some(piece.figure_id);
            outcome.piece_ids = (1..=self.copies)
                .map(|n| self.copy(&self.source, n))
                .filter(|id| collection.pieces.contains_key(id))
                .collect();
            outcome.remarks.push(Remark::OwnedHere);
            return Ok(outcome);
        }
        let code = wish_code(user, &self.source);
        let wished_before = world.claim(code.clone())?.holder.is_some();
        let (figure, how) = self.find(world)?;
        let same_figure = figure.same();
        outcome.figure_id = Some(figure.id);
        outcome.found = Some(how);
        if same_figure.iter().any(|f| collection.wishes.contains_key(f)) {
            return Ok(outcome);
        }
        if collection.owns_any(&same_figure) {
            outcome.remarks.push(Remark::OwnedHere);
            return Ok(outcome);
        }
        if wished_before {
            outcome.fate = RowFate::DeletedByOwner;
            return Ok(outcome);
        }
        let mut tally = Tally::default();
        self.differs(&figure.figure, how, &mut tally);
        outcome.remarks = tally.remarks;
        outcome.fate = RowFate::Wished;
        let note = self.wish_note.clone();
        let wish = CollectionCommand::Wish { figure_id: figure.id, same_figure, target: None, note };
        world.tell_collection(user, wish)?;
        world.tell_claim(
            &code,
            ClaimCommand::Take { code: code.clone(), holder: Holder::Figure(figure.id) },
        )?;
        Ok(outcome)
    }
}

#[cfg(test)]
mod tests {
    use super::super::RowStatus;
    use super::super::testing::{Bench, USER, row};
    use super::*;
    use crate::commands::Unwish;

    #[test]
    fn a_wish_its_owner_took_off_stays_off() {
        let mut bench = Bench::new();
        let figure_id = bench.run(&row(RowStatus::Wished, 1)).unwrap().figure_id.unwrap();
        bench.run(&Unwish { user_id: USER, figure_id, expected: None }).unwrap();
        assert_eq!(bench.run(&row(RowStatus::Wished, 1)).unwrap().fate, RowFate::DeletedByOwner);
        assert!(bench.collection().wishes.is_empty());
    }
}
