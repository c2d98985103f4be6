//! The steps of a pre-order: through its statuses, its slips, and its end.

use super::PieceVersion;
use super::finding::own_piece;
use crate::collection::{ArchiveReason, CollectionCommand, Condition};
use crate::dates::ReleaseDate;
use crate::ids::{PieceId, UserId};
use crate::money::Amount;
use crate::preorder::{PreorderCommand, SlipSource, Status};
use crate::refusal::{Code, Refusal};
use crate::text::{HttpUrl, Note};
use crate::world::{Command, Stop, World};
use chrono::{DateTime, Utc};

/// Where a pre-order goes.
#[derive(Debug, Clone, PartialEq)]
pub enum Steps {
    /// To a status: forward, or back as a correction.
    To(Status),
    /// It left the shop.
    Ship {
        /// When; now if not said.
        shipped_at: Option<DateTime<Utc>>,
        /// Where to follow the parcel.
        tracking_url: Option<HttpUrl>,
        /// Days from shipping to the door.
        estimated_delivery_days: Option<u16>,
    },
    /// It is here.
    Receive {
        /// When; now if not said.
        received_at: Option<DateTime<Utc>>,
        /// In which state.
        condition: Option<Condition>,
    },
}

/// Take a pre-order a step.
#[derive(Debug, Clone, PartialEq)]
pub struct StepPreorder {
    /// Whose collection.
    pub user_id: UserId,
    /// The piece.
    pub piece_id: PieceId,
    /// What the caller last saw.
    pub expected: Option<PieceVersion>,
    /// Where to.
    pub step: Steps,
}

impl Command for StepPreorder {
    type Answer = PieceId;
    const NAME: &'static str = "step_preorder";

    fn decide(&self, world: &mut World) -> Result<PieceId, Stop> {
        let (user, piece_id) = (self.user_id, self.piece_id);
        let found = own_piece(world, user, piece_id, self.expected)?;
        // Taking a receipt back would otherwise leave a live pre-order on an archived piece.
        if found.piece.archived.is_some() && found.preorder.states_cost() {
            return Err(Refusal::new(
                Code::PieceArchived,
                "restore the piece before going on with its pre-order",
            )
            .into());
        }
        let now = world.now();
        let command = match self.step.clone() {
            Steps::To(to) => PreorderCommand::Step { to, now },
            Steps::Ship { shipped_at, tracking_url, estimated_delivery_days } => {
                PreorderCommand::Ship { shipped_at, now, tracking_url, estimated_delivery_days }
            }
            Steps::Receive { received_at, condition } => {
                PreorderCommand::Receive { received_at, now, condition }
            }
        };
        world.tell_preorder(user, piece_id, command)?;
        if let Steps::Receive { condition: Some(condition), .. } = self.step {
            world.tell_collection(
                user,
                CollectionCommand::SetCondition { piece_ids: vec![piece_id], condition: Some(condition) },
            )?;
        }
        Ok(piece_id)
    }
}

/// A release date was announced.
#[derive(Debug, Clone, PartialEq)]
pub struct SlipRelease {
    /// Whose collection.
    pub user_id: UserId,
    /// The piece.
    pub piece_id: PieceId,
    /// What the caller last saw.
    pub expected: Option<PieceVersion>,
    /// The date.
    pub release: ReleaseDate,
    /// Who said so.
    pub source: SlipSource,
    /// A note.
    pub note: Option<Note>,
}

impl Command for SlipRelease {
    type Answer = PieceId;
    const NAME: &'static str = "slip_release";

    fn decide(&self, world: &mut World) -> Result<PieceId, Stop> {
        own_piece(world, self.user_id, self.piece_id, self.expected)?;
        let slip =
            PreorderCommand::Slip { release: self.release, source: self.source, note: self.note.clone() };
        world.tell_preorder(self.user_id, self.piece_id, slip)?;
        Ok(self.piece_id)
    }
}

/// What happens to the piece of a cancelled pre-order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It is kept in the archive.
    Archive,
    /// It goes, and its pre-order with it; only when nothing was lost.
    Delete,
}

/// Call a pre-order off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CancelPreorder {
    /// Whose collection.
    pub user_id: UserId,
    /// The piece.
    pub piece_id: PieceId,
    /// What the caller last saw.
    pub expected: Option<PieceVersion>,
    /// What comes back: at most what was paid.
    pub refund: Amount,
    /// What happens to the piece; archived when not said.
    pub fate: Option<Fate>,
}

impl Command for CancelPreorder {
    type Answer = PieceId;
    const NAME: &'static str = "cancel_preorder";

    fn decide(&self, world: &mut World) -> Result<PieceId, Stop> {
        let (user, piece_id) = (self.user_id, self.piece_id);
        let found = own_piece(world, user, piece_id, self.expected)?;
        let lost = self.refund < found.preorder.chapter()?.paid();
        world.tell_preorder(user, piece_id, PreorderCommand::Cancel { refund: self.refund })?;
        let piece_ids = vec![piece_id];
        let end = match self.fate {
            Some(Fate::Delete) if lost => {
                return Err(Refusal::new(
                    Code::LossMustBeKept,
                    "money was lost, so the piece is archived and not deleted",
                )
                .on("item")
                .into());
            }
            Some(Fate::Delete) => CollectionCommand::Delete { piece_ids },
            Some(Fate::Archive) | None => {
                CollectionCommand::Archive { piece_ids, reason: ArchiveReason::Cancelled, sale: None }
            }
        };
        world.tell_collection(user, end)?;
        Ok(piece_id)
    }
}
