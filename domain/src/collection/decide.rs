//! The rules of a collection: pure, from its state and a command to events or a refusal.

use super::{Collection, CollectionCommand, CollectionEvent, NewPiece, Piece, PieceEdit, UnwishReason};
use crate::collection::{ArchiveReason, Sale};
use crate::dates::sensible_day;
use crate::ids::{CabinetId, FigureId, PieceId};
use crate::refusal::{Code, Refusal};
use crate::text::{Location, Note};
use chrono::NaiveDate;
use std::collections::HashSet;
use std::sync::Arc;

/// The most pieces that one bulk command may name.
pub const MOST_PIECES: usize = 5_000;

/// The most cabinets a person may register.
const MOST_CABINETS: usize = 500;

fn no_such_piece() -> Refusal {
    Refusal::new(Code::PieceNotFound, "there is no such piece in your collection")
}

fn checked_day(day: Option<NaiveDate>, field: &'static str) -> Result<Option<NaiveDate>, Refusal> {
    day.map(|d| sensible_day(d).map_err(|e| Refusal::new(Code::InvalidDate, e.to_string()).on(field)))
        .transpose()
}

impl Collection {
    /// Decides a command. The same command on the same state always comes to the same.
    ///
    /// # Errors
    /// A refusal with its code; nothing happened then.
    pub fn decide(&self, command: CollectionCommand) -> Result<Vec<CollectionEvent>, Refusal> {
        use CollectionCommand as C;
        use CollectionEvent as E;
        self.alive()?;
        match command {
            C::AddPiece(new) => self.add(*new),
            C::EditPiece { piece_id, edit } => self.edit(piece_id, *edit),
            C::ValuePiece { piece_id, value } => {
                let unchanged = self.piece(piece_id)?.value == Some(value);
                Ok(if unchanged { vec![] } else { vec![E::PieceValued { piece_id, value }] })
            }
            C::ClearValuation { piece_id } => {
                let unchanged = self.piece(piece_id)?.value.is_none();
                Ok(if unchanged { vec![] } else { vec![E::PieceValuationCleared { piece_id }] })
            }
            C::SetCondition { piece_ids, condition } => {
                let piece_ids = self.changed(piece_ids, |p| p.condition != condition)?;
                Ok(if piece_ids.is_empty() {
                    vec![]
                } else {
                    vec![E::PiecesConditionSet { piece_ids, condition }]
                })
            }
            C::Move { piece_ids, location } => {
                let location = self.as_registered(location);
                let piece_ids = self.changed(piece_ids, |p| p.location != location)?;
                Ok(if piece_ids.is_empty() { vec![] } else { vec![E::PiecesMoved { piece_ids, location }] })
            }
            C::Arrange { placements } => {
                self.named(placements.iter().map(|p| p.piece_id).collect())?;
                let placements = placements
                    .into_iter()
                    .map(|p| super::Placement { location: self.as_registered(p.location), ..p })
                    .collect();
                Ok(vec![E::PiecesArranged { placements }])
            }
            C::Picture { piece_id, change } => {
                let pictures = self.piece(piece_id)?.pictures();
                Ok(pictures.decide(piece_id, *change)?.into_iter().collect())
            }
            C::Archive { piece_ids, reason, sale } => self.archive(piece_ids, reason, sale),
            C::Restore { piece_id, same_figure } => {
                let piece = self.piece(piece_id)?;
                if piece.archived.is_none() {
                    return Ok(vec![]);
                }
                let mut events = vec![E::PieceRestored { piece_id }];
                events.extend(self.unwish(&same_figure, UnwishReason::Owned));
                Ok(events)
            }
            C::Date { piece_id, added_at, archived_at, now } => {
                let archived = self.piece(piece_id)?.archived.is_some();
                let in_order = archived_at.is_none_or(|at| added_at <= at && at <= now);
                if added_at > now || !in_order || archived != archived_at.is_some() {
                    return Err(Refusal::new(
                        Code::InvalidDate,
                        "a piece is added before it is archived, and neither is still to come",
                    )
                    .on("archived_at"));
                }
                Ok(vec![E::PieceDated { piece_id, added_at, archived_at }])
            }
            C::Delete { piece_ids } => {
                let piece_ids = self.named(piece_ids)?;
                Ok(vec![E::PiecesDeleted { piece_ids }])
            }
            C::CreateCabinet { cabinet_id, name } => {
                if let Some(other) = self.cabinet_named(name.as_str()) {
                    return Err(cabinet_name_taken(other));
                }
                if self.cabinets.len() >= MOST_CABINETS {
                    return Err(Refusal::new(Code::TooMany, "a collection has at most 500 cabinets"));
                }
                Ok(vec![E::CabinetCreated { cabinet_id, name }])
            }
            C::RenameCabinet { cabinet_id, name } => {
                let previous = self.cabinet(cabinet_id)?;
                if let Some(other) = self.cabinet_named(name.as_str()).filter(|id| *id != cabinet_id) {
                    return Err(cabinet_name_taken(other));
                }
                if previous == name {
                    return Ok(vec![]);
                }
                Ok(vec![E::CabinetRenamed { cabinet_id, previous, name }])
            }
            C::DeleteCabinet { cabinet_id } => {
                let name = self.cabinet(cabinet_id)?;
                Ok(vec![E::CabinetDeleted { cabinet_id, name }])
            }
            C::OrderCabinets { cabinet_ids } => {
                let named: HashSet<_> = cabinet_ids.iter().collect();
                if named.len() != cabinet_ids.len() || named.len() != self.cabinets.len() {
                    return Err(Refusal::new(
                        Code::InvalidField,
                        "name every registered cabinet exactly once, in the order you want",
                    )
                    .on("ids"));
                }
                for id in &cabinet_ids {
                    self.cabinet(*id)?;
                }
                Ok(if cabinet_ids.is_empty() { vec![] } else { vec![E::CabinetsOrdered { cabinet_ids }] })
            }
            C::Wish { figure_id, same_figure, target, note } => {
                self.wish(figure_id, &same_figure, target, note)
            }
            C::Unwish { same_figure, reason } => {
                let events = self.unwish(&same_figure, reason);
                if events.is_empty() {
                    return Err(Refusal::new(Code::WishNotFound, "this figure is not on your wishlist"));
                }
                Ok(events)
            }
        }
    }

