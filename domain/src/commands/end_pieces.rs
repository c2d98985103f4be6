//! Archive, restore and delete pieces. A live pre-order is cancelled first, with the refund that is stated.

use super::PieceVersion;
use super::finding::{live_figure, own_piece};
use crate::collection::{ArchiveReason, CollectionCommand, Sale};
use crate::ids::{PieceId, UserId};
use crate::money::Amount;
use crate::preorder::PreorderCommand;
use crate::refusal::{Code, Refusal};
use crate::world::{Command, Stop, World};

/// Cancels the live pre-orders among the pieces; returns whether money was lost on any.
fn cancel_live(
    world: &mut World,
    user: UserId,
    piece_ids: &[PieceId],
    refund: Option<Amount>,
) -> Result<bool, Stop> {
    let collection = world.collection(user)?;
    let mut lost = false;
    for id in piece_ids {
        if !collection.piece(*id).map_err(|r| r.on("ids").because_of(id.uuid()))?.preordered {
            continue;
        }
        let preorder = world.preorder(*id)?;
        let Some(chapter) = preorder.chapter.as_ref().filter(|c| c.status.is_live()) else { continue };
        let refund = match refund {
            Some(refund) if piece_ids.len() == 1 => refund,
            _ => {
                return Err(Refusal::new(
                    Code::PreorderLive,
                    "this piece has a live pre-order: cancel it, or state its refund_amount with this request",
                )
                .on("refund_amount")
                .because_of(id.uuid())
                .into());
            }
        };
        lost = lost || refund < chapter.paid();
        world.tell_preorder(user, *id, PreorderCommand::Cancel { refund })?;
    }
    Ok(lost)
}

/// Archive pieces: all or nothing.
#[derive(Debug, Clone, PartialEq)]
pub struct ArchivePieces {
    /// Whose collection.
    pub user_id: UserId,
    /// The pieces.
    pub piece_ids: Vec<PieceId>,
    /// What the caller last saw, of a single piece.
    pub expected: Option<PieceVersion>,
    /// Why.
    pub reason: ArchiveReason,
    /// What a sold piece brought.
    pub sale: Option<Sale>,
    /// The refund for the live pre-order of a single piece.
    pub refund: Option<Amount>,
}

impl Command for ArchivePieces {
    type Answer = ();
    const NAME: &'static str = "archive_pieces";

    fn decide(&self, world: &mut World) -> Result<(), Stop> {
        if let [only] = self.piece_ids.as_slice() {
            own_piece(world, self.user_id, *only, self.expected)?;
        }
        cancel_live(world, self.user_id, &self.piece_ids, self.refund)?;
        world.tell_collection(
            self.user_id,
            CollectionCommand::Archive {
                piece_ids: self.piece_ids.clone(),
                reason: self.reason,
                sale: self.sale,
            },
        )
    }
}

/// Bring an archived piece back; a wish for its figure ends. A cancelled pre-order stays cancelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RestorePiece {
    /// Whose collection.
    pub user_id: UserId,
    /// The piece.
    pub piece_id: PieceId,
    /// What the caller last saw.
    pub expected: Option<PieceVersion>,
}

impl Command for RestorePiece {
    type Answer = PieceId;
    const NAME: &'static str = "restore_piece";

    fn decide(&self, world: &mut World) -> Result<PieceId, Stop> {
        let found = own_piece(world, self.user_id, self.piece_id, self.expected)?;
        let same_figure = live_figure(world, found.piece.figure_id)?.same();
        world.tell_collection(
            self.user_id,
            CollectionCommand::Restore { piece_id: self.piece_id, same_figure },
        )?;
        Ok(self.piece_id)
    }
}

/// Delete pieces: all or nothing. A piece on whose pre-order money is lost is archived instead, by the owner.
#[derive(Debug, Clone, PartialEq)]
pub struct DeletePieces {
    /// Whose collection.
    pub user_id: UserId,
    /// The pieces.
    pub piece_ids: Vec<PieceId>,
    /// What the caller last saw, of a single piece.
    pub expected: Option<PieceVersion>,
    /// The refund for the live pre-order of a single piece.
    pub refund: Option<Amount>,
}

impl Command for DeletePieces {
    type Answer = ();
    const NAME: &'static str = "delete_pieces";

    fn decide(&self, world: &mut World) -> Result<(), Stop> {
        if let [only] = self.piece_ids.as_slice() {
            own_piece(world, self.user_id, *only, self.expected)?;
        }
        if cancel_live(world, self.user_id, &self.piece_ids, self.refund)? {
            return Err(Refusal::new(
                Code::LossMustBeKept,
                "money was lost on this pre-order; archive the piece so that the loss stays on record",
            )
            .on("refund_amount")
            .into());
        }
        world.tell_collection(self.user_id, CollectionCommand::Delete { piece_ids: self.piece_ids.clone() })
    }
}
