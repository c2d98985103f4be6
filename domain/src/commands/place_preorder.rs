//! Place a pre-order with its piece in one step, or a fresh one after a cancellation.

use super::PieceVersion;
use super::catalogue_figure::optional;
use super::edit_piece::record_cost;
use super::finding::{live_figure, own_piece};
use super::pieces::{PieceFields, add, frozen};
use crate::collection::{CollectionCommand, Cost, PieceEdit, UnwishReason};
use crate::dates::ReleaseDate;
use crate::entity::EntityKind;
use crate::ids::{EntityId, FigureId, PieceId, PreorderId, UserId};
use crate::money::Amount;
use crate::preorder::{Placed, PreorderCommand, Status};
use crate::refusal::{Code, Refusal};
use crate::text::HttpUrl;
use crate::world::{Command, Stop, World};

/// What the collector says of a pre-order when placing it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PreorderFields {
    /// `preordered` when not said.
    pub status: Option<Status>,
    /// The catalogue's date when not said and still to come.
    pub release: Option<ReleaseDate>,
    /// Part of the price.
    pub deposit: Option<Amount>,
    /// Where to follow the parcel.
    pub tracking_url: Option<HttpUrl>,
    /// Days from shipping to the door.
    pub estimated_delivery_days: Option<u16>,
}

/// Place a pre-order and its piece. Price, shipping, currency and store stand in `piece`.
#[derive(Debug, Clone, PartialEq)]
pub struct PlacePreorder {
    /// Whose collection.
    pub user_id: UserId,
    /// The new piece.
    pub piece_id: PieceId,
    /// The new pre-order.
    pub preorder_id: PreorderId,
    /// The figure.
    pub figure_id: FigureId,
    /// What is known of the piece.
    pub piece: PieceFields,
    /// What is known of the pre-order.
    pub preorder: PreorderFields,
}

impl Command for PlacePreorder {
    type Answer = PreorderId;
    const NAME: &'static str = "place_preorder";

    fn decide(&self, world: &mut World) -> Result<PreorderId, Stop> {
        place(
            world,
            self.user_id,
            (self.piece_id, self.preorder_id),
            self.figure_id,
            &self.piece,
            &self.preorder,
            UnwishReason::Owned,
        )
    }
}

/// Places a pre-order on behalf of a command.
pub(super) fn place(
    world: &mut World,
    user: UserId,
    (piece_id, preorder_id): (PieceId, PreorderId),
    figure_id: FigureId,
    piece: &PieceFields,
    preorder: &PreorderFields,
    unwish: UnwishReason,
) -> Result<PreorderId, Stop> {
    let figure = live_figure(world, figure_id)?;
    add(world, user, piece_id, figure.id, piece, true, unwish)?;
    let store_id = optional(world, EntityKind::Store, &piece.store, "store")?;
    let today = world.now().date_naive();
    let placed = Placed {
        preorder_id,
        user_id: user,
        piece_id,
        figure_id: figure.id,
        status: preorder.status.unwrap_or(Status::Preordered),
        release: preorder.release.or_else(|| figure.figure.awaited_release(today)),
        cost: frozen(world, piece.cost, piece.purchase_date).without_fees(),
        deposit: preorder.deposit,
        store_id,
        tracking_url: preorder.tracking_url.clone(),
        estimated_delivery_days: preorder.estimated_delivery_days,
    };
    world.tell_preorder(user, piece_id, PreorderCommand::Place(Box::new(placed)))?;
    Ok(preorder_id)
}

/// Place a fresh pre-order for a piece whose last one was cancelled. The piece has to be restored first.
#[derive(Debug, Clone, PartialEq)]
pub struct ReplacePreorder {
    /// Whose collection.
    pub user_id: UserId,
    /// The piece.
    pub piece_id: PieceId,
    /// What the caller last saw.
    pub expected: Option<PieceVersion>,
    /// The new chapter.
    pub preorder_id: PreorderId,
    /// Price, shipping and currency.
    pub cost: Cost,
    /// The shop.
    pub store: Option<crate::text::Name>,
    /// The rest.
    pub preorder: PreorderFields,
}

impl Command for ReplacePreorder {
    type Answer = PreorderId;
    const NAME: &'static str = "replace_preorder";

    fn decide(&self, world: &mut World) -> Result<PreorderId, Stop> {
        let (user, piece_id) = (self.user_id, self.piece_id);
        let found = own_piece(world, user, piece_id, self.expected)?;
        let cancelled = found.preorder.chapter()?.status == Status::Cancelled;
        if cancelled && found.piece.archived.is_some() {
            return Err(Refusal::new(
                Code::PieceArchived,
                "restore the piece first; then a fresh pre-order can replace the cancelled one",
            )
            .into());
        }
        let figure = live_figure(world, found.piece.figure_id)?;
        let store_id: Option<EntityId> = optional(world, EntityKind::Store, &self.store, "store")?;
        // The fresh order is made now; the purchase date, if one is recorded, was the old one's.
        let cost = frozen(world, self.cost.without_fees(), None);
        let today = world.now().date_naive();
        let placed = Placed {
            preorder_id: self.preorder_id,
            user_id: user,
            piece_id,
            figure_id: figure.id,
            status: self.preorder.status.unwrap_or(Status::Preordered),
            release: self.preorder.release.or_else(|| figure.figure.awaited_release(today)),
            cost,
            deposit: self.preorder.deposit,
            store_id,
            tracking_url: self.preorder.tracking_url.clone(),
            estimated_delivery_days: self.preorder.estimated_delivery_days,
        };
        world.tell_preorder(user, piece_id, PreorderCommand::Replace(Box::new(placed)))?;
        // The piece now cost what the fresh pre-order says; fees were the old parcel's.
        let fresh = own_piece(world, user, piece_id, None)?;
        record_cost(world, user, piece_id, &fresh, cost, None)?;
        let edit = PieceEdit { store_id: Some(store_id), ..PieceEdit::default() };
        world.tell_collection(user, CollectionCommand::EditPiece { piece_id, edit: Box::new(edit) })?;
        Ok(self.preorder_id)
    }
}