    /// The piece of that id.
    ///
    /// # Errors
    /// `PieceNotFound`, also for a piece of somebody else's: it lives in another stream.
    pub fn piece(&self, id: PieceId) -> Result<&Piece, Refusal> {
        self.pieces.get(&id).map(Arc::as_ref).ok_or_else(no_such_piece)
    }

    fn cabinet(&self, id: CabinetId) -> Result<Location, Refusal> {
        self.cabinets
            .get(&id)
            .map(|c| c.name.clone())
            .ok_or_else(|| Refusal::new(Code::CabinetNotFound, "there is no such cabinet in your collection"))
    }

    /// A location spelt as its registered cabinet is, when there is one.
    fn as_registered(&self, location: Option<Location>) -> Option<Location> {
        location.map(|typed| {
            self.cabinet_named(typed.as_str())
                .and_then(|id| self.cabinets.get(&id))
                .map_or(typed, |c| c.name.clone())
        })
    }

    /// Checks the pieces a bulk command names: all there, each once, not too many, not none.
    fn named(&self, piece_ids: Vec<PieceId>) -> Result<Vec<PieceId>, Refusal> {
        if piece_ids.is_empty() {
            return Err(Refusal::new(Code::NothingToDo, "name at least one piece").on("ids"));
        }
        if piece_ids.len() > MOST_PIECES {
            return Err(Refusal::new(Code::TooMany, "name at most 5,000 pieces at once").on("ids"));
        }
        let mut seen = HashSet::new();
        for id in &piece_ids {
            if !seen.insert(*id) {
                return Err(Refusal::new(Code::InvalidField, "a piece is named twice")
                    .on("ids")
                    .because_of(id.uuid()));
            }
            if !self.pieces.contains_key(id) {
                return Err(no_such_piece().on("ids").because_of(id.uuid()));
            }
        }
        Ok(piece_ids)
    }

    /// The named pieces that a change would change.
    fn changed(
        &self,
        piece_ids: Vec<PieceId>,
        differs: impl Fn(&Piece) -> bool,
    ) -> Result<Vec<PieceId>, Refusal> {
        let mut piece_ids = self.named(piece_ids)?;
        piece_ids.retain(|id| self.pieces.get(id).is_some_and(|piece| differs(piece)));
        Ok(piece_ids)
    }

    fn unwish(&self, same_figure: &[FigureId], reason: UnwishReason) -> Vec<CollectionEvent> {
        same_figure
            .iter()
            .filter(|f| self.wishes.contains_key(*f))
            .map(|f| CollectionEvent::Unwished { figure_id: *f, reason })
            .collect()
    }

