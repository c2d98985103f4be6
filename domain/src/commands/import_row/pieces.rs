//! A row that is owned or ordered: its copies become pieces, with a pre-order each where they are on order.

use super::outcome::{FigureFound, Remark, RowFate, RowImported, Tally};
use super::{ImportRow, MOST_COPIES, RowStatus};
use crate::collection::{Piece, UnwishReason};
use crate::commands::finding::{LiveFigure, live_figure};
use crate::commands::pieces::{PieceFields, add};
use crate::commands::place_preorder::{PreorderFields, place};
use crate::ids::{PieceId, PreorderId};
use crate::preorder::{PreorderCommand, Status};
use crate::text::Line;
use crate::world::{Stop, World};
use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use uuid::Uuid;

fn start_of(day: NaiveDate) -> DateTime<Utc> {
    day.and_time(NaiveTime::MIN).and_utc()
}

impl ImportRow {
    pub(super) fn pieces(&self, world: &mut World) -> Result<RowImported, Stop> {
        let collection = world.collection(self.user_id)?;
        let source = self.known_as(world, &collection)?;
        let mut tally = Tally::default();
        let mut missing = Vec::new();
        for number in 1..=self.copies {
            let id = self.copy(&source, number);
            if let Some(piece) = collection.pieces.get(&id) {
                tally.pieces.push(id);
                self.carry_on(world, id, piece, &mut tally)?;
            } else if collection.deleted_imports.contains(&id) {
                tally.deleted += 1;
            } else {
                missing.push(number);
            }
        }
        if self.copies < MOST_COPIES && collection.pieces.contains_key(&self.copy(&source, self.copies + 1)) {
            tally.remark(Remark::FewerCopies);
        }
        let before = self.present(&source, &collection).map(|p| p.figure_id);
        let (mut found, mut figure_id, mut wished) = (None, before, false);
        if !missing.is_empty() {
            let (figure, how) = match before {
                Some(id) => (live_figure(world, id)?, FigureFound::Before),
                None => self.find(world)?,
            };
            wished = figure.same().iter().any(|f| collection.wishes.contains_key(f));
            self.differs(&figure.figure, how, &mut tally);
            for number in missing {
                self.add_copy(world, &figure, &source, number)?;
                tally.pieces.push(self.copy(&source, number));
                tally.new += 1;
            }
            (found, figure_id) = (Some(how), Some(figure.id));
        }
        let anew = match self.status {
            _ if tally.kept > 0 || tally.deleted > 0 => RowFate::CopiesAdded,
            RowStatus::Ordered if wished => RowFate::Ordered,
            RowStatus::Ordered => RowFate::Preordered,
            _ => RowFate::Added,
        };
        let fate = match &tally {
            t if t.received > 0 => RowFate::Received,
            t if t.new > 0 => anew,
            t if t.shipped > 0 => RowFate::Shipped,
            t if t.pieces.is_empty() => RowFate::DeletedByOwner,
            _ => RowFate::Unchanged,
        };
        if wished && fate != RowFate::Ordered {
            tally.remark(Remark::WishEnded);
        }
        if tally.deleted > 0 && fate != RowFate::DeletedByOwner {
            tally.remark(Remark::SomeDeleted);
        }
        Ok(RowImported {
            fate,
            found,
            figure_id,
            piece_ids: tally.pieces,
            new_copies: tally.new,
            remarks: tally.remarks,
        })
    }

    /// Takes a copy that is here already to where the row says it is, if that is further on.
    fn carry_on(&self, world: &mut World, id: PieceId, piece: &Piece, tally: &mut Tally) -> Result<(), Stop> {
        tally.kept += 1;
        if piece.archived.is_some() {
            tally.remark(Remark::Archived);
            return Ok(());
        }
        let chapter = if piece.preordered { world.preorder(id)?.chapter.clone() } else { None };
        let now = world.now();
        match (self.status, chapter) {
            (RowStatus::Owned, Some(chapter)) if chapter.status.is_live() => {
                let earliest = chapter.shipped_at.map(|s| s.date_naive());
                let received_at = self
                    .received_on
                    .filter(|day| *day <= now.date_naive() && earliest.is_none_or(|e| e <= *day))
                    .map(start_of)
                    .or_else(|| chapter.shipped_at.filter(|s| s.date_naive() > now.date_naive()));
                let receive = PreorderCommand::Receive { received_at, now, condition: None };
                world.tell_preorder(self.user_id, id, receive)?;
                tally.received += 1;
            }
            (RowStatus::Ordered, Some(chapter)) if chapter.status.is_live() => {
                if chapter.status < Status::Shipped && self.ship(world, id)? {
                    tally.shipped += 1;
                }
            }
            (_, Some(chapter)) if chapter.status == Status::Cancelled => tally.remark(Remark::CancelledHere),
            (RowStatus::Owned, _) => {}
            (RowStatus::Ordered | RowStatus::Wished, _) => tally.remark(Remark::OwnedHere),
        }
        Ok(())
    }

    /// Ships an order whose shipping day is known and not still to come.
    fn ship(&self, world: &mut World, id: PieceId) -> Result<bool, Stop> {
        let now = world.now();
        let Some(day) = self.shipped_on.filter(|day| *day <= now.date_naive()) else { return Ok(false) };
        let ship = PreorderCommand::Ship {
            shipped_at: Some(start_of(day)),
            now,
            tracking_url: self.tracking_url.clone(),
            estimated_delivery_days: None,
        };
        world.tell_preorder(self.user_id, id, ship)?;
        Ok(true)
    }

