//! How events become the tables of collections.

use super::rows::{CabinetRow, CollectionRows, MergedStoreRow, OwnedItemRow, WaitingWishRow, WishRow};
use crate::engine::{FoldError, Projection};
use chrono::{DateTime, SubsecRound, Utc};
use domain::collection::{CollectionEvent, Cost, UnwishReason};
use domain::entity::{EntityEvent, EntityKind};
use domain::figure::FigureEvent;
use domain::ids::{PhotoId, PieceId, ScanId};
use domain::money::Money;
use domain::picture::Cover;
use domain::preorder::{PreorderEvent, Status};
use domain::stream::{Event, Recorded, StreamId};
use domain::text::{Location, folded};
use rust_decimal::Decimal;
use std::collections::BTreeSet;
use uuid::Uuid;

/// The read model of pieces, cabinets and wishes.
pub struct Collections;

impl Projection for Collections {
    const NAME: &'static str = "collection";
    const VERSION: u32 = 4;
    const DDL: &'static str = include_str!("../../../migrations/read-models/collection.sql");
    const READS: &'static [&'static str] = &["collection", "preorder", "figure", "entity"];
    type Rows = CollectionRows;

    fn fold(rows: &mut CollectionRows, event: &Recorded) -> Result<(), FoldError> {
        let at = At { time: event.recorded_at, version: event.version.0, event: event.event_id.uuid() };
        match (&event.stream, &event.event) {
            (StreamId::Collection(user), Event::Collection(told)) => rows.collection(user.uuid(), told, at),
            (StreamId::Preorder(piece), Event::Preorder(told)) => {
                rows.preorder(piece.uuid(), told, at);
                Ok(())
            }
            (StreamId::Figure(loser), Event::Figure(FigureEvent::MergedInto { winner_id })) => {
                rows.merge_figures(loser.uuid(), winner_id.uuid());
                Ok(())
            }
            (
                StreamId::Entity(loser),
                Event::Entity(EntityEvent::MergedInto { kind: EntityKind::Store, winner_id }),
            ) => {
                rows.merge_stores(loser.uuid(), winner_id.uuid());
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

/// Where an event stands: what rows keep of it.
#[derive(Clone, Copy)]
struct At {
    time: DateTime<Utc>,
    version: i64,
    event: Uuid,
}

fn split(money: Option<Money>) -> (Option<Decimal>, Option<String>) {
    match money {
        Some(money) => (Some(money.amount().decimal()), Some(money.currency().code().to_owned())),
        None => (None, None),
    }
}

impl OwnedItemRow {
    fn set_cost(&mut self, cost: Cost) {
        self.price_amount = cost.price.map(|a| a.decimal());
        self.shipping_amount = cost.shipping.map(|a| a.decimal());
        self.fees_amount = cost.fees.map(|a| a.decimal());
        self.price_currency = cost.currency.map(|c| c.code().to_owned());
        self.price_fx_rate = cost.fx_rate.map(|r| r.decimal());
    }

    fn set_location(&mut self, location: Option<&Location>) {
        self.location = location.map(|l| l.as_str().to_owned());
        self.location_key = location.map(|l| folded(l.as_str()));
    }

    fn cover(&self) -> Option<Cover> {
        let photo = self.cover_photo_id.map(|id| Cover::PhotoId(PhotoId(id)));
        photo.or_else(|| self.cover_scan_id.map(|id| Cover::ScanId(ScanId(id))))
    }

    fn pin(&mut self, cover: Option<Cover>) {
        (self.cover_photo_id, self.cover_scan_id) = match cover {
            Some(Cover::PhotoId(id)) => (Some(id.uuid()), None),
            Some(Cover::ScanId(id)) => (None, Some(id.uuid())),
            None => (None, None),
        };
    }

    fn set_value(&mut self, value: Option<Money>) {
        (self.value_amount, self.value_currency) = split(value);
    }
}

impl CollectionRows {
    /// Changes a piece and notes when. The events before made it.
    fn piece(&mut self, id: PieceId, at: At, with: impl FnOnce(&mut OwnedItemRow)) -> Result<(), FoldError> {
        self.pieces.change(&id.uuid(), |row| {
            with(row);
            row.version = at.version;
            row.updated_at = at.time;
        })
    }

    fn pieces(&mut self, ids: &[PieceId], at: At, with: impl Fn(&mut OwnedItemRow)) -> Result<(), FoldError> {
        for id in ids {
            self.piece(*id, at, &with)?;
        }
        Ok(())
    }

    /// A photo or scan looks different, or is gone: where it is pinned, that changes its piece.
    fn cover_changed(&mut self, id: PieceId, changed: Cover, gone: bool, at: At) -> Result<(), FoldError> {
        if self.pieces.get(&id.uuid()).is_none_or(|row| row.cover() != Some(changed)) {
            return Ok(());
        }
        self.piece(id, at, |row| {
            if gone {
                row.pin(None);
            }
        })
    }

    fn collection(&mut self, user: Uuid, event: &CollectionEvent, at: At) -> Result<(), FoldError> {
        use CollectionEvent as E;
        match event {
            E::PieceAdded {
                piece_id,
                figure_id,
                preordered: _,
                condition,
                cost,
                purchase_date,
                store_id,
                location,
                notes,
                origin,
                origin_from,
                value,
                source,
            } => {
                let store_id = store_id.map(|id| self.store_now(id.uuid()));
                let mut row = OwnedItemRow {
                    id: piece_id.uuid(),
                    user_id: user,
                    figure_id: figure_id.uuid(),
                    condition: condition.map(|c| c.as_str().to_owned()),
                    price_amount: None,
                    price_currency: None,
                    shipping_amount: None,
                    fees_amount: None,
                    price_fx_rate: None,
                    value_amount: None,
                    value_currency: None,
                    purchase_date: *purchase_date,
                    store_id,
                    location: None,
                    location_key: None,
                    notes: notes.as_ref().map(|n| n.as_str().to_owned()),
                    origin: origin.as_str().to_owned(),
                    origin_from: origin_from.as_ref().map(|f| f.as_str().to_owned()),
                    cover_photo_id: None,
                    cover_scan_id: None,
                    sort_order: 0,
                    archived_at: None,
                    archive_reason: None,
                    sold_amount: None,
                    sold_currency: None,
                    sold_on: None,
                    received_at: None,
                    preorder_status: None,
                    preorder_version: 0,
                    source: source.as_ref().map(|s| s.as_str().to_owned()),
                    version: at.version,
                    created_at: at.time,
                    updated_at: at.time,
                };
                row.set_cost(*cost);
                row.set_location(location.as_ref());
                row.set_value(*value);
                self.pieces.insert(row);
                Ok(())
            }
            E::PiecesConditionSet { piece_ids, condition } => {
                self.pieces(piece_ids, at, |row| row.condition = condition.map(|c| c.as_str().to_owned()))
            }
            E::PiecesMoved { piece_ids, location } => {
                self.pieces(piece_ids, at, |row| row.set_location(location.as_ref()))
            }
            E::PiecesArranged { placements } => {
                for placement in placements {
                    self.piece(placement.piece_id, at, |row| {
                        row.set_location(placement.location.as_ref());
                        row.sort_order = placement.sort_order;
                    })?;
                }
                Ok(())
            }
            E::PieceCostRecorded { piece_id, cost } => self.piece(*piece_id, at, |row| row.set_cost(*cost)),
            E::PiecePurchaseRecorded { piece_id, purchase_date, store_id } => {
                let store_id = store_id.map(|id| self.store_now(id.uuid()));
                self.piece(*piece_id, at, |row| {
                    row.purchase_date = *purchase_date;
                    row.store_id = store_id;
                })
            }
            E::PieceNoted { piece_id, notes } => {
                self.piece(*piece_id, at, |row| row.notes = notes.as_ref().map(|n| n.as_str().to_owned()))
            }
            E::PieceProvenanceRecorded { piece_id, origin, origin_from } => {
                self.piece(*piece_id, at, |row| {
                    row.origin = origin.as_str().to_owned();
                    row.origin_from = origin_from.as_ref().map(|f| f.as_str().to_owned());
                })
            }
            E::PieceValued { piece_id, value } => {
                self.piece(*piece_id, at, |row| row.set_value(Some(*value)))
            }
            E::PieceValuationCleared { piece_id } => self.piece(*piece_id, at, |row| row.set_value(None)),
            E::PieceCoverPinned { piece_id, cover } => self.piece(*piece_id, at, |row| row.pin(*cover)),
            E::PhotoReplaced { piece_id, photo_id, .. } => {
                self.cover_changed(*piece_id, Cover::PhotoId(*photo_id), false, at)
            }
            E::PhotoRemoved { piece_id, photo_id } => {
                self.cover_changed(*piece_id, Cover::PhotoId(*photo_id), true, at)
            }
            E::ScanFramesReplaced { piece_id, scan_id, .. } => {
                self.cover_changed(*piece_id, Cover::ScanId(*scan_id), false, at)
            }
            E::ScanRemoved { piece_id, scan_id } => {
                self.cover_changed(*piece_id, Cover::ScanId(*scan_id), true, at)
            }
            // They have tables of their own.
            E::PhotosAdded { .. }
            | E::PhotosOrdered { .. }
            | E::PhotoShared { .. }
            | E::ScanMade { .. }
            | E::ScanShared { .. }
            | E::DocumentAdded { .. }
            | E::DocumentRemoved { .. } => Ok(()),
            E::PiecesArchived { piece_ids, reason, sale } => {
                let (sold_amount, sold_currency) = split(sale.and_then(|s| s.price));
                let sold_on = sale.and_then(|s| s.sold_on);
                self.pieces(piece_ids, at, |row| {
                    row.archived_at = Some(at.time);
                    row.archive_reason = Some(reason.as_str().to_owned());
                    row.sold_amount = sold_amount;
                    row.sold_currency.clone_from(&sold_currency);
                    row.sold_on = sold_on;
                })?;
                for id in piece_ids {
                    if let Some(figure) = self.pieces.get(&id.uuid()).map(|row| row.figure_id) {
                        self.uncover_wish(user, figure);
                    }
                }
                Ok(())
            }
            E::PieceRestored { piece_id } => self.piece(*piece_id, at, |row| {
                row.archived_at = None;
                row.archive_reason = None;
                row.sold_amount = None;
                row.sold_currency = None;
                row.sold_on = None;
            }),
            E::PieceDated { piece_id, added_at, archived_at } => self.piece(*piece_id, at, |row| {
                row.created_at = added_at.trunc_subsecs(6);
                row.archived_at = archived_at.map(|at| at.trunc_subsecs(6));
            }),
            E::PiecesDeleted { piece_ids } => {
                for id in piece_ids {
                    let figure = self.pieces.get(&id.uuid()).map(|row| row.figure_id);
                    self.pieces.remove(&id.uuid());
                    if let Some(figure) = figure {
                        self.uncover_wish(user, figure);
                    }
                }
                Ok(())
            }
            E::CabinetCreated { cabinet_id, name } => {
                let last =
                    self.cabinets.rows_where(CabinetRow::user_id, user).iter().map(|c| c.sort_order).max();
                self.cabinets.insert(CabinetRow {
                    id: cabinet_id.uuid(),
                    user_id: user,
                    name: name.as_str().to_owned(),
                    name_key: folded(name.as_str()),
                    sort_order: last.map_or(0, |order| order.saturating_add(1)),
                    version: at.version,
                    created_at: at.time,
                    updated_at: at.time,
                });
                Ok(())
            }
            E::CabinetRenamed { cabinet_id, previous, name } => {
                self.rehome(user, previous, Some(name), at);
                self.cabinets.change(&cabinet_id.uuid(), |row| {
                    row.name = name.as_str().to_owned();
                    row.name_key = folded(name.as_str());
                    row.version = at.version;
                    row.updated_at = at.time;
                })
            }
            E::CabinetDeleted { cabinet_id, name } => {
                self.rehome(user, name, None, at);
                self.cabinets.remove(&cabinet_id.uuid());
                Ok(())
            }
            E::CabinetsOrdered { cabinet_ids } => {
                for (place, id) in (0_i32..).zip(cabinet_ids) {
                    self.cabinets.change(&id.uuid(), |row| row.sort_order = place)?;
                }
                Ok(())
            }
            E::Wished { figure_id, target, note } => {
                let (max_price_amount, max_price_currency) = split(*target);
                let note = note.as_ref().map(|n| n.as_str().to_owned());
                let new = || WishRow {
                    user_id: user,
                    wished_as: figure_id.uuid(),
                    id: at.event,
                    figure_id: figure_id.uuid(),
                    max_price_amount: None,
                    max_price_currency: None,
                    note: None,
                    version: at.version,
                    created_at: at.time,
                    updated_at: at.time,
                };
                self.wishes.upsert(&(user, figure_id.uuid()), new, |row| {
                    row.max_price_amount = max_price_amount;
                    row.max_price_currency = max_price_currency;
                    row.note = note;
                    row.version = at.version;
                    row.updated_at = at.time;
                });
                Ok(())
            }
            E::WishTargetSet { figure_id, target } => self.wish(user, figure_id.uuid(), at, |row| {
                (row.max_price_amount, row.max_price_currency) = split(*target);
            }),
            E::WishNoted { figure_id, note } => self.wish(user, figure_id.uuid(), at, |row| {
                row.note = note.as_ref().map(|n| n.as_str().to_owned());
            }),
            E::Unwished { figure_id, reason } => {
                self.unwish(user, figure_id.uuid(), *reason);
                Ok(())
            }
            E::PersonErased {} => {
                self.pieces.remove_owned_by(user);
                self.cabinets.remove_owned_by(user);
                self.wishes.remove_owned_by(user);
                self.waiting.remove_owned_by(user);
                Ok(())
            }
            E::Erased {} => Ok(()),
        }
    }

    fn preorder(&mut self, piece: Uuid, event: &PreorderEvent, at: At) {
        use PreorderEvent as E;
        let status = match event {
            E::Placed(placed) | E::Replaced(placed) => Some(placed.status),
            E::StatusAdvanced { status, .. } | E::StatusCorrected { status, .. } => Some(*status),
            E::Shipped { .. } => Some(Status::Shipped),
            E::Received { .. } => Some(Status::Received),
            E::Cancelled { .. } => Some(Status::Cancelled),
            _ => None,
        };
        // A piece that was deleted together with its pre-order is not there any more.
        self.pieces.update(&piece, |row| {
            if let Some(status) = status {
                row.preorder_status = Some(status.as_str().to_owned());
                row.received_at = match event {
                    E::Received { received_at, .. } => Some(received_at.trunc_subsecs(6)),
                    _ => None,
                };
            }
            row.preorder_version = at.version;
            row.updated_at = at.time;
        });
    }

    /// Moves the pieces of a cabinet elsewhere, as renaming and deleting it do.
    fn rehome(&mut self, user: Uuid, from: &Location, to: Option<&Location>, at: At) {
        let from = folded(from.as_str());
        for id in self.pieces.keys_where(OwnedItemRow::user_id, user) {
            if self.pieces.get(&id).is_some_and(|row| row.location_key.as_deref() == Some(from.as_str())) {
                self.pieces.update(&id, |row| {
                    row.set_location(to);
                    row.version = at.version;
                    row.updated_at = at.time;
                });
            }
        }
    }

    fn wish(
        &mut self,
        user: Uuid,
        wished_as: Uuid,
        at: At,
        with: impl FnOnce(&mut WishRow),
    ) -> Result<(), FoldError> {
        self.wishes.change(&(user, wished_as), |row| {
            with(row);
            row.version = at.version;
            row.updated_at = at.time;
        })
    }

    fn unwish(&mut self, user: Uuid, wished_as: Uuid, reason: UnwishReason) {
        let key = (user, wished_as);
        let continued = (reason == UnwishReason::Merged).then(|| self.wishes.get(&key).cloned()).flatten();
        // Whether it is there does not matter, and to look would be a round trip of every append.
        self.wishes.remove(&key);
        self.waiting.remove(&key);
        // It continues under the figure it is now, and the event after this one says how.
        if let Some(wish) = continued.filter(|wish| wish.figure_id != wished_as) {
            self.wishes.insert(WishRow { wished_as: wish.figure_id, ..wish });
        }
    }

    fn owns(&self, user: Uuid, figure: Uuid) -> bool {
        self.pieces
            .rows_where(OwnedItemRow::figure_id, figure)
            .iter()
            .any(|row| row.user_id == user && row.archived_at.is_none())
    }

    /// Brings back a wish that waited behind a piece, when that was the last one.
    fn uncover_wish(&mut self, user: Uuid, figure: Uuid) {
        let waiting = self.waiting.rows_where(WaitingWishRow::figure_id, figure);
        let Some(wish) = waiting.into_iter().find(|wish| wish.user_id == user).cloned() else { return };
        if !self.owns(user, figure) {
            self.waiting.remove(&(user, wish.wished_as));
            self.wishes.insert(wish.into());
        }
    }

    /// Everything of one figure is another's from now on. Where a person has both, the winner's own wish
    /// stands, as it does in the stream; a wish whose figure is owned waits.
    fn merge_figures(&mut self, loser: Uuid, winner: Uuid) {
        for id in self.pieces.keys_where(OwnedItemRow::figure_id, loser) {
            self.pieces.update(&id, |row| row.figure_id = winner);
        }
        let owners: BTreeSet<Uuid> = self
            .pieces
            .rows_where(OwnedItemRow::figure_id, winner)
            .iter()
            .filter(|row| row.archived_at.is_none())
            .map(|row| row.user_id)
            .collect();
        let mut settled = BTreeSet::new();
        for figure in [winner, loser] {
            let mut wishes: Vec<WishRow> =
                self.wishes.rows_where(WishRow::figure_id, figure).into_iter().cloned().collect();
            let waiting = self.waiting.rows_where(WaitingWishRow::figure_id, figure);
            wishes.extend(waiting.into_iter().cloned().map(WishRow::from));
            for wish in wishes {
                let key = (wish.user_id, wish.wished_as);
                self.wishes.remove(&key);
                self.waiting.remove(&key);
                if settled.insert(wish.user_id) {
                    let owned = owners.contains(&wish.user_id);
                    let wish = WishRow { figure_id: winner, ..wish };
                    if owned {
                        self.waiting.insert(wish.into());
                    } else {
                        self.wishes.insert(wish);
                    }
                }
            }
        }
    }

    /// The id that a store has now.
    fn store_now(&self, id: Uuid) -> Uuid {
        self.merged_stores.get(&id).map_or(id, |row| row.winner_id)
    }

    fn merge_stores(&mut self, loser: Uuid, winner: Uuid) {
        for id in self.pieces.keys_where(OwnedItemRow::store_id, loser) {
            self.pieces.update(&id, |row| row.store_id = Some(winner));
        }
        for id in self.merged_stores.keys_where(MergedStoreRow::winner_id, loser) {
            self.merged_stores.update(&id, |row| row.winner_id = winner);
        }
        self.merged_stores.insert(MergedStoreRow { store_id: loser, winner_id: winner });
    }
}