    fn add(&self, new: NewPiece) -> Result<Vec<CollectionEvent>, Refusal> {
        if self.pieces.contains_key(&new.piece_id) || self.deleted_imports.contains(&new.piece_id) {
            return Err(Refusal::new(Code::AlreadyExists, "this piece exists, or existed and was deleted")
                .because_of(new.piece_id.uuid()));
        }
        let cost = new.cost.checked()?;
        let purchase_date = checked_day(new.purchase_date, "purchase_date")?;
        let mut events = vec![CollectionEvent::PieceAdded {
            piece_id: new.piece_id,
            figure_id: new.figure_id,
            preordered: new.preordered,
            condition: new.condition,
            cost,
            purchase_date,
            store_id: new.store_id,
            location: self.as_registered(new.location),
            notes: new.notes,
            origin: new.origin,
            origin_from: new.origin_from,
            value: new.value,
            source: new.source,
        }];
        events.extend(self.unwish(&new.same_figure, new.unwish));
        Ok(events)
    }

    fn edit(&self, piece_id: PieceId, edit: PieceEdit) -> Result<Vec<CollectionEvent>, Refusal> {
        use CollectionEvent as E;
        let piece = self.piece(piece_id)?;
        let mut events = Vec::new();
        if let Some(condition) = edit.condition.filter(|c| *c != piece.condition) {
            events.push(E::PiecesConditionSet { piece_ids: vec![piece_id], condition });
        }
        if let Some(location) = edit.location {
            let location = self.as_registered(location);
            if location != piece.location {
                events.push(E::PiecesMoved { piece_ids: vec![piece_id], location });
            }
        }
        if let Some(cost) = edit.cost {
            let cost = cost.checked()?;
            if cost != piece.cost {
                events.push(E::PieceCostRecorded { piece_id, cost });
            }
        }
        let purchase_date = match edit.purchase_date {
            Some(day) => checked_day(day, "purchase_date")?,
            None => piece.purchase_date,
        };
        let store_id = edit.store_id.unwrap_or(piece.store_id);
        if purchase_date != piece.purchase_date || store_id != piece.store_id {
            events.push(E::PiecePurchaseRecorded { piece_id, purchase_date, store_id });
        }
        if let Some(notes) = edit.notes {
            events.push(E::PieceNoted { piece_id, notes });
        }
        let origin = edit.origin.unwrap_or(piece.origin);
        let origin_from = edit.origin_from.unwrap_or_else(|| piece.origin_from.clone());
        if origin != piece.origin || origin_from != piece.origin_from {
            events.push(E::PieceProvenanceRecorded { piece_id, origin, origin_from });
        }
        Ok(events)
    }

    fn archive(
        &self,
        piece_ids: Vec<PieceId>,
        reason: ArchiveReason,
        sale: Option<Sale>,
    ) -> Result<Vec<CollectionEvent>, Refusal> {
        if sale.is_some() && reason != ArchiveReason::Sold {
            return Err(Refusal::new(
                Code::SaleWithoutSold,
                "a sale price or day goes with the reason sold only",
            )
            .on("reason"));
        }
        checked_day(sale.and_then(|s| s.sold_on), "sold_on")?;
        let piece_ids = self.named(piece_ids)?;
        if let Some(id) =
            piece_ids.iter().find(|id| self.pieces.get(*id).is_some_and(|p| p.archived.is_some()))
        {
            return Err(Refusal::new(Code::PieceArchived, "a piece is archived already")
                .on("ids")
                .because_of(id.uuid()));
        }
        Ok(vec![CollectionEvent::PiecesArchived { piece_ids, reason, sale }])
    }

    fn wish(
        &self,
        figure_id: FigureId,
        same_figure: &[FigureId],
        target: Option<crate::money::Money>,
        note: Option<Note>,
    ) -> Result<Vec<CollectionEvent>, Refusal> {
        use CollectionEvent as E;
        if self.owns_any(same_figure) {
            return Err(Refusal::new(
                Code::AlreadyOwned,
                "you own or have pre-ordered this figure, so it cannot be wished; archive the piece first",
            )
            .held_by(figure_id));
        }
        if let Some(wish) = self.wishes.get(&figure_id) {
            let mut events = Vec::new();
            if wish.target != target {
                events.push(E::WishTargetSet { figure_id, target });
            }
            if wish.note != note {
                events.push(E::WishNoted { figure_id, note });
            }
            return Ok(events);
        }
        // A wish for a figure that was merged into this one continues here.
        let mut events = self.unwish(same_figure, UnwishReason::Merged);
        events.push(E::Wished { figure_id, target, note });
        Ok(events)
    }
}

fn cabinet_name_taken(other: CabinetId) -> Refusal {
    Refusal::new(Code::CabinetNameTaken, "another cabinet has this name; case does not tell them apart")
        .on("name")
        .because_of(other.uuid())
}