    fn add_copy(
        &self,
        world: &mut World,
        figure: &LiveFigure,
        source: &Line<100>,
        number: u16,
    ) -> Result<(), Stop> {
        let (user, id) = (self.user_id, self.copy(source, number));
        let piece =
            PieceFields { source: Line::new(&format!("{source}#{number}")).ok(), ..self.piece.clone() };
        if self.status == RowStatus::Owned {
            add(world, user, id, figure.id, &piece, false, UnwishReason::Acquired)?;
            return Ok(());
        }
        let preorder_id = PreorderId(Uuid::new_v5(&id.uuid(), b"preorder"));
        let fields = PreorderFields {
            release: self.release,
            tracking_url: self.tracking_url.clone(),
            ..PreorderFields::default()
        };
        place(world, user, (id, preorder_id), figure.id, &piece, &fields, UnwishReason::Acquired)?;
        let paid = self.paid_on.filter(|day| *day <= world.now().date_naive());
        if let (Some(day), Some(_)) = (paid, piece.cost.price) {
            world.tell_preorder(user, id, PreorderCommand::SetBalance { paid: true, now: start_of(day) })?;
        }
        self.ship(world, id).map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Bench, USER, day, row};
    use super::*;
    use crate::collection::Cost;
    use crate::commands::{CancelPreorder, DeletePieces, RestorePiece};
    use crate::money::{Amount, Currency};
    use crate::stream::StreamId;
    use crate::world::State;

    #[test]
    fn a_wish_that_is_owned_now_says_so() {
        let mut bench = Bench::new();
        bench.run(&row(RowStatus::Wished, 1)).unwrap();
        let owned = bench.run(&row(RowStatus::Owned, 1)).unwrap();
        assert_eq!((owned.fate, owned.remarks), (RowFate::Added, vec![Remark::WishEnded]));
    }

    #[test]
    fn a_raised_count_adds_the_difference_and_a_lowered_one_deletes_nothing() {
        let mut bench = Bench::new();
        let two = bench.run(&row(RowStatus::Owned, 2)).unwrap();
        assert_eq!((two.fate, two.new_copies), (RowFate::Added, 2));
        let five = bench.run(&row(RowStatus::Owned, 5)).unwrap();
        assert_eq!((five.fate, five.new_copies), (RowFate::CopiesAdded, 3));
        assert_eq!(five.piece_ids[..2], two.piece_ids[..]);
        let one = bench.run(&row(RowStatus::Owned, 1)).unwrap();
        assert_eq!((one.fate, one.remarks), (RowFate::Unchanged, vec![Remark::FewerCopies]));
        assert_eq!(bench.collection().pieces.len(), 5);
    }

    #[test]
    fn what_its_owner_deleted_stays_deleted() {
        let mut bench = Bench::new();
        let piece_ids = bench.run(&row(RowStatus::Owned, 1)).unwrap().piece_ids;
        bench.run(&DeletePieces { user_id: USER, piece_ids, expected: None, refund: None }).unwrap();
        let again = bench.run(&row(RowStatus::Owned, 1)).unwrap();
        assert_eq!(again.fate, RowFate::DeletedByOwner);
        assert_eq!(bench.events, vec![]);
        let more = bench.run(&row(RowStatus::Owned, 2)).unwrap();
        assert_eq!((more.fate, more.new_copies), (RowFate::CopiesAdded, 1));
        assert_eq!(more.remarks, vec![Remark::SomeDeleted]);
    }

    #[test]
    fn an_archived_piece_and_a_cancelled_order_stay_as_they_are() {
        let mut bench = Bench::new();
        let piece_id = bench.run(&row(RowStatus::Ordered, 1)).unwrap().piece_ids[0];
        let cancel =
            CancelPreorder { user_id: USER, piece_id, expected: None, refund: Amount::ZERO, fate: None };
        bench.run(&cancel).unwrap();
        let owned = bench.run(&row(RowStatus::Owned, 1)).unwrap();
        assert_eq!((owned.fate, owned.remarks), (RowFate::Unchanged, vec![Remark::Archived]));
        bench.run(&RestorePiece { user_id: USER, piece_id, expected: None }).unwrap();
        let owned = bench.run(&row(RowStatus::Owned, 1)).unwrap();
        assert_eq!((owned.fate, owned.remarks), (RowFate::Unchanged, vec![Remark::CancelledHere]));
    }

    #[test]
    fn an_order_that_was_paid_and_shipped_arrives_so() {
        let mut bench = Bench::new();
        let mut paid = row(RowStatus::Ordered, 1);
        paid.piece.cost =
            Cost { price: Some("12800".parse().unwrap()), currency: Some(Currency::Jpy), ..Cost::default() };
        paid.paid_on = day("2026-01-05");
        let piece = bench.run(&paid).unwrap().piece_ids[0];
        assert_eq!(bench.status(piece), Some(Status::Preordered));
        match bench.states.get(&StreamId::Preorder(piece)) {
            Some((State::Preorder(p), _)) => assert!(p.chapter.as_ref().unwrap().balance_paid),
            other => panic!("{other:?}"),
        }
        paid.shipped_on = day("2026-06-01");
        assert_eq!(bench.run(&paid).unwrap().fate, RowFate::Shipped);
        assert_eq!(bench.run(&paid).unwrap().fate, RowFate::Unchanged);
        let owned = ImportRow { received_on: day("2026-05-01"), ..row(RowStatus::Owned, 1) };
        assert_eq!(
            bench.run(&owned).unwrap().fate,
            RowFate::Received,
            "a day of arrival before that of shipping is not taken"
        );
    }
}
