//! Correct what is recorded of a pre-order.

use super::PieceVersion;
use super::catalogue_figure::optional;
use super::edit_piece::{record_cost, refrozen, restated};
use super::finding::own_piece;
use crate::collection::{CollectionCommand, PieceEdit};
use crate::dates::ReleaseDate;
use crate::entity::EntityKind;
use crate::ids::{PieceId, UserId};
use crate::money::{Amount, Currency};
use crate::preorder::{PreorderCommand, SlipSource};
use crate::text::{HttpUrl, Name};
use crate::world::{Command, Stop, World};

/// Correct a pre-order. What is `None` stays as it is; `Some(None)` takes a fact away.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs, reason = "the fields are those of `Chapter`")]
pub struct EditPreorder {
    pub user_id: UserId,
    pub piece_id: PieceId,
    pub expected: Option<PieceVersion>,
    pub price: Option<Option<Amount>>,
    pub shipping: Option<Option<Amount>>,
    pub currency: Option<Option<Currency>>,
    pub deposit: Option<Option<Amount>>,
    pub balance_paid: Option<bool>,
    pub store: Option<Option<Name>>,
    pub tracking_url: Option<Option<HttpUrl>>,
    pub estimated_delivery_days: Option<Option<u16>>,
    pub release: Option<ReleaseDate>,
}

impl EditPreorder {
    /// An edit that changes nothing yet.
    pub fn of(user_id: UserId, piece_id: PieceId) -> Self {
        Self {
            user_id,
            piece_id,
            expected: None,
            price: None,
            shipping: None,
            currency: None,
            deposit: None,
            balance_paid: None,
            store: None,
            tracking_url: None,
            estimated_delivery_days: None,
            release: None,
        }
    }
}

impl Command for EditPreorder {
    type Answer = PieceId;
    const NAME: &'static str = "edit_preorder";

    fn decide(&self, world: &mut World) -> Result<PieceId, Stop> {
        let (user, piece_id) = (self.user_id, self.piece_id);
        let found = own_piece(world, user, piece_id, self.expected)?;
        let chapter = found.preorder.chapter()?;
        let cost = restated(found.piece.cost, self.price, self.shipping, None, self.currency);
        let cost = refrozen(world, &found.piece, cost, found.piece.purchase_date);
        let deposit = self.deposit.unwrap_or(chapter.deposit);
        if cost.without_fees() != chapter.cost || deposit != chapter.deposit {
            // A cancelled one refuses here, since its amounts are history.
            world.tell_preorder(
                user,
                piece_id,
                PreorderCommand::RecordCost { cost: cost.without_fees(), deposit },
            )?;
            record_cost(world, user, piece_id, &found, cost, Some(deposit))?;
        }
        if let Some(name) = &self.store {
            let store_id = optional(world, EntityKind::Store, name, "store")?;
            world.tell_preorder(user, piece_id, PreorderCommand::RecordStore { store_id })?;
            let edit = PieceEdit { store_id: Some(store_id), ..PieceEdit::default() };
            world.tell_collection(user, CollectionCommand::EditPiece { piece_id, edit: Box::new(edit) })?;
        }
        if let Some(paid) = self.balance_paid {
            let now = world.now();
            world.tell_preorder(user, piece_id, PreorderCommand::SetBalance { paid, now })?;
        }
        if let Some(tracking_url) = self.tracking_url.clone() {
            world.tell_preorder(user, piece_id, PreorderCommand::RecordTracking { tracking_url })?;
        }
        if let Some(days) = self.estimated_delivery_days {
            world.tell_preorder(user, piece_id, PreorderCommand::EstimateDelivery { days })?;
        }
        if let Some(release) = self.release {
            let slip = PreorderCommand::Slip { release, source: SlipSource::User, note: None };
            world.tell_preorder(user, piece_id, slip)?;
        }
        Ok(piece_id)
    }
}
