//! Correct what is recorded of a piece. Price, shipping and currency are one fact with its pre-order.

use super::PieceVersion;
use super::catalogue_figure::optional;
use super::finding::{FoundPiece, own_piece};
use crate::collection::{CollectionCommand, Condition, Cost, Origin, Piece, PieceEdit};
use crate::entity::EntityKind;
use crate::ids::{PieceId, UserId};
use crate::money::{Amount, Currency};
use crate::preorder::PreorderCommand;
use crate::text::{Line, Location, Name, Note};
use crate::world::{Command, Stop, World};
use chrono::NaiveDate;

/// Correct a piece. What is `None` stays as it is; `Some(None)` takes a fact away.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs, reason = "the fields are those of `Piece`")]
pub struct EditPiece {
    pub user_id: UserId,
    pub piece_id: PieceId,
    pub expected: Option<PieceVersion>,
    pub condition: Option<Option<Condition>>,
    pub price: Option<Option<Amount>>,
    pub shipping: Option<Option<Amount>>,
    pub fees: Option<Option<Amount>>,
    pub currency: Option<Option<Currency>>,
    pub purchase_date: Option<Option<NaiveDate>>,
    pub store: Option<Option<Name>>,
    pub location: Option<Option<Location>>,
    pub notes: Option<Option<Note>>,
    pub origin: Option<Origin>,
    pub origin_from: Option<Option<Line<200>>>,
}

impl EditPiece {
    /// An edit that changes nothing yet.
    pub fn of(user_id: UserId, piece_id: PieceId) -> Self {
        Self {
            user_id,
            piece_id,
            expected: None,
            condition: None,
            price: None,
            shipping: None,
            fees: None,
            currency: None,
            purchase_date: None,
            store: None,
            location: None,
            notes: None,
            origin: None,
            origin_from: None,
        }
    }
}

/// A cost after some of its parts were restated; its rate still stands, for as long as the currency is the same.
pub(super) fn restated(
    cost: Cost,
    price: Option<Option<Amount>>,
    shipping: Option<Option<Amount>>,
    fees: Option<Option<Amount>>,
    currency: Option<Option<Currency>>,
) -> Cost {
    let restated = Cost {
        price: price.unwrap_or(cost.price),
        shipping: shipping.unwrap_or(cost.shipping),
        fees: fees.unwrap_or(cost.fees),
        currency: currency.unwrap_or(cost.currency),
        fx_rate: cost.fx_rate,
    };
    if restated.currency == cost.currency { restated } else { Cost { fx_rate: None, ..restated } }
}

/// A restated cost with the rate that goes with it: frozen anew when the currency or the purchase date is another
/// one than before, and only then. Where no rate is known, the one of before is better than none.
pub(super) fn refrozen(
    world: &World,
    before: &Piece,
    restated: Cost,
    purchase_date: Option<NaiveDate>,
) -> Cost {
    if restated.currency == before.cost.currency && purchase_date == before.purchase_date {
        return restated;
    }
    let anew =
        Cost { fx_rate: None, ..restated }.frozen(world.rates(), purchase_date, world.now().date_naive());
    Cost { fx_rate: anew.fx_rate.or(restated.fx_rate), ..restated }
}

/// Records a cost on a piece and, as the same fact, on a pre-order that states it.
pub(super) fn record_cost(
    world: &mut World,
    user: UserId,
    piece_id: PieceId,
    found: &FoundPiece,
    cost: Cost,
    deposit: Option<Option<Amount>>,
) -> Result<(), Stop> {
    if let Some(chapter) = found.preorder.chapter.as_ref().filter(|_| found.preorder.states_cost()) {
        let deposit = deposit.unwrap_or(chapter.deposit);
        world.tell_preorder(
            user,
            piece_id,
            PreorderCommand::RecordCost { cost: cost.without_fees(), deposit },
        )?;
    }
    let edit = PieceEdit { cost: Some(cost), ..PieceEdit::default() };
    world.tell_collection(user, CollectionCommand::EditPiece { piece_id, edit: Box::new(edit) })
}

impl Command for EditPiece {
    type Answer = PieceId;
    const NAME: &'static str = "edit_piece";

    fn decide(&self, world: &mut World) -> Result<PieceId, Stop> {
        let (user, piece_id) = (self.user_id, self.piece_id);
        let found = own_piece(world, user, piece_id, self.expected)?;
        let store_id = match &self.store {
            Some(name) => Some(optional(world, EntityKind::Store, name, "store")?),
            None => None,
        };
        let cost = restated(found.piece.cost, self.price, self.shipping, self.fees, self.currency);
        let purchase_date = self.purchase_date.unwrap_or(found.piece.purchase_date);
        let cost = refrozen(world, &found.piece, cost, purchase_date);
        if cost != found.piece.cost {
            record_cost(world, user, piece_id, &found, cost, None)?;
        }
        if let Some(store_id) = store_id.filter(|_| found.preorder.states_cost()) {
            world.tell_preorder(user, piece_id, PreorderCommand::RecordStore { store_id })?;
        }
        let edit = PieceEdit {
            condition: self.condition,
            cost: None,
            purchase_date: self.purchase_date,
            store_id,
            location: self.location.clone(),
            notes: self.notes.clone(),
            origin: self.origin,
            origin_from: self.origin_from.clone(),
        };
        world.tell_collection(user, CollectionCommand::EditPiece { piece_id, edit: Box::new(edit) })?;
        Ok(piece_id)
    }
}
